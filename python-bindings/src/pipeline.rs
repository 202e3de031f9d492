//! `otolith.Pipeline`.

use crate::errors;
use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn,
    PyUntypedArrayMethods,
};
use otolith_dsp_core::engine::{Engine, Numeric, Values, feature_scale};
use otolith_dsp_core::executor::Samples;
use otolith_dsp_core::input::Input;
use otolith_dsp_core::recording::{Recording, Sensor};
use otolith_dsp_core::{self as core, Override};
use pyo3::exceptions::{PyTypeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::PathBuf;

/// A pipeline: from samples to features, and to decisions when it has a classifier.
#[pyclass(frozen, module = "otolith")]
pub(crate) struct Pipeline {
    inner: core::Pipeline,
}

/// What the classifier said once.
#[pyclass(frozen, get_all, module = "otolith")]
pub(crate) struct Classification {
    /// Seconds of the recording that were heard.
    time_s: f64,
    /// The label that was decided for, or None.
    label: Option<String>,
    /// Its score, or None; 0 to 1.
    score: Option<f32>,
    /// Average score of each label, 0 to 1.
    scores: BTreeMap<String, f32>,
}

#[pymethods]
impl Classification {
    fn __repr__(&self) -> String {
        match (&self.label, self.score) {
            (Some(label), Some(score)) => format!(
                "Classification(time_s={:.3}, label={label:?}, score={score:.3})",
                self.time_s
            ),
            _ => format!("Classification(time_s={:.3}, label=None)", self.time_s),
        }
    }
}

#[pymethods]
impl Pipeline {
    /// Reads a pipeline file. `overrides` replaces fields, as `{"features.n_mels": 32}`.
    #[staticmethod]
    #[pyo3(signature = (path, overrides = None))]
    fn from_toml(
        path: PathBuf,
        overrides: Option<BTreeMap<String, Bound<'_, PyAny>>>,
    ) -> PyResult<Self> {
        let text = std::fs::read_to_string(&path)?;
        let overrides = overrides
            .unwrap_or_default()
            .into_iter()
            .map(|(path, value)| Ok(Override::new(path, toml_value(&value)?)))
            .collect::<PyResult<Vec<_>>>()?;
        let folder = path.parent().unwrap_or(std::path::Path::new(""));
        let inner = core::Pipeline::from_toml(&text, folder, &overrides).map_err(errors::config)?;
        Ok(Self { inner })
    }

    /// The pipeline file with every field written out.
    fn to_toml(&self) -> &str {
        self.inner.resolved_toml()
    }

    /// Name of the pipeline.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.graph().name
    }

    /// Sample rate in hertz.
    #[getter]
    fn rate_hz(&self) -> f64 {
        self.inner.graph().first().recording().rate_hz
    }

    /// Labels of the classifier; empty without one.
    #[getter]
    fn labels(&self) -> Vec<String> {
        let head = self.inner.graph().head.as_ref();
        head.map_or_else(Vec::new, |head| head.labels.clone())
    }

    /// Features of one recording.
    ///
    /// `samples` is a 1-D array at the pipeline's rate: int16, or float32 with full scale 1. A
    /// sensor's is of shape (moments, axes): int16 as the sensor gives them, or floats in the unit
    /// of `full_scale`, where NaN is a missing value.
    /// `numeric` is "reference" (float64), "host" (float32, fast), "f32" (float32, the device's
    /// bits) or "fixed" (int16, the device's bits; `feature_scale` says what they stand for).
    /// Returns an array of shape (rows, values), or (windows, rows, values) in window mode.
    #[pyo3(signature = (samples, numeric = "host"))]
    fn features<'py>(
        &self,
        py: Python<'py>,
        samples: &Bound<'py, PyAny>,
        numeric: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut engine = self.engine(numeric)?;
        let features = with_samples(samples, self.inner.input(), |samples| {
            py.detach(|| engine.features(samples))
                .map_err(errors::engine)
        })?;
        let mut shape = vec![features.rows, features.row_len];
        if matches!(
            self.inner.graph().first().source.mode,
            core::graph::Mode::Window { .. }
        ) {
            shape.insert(0, features.windows);
        }
        match features.values {
            Values::F32(values) => values.into_pyarray(py).reshape(shape).map(Bound::into_any),
            Values::F64(values) => values.into_pyarray(py).reshape(shape).map(Bound::into_any),
            Values::I32 { values, .. } => {
                values.into_pyarray(py).reshape(shape).map(Bound::into_any)
            }
            Values::I16 { values, .. } => {
                values.into_pyarray(py).reshape(shape).map(Bound::into_any)
            }
        }
    }

    /// What one unit of each column of the features stands for, as a float64 array:
    /// `features(x, "fixed") * feature_scale("fixed")` are real numbers. Ones for other numerics,
    /// whose features are real numbers. Recordings that are one window (mode "clip") have no
    /// fixed plan without their length: pass it as `samples`.
    #[pyo3(signature = (numeric = "fixed", samples = None))]
    fn feature_scale<'py>(
        &self,
        py: Python<'py>,
        numeric: &str,
        samples: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let scale = match self.numeric(numeric)? {
            Numeric::Fixed(precision) => {
                let plan = core::lower::lower_fixed(&self.inner.without_head(), samples, precision)
                    .map_err(errors::lower)?;
                feature_scale(&plan).map_err(errors::lower)?
            }
            _ => vec![1.0; self.inner.graph().row_len()],
        };
        Ok(scale.into_pyarray(py))
    }

    /// What the classifier says over one recording: a list of `Classification`, in the order of
    /// time. Those with a `label` are decisions.
    ///
    /// `numeric` is one of those of `features`; the device's, as `[deploy]` says, when left out.
    #[pyo3(signature = (samples, numeric = None))]
    fn run(
        &self,
        py: Python<'_>,
        samples: &Bound<'_, PyAny>,
        numeric: Option<&str>,
    ) -> PyResult<Vec<Classification>> {
        let device = Numeric::of_device(self.inner.deploy());
        let mut engine = self.engine(numeric.unwrap_or(device.name()))?;
        let said = with_samples(samples, self.inner.input(), |samples| {
            py.detach(|| engine.classify(samples))
                .map_err(errors::engine)
        })?;
        let labels = self.labels();
        let rate = self.rate_hz();
        let named = |c: core::engine::Classification| Classification {
            time_s: c.samples as f64 / rate,
            label: c.decision.map(|(label, _)| labels[label].clone()),
            score: c.decision.map(|(_, score)| score),
            scores: labels.iter().cloned().zip(c.scores).collect(),
        };
        Ok(said.into_iter().map(named).collect())
    }

    fn __repr__(&self) -> String {
        let graph = self.inner.graph();
        format!(
            "Pipeline({:?}, {} Hz, {} values per row{})",
            graph.name,
            graph.first().recording().rate_hz,
            graph.row_len(),
            match &graph.head {
                Some(head) => format!(", {} labels", head.labels.len()),
                None => String::new(),
            }
        )
    }
}

impl Pipeline {
    fn numeric(&self, name: &str) -> PyResult<Numeric> {
        Numeric::named(name, self.inner.deploy()).ok_or_else(|| {
            PyValueError::new_err(format!(
                "numeric: found {name:?}; expected \"reference\", \"host\", \"f32\" or \"fixed\""
            ))
        })
    }

    fn engine(&self, numeric: &str) -> PyResult<Engine> {
        Engine::new(
            self.inner.graph(),
            self.numeric(numeric)?,
            self.inner.input().tail == core::input::Tail::Pad,
        )
        .map_err(errors::lower)
    }
}

/// Calls `f` with the samples of a numpy array, without a copy where its type and layout allow.
fn with_samples<T: Send>(
    array: &Bound<'_, PyAny>,
    input: &Input,
    f: impl FnOnce(Samples<'_>) -> PyResult<T>,
) -> PyResult<T> {
    if let Some(sensor) = &input.sensor {
        return match sensor_samples(array, sensor)? {
            Moments::I16(samples) => f(Samples::I16(&samples)),
            Moments::F32(samples) => f(Samples::F32(&samples)),
        };
    }
    if let Ok(array) = array.extract::<PyReadonlyArray1<'_, i16>>() {
        return match array.as_slice() {
            Ok(samples) => f(Samples::I16(samples)),
            Err(_) => f(Samples::I16(&array.as_array().to_vec())),
        };
    }
    if let Ok(array) = array.extract::<PyReadonlyArray1<'_, f32>>() {
        return match array.as_slice() {
            Ok(samples) => f(Samples::F32(samples)),
            Err(_) => f(Samples::F32(&array.as_array().to_vec())),
        };
    }
    if let Ok(array) = array.extract::<PyReadonlyArray1<'_, f64>>() {
        let samples: Vec<f32> = array.as_array().iter().map(|&x| x as f32).collect();
        return f(Samples::F32(&samples));
    }
    let found = match array.cast::<PyArrayDyn<f32>>() {
        Ok(array) => format!("a float32 array with {} dimensions", array.ndim()),
        Err(_) => format!("{}", array.get_type()),
    };
    Err(PyTypeError::new_err(format!(
        "samples: found {found}; expected a 1-D numpy array of int16, float32 or float64 (full \
         scale 1): pick one channel of a recording with several"
    )))
}

/// Samples of a sensor, all axes of a moment side by side.
enum Moments {
    I16(Vec<i16>),
    F32(Vec<f32>),
}

/// The samples of an array of shape (moments, axes), or of 1 dimension for one axis. What was done
/// to them is said as warnings.
fn sensor_samples(array: &Bound<'_, PyAny>, sensor: &Sensor) -> PyResult<Moments> {
    let axes = sensor.axes.len();
    let check = |shape: &[usize]| match shape {
        [_] if axes == 1 => Ok(()),
        [_, columns] if *columns == axes => Ok(()),
        _ => Err(PyValueError::new_err(format!(
            "samples: found an array of shape {shape:?}; expected (moments, {axes}), a column for \
             each of the axes {:?}",
            sensor.axes
        ))),
    };
    if let Ok(array) = array.extract::<PyReadonlyArrayDyn<'_, i16>>() {
        check(array.shape())?;
        return Ok(Moments::I16(array.as_array().iter().copied().collect()));
    }
    let values: Vec<f64> = if let Ok(array) = array.extract::<PyReadonlyArrayDyn<'_, f32>>() {
        check(array.shape())?;
        array.as_array().iter().map(|&x| x.into()).collect()
    } else if let Ok(array) = array.extract::<PyReadonlyArrayDyn<'_, f64>>() {
        check(array.shape())?;
        array.as_array().iter().copied().collect()
    } else {
        return Err(PyTypeError::new_err(format!(
            "samples: found {}; expected a numpy array of int16, float32 or float64 of shape \
             (moments, {axes})",
            array.get_type()
        )));
    };
    let recording = Recording {
        values,
        ..Recording::default()
    };
    let prepared = sensor
        .fit(recording)
        .map_err(|error| PyValueError::new_err(format!("samples: {error}")))?;
    let py = array.py();
    for note in prepared.notes {
        let note = CString::new(note)?;
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &note, 1)?;
    }
    Ok(Moments::F32(prepared.samples))
}

/// A Python value as it would stand in a pipeline file.
fn toml_value(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.extract::<String>() {
        return Ok(text);
    }
    if let Ok(flag) = value.extract::<bool>() {
        return Ok(flag.to_string());
    }
    Ok(value.repr()?.to_string().replace('\'', "\""))
}
