"""Records what independent programs send, for tests of the live sources. See README.md.

    python make.py
"""

import json
import socket
import struct
import time
from pathlib import Path

import numpy as np
import zmq
from pythonosc import osc_bundle_builder, osc_message_builder

HERE = Path(__file__).parent
RNG = np.random.default_rng(20260522)
RATE, SAMPLES = 1000.0, 16


def sample_block(number, channels):
    """What the channels show from sample `number` on, in microvolts: a value that tells channel and sample."""
    times = number + np.arange(SAMPLES)
    return {channel: (100.0 * (channel + 1) + np.sin(times / 7.0 + channel) * 50).astype(np.float32) for channel in channels}


def blocks():
    """Blocks of three channels, one of which loses a message; a jump; then two channels."""
    number = 5000
    for index in range(30):
        yield number, [0, 1, 2], ([1] if index == 12 else [])
        number += SAMPLES * (4 if index == 20 else 1)
    for _ in range(10):
        yield number, [0, 1], []
        number += SAMPLES


def open_ephys():
    """The bytes that pyzmq's PUB socket sends to a subscriber, for messages as the ZMQ Interface documents them."""
    context = zmq.Context()
    publisher = context.socket(zmq.PUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    client = socket.create_connection(("127.0.0.1", port))
    # A subscriber of ZMTP 3.0: greeting, READY, and the subscription to everything.
    client.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\x00") + bytes(32))
    time.sleep(0.3)
    body = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB\x08Identity\x00\x00\x00\x00"
    client.sendall(bytes([4, len(body)]) + body)
    time.sleep(0.3)
    client.sendall(b"\x00\x01\x01")
    time.sleep(0.5)
    message_num = 0
    for number, channels, lost in blocks():
        for channel, samples in sample_block(number, channels).items():
            message_num += 1
            if channel in lost:
                continue
            content = {"stream": "Rhythm", "channel_num": channel, "num_samples": len(samples), "sample_num": number, "sample_rate": RATE}
            head = {"message_num": message_num, "type": "data", "content": content, "data_size": samples.nbytes, "timestamp": 0}
            publisher.send_multipart([b"DATA", json.dumps(head).encode(), samples.tobytes()])
        if number == 5000 + 3 * SAMPLES:
            event = {"message_num": 0, "type": "event", "content": {"stream": "Rhythm", "event_type": 3, "sample_num": number}, "data_size": 0}
            publisher.send_multipart([b"EVENT", json.dumps(event).encode(), b""])
    time.sleep(0.5)
    client.setblocking(False)
    out = b""
    while True:
        try:
            piece = client.recv(1 << 20)
            assert piece, "the publisher closed the connection"
            out += piece
        except BlockingIOError:
            break
    client.close()
    context.destroy(linger=0)
    (HERE / "open_ephys.bin").write_bytes(out)
    print("open_ephys.bin", len(out), "bytes, libzmq", zmq.zmq_version())


def intan():
    """Blocks of RHX's waveform output as Intan documents them: three channels, then five, garbage between."""
    out = b""
    first = 1280
    for n_channels, n_blocks in [(3, 6), (5, 6)]:
        for _ in range(n_blocks):
            out += struct.pack("<I", 0x2EF07A08)
            for stamp in range(first, first + 128):
                out += struct.pack("<I", stamp) + struct.pack(f"<{n_channels}H", *[32768 + 1000 * (channel + 1) + stamp % 100 for channel in range(n_channels)])
            first += 128
        if n_channels == 3:
            out += bytes(range(200))
    (HERE / "intan.bin").write_bytes(out)


def osc():
    """Datagrams by python-osc, each with its length before it: samples, values, a bundle within a bundle."""

    def message(address, *arguments):
        builder = osc_message_builder.OscMessageBuilder(address=address)
        for argument in arguments:
            builder.add_arg(argument)
        return builder.build()

    datagrams = [message("/rate", 200.0).dgram]
    for index in range(20):
        datagrams.append(message("/samples", index, 0.5 * index, -1.25).dgram)
    datagrams.append(message("/mood", 0.25).dgram)
    datagrams.append(message("/hand", 1, 2.5, "left", True).dgram)
    inner = osc_bundle_builder.OscBundleBuilder(osc_bundle_builder.IMMEDIATELY)
    inner.add_content(message("/samples", 20, 10.0, -1.25))
    outer = osc_bundle_builder.OscBundleBuilder(osc_bundle_builder.IMMEDIATELY)
    outer.add_content(inner.build())
    outer.add_content(message("/mood", 0.75))
    datagrams.append(outer.build().dgram)
    (HERE / "osc.bin").write_bytes(b"".join(struct.pack("<I", len(datagram)) + datagram for datagram in datagrams))


if __name__ == "__main__":
    open_ephys()
    intan()
    osc()
