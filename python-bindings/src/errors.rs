//! Errors of the library as Python exceptions, with the same text.

use otolith_dsp_core as core;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    otolith,
    OtolithError,
    PyException,
    "Anything that Otolith refuses."
);
create_exception!(
    otolith,
    ConfigError,
    OtolithError,
    "A pipeline file that does not say what can be built."
);
create_exception!(
    otolith,
    LowerError,
    OtolithError,
    "A pipeline that is sound but has no plan for the device."
);
create_exception!(
    otolith,
    EngineError,
    OtolithError,
    "Samples that a pipeline cannot be run on."
);

pub(crate) fn config(error: core::ConfigError) -> PyErr {
    ConfigError::new_err(error.to_string())
}

pub(crate) fn lower(error: core::LowerError) -> PyErr {
    LowerError::new_err(error.to_string())
}

pub(crate) fn engine(error: core::EngineError) -> PyErr {
    match error {
        core::EngineError::Lower(error) => lower(error),
        error => EngineError::new_err(error.to_string()),
    }
}
