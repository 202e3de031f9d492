//! Which samples each chain hears, window by window.

use super::Engine;
use crate::error::EngineError;
use crate::executor::Samples;
use crate::graph::Mode;

/// What a chain hears of a recording.
pub(super) struct Heard<'s> {
    pub(super) input: usize,
    pub(super) samples: Samples<'s>,
    pub(super) axes: usize,
    /// Start and end of each window, in samples of the recording.
    pub(super) spans: Vec<(usize, usize)>,
}

/// The recording of each input, and how many values it has once zeros fill its last window.
pub(super) fn padded_inputs<'s>(heard: &[Heard<'s>]) -> Vec<(Samples<'s>, usize)> {
    let inputs = heard.iter().map(|heard| heard.input + 1).max();
    (0..inputs.unwrap_or(0))
        .filter_map(|input| heard.iter().find(|heard| heard.input == input))
        .map(|heard| {
            let end = heard.spans.last().map_or(0, |&(_, end)| end);
            (heard.samples, end * heard.axes)
        })
        .collect()
}

impl Engine {
    /// What each chain hears of the recordings.
    pub(super) fn heard<'s>(&self, inputs: &[Samples<'s>]) -> Result<Vec<Heard<'s>>, EngineError> {
        let need = self.graph.chains.iter().map(|c| c.input + 1).max();
        let need = need.unwrap_or(1);
        if inputs.len() != need {
            return Err(EngineError::Inputs {
                found: inputs.len(),
                need,
            });
        }
        let mut heard: Vec<Heard<'s>> = self
            .graph
            .chains
            .iter()
            .map(|chain| {
                let samples = inputs[chain.input];
                let axes = chain.source.axes;
                Heard {
                    input: chain.input,
                    samples,
                    axes,
                    spans: self.spans(chain.recording().mode, samples.len() / axes),
                }
            })
            .collect();
        // Windows that not every input has are not heard.
        let windows = heard.iter().map(|heard| heard.spans.len()).min();
        for heard in &mut heard {
            heard.spans.truncate(windows.unwrap_or(0));
        }
        Ok(heard)
    }

    /// Start and end of each window of a recording of `len` samples; the last end may lie behind
    /// the recording.
    fn spans(&self, mode: Mode, len: usize) -> Vec<(usize, usize)> {
        match mode {
            Mode::Stream | Mode::Clip => vec![(0, len)],
            Mode::Window { len: window, hop } => {
                let whole = len.checked_sub(window).map_or(0, |rest| 1 + rest / hop);
                let covered = if whole == 0 {
                    0
                } else {
                    (whole - 1) * hop + window
                };
                let padded = usize::from(self.pad_tail && covered < len && whole * hop < len);
                (0..whole + padded)
                    .map(|i| (i * hop, i * hop + window))
                    .collect()
            }
        }
    }

    pub(super) fn too_short(&self, heard: &[Heard<'_>]) -> EngineError {
        // The input with the fewest windows.
        let shortest = heard
            .iter()
            .zip(&self.graph.chains)
            .min_by_key(|(heard, _)| heard.spans.len());
        let Some((heard, chain)) = shortest else {
            return EngineError::Inputs { found: 0, need: 1 };
        };
        let (need, what) = match chain.recording().mode {
            Mode::Window { len, .. } => (len, "one window"),
            _ => (chain.framing.frame_len * chain.decimation(), "one frame"),
        };
        EngineError::TooShort {
            samples: heard.samples.len() / heard.axes,
            need,
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pipeline;
    use crate::engine::Numeric;

    /// End of the last window of a recording of `n` samples.
    fn last_end(hop_ms: usize, pad_tail: bool, n: usize) -> usize {
        let text = format!(
            "[pipeline]\nname = \"tail\"\n[input]\nrate_hz = 1000\nmode = \"window\"\n\
             window_ms = 100\nwindow_hop_ms = {hop_ms}\n[[block]]\nid = \"features\"\n\
             type = \"mel\"\nframe_ms = 64\nhop_ms = 32\nn_mels = 4\n"
        );
        let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[]).expect("valid");
        let engine = Engine::new(pipeline.graph(), Numeric::Host, pad_tail).expect("sound");
        let mode = pipeline.graph().first().source.mode;
        engine.spans(mode, n).last().map_or(0, |&(_, end)| end)
    }

    #[test]
    fn the_tail_gets_a_padded_window_or_none() {
        for (n, end) in [(0, 0), (30, 100), (100, 100), (101, 140), (140, 140)] {
            assert_eq!(last_end(40, true, n), end, "{n}");
        }
        for (n, end) in [(30, 0), (100, 100), (139, 100), (140, 140)] {
            assert_eq!(last_end(40, false, n), end, "{n}");
        }
        // Windows with gaps: 150 lies in a gap, 250 in the second window.
        for (n, end) in [(99, 100), (150, 100), (200, 100), (201, 300), (301, 300)] {
            assert_eq!(last_end(200, true, n), end, "{n}");
        }
    }
}
