//! Pipelines of a case, and comparisons.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::graph::Graph;
use otolith_fixtures::{Array, DspCase};
use serde_json::Value;

/// Fields of a pipeline file.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    pub(crate) fn set(&mut self, name: &'static str, value: impl ToString) -> &mut Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value.to_string()));
        self
    }

    pub(crate) fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.set(name, format!("{value:?}"))
    }

    pub(crate) fn pipeline(&self, block: &str, normalise: &str) -> Pipeline {
        let mut text = format!(
            "[pipeline]\nname = \"golden\"\n[input]\nrate_hz = 16000\nmode = \"clip\"\n\
             normalise = \"{normalise}\"\n[[block]]\nid = \"features\"\ntype = \"{block}\"\n"
        );
        for (name, value) in &self.0 {
            text.push_str(&format!("{name} = {value}\n"));
        }
        Pipeline::from_toml(&text, ".".as_ref(), &[])
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }
}

pub(crate) fn reference(graph: &Graph, input: &[f32]) -> Vec<f64> {
    Executor::<f64>::new(graph.first())
        .expect("a graph that fits together")
        .features(input)
        .values
}

pub(crate) fn host(graph: &Graph, input: &[f32]) -> Vec<f64> {
    let values = Executor::<f32>::new(graph.first())
        .expect("a graph that fits together")
        .features(input)
        .values;
    values.into_iter().map(f64::from).collect()
}

pub(crate) fn flag(params: &Value, name: &str, default: bool) -> bool {
    params[name].as_bool().unwrap_or(default)
}

pub(crate) fn count(params: &Value, name: &str, default: u64) -> u64 {
    params[name].as_u64().unwrap_or(default)
}

/// Asserts that `reference` and `host` give `golden`, and prints how far they are from it.
pub(crate) fn check(
    what: &str,
    graph: &Graph,
    input: &[f32],
    golden: &Array,
    tolerances: [f64; 2],
) {
    let errors = [
        golden.relative_error(&reference(graph, input)),
        golden.relative_error(&host(graph, input)),
    ];
    println!(
        "{what:34} reference {:.1e}  host {:.1e}",
        errors[0], errors[1]
    );
    for (error, tolerance) in errors.into_iter().zip(tolerances) {
        assert!(error <= tolerance, "{what}: {error:e} > {tolerance:e}");
    }
}

/// The tolerances where the origin computes in f64.
pub(crate) const EXACT: [f64; 2] = [1e-6, 1e-4];

/// Two outputs side by side.
pub(crate) fn appended(case: &DspCase, left: &str, right: &str) -> Array {
    let (left, right) = (case.output(left), case.output(right));
    let (a, b) = (left.shape[1], right.shape[1]);
    let rows = left.values.chunks(a).zip(right.values.chunks(b));
    Array {
        shape: vec![left.shape[0], a + b],
        values: rows.flat_map(|(a, b)| [a, b].concat()).collect(),
    }
}
