"""Signal features and int8 classifiers, the same bits on a laptop and on a microcontroller."""

from ._otolith import (
    Classification,
    ConfigError,
    EngineError,
    LowerError,
    OtolithError,
    Pipeline,
    __version__,
)

__all__ = [
    "Classification",
    "ConfigError",
    "EngineError",
    "LowerError",
    "OtolithError",
    "Pipeline",
    "__version__",
]
