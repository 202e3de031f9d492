"""Fills fuzz/corpus with the project's own files, with the standard library alone.

    python3 fuzz/seeds.py [OTOLITH]

OTOLITH is the command line tool (`target/release/otolith`): with it, plans of the examples become
seeds too.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

ROOT = pathlib.Path(__file__).parents[1]
CORPUS = ROOT / "fuzz/corpus"
SEEDS = {
    "model": ["examples/**/*.tflite"],
    "network": ["examples/**/*.tflite"],
    "table": ["examples/gestures/recordings/**/*.csv", "examples/keywords/expected.csv"],
    "pipeline": ["examples/**/*.toml"],
    "estimator": ["fixtures/golden/heads/[!am]*.json"],
}


def folder(target):
    path = CORPUS / target
    path.mkdir(parents=True, exist_ok=True)
    return path


def cbor(value):
    """The few types of CBOR that an acquisition has."""
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        size, code = next((s, c) for s, c in ((1, 24), (2, 25), (4, 26)) if n < 1 << 8 * s)
        return bytes([major << 5 | code]) + n.to_bytes(size, "big")

    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(0, value) if value >= 0 else head(1, -1 - value)


def random_models(every):
    """The models of every so many of the records that `fixtures/gen/random_models.py` made."""
    packed = (ROOT / "fixtures/golden/random_models.bin").read_bytes()
    records = zlib.decompress(packed)
    count, at = struct.unpack_from("<I", records)[0], 4
    for i in range(count):
        parts = []
        for _ in ("model", "inputs", "outputs"):
            size, at = struct.unpack_from("<H", records, at)[0], at + 2
            parts.append(records[at:at + size])
            at += size
        if i % every == 0:
            yield i, parts[0]


def main():
    for target, patterns in SEEDS.items():
        files = sorted({file for pattern in patterns for file in ROOT.glob(pattern)})
        for i, file in enumerate(files[:64]):
            shutil.copy(file, folder(target) / f"{i}-{file.name}")
    for i, model in random_models(16):
        for target in ("model", "network"):
            (folder(target) / f"random-{i}.tflite").write_bytes(model)
    # A part of a recording is enough: short inputs are many in a second.
    for file in sorted(ROOT.glob("examples/keywords/*.wav"))[:4]:
        head = bytearray(file.read_bytes()[:44 + 512])
        head[4:8] = (len(head) - 8).to_bytes(4, "little")
        head[40:44] = (512).to_bytes(4, "little")
        (folder("wav") / file.name).write_bytes(head)
    acquisition = {
        "protected": {"ver": "v1", "alg": "none", "iat": 1600000000},
        "signature": "0" * 64,
        "payload": {
            "device_type": "seed", "interval_ms": 10,
            "sensors": [{"name": "ax", "units": "m/s2"}, {"name": "ay", "units": "m/s2"}],
            "values": [[1, -2], [3, 4], [-500, 70000]],
        },
    }
    (folder("acquisition") / "seed.json").write_text(json.dumps(acquisition))
    (folder("acquisition") / "seed.cbor").write_bytes(cbor(acquisition))
    folder("plan")
    if len(sys.argv) > 1:
        for pipeline in sorted(ROOT.glob("examples/keywords/*.toml")):
            for numeric in ("f32", "fixed"):
                out = CORPUS / "compiled"
                more = ["--set", f"deploy.numeric={numeric}", "-o", out]
                subprocess.run([sys.argv[1], "compile", pipeline, *more], check=True)
                for plan in out.glob("*.oto"):
                    shutil.move(plan, folder("plan") / f"{pipeline.stem}-{numeric}.oto")
                shutil.rmtree(out)


if __name__ == "__main__":
    main()
