"""The live sources against independent programs, running: pyzmq, pylsl, python-osc, sockets. Not part of the tests.

    cargo build --release -p percept_stream --example listen
    LD_LIBRARY_PATH=$(python -c 'import pylsl.lib, os; print(list(pylsl.lib.__path__)[0])') python peers.py target/release/examples/listen

Each sends a signal that tells channel and sample, goes away, and comes back; what `listen` prints is compared.
"""

import json
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np

LISTEN = sys.argv[1]


class Listener:
    """`listen WORD` and what it prints."""

    def __init__(self, *words):
        self.process = subprocess.Popen([LISTEN, *words], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.thread = threading.Thread(target=lambda: self.lines.extend(line.strip() for line in self.process.stdout))
        self.thread.start()

    def end(self):
        self.process.wait()
        self.thread.join()
        samples = [line.split(" ", 5) for line in self.lines if line.startswith("samples")]
        self.samples = [(int(first), int(rows), int(channels), json.loads(last)) for _, first, rows, channels, _, last in samples]
        self.events = [line for line in self.lines if not line.startswith("samples")]
        return self


def show(name, listener, expected):
    rows = sum(rows for _, rows, _, _ in listener.samples)
    wrong = [sample for sample in listener.samples if not np.allclose(sample[3], expected(sample[0] + sample[1] - 1), rtol=1e-6)]
    kinds = [event.split("(")[0] for event in listener.events]
    print(f"{name}: {rows} samples in {len(listener.samples)} blocks, {len(wrong)} wrong, events {kinds}")
    return not wrong and rows > 0


def open_ephys():
    import zmq

    context = zmq.Context()
    port = 36556
    beats = []

    def heartbeat(stop):
        socket_ = context.socket(zmq.REP)
        socket_.bind(f"tcp://127.0.0.1:{port + 1}")
        while not stop.is_set():
            if socket_.poll(100):
                beats.append(json.loads(socket_.recv()))
                socket_.send(b"heartbeat received")
        socket_.close(0)

    stop = threading.Event()
    thread = threading.Thread(target=heartbeat, args=(stop,))
    thread.start()
    listener = Listener(f"openephys:127.0.0.1:{port}", "9")
    number = 0
    for _session in range(2):
        publisher = context.socket(zmq.PUB)
        publisher.bind(f"tcp://127.0.0.1:{port}")
        time.sleep(1.5)
        for _ in range(100):
            for channel in range(4):
                samples = (1000 * channel + np.arange(number, number + 30) % 1000).astype(np.float32)
                content = {"stream": "s", "channel_num": channel, "num_samples": 30, "sample_num": number, "sample_rate": 3000.0}
                publisher.send_multipart([b"DATA", json.dumps({"type": "data", "content": content}).encode(), samples.tobytes()])
            number += 30
            time.sleep(0.01)
        publisher.close(0)
        time.sleep(0.5)
    listener.end()
    stop.set()
    thread.join()
    context.destroy(0)
    # Numbers count from the first block that was given.
    offset = next((o for o in range(0, 3000, 30) if np.allclose(listener.samples[0][3], [(1000 * c + (o + 29) % 1000) * 1e-6 for c in range(4)])), 0)
    ok = show("open ephys by pyzmq", listener, lambda n: [(1000 * c + (n + offset) % 1000) * 1e-6 for c in range(4)])
    print("  heartbeats:", len(beats), beats[:1])
    return ok and any("Back" in event for event in listener.events) and len(beats) >= 2


def lsl():
    import pylsl

    listener = Listener("lsl:percept test", "14")
    count = 0
    for _session in range(2):
        info = pylsl.StreamInfo("percept test", "EEG", 3, 250, "float32", f"id{_session}")
        channels = info.desc().append_child("channels")
        for label in ["A", "B", "C"]:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "microvolts")
        outlet = pylsl.StreamOutlet(info)
        outlet.wait_for_consumers(4)
        for _ in range(500):
            outlet.push_sample([count, count + 0.5, -count])
            count += 1
            time.sleep(0.004)
        del outlet
        time.sleep(1)
    listener.end()
    first = round(listener.samples[0][3][0] * 1e6) - (listener.samples[0][0] + listener.samples[0][1] - 1) if listener.samples else 0
    ok = show("lsl by pylsl", listener, lambda n: [(n + first) * 1e-6, (n + first + 0.5) * 1e-6, -(n + first) * 1e-6])
    print("  ", [event for event in listener.events if "Facts" in event][:1])
    return ok and any("Back" in event for event in listener.events)


def intan():
    data, command = socket.socket(), socket.socket()
    command.bind(("127.0.0.1", 36000))
    data.bind(("127.0.0.1", 36001))
    command.listen()
    data.listen()
    listener = Listener("intan:127.0.0.1:36001", "8")

    def answer():
        for _ in range(2):
            client, _address = command.accept()
            if b"sampleratehertz" in client.recv(100).lower():
                client.sendall(b"Return: SampleRateHertz 20000")
            client.recv(1)

    threading.Thread(target=answer, daemon=True).start()
    stamp = 0
    for n_channels in (4, 4):
        client, _address = data.accept()
        for _ in range(200):
            block = struct.pack("<I", 0x2EF07A08)
            for index in range(stamp, stamp + 128):
                block += struct.pack(f"<I{n_channels}H", index, *[32768 + 100 * channel + index % 50 for channel in range(n_channels)])
            client.sendall(block)
            stamp += 128
            time.sleep(0.005)
        client.close()
    listener.end()
    ok = show("intan by sockets", listener, lambda n: [(100 * c + n % 50) * 0.195e-6 for c in range(4)])
    return ok and any("20000" in event for event in listener.events) and any("Back" in event for event in listener.events)


def osc():
    from pythonosc.udp_client import SimpleUDPClient

    listener = Listener("osc:36009", "5")
    time.sleep(1)
    client = SimpleUDPClient("127.0.0.1", 36009)
    client.send_message("/rate", 100.0)
    for index in range(200):
        client.send_message("/samples", [float(index), 2.0 * index])
        if index % 50 == 0:
            client.send_message("/mood", 0.5)
        time.sleep(0.01)
    listener.end()
    ok = show("osc by python-osc", listener, lambda n: [n, 2.0 * n])
    return ok and sum("mood" in event for event in listener.events) == 4


if __name__ == "__main__":
    wanted = sys.argv[2:] or ["open_ephys", "intan", "osc", "lsl"]
    results = {name: globals()[name]() for name in wanted}
    print(results)
    sys.exit(0 if all(results.values()) else 1)
