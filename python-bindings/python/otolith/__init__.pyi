from os import PathLike
from typing import Any, Mapping, Optional, Union

import numpy as np
import numpy.typing as npt

__version__: str

Samples = Union[npt.NDArray[np.int16], npt.NDArray[np.float32], npt.NDArray[np.float64]]

class OtolithError(Exception):
    """Anything that Otolith refuses."""

class ConfigError(OtolithError):
    """A pipeline file that does not say what can be built."""

class LowerError(OtolithError):
    """A pipeline that is sound but has no plan for the device."""

class EngineError(OtolithError):
    """Samples that a pipeline cannot be run on."""

class Classification:
    """What the classifier said once."""

    @property
    def time_s(self) -> float:
        """Seconds of the recording that were heard."""
    @property
    def label(self) -> Optional[str]:
        """The label that was decided for, or None."""
    @property
    def score(self) -> Optional[float]:
        """Its score, or None; 0 to 1."""
    @property
    def scores(self) -> dict[str, float]:
        """Average score of each label, 0 to 1."""

class Pipeline:
    """From samples to features, and to decisions when it has a classifier."""

    @staticmethod
    def from_toml(
        path: Union[str, PathLike[str]],
        overrides: Optional[Mapping[str, Any]] = None,
    ) -> Pipeline:
        """Reads a pipeline file; `overrides` replaces fields, as `{"features.n_mels": 32}`."""
    def to_toml(self) -> str:
        """The pipeline file with every field written out."""
    @property
    def name(self) -> str:
        """Name of the pipeline."""
    @property
    def rate_hz(self) -> float:
        """Sample rate in hertz."""
    @property
    def labels(self) -> list[str]:
        """Labels of the classifier; empty without one."""
    def features(self, samples: Samples, numeric: str = "host") -> npt.NDArray[Any]:
        """Features of one recording: (rows, values), or (windows, rows, values) in window mode.

        A sensor's `samples` have the shape (moments, axes): int16 as the sensor gives them, or
        floats in the unit of `full_scale`, where NaN is a missing value.

        `numeric` is "reference" (float64), "host" (float32, fast), "f32" (float32, the device's
        bits) or "fixed" (int16, the device's bits; `feature_scale` says what they stand for).
        """
    def feature_scale(
        self, numeric: str = "fixed", samples: Optional[int] = None
    ) -> npt.NDArray[np.float64]:
        """What one unit of each column of the features stands for.

        `features(x, "fixed") * feature_scale("fixed")` are real numbers. Ones for other numerics.
        Recordings that are one window (mode "clip") have no fixed plan without their length: pass
        it as `samples`.
        """
    def run(self, samples: Samples, numeric: Optional[str] = None) -> list[Classification]:
        """What the classifier says over one recording, in the order of time.

        `numeric` is one of those of `features`; the device's, as `[deploy]` says, when left out.
        """
