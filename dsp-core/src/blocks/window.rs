//! What blocks that turn a whole window into one row share.

use crate::ConfigError;
use crate::graph::{FrameCount, Framing, Mode, Padding, Stage, StageKind};
use crate::input::Input;

/// The one frame of a window: all of it.
pub(crate) fn framing(input: &Input) -> Framing {
    let len = match input.mode {
        Mode::Window { len, .. } => len,
        Mode::Stream | Mode::Clip => 1,
    };
    Framing {
        frame_len: len,
        hop: len,
        start: 0,
        extent: len,
        count: FrameCount::Inside,
        padding: Padding::Zero,
        pre_emphasis: None,
    }
}

/// Fails unless the input comes in windows. The path of the error is the whole one.
pub(crate) fn needs_windows(input: &Input, block: &str) -> Result<(), ConfigError> {
    match input.mode {
        Mode::Window { .. } => Ok(()),
        Mode::Stream | Mode::Clip => Err(ConfigError::new(
            format!("{}.mode", input.id),
            format!("{:?}", input.config.mode.name()),
            format!(
                "block {block:?} turns a window into one row of features: expected \"window\", \
                 with `window_ms`"
            ),
        )),
    }
}

/// A stage that puts every axis of a window through `stages`, which get the axis' index and the
/// name of its branch. The outputs stand one axis after the other.
pub(crate) fn each_axis(
    id: &str,
    input: &Input,
    mut stages: impl FnMut(usize, &str) -> Vec<Stage>,
) -> Stage {
    let framing = framing(input);
    let axes = input.axis_names();
    let branches: Vec<Vec<Stage>> = axes
        .iter()
        .enumerate()
        .map(|(first, axis)| {
            let name = format!("{id}.{axis}");
            let mut branch = vec![Stage {
                name: name.clone(),
                len: framing.frame_len,
                kind: StageKind::Select {
                    first,
                    step: axes.len(),
                },
            }];
            branch.extend(stages(first, &name));
            branch
        })
        .collect();
    let len = branches
        .iter()
        .filter_map(|branch| branch.last())
        .map(|stage| stage.len)
        .sum();
    Stage {
        name: format!("{id}.axes"),
        len,
        kind: StageKind::Fork(branches),
    }
}

/// The stage `y = scale x` on `len` values.
pub(crate) fn scale(name: &str, len: usize, scale: f64) -> Stage {
    Stage {
        name: format!("{name}.scale"),
        len,
        kind: StageKind::Affine {
            add: 0.0,
            mul: scale,
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
        },
    }
}
