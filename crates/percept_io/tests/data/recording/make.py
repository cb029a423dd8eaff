"""Writes small recordings and what independent readers read from them. See README.md.

    python make.py [NAME ...]        # all, or those whose function is named

Every function writes files here and calls `expect` with the values of an independent reader, in volts where the file knows volts.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RNG = np.random.default_rng(20260521)


def expect(name, values, rate_hz, channels, units, **more):
    """Values (samples × channels) go to NAME.npy, the rest to NAME.json."""
    values = np.asarray(values, dtype=np.float32)
    np.save(HERE / f"{name}.npy", values)
    facts = {"rate_hz": float(rate_hz), "channels": list(channels), "units": list(units), "n_samples": len(values), **more}
    (HERE / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def counts(n_samples, n_channels, low, high):
    return RNG.integers(low, high, size=(n_samples, n_channels), endpoint=True)


def wav():
    import soundfile

    rate = 8000
    signal = RNG.uniform(-1, 1, size=(150, 3))
    for name, subtype, form in [
        ("wav_u8", "PCM_U8", "WAV"),
        ("wav_i16", "PCM_16", "WAV"),
        ("wav_i24", "PCM_24", "WAV"),
        ("wav_i32", "PCM_32", "WAV"),
        ("wav_f32", "FLOAT", "WAV"),
        ("wav_f64", "DOUBLE", "WAV"),
        ("wav_extensible_i24", "PCM_24", "WAVEX"),
        ("wav_rf64_i16", "PCM_16", "RF64"),
    ]:
        soundfile.write(HERE / f"{name}.wav", signal, rate, subtype=subtype, format=form)
        read, read_rate = soundfile.read(HERE / f"{name}.wav", dtype="float64")
        if form == "WAV":
            # A second reader, where it knows the kind.
            from scipy.io import wavfile

            _, raw = wavfile.read(HERE / f"{name}.wav")
            scaled = {"u": lambda x: x / 128.0 - 1, "i": lambda x: x / float(2 ** (8 * x.itemsize - 1)), "f": lambda x: x}
            assert np.allclose(scaled[raw.dtype.kind](raw), read, atol=1e-7), name
        expect(name, read, read_rate, ["0", "1", "2"], [""] * 3)


def axona_header(**more):
    lines = {"trial_date": "Tuesday, 11 Nov 2014", "trial_time": "13:37:48", "experimenter": "percept", "comments": "", "duration": 1}
    return "".join(f"{key} {value}\r\n" for key, value in {**lines, **more}.items()).encode("cp1252")


def axona():
    """`.set`, two `.eeg`, one `.egf` and a `.bin`, by the format's description; counts read by ephysiopy and neo."""
    from neo.rawio import AxonaRawIO

    gains = {wire: 1000 + 500 * wire for wire in range(64)}
    settings = {"rawRate": 48000, "ADC_fullscale_mv": 1500, "EEG_ch_1": 3, "EEG_ch_2": 18, "saveEEG_ch_1": 1}
    settings |= {f"gain_ch_{wire}": gain for wire, gain in gains.items()}
    settings |= {f"mode_ch_{wire}": 0 for wire in range(64)}
    settings |= {f"collectMask_{tetrode}": int(tetrode in (1, 3)) for tetrode in range(1, 17)}
    (HERE / "axona.set").write_bytes(axona_header(**settings))
    eeg = counts(250, 2, -128, 127).astype(np.int8)
    for column, ending in enumerate(["eeg", "eeg2"]):
        head = axona_header(num_chans=1, sample_rate="250.0 hz", EEG_samples_per_position=5, bytes_per_sample=1, num_EEG_samples=len(eeg))
        (HERE / f"axona.{ending}").write_bytes(head + b"data_start" + eeg[:, column].tobytes() + b"\r\ndata_end\r\n")
    egf = counts(480, 1, -32768, 32767).astype("<i2")
    head = axona_header(num_chans=1, sample_rate="4800 hz", bytes_per_sample=2, num_EGF_samples=len(egf))
    (HERE / "axona.egf").write_bytes(head + b"data_start" + egf.tobytes() + b"\r\ndata_end\r\n")
    packets = counts(20, 192, -32768, 32767).astype("<i2")
    with open(HERE / "axona.bin", "wb") as file:
        for number, packet in enumerate(packets):
            file.write(b"ADU1" + struct.pack("<I", number) + bytes(24) + packet.tobytes() + bytes(16))

    from ephysiopy.axona.axonaIO import EEG as Eeg

    # Counts are that package's; its scale multiplies by the gain where the description of the format divides.
    read = np.stack([Eeg(HERE / "axona", eeg_file=number, egf=0).eeg for number in (1, 2)], axis=1).astype(float)
    scale = [1500 / gains[wire] / 128 * 1e-3 for wire in (2, 17)]
    expect("axona_eeg", read * scale, 250, ["eeg", "eeg2"], ["V"] * 2, date_time="2014-11-11T13:37:48")
    read = Eeg(HERE / "axona", eeg_file=1, egf=1).eeg[:, None].astype(float)
    expect("axona_egf", read * (1500 / gains[2] / 32768 * 1e-3), 4800, ["egf"], ["V"], date_time="2014-11-11T13:37:48")
    reader = AxonaRawIO(HERE / "axona.set")
    reader.parse_header()
    raw = reader.get_analogsignal_chunk(stream_index=0, channel_indexes=slice(None))
    # neo gives each channel the gain of the channel at the same place in the whole list, which is only true when all tetrodes
    # are collected; the counts are its own, the gains are those of the channels.
    wires = [0, 1, 2, 3, 8, 9, 10, 11]
    values = raw * np.array([1500 / gains[wire] / 32768 * 1e-3 for wire in wires])
    names = [f"{tetrode}{letter}" for tetrode in (1, 3) for letter in "abcd"]
    expect("axona_raw", values, 48000, names, ["V"] * 8, date_time="2014-11-11T13:37:48")


def tables():
    import pandas

    frame = pandas.DataFrame({"time": np.arange(2500) / 250.0, "left": RNG.normal(size=2500), "right, far": RNG.normal(size=2500)})
    frame.loc[7, "left"] = np.nan
    frame.round(4).to_csv(HERE / "table.csv", index=False)
    read = pandas.read_csv(HERE / "table.csv")
    expect("table", read.iloc[:, 1:].to_numpy(), 250, ["left", "right, far"], ["", ""])


def edf():
    """EDF+C, EDF+D-like starts within a second, BDF, and a plain EDF of two rates; written and read by pyedflib."""
    import datetime

    import pyedflib

    def write(name, kind, rates, n_secs, microsecond=0, annotations=()):
        writer = pyedflib.EdfWriter(str(HERE / name), len(rates), file_type=kind)
        low, high = (-8388608, 8388607) if kind in (pyedflib.FILETYPE_BDF, pyedflib.FILETYPE_BDFPLUS) else (-32768, 32767)
        for index, (rate, unit) in enumerate(rates):
            writer.setSignalHeader(
                index,
                {
                    "label": f"ch {index}",
                    "dimension": unit,
                    "sample_frequency": rate,
                    "physical_min": -3276.8 + index,
                    "physical_max": 3276.7,
                    "digital_min": low,
                    "digital_max": high,
                    "transducer": "",
                    "prefilter": "",
                },
            )
        writer.setStartdatetime(datetime.datetime(2011, 4, 4, 12, 57, 2, microsecond))
        for onset, duration, text in annotations:
            writer.writeAnnotation(onset, duration, text)
        writer.writeSamples([RNG.uniform(-3000, 3000, size=int(rate * n_secs)) for rate, _ in rates])
        writer.close()

    write("edfplus.edf", pyedflib.FILETYPE_EDFPLUS, [(50, "uV"), (50, "mV"), (10, "degC")], 6, 250000, [(0.5, 1.25, "one"), (3, -1, "zwei µ")])
    write("plain.edf", pyedflib.FILETYPE_EDF, [(40, "uV"), (40, "")], 4)
    write("bdfplus.bdf", pyedflib.FILETYPE_BDFPLUS, [(64, "uV"), (64, "V")], 3, 0, [(1, 0.5, "bdf")])

    def read(name, expected, signals, **more):
        reader = pyedflib.EdfReader(str(HERE / name))
        factor = {"uV": 1e-6, "mV": 1e-3, "V": 1.0}
        units = [reader.getPhysicalDimension(signal).strip() for signal in signals]
        values = [reader.readSignal(signal) * factor.get(unit, 1) for signal, unit in zip(signals, units)]
        onsets, durations, texts = reader.readAnnotations()
        annotations = [[float(onset), None if duration < 0 else float(duration), text] for onset, duration, text in zip(onsets, durations, texts)]
        started = reader.getStartdatetime().isoformat()
        expect(
            expected,
            np.stack(values, axis=1),
            reader.getSampleFrequency(signals[0]),
            [reader.getLabel(signal) for signal in signals],
            ["V" if unit in factor else unit for unit in units],
            date_time=started,
            annotations=annotations,
            gaps=[],
            **more,
        )
        reader.close()

    read("edfplus.edf", "edfplus", [0, 1])
    read("edfplus.edf", "edfplus_slow", [2])
    read("plain.edf", "plain", [0, 1])
    read("bdfplus.bdf", "bdfplus", [0, 1])
    discontinuous()


def discontinuous():
    """The records of `edfplus.edf` at other times, as EDF+D; the samples are the same. MNE reads no EDF+D, pyedflib neither."""
    data = bytearray((HERE / "edfplus.edf").read_bytes())
    data[192:197] = b"EDF+D"
    n_signals = int(data[252:256])
    head = 256 * (n_signals + 1)
    n_records, record_secs = int(data[236:244]), float(data[244:252])
    record = (len(data) - head) // n_records
    samples = [int(data[256 + 216 * n_signals + 8 * index :][:8]) for index in range(n_signals)]
    at = 2 * sum(samples[:-1])
    gaps = []
    for index in range(n_records):
        late = 0.0 if index < 2 else 1.5 if index < 5 else 101.5
        place = head + index * record + at
        # The list of the record's own time stands first, and gets as long as it was by zeros in front.
        old = bytes(data[place : place + 2 * samples[-1]])
        first, rest = old.split(b"\x14\x14\x00", 1)
        new = f"+{index * record_secs + 0.25 + late:g}".encode() + b"\x14\x14\x00" + rest
        data[place : place + len(old)] = new[: len(old)].ljust(len(old), b"\x00")
    per_record = samples[0]
    gaps = [[2 * per_record, 1.5], [5 * per_record, 100.0]]
    (HERE / "discontinuous.edf").write_bytes(data)
    facts = json.loads((HERE / "edfplus.json").read_text())
    values = np.load(HERE / "edfplus.npy")
    del facts["annotations"], facts["n_samples"]
    expect("discontinuous", values, **{**facts, "gaps": gaps, "date_time": "2011-04-04T12:57:02.250000"})


def open_ephys():
    """Both layouts of the binary format, by its documentation; read by neo."""
    from neo.rawio import OpenEphysBinaryRawIO

    for name, version, jump in [("open_ephys_04", "0.4.5", False), ("open_ephys_06", "0.6.7", True)]:
        folder = HERE / name / ("experiment1/recording1" if jump else ".")
        stream = folder / "continuous" / "Rhythm-100.0"
        stream.mkdir(parents=True, exist_ok=True)
        data = counts(400, 3, -32768, 32767).astype("<i2")
        data.tofile(stream / "continuous.dat")
        numbers = np.arange(1000, 1400)
        if jump:
            numbers[150:] += 75
            np.save(stream / "sample_numbers.npy", numbers)
            np.save(stream / "timestamps.npy", numbers / 2000.0)
        else:
            np.save(stream / "timestamps.npy", numbers)
        channels = [
            {"channel_name": label, "bit_volts": volts, "units": unit, "description": "", "identifier": "", "history": ""}
            for label, volts, unit in [("CH1", 0.195, "uV"), ("CH2", 0.195, "" if jump else "uV"), ("CH3", 0.25, "uV")]
        ]
        about = {"folder_name": "Rhythm-100.0/", "sample_rate": 2000, "source_processor_name": "Rhythm", "source_processor_id": 100, "stream_name": "Rhythm", "recorded_processor": "Record Node", "recorded_processor_id": 101, "num_channels": 3, "channels": channels}
        absent = {**about, "folder_name": "Absent-101.0/"}
        structure = {"GUI version": version, "continuous": [about] if jump else [about, absent], "events": [], "spikes": []}
        (folder / "structure.oebin").write_text(json.dumps(structure, indent=1))
        factor = 1e-6
        if jump:
            reader = OpenEphysBinaryRawIO(str(HERE / name))
            reader.parse_header()
            raw = reader.get_analogsignal_chunk(stream_index=0)
            values = reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0) * factor
        else:
            # neo refuses a description of streams that were not recorded, and layouts without node folders: NumPy.
            values = np.fromfile(stream / "continuous.dat", "<i2").reshape(-1, 3) * np.array([0.195, 0.195, 0.25]) * factor
        gaps = [[150, 75 / 2000]] if jump else []
        expect(name, values, 2000, ["CH1", "CH2", "CH3"], ["V"] * 3, gaps=gaps, clock_secs=0.5)


def qstring(text):
    data = text.encode("utf-16-le")
    return struct.pack("<I", len(data)) + data


def intan():
    """`.rhd` of version 1.5 and 3.1 and `.rhs` of version 3.0, by Intan's description; read by neo."""
    import warnings

    from neo.rawio import IntanRawIO

    def header(is_rhs, version, kinds, dc=False):
        out = struct.pack("<Ihhf", 0xD69127AC if is_rhs else 0xC6912702, *version, 2000.0)
        if is_rhs:
            out += struct.pack("<h8fh2fhh3f", 0, *[1.0] * 8, 0, 1.0, 1.0, 0, 0, 1e-6, 1.0, 1.0)
        else:
            out += struct.pack("<h6fh2f", 0, *[1.0] * 6, 0, 1.0, 1.0)
        out += qstring("a note, µ") + qstring("") + qstring("")
        if is_rhs:
            out += struct.pack("<hh", dc, 0) + qstring("ref")
        else:
            out += struct.pack("<h", 0) if version >= (1, 1) else b""
            out += struct.pack("<h", 1) if version >= (1, 3) else b""
            out += qstring("ref") if version >= (2, 0) else b""
        out += struct.pack("<h", 2)
        out += qstring("Port A") + qstring("A") + struct.pack("<hhh", 1, len(kinds), kinds.count(0))
        for index, kind in enumerate(kinds):
            enabled = int(index != 1)
            out += qstring(f"A-{index:03}") + qstring("" if index == 0 else f"n{index}") + struct.pack("<hhhh", index, index, kind, enabled)
            out += struct.pack("<hhh" if is_rhs else "<hh", *[0] * (3 if is_rhs else 2)) + struct.pack("<hhhhff", 0, 0, 0, 0, 0.0, 0.0)
        return out + qstring("Port B") + qstring("B") + struct.pack("<hhh", 0, 0, 0)

    def write(name, is_rhs, version, kinds, dc=False, jump=0):
        live = [kind for index, kind in enumerate(kinds) if index != 1]
        n = 128 if is_rhs or version[0] > 1 else 60
        out = header(is_rhs, version, kinds, dc)
        for block in range(3):
            first = 5 * n + block * n + (jump if block == 2 else 0)
            out += np.arange(first, first + n, dtype="<i4").tobytes()
            noise = lambda count, samples: RNG.integers(0, 65536, size=count * samples).astype("<u2").tobytes()
            amps = live.count(0)
            out += noise(amps, n)
            if is_rhs:
                out += noise(amps, n) if dc else b""
                out += noise(amps, n)
                out += noise(live.count(3), n) + noise(live.count(4), n)
                out += noise(int(5 in live), n) + noise(int(6 in live), n)
            else:
                out += noise(live.count(1), n // 4) + noise(live.count(2), 1)
                # No temperatures: neo fails on them.
                out += noise(live.count(3), n) + noise(int(4 in live), n) + noise(int(5 in live), n)
        (HERE / name).write_bytes(out)

    def read(name, streams, gaps):
        reader = IntanRawIO(str(HERE / name), ignore_integrity_checks=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.parse_header()
        known = [str(stream) for stream in reader.header["signal_streams"]["name"]]
        for expected, stream, channels, divisor in streams:
            index = known.index(stream)
            signals = reader.header["signal_channels"]
            signals = signals[signals["stream_id"] == reader.header["signal_streams"]["id"][index]]
            raw = reader.get_analogsignal_chunk(stream_index=index)
            values = reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=index)
            factor = [{"uV": 1e-6, "mV": 1e-3, "V": 1.0}[unit] for unit in signals["units"]]
            places = [[sample // divisor, secs] for sample, secs in gaps]
            expect(expected, values * factor, 2000 / divisor, channels, ["V"] * len(channels), gaps=places, clock_secs=reader_start(name))

    def reader_start(name):
        return 5 * (60 if "v1" in name else 128) / 2000

    write("intan_v1.rhd", False, (1, 5), [0, 0, 0, 1, 2, 3])
    read("intan_v1.rhd", [("intan_v1", "RHD2000 amplifier channel", ["A-000", "n2"], 1)], [])
    write("intan_v3.rhd", False, (3, 1), [0, 0, 0, 0, 1, 1, 2, 3, 4, 5], jump=40)
    read(
        "intan_v3.rhd",
        [
            ("intan_v3", "RHD2000 amplifier channel", ["A-000", "n2", "n3"], 1),
            ("intan_v3_auxiliary", "RHD2000 auxiliary input channel", ["n4", "n5"], 4),
            ("intan_v3_adc", "USB board ADC input channel", ["n7"], 1),
        ],
        [(256, 40 / 2000)],
    )
    write("intan.rhs", True, (3, 0), [0, 0, 0, 3, 4, 5, 6], dc=True)
    read(
        "intan.rhs",
        [
            ("intan_rhs", "RHS2000 amplifier channel", ["A-000", "n2"], 1),
            ("intan_rhs_dc", "DC Amplifier channel", ["A-000", "n2"], 1),
            ("intan_rhs_adc", "USB board ADC input channel", ["n3"], 1),
        ],
        [],
    )
    # The header alone, with the samples beside it.
    for name, one in [("intan_signal", True), ("intan_channel", False)]:
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        (folder / "info.rhd").write_bytes(header(False, (3, 1), [0, 0, 0, 1]))
        data = counts(300, 2, -32768, 32767).astype("<i2")
        np.arange(300, dtype="<i4").tofile(folder / "time.dat")
        if one:
            data.tofile(folder / "amplifier.dat")
            counts(300, 1, 0, 65535).astype("<u2").tofile(folder / "auxiliary.dat")
        else:
            data[:, 0].tofile(folder / "amp-A-000.dat")
            data[:, 1].tofile(folder / "amp-A-002.dat")
            counts(300, 1, 0, 65535).astype("<u2").tofile(folder / "aux-A-003.dat")
        reader = IntanRawIO(str(folder / "info.rhd"))
        reader.parse_header()
        raw = reader.get_analogsignal_chunk(stream_index=0)
        values = reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0)
        expect(name, values * 1e-6, 2000, ["A-000", "n2"], ["V"] * 2, gaps=[])


def spikeglx():
    """Probes of both generations and an NI device, by the metadata guide; read by neo."""
    import warnings

    from neo.rawio import SpikeGLXRawIO

    def write(name, meta, n_channels, tables):
        data = counts(300, n_channels, -512, 511).astype("<i2")
        data.tofile(HERE / f"{name}.bin")
        lines = {"fileCreateTime": "2023-05-06T07:08:09", "fileName": f"D:/{name}.bin", "fileSizeBytes": data.nbytes, "firstSample": 600, "nSavedChans": n_channels, "snsSaveChanSubset": "all", **meta}
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        text += "".join(f"~{key}={value}\n" for key, value in tables.items())
        (HERE / f"{name}.meta").write_text(text)

    def names(kind, n, sync):
        out = "".join(f"({kind}{index};{index}:{index})" for index in range(n))
        return f"({n},0,1)" + out + (f"({sync};{n}:{n})" if sync else "")

    imro = "(0,6)" + "".join(f"({index} 0 0 {500 if index < 3 else 1000} {250 if index < 3 else 125} 1)" for index in range(6))
    probe = {"typeThis": "imec", "imSampRate": 30000, "imAiRangeMax": 0.6, "imAiRangeMin": -0.6, "acqApLfSy": "6,6,1"}
    write("np1_g0_t0.imec0.ap", {**probe, "imDatPrb_pn": "NP1010", "imDatPrb_type": 0, "snsApLfSy": "6,0,1"}, 7, {"imroTbl": imro, "snsChanMap": names("AP", 6, "SY0")})
    write("np1_g0_t0.imec0.lf", {**probe, "imSampRate": 2500, "imDatPrb_pn": "NP1010", "imDatPrb_type": 0, "snsApLfSy": "0,6,1", "snsSaveChanSubset": "6:12"}, 7, {"imroTbl": imro, "snsChanMap": names("LF", 6, "SY0")})
    table = "(24,6)" + "".join(f"({index} 0 0 0 {index})" for index in range(6))
    write("np2_g0_t0.imec0.ap", {**probe, "imDatPrb_pn": "NP2010", "imDatPrb_type": 24, "imAiRangeMax": 0.5, "imMaxInt": 8192, "snsApLfSy": "6,0,1"}, 7, {"imroTbl": table, "snsChanMap": names("AP", 6, "SY0")})
    ni = {"typeThis": "nidq", "niSampRate": 25000, "niAiRangeMax": 5, "niMNGain": 200, "niMAGain": 2, "snsMnMaXaDw": "1,1,2,1"}
    write("run_g0_t0.nidq", ni, 5, {"snsChanMap": "(1,1,1,1,2)(MN0;0:0)(MA0;1:1)(XA0;2:2)(XA1;3:3)(XD0;4:4)"})
    import shutil
    import tempfile

    for name in ["np1_g0_t0.imec0.ap", "np1_g0_t0.imec0.lf", "np2_g0_t0.imec0.ap", "run_g0_t0.nidq"]:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for ending in ["bin", "meta"]:
                shutil.copy(HERE / f"{name}.{ending}", folder)
            reader = SpikeGLXRawIO(folder)
            reader.parse_header()
            raw = np.array(reader.get_analogsignal_chunk(stream_index=0))
            values = reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=0)
            signals = reader.header["signal_channels"]
            signals = signals[signals["stream_id"] == reader.header["signal_streams"]["id"][0]]
            values = values * [{"uV": 1e-6, "V": 1.0}[unit] for unit in signals["units"]]
            rate = reader.get_signal_sampling_rate(0)
        stored = np.fromfile(HERE / f"{name}.bin", "<i2").reshape(300, -1)
        # Synchronisation and digital words, which neo leaves out or scales, stay counts.
        n_volts = stored.shape[1] - 1
        values = np.concatenate([values[:, :n_volts], stored[:, n_volts:]], axis=1)
        kinds = {"ap": "AP", "lf": "LF"}
        kind = kinds.get(name.split(".")[-1])
        labels = [f"{kind}{index}" for index in range(6)] + ["SY0"] if kind else ["MN0", "MA0", "XA0", "XA1", "XD0"]
        expect(name, values, rate, labels, ["V"] * n_volts + [""], date_time="2023-05-06T07:08:09", clock_secs=600 / rate)


def nwb():
    """Written and read by pynwb: two series in volts by conversion and offset, one with gains per channel, one with time stamps."""
    from datetime import datetime, timezone

    from pynwb import NWBHDF5IO, NWBFile, TimeSeries
    from pynwb.ecephys import LFP, ElectricalSeries

    file = NWBFile("test", "percept", datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
    device = file.create_device("probe")
    group = file.create_electrode_group("shank", description="", location="", device=device)
    file.add_electrode_column("channel_name", "the name of the channel")
    for index in range(4):
        file.add_electrode(group=group, location="CA1", channel_name=f"E{index}")
    region = file.create_electrode_table_region([3, 1, 0], "three")
    data = counts(500, 3, -32768, 32767).astype("<i2")
    file.add_acquisition(ElectricalSeries("raw", data, region, rate=1250.0, starting_time=2.5, conversion=1.95e-7, offset=1e-4))
    scales = np.array([1.0, 2.0, 0.5])
    lfp = LFP(name="LFP")
    module = file.create_processing_module("ecephys", "filtered")
    module.add(lfp)
    chunked = data[:300]
    lfp.create_electrical_series("lfp", chunked, region, rate=250.0, conversion=1e-6, channel_conversion=scales)
    times = np.arange(200) / 100.0 + 7
    times[120:] += 0.5
    file.add_acquisition(TimeSeries("speed", RNG.normal(size=200), "cm/s", timestamps=times))
    with NWBHDF5IO(HERE / "small.nwb", "w") as io:
        io.write(file, cache_spec=False)
    with NWBHDF5IO(HERE / "small.nwb", "r") as io:
        read = io.read()
        raw = read.acquisition["raw"]
        expect("nwb_raw", raw.get_data_in_units(), raw.rate, ["E3", "E1", "E0"], ["V"] * 3, clock_secs=2.5, gaps=[])
        series = read.processing["ecephys"]["LFP"]["lfp"]
        expect("nwb_lfp", series.get_data_in_units(), series.rate, ["E3", "E1", "E0"], ["V"] * 3, clock_secs=0, gaps=[])
        speed = read.acquisition["speed"]
        expect("nwb_speed", np.asarray(speed.data)[:, None], 100, ["0"], ["cm/s"], clock_secs=7, gaps=[[120, 0.5]])


def real():
    """Sums of squares and a few rows of real recordings beside the repository, as independent readers see them."""
    import warnings

    warnings.simplefilter("ignore")
    shared = HERE.parents[5] / "shared" / "data"
    out = {}

    def note(name, values, rate_hz, channels, **more):
        values = np.asarray(values, dtype=np.float32).astype(np.float64)
        rows = sorted({0, 1, len(values) // 3, len(values) - 1})
        picked = {str(row): [float(np.float32(value)) for value in values[row]] for row in rows}
        out[name] = {"rate_hz": float(rate_hz), "channels": list(channels), "n_samples": len(values), "squares": (values**2).sum(0).tolist(), "rows": picked, **more}

    import logging

    import pyxdf

    logging.disable(50)
    for file in ["minimal", "clock_resets", "empty_streams"]:
        streams, _ = pyxdf.load_xdf(shared / "xdf_examples" / f"{file}.xdf", dejitter_timestamps=False)
        (stream,) = [s for s in streams if s["info"]["channel_format"][0] != "string" and len(s["time_stamps"])]
        info = stream["info"]
        described = (info["desc"][0] or {}).get("channels", [None])[0]
        described = described["channel"] if described else []
        labels = [described[i]["label"][0] if i < len(described) else str(i) for i in range(int(info["channel_count"][0]))]
        units = [(described[i].get("unit") or [""])[0] if i < len(described) else "" for i in range(len(labels))]
        factor = np.array([{"microvolts": 1e-6, "uV": 1e-6}.get(unit, 1.0) for unit in units])
        gaps = (np.where(np.abs(np.diff(stream["time_stamps"])) > 1.0)[0] + 1).tolist() if file != "empty_streams" else []
        note(f"xdf_{file}", stream["time_series"] * factor, float(info["nominal_srate"][0]), labels, clock_secs=float(stream["time_stamps"][0]), gaps=gaps)

    import pyedflib

    for file in ["test_generator.edf", "test_generator.bdf", "test_subsecond.edf", "test_utf8.edf"]:
        reader = pyedflib.EdfReader(str(shared / "edf_pyedflib" / file))
        rates = reader.getSampleFrequencies()
        most = max(sorted(set(rates), reverse=True), key=lambda rate: sum(rates == rate))
        signals = [index for index, rate in enumerate(rates) if rate == most]
        factor = {"uV": 1e-6, "mV": 1e-3}
        values = np.stack([reader.readSignal(s) * factor.get(reader.getPhysicalDimension(s).strip(), 1.0) for s in signals], axis=1)
        note("real_" + file.replace(".", "_"), values, most, [reader.getLabel(s) for s in signals])

    from neo.rawio import IntanRawIO

    folder = shared / "lfp_openephys_hippocampus16"
    described = [s for s in json.loads((folder / "structure.oebin").read_text())["continuous"] if "hippocampus" in s["folder_name"]][0]
    # Streams that were not recorded are described there, which neo refuses: NumPy.
    values = np.fromfile(next(folder.rglob("continuous.dat")), "<i2").reshape(-1, 16) * [c["bit_volts"] * 1e-6 for c in described["channels"]]
    note("real_open_ephys", values, described["sample_rate"], [c["channel_name"] for c in described["channels"]])
    for name, file, stream, divisor in [
        ("real_rhd", "sampledata.rhd", "RHD2000 amplifier channel", 1),
        ("real_rhd_auxiliary", "sampledata.rhd", "RHD2000 auxiliary input channel", 4),
        ("real_rhs", "qwerty_210205_153318.rhs", "RHS2000 amplifier channel", 1),
    ]:
        reader = IntanRawIO(str(shared / "intan_rhd" / file), ignore_integrity_checks=True)
        reader.parse_header()
        index = list(reader.header["signal_streams"]["name"]).index(stream)
        signals = reader.header["signal_channels"]
        signals = signals[signals["stream_id"] == reader.header["signal_streams"]["id"][index]]
        raw = reader.get_analogsignal_chunk(stream_index=index)
        values = reader.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=index)
        values = values * [{"uV": 1e-6, "V": 1.0}[unit] for unit in signals["units"]]
        note(name, values, reader.get_signal_sampling_rate(index), signals["name"])

    from scipy.io import loadmat

    values = loadmat(shared / "lfp_rat_barrel_laminar23" / "test_data.mat")["pot1"]
    note("real_mat", values.T * 1e-6, 1000, map(str, range(len(values))))
    (HERE / "real.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    known = [wav, axona, tables, edf, open_ephys, intan, spikeglx, nwb, real]
    for function in known:
        if len(sys.argv) == 1 or function.__name__ in sys.argv[1:]:
            function()
