//! What a plan says about itself to people and tools.

use super::TensorId;
use otolith_dsp_nostd::format::Section;
use serde::{Deserialize, Serialize};

/// What people and tools want to know of a plan and the device does not: kept as JSON in the
/// plan's info part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanNotes {
    /// Name of the pipeline.
    pub name: String,
    /// Names of the labels, in the order of the scores.
    pub labels: Vec<String>,
    /// Real value of one unit of the scores and of a decision's score; none for Q15.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_scale: Option<f64>,
    /// Shape of the features of one event: rows, values per row.
    pub feature_shape: Vec<usize>,
    /// Names and shapes of the tensors, in the order of the records.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Names of the steps, in order.
    pub steps: Vec<String>,
    /// How the integers of a `fixed` plan stand for real numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<StageFormat>,
}

/// How the integers that a stage leaves behind stand for real numbers: value `i` is
/// `(integer[i] * scale[i % scale.len()] + offset[i % offset.len()]) * 2^(e p) * (32768 / k)^r`,
/// where `e` and `p` belong to [`exponent`](Self::exponent), `k` and `r` to
/// [`peak`](Self::peak).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageFormat {
    /// Name of the graph's stage.
    pub stage: String,
    /// Index of the step after which this holds, over all sections.
    pub step: usize,
    /// Index of the tensor.
    pub tensor: usize,
    /// Real value of one unit, for each column or for all.
    pub scale: Vec<f64>,
    /// Real value of the integer 0, for each column or for all.
    pub offset: Vec<f64>,
    /// Tensor that holds the frame's block exponent `e` (`i32[1]`), and the power `p`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponent: Option<(usize, i32)>,
    /// Tensor that holds the window's peak `k` (`i32[1]`), and the power `r`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<(usize, i32)>,
    /// Largest magnitude that the integers may have.
    pub limit: f64,
}

/// How a tensor's integers stand for real numbers: see [`StageFormat`].
#[derive(Clone, Debug)]
pub struct Format {
    /// Real value of one unit, for each column or for all.
    pub scale: Vec<f64>,
    /// Real value of the integer 0, for each column or for all.
    pub offset: Vec<f64>,
    /// Block exponent and its power.
    pub exponent: Option<(TensorId, i32)>,
    /// Peak and its power.
    pub peak: Option<(TensorId, i32)>,
    /// Largest magnitude that the integers may have.
    pub limit: f64,
}

/// A format, and when it holds.
pub(super) struct FormatNote {
    pub(super) stage: String,
    pub(super) lane: usize,
    pub(super) section: Section,
    /// Steps in the section so far.
    pub(super) steps: usize,
    pub(super) tensor: TensorId,
    pub(super) format: Format,
}
