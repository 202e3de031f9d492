"""The Python module against the command line tool, bit for bit, and its errors."""

import json
import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import otolith
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS = ROOT / "examples" / "keywords" / "keywords.toml"
WAVS = sorted((ROOT / "examples" / "keywords").glob("*.wav"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CLI = TARGET / "release" / "otolith"


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 1 and file.getsampwidth() == 2
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def cli(*args):
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, check=True)
    return done.stdout


def test_there_is_something_to_compare():
    assert CLI.exists(), "build the command line tool first: cargo build --release"
    assert len(WAVS) >= 3


@pytest.mark.parametrize("numeric", ["reference", "host", "f32", "fixed"])
@pytest.mark.parametrize("wav", WAVS, ids=lambda path: path.stem)
def test_features_equal_the_command_line_bit_for_bit(wav, numeric, tmp_path):
    out = tmp_path / "features.npy"
    cli("features", KEYWORDS, wav, "--numeric", numeric, "-o", out)
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    ours = pipeline.features(read_wav(wav), numeric=numeric)
    theirs = np.load(out)
    assert ours.size > 0
    np.testing.assert_array_equal(ours.astype(theirs.dtype).ravel(), theirs.ravel())


@pytest.mark.parametrize("numeric", ["reference", "host", "f32", "fixed"])
@pytest.mark.parametrize("wav", WAVS, ids=lambda path: path.stem)
def test_decisions_equal_the_command_line(wav, numeric):
    lines = cli("run", KEYWORDS, wav, "--numeric", numeric, "--json").splitlines()
    theirs = [json.loads(line) for line in lines]
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    ours = [said for said in pipeline.run(read_wav(wav), numeric=numeric) if said.label]
    assert [said.label for said in ours] == [said["label"] for said in theirs]
    for mine, other in zip(ours, theirs):
        assert mine.time_s == pytest.approx(other["time_s"], abs=1e-9)
        assert np.float32(mine.score) == np.float32(other["score"])
        assert {k: np.float32(v) for k, v in mine.scores.items()} == {
            k: np.float32(v) for k, v in other["scores"].items()
        }


def test_int16_and_float_samples_give_the_same_features():
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    samples = read_wav(WAVS[0])
    expected = pipeline.features(samples, numeric="f32")
    as_float = samples.astype(np.float32) / 32768
    np.testing.assert_array_equal(expected, pipeline.features(as_float, numeric="f32"))
    np.testing.assert_array_equal(
        expected, pipeline.features(as_float.astype(np.float64), numeric="f32")
    )
    strided = np.repeat(samples, 2)[::2]
    np.testing.assert_array_equal(expected, pipeline.features(strided, numeric="f32"))


def test_numerics_agree():
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    samples = read_wav(WAVS[0])
    truth = pipeline.features(samples, numeric="reference")
    assert truth.dtype == np.float64
    for numeric in ["host", "f32"]:
        features = pipeline.features(samples, numeric=numeric)
        assert features.dtype == np.float32 and features.shape == truth.shape
        assert np.abs(features - truth).max() <= 1e-5 * np.abs(truth).max()


def test_fixed_features_are_the_devices_integers():
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    samples = read_wav(WAVS[0])
    truth = pipeline.features(samples, numeric="reference")
    bits = pipeline.features(samples, numeric="fixed")
    scale = pipeline.feature_scale()
    assert bits.dtype == np.int16 and bits.shape == truth.shape
    assert scale.dtype == np.float64 and scale.shape == truth.shape[-1:]
    assert np.all(np.log2(scale) == np.round(np.log2(scale)))
    error = np.abs(bits * scale - truth)
    assert error.max() <= 1e-3 * np.abs(truth).max()
    assert np.array_equal(pipeline.feature_scale("f32"), np.ones(truth.shape[-1]))
    light = otolith.Pipeline.from_toml(KEYWORDS, {"deploy.precision": "light"})
    assert light.features(samples, numeric="fixed").shape == bits.shape


def test_run_takes_the_devices_numeric_by_default():
    fixed = otolith.Pipeline.from_toml(KEYWORDS, {"deploy.numeric": "fixed"})
    samples = read_wav(WAVS[0])
    said = [(c.time_s, c.scores) for c in fixed.run(samples)]
    assert said == [(c.time_s, c.scores) for c in fixed.run(samples, numeric="fixed")]


def test_overrides_replace_fields():
    base = otolith.Pipeline.from_toml(KEYWORDS)
    louder = otolith.Pipeline.from_toml(KEYWORDS, {"trigger.threshold": 0.99})
    assert base.to_toml() != louder.to_toml()
    assert "0.99" in louder.to_toml()


def test_errors_teach():
    with pytest.raises(otolith.ConfigError, match=r"trigger\.threshold: found 7.*"):
        otolith.Pipeline.from_toml(KEYWORDS, {"trigger.threshold": 7})
    with pytest.raises(FileNotFoundError):
        otolith.Pipeline.from_toml("no-such-file.toml")
    pipeline = otolith.Pipeline.from_toml(KEYWORDS)
    with pytest.raises(otolith.EngineError, match="too short|samples"):
        pipeline.features(np.zeros(3, dtype=np.int16))
    with pytest.raises(TypeError, match="1-D"):
        pipeline.features(np.zeros((4, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="reference"):
        pipeline.features(np.zeros(16000, dtype=np.int16), numeric="f16")
    assert issubclass(otolith.ConfigError, otolith.OtolithError)


GESTURES = ROOT / "examples" / "gestures" / "gestures.toml"


def motion(moments=250):
    """Three axes in m/s2, on the grid of the sensor's 16-bit integers."""
    t = np.arange(moments)[:, None] / 100
    counts = np.round(8000 * np.sin(2 * np.pi * t * [1.3, 2.1, 0.7])).astype(np.int16)
    return counts, counts * (39.24 / 32768)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_features_of_a_sensor_equal_the_command_line(dtype, tmp_path):
    counts, physical = motion()
    physical = physical.astype(dtype)
    table, out = tmp_path / "motion.csv", tmp_path / "features.npy"
    lines = [",".join(repr(float(x)) for x in row) for row in physical]
    table.write_text("\n".join(["ax,ay,az", *lines]))
    cli("features", GESTURES, table, "-o", out)
    pipeline = otolith.Pipeline.from_toml(GESTURES)
    theirs = np.load(out)
    for samples in [physical, np.asfortranarray(physical)]:
        np.testing.assert_array_equal(pipeline.features(samples), theirs)
    # Integers are the sensor's own. Their quotient by the full scale is the same to one rounding.
    np.testing.assert_allclose(pipeline.features(counts), theirs, rtol=1e-4, atol=1e-4)


def test_arrays_of_a_sensor_are_checked_and_mended():
    pipeline = otolith.Pipeline.from_toml(GESTURES)
    _, physical = motion()
    with pytest.raises(ValueError, match=r"shape \[250, 2\]; expected \(moments, 3\)"):
        pipeline.features(physical[:, :2])
    with pytest.raises(ValueError, match="shape"):
        pipeline.features(physical[:, 0])
    with pytest.raises(TypeError, match="numpy array"):
        pipeline.features("motion.csv")
    physical[7, 1] = np.nan
    with pytest.raises(ValueError, match='moment 7: no value of axis "ay"'):
        pipeline.features(physical)
    mending = otolith.Pipeline.from_toml(GESTURES, {"input.nan": "interpolate"})
    with pytest.warns(UserWarning, match="interpolated 1 of 750 values"):
        mending.features(physical)
