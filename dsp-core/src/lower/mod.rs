//! From a graph to a plan for one device numeric.
//!
//! Lowering decides which operators compute a graph's stages and in what number format; the
//! [`PlanBuilder`] decides where everything lies.

mod conditioning;
mod estimator;
mod f32;
mod fixed;
mod micro_frontend;
pub mod network;
mod standardise;

use crate::deploy::Precision;
use crate::error::LowerError;
use crate::graph::{self, Chain, Framing, Graph, Head, HeadModel, Mode, SignalPreEmphasis};
use crate::plan_builder::{PlanBuilder, PlanBytes, TensorId};
use otolith_dsp_nostd::format::{Elem, MAX_FRAMES, Numeric};
use otolith_dsp_nostd::ops::emphasis::Past;
use otolith_dsp_nostd::ops::frame::Padding;

/// Lowers `graph` to a plan with `f32` features.
///
/// A graph in [`Mode::Clip`] has windows of no fixed length: `clip_len` says how many samples the
/// recording has, before any decimation. Other modes ignore it.
///
/// # Errors
/// [`LowerError`] names the stage that no operator computes, and what to change.
pub fn lower_f32(graph: &Graph, clip_len: Option<usize>) -> Result<PlanBytes, LowerError> {
    f32::lower(graph, clip_len)
}

/// Lowers `graph` to a plan with integer features: 16-bit samples in, no float anywhere.
///
/// The features are `i16` with a scale for each column, which the plan's notes state; with a
/// classifier they are int8 at the model's own scale. `clip_len` is that of [`lower_f32`].
///
/// # Errors
/// [`LowerError`] names the stage that has no integer operator or whose headroom cannot be
/// proven, and what to change.
pub fn lower_fixed(
    graph: &Graph,
    clip_len: Option<usize>,
    precision: Precision,
) -> Result<PlanBytes, LowerError> {
    fixed::lower(graph, clip_len, precision)
}

/// The chains of a graph that joins several, in the order of their lanes: those of input 0 first,
/// as the plan's header asks, each with where its features start in the joined row.
fn lanes(graph: &Graph) -> Vec<(&Chain, usize)> {
    let mut at = 0;
    let mut lanes: Vec<_> = graph
        .chains
        .iter()
        .map(|chain| {
            let start = at;
            at += chain.window_rows().unwrap_or(1) * chain.row_len;
            (chain, start)
        })
        .collect();
    lanes.sort_by_key(|(chain, _)| chain.input);
    lanes
}

/// Lowers the network and the decision of `graph` alone: a plan that takes feature values as
/// float samples, row after row. In window and clip mode a decision takes all rows of a window.
///
/// # Errors
/// [`LowerError`] when there is no network or it cannot run.
pub fn lower_head(graph: &Graph) -> Result<PlanBytes, LowerError> {
    let head = graph
        .head
        .as_ref()
        .ok_or_else(|| LowerError::new("classifier", "the pipeline has none"))?;
    let mut plan = PlanBuilder::new(&graph.name, Numeric::F32);
    let hop = match graph.first().source.mode {
        Mode::Stream => head.row_hop,
        Mode::Window { .. } | Mode::Clip => head.rows,
    };
    let row_len = graph.row_len();
    let features = plan.source(Elem::F32, head.rows * row_len, hop * row_len, 0);
    network::add_head(&mut plan, head, features)?;
    plan.finish()
}

/// Appends a head that takes real numbers.
fn add_head(plan: &mut PlanBuilder, head: &Head, features: TensorId) -> Result<(), LowerError> {
    match &head.model {
        HeadModel::Network(_) => network::add_head(plan, head, features),
        HeadModel::Estimator(estimator) => estimator::f32(plan, head, estimator, features),
    }
}

/// How the source window, frames and rows of a plan follow from a graph's mode. Samples are those
/// that the framing sees; the source window holds as many times more as they are decimated.
struct Layout {
    /// Samples in the window.
    window: usize,
    /// Samples between windows.
    hop: usize,
    /// Zeros before the first sample.
    prime: usize,
    /// Leading samples of the window that are only the past of the signal.
    history: usize,
    /// Start of frame 0 in the window, behind the history.
    start: isize,
    /// Frames in a window.
    frames: usize,
    /// Rows that the plan holds.
    rows: usize,
    /// Rows between decisions.
    row_hop: usize,
}

impl Layout {
    /// Declares the source window of the plan's last lane, unless it shares one.
    fn source(
        &self,
        plan: &mut PlanBuilder,
        chain: &Chain,
        elem: Elem,
        shared: Option<TensorId>,
    ) -> TensorId {
        if let Some(source) = shared {
            return source;
        }
        plan.rate_hz(chain.recording().rate_hz);
        let values = chain.source.axes * chain.decimation();
        plan.source(
            elem,
            self.window * values,
            self.hop * values,
            self.prime * values,
        )
    }

    /// The samples that pre-emphasis subtracts, unless they are those right before, which frames
    /// are cut with.
    fn past(&self, chain: &Chain, of: SignalPreEmphasis) -> Option<Past> {
        (of.circular || of.shift != 1).then_some(Past {
            start: self.start as i32,
            hop: chain.framing.hop as u32,
            history: self.history as u32,
            padding: padding(chain.framing.padding),
            shift: of.shift as u32,
            circular: of.circular,
        })
    }

    fn new(
        chain: &Chain,
        head: Option<&Head>,
        clip_len: Option<usize>,
    ) -> Result<Self, LowerError> {
        let Framing {
            frame_len,
            hop,
            start,
            pre_emphasis,
            ..
        } = chain.framing;
        let (window, window_hop) = match chain.source.mode {
            Mode::Stream => {
                // The stream's first samples follow zeros: frames that start in the padding and
                // the past of the first sample both lie there.
                let history = pre_emphasis.map_or(0, |of| of.shift);
                let ahead = start.max(0) as usize;
                let (rows, row_hop) = match head {
                    Some(head) => (head.rows, head.row_hop),
                    None => (1, 1),
                };
                return Ok(Self {
                    window: history + ahead + frame_len,
                    hop,
                    prime: history + start.min(0).unsigned_abs(),
                    history,
                    start: ahead as isize,
                    frames: 1,
                    rows,
                    row_hop,
                });
            }
            Mode::Window { len, hop } => (len, hop),
            Mode::Clip => match clip_len {
                Some(len) => (len / chain.decimation(), len / chain.decimation()),
                None => {
                    return Err(LowerError::new(
                        "input.mode",
                        "a device needs windows of a fixed length: set mode = \"window\" with \
                         window_ms, or mode = \"stream\"",
                    ));
                }
            },
        };
        if chain.signal.is_some() && window_hop > window {
            return Err(LowerError::new(
                "input.window_hop_ms",
                "a filter on a device hears no samples between windows: set a hop of at most \
                 window_ms",
            ));
        }
        let frames = chain.framing.frames(window);
        if frames == 0 {
            return Err(LowerError::new(
                "input",
                format!(
                    "{window} samples are shorter than one frame of {frame_len}: take longer \
                     windows or shorter frames"
                ),
            ));
        }
        if frames > MAX_FRAMES as usize {
            return Err(LowerError::new(
                "input",
                format!(
                    "{window} samples have {frames} frames, a plan takes at most {MAX_FRAMES}: \
                     use mode = \"stream\" for long recordings"
                ),
            ));
        }
        Ok(Self {
            window,
            hop: window_hop,
            prime: 0,
            history: 0,
            start,
            frames,
            rows: frames,
            row_hop: frames,
        })
    }
}

/// The operators' name for a graph's padding.
fn padding(of: graph::Padding) -> Padding {
    match of {
        graph::Padding::Zero => Padding::Zero,
        graph::Padding::Reflect => Padding::Reflect,
        graph::Padding::Symmetric => Padding::Symmetric,
        graph::Padding::Edge => Padding::Edge,
    }
}
