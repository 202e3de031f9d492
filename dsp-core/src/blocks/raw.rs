//! Block `raw`: the samples themselves.

use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table, section};
use crate::graph::{Framing, Stage};
use crate::input::Input;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "The samples of a window themselves, those of one moment side by \
                                side: for networks that learn their own features.";

section! {
    /// Scale of the axes.
    pub(crate) struct Raw {
        /// Factor that all axes are multiplied with.
        scale_axes: f64 { range: Some((-1e9, 1e9)), default: "1.0" },
    }
}

/// A [`Raw`] that has been checked.
#[derive(Debug)]
pub(crate) struct RawSpec {
    config: Raw,
    axes: Vec<String>,
    framing: Framing,
}

impl FeatureSpec for RawSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let values = self.framing.frame_len * self.axes.len();
        vec![window::scale(id, values, self.config.scale_axes)]
    }

    fn names(&self) -> Vec<String> {
        (0..self.framing.frame_len)
            .flat_map(|i| self.axes.iter().map(move |axis| format!("{axis}_{i}")))
            .collect()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        self.config.write()
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(RawSpec {
        config: Raw::read(table, id)?,
        axes: input.axis_names(),
        framing: window::framing(input),
    }))
}
