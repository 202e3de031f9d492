//! The Python module of Otolith: a thin way to make and run pipelines. Everything is computed by
//! the same code as in the other front ends.

mod errors;
mod pipeline;

use pyo3::prelude::*;

#[pymodule]
mod _otolith {
    #[pymodule_export]
    use super::errors::{ConfigError, EngineError, LowerError, OtolithError};
    #[pymodule_export]
    use super::pipeline::{Classification, Pipeline};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
