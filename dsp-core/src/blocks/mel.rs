//! Block `mel`: log-mel energies.

use super::FeatureSpec;
use super::front_end::energy::Energy;
use super::front_end::{FrontEnd, FrontEndSpec, Stages};
use super::rows::{Rows, RowsSpec};
use crate::ConfigError;
use crate::config::{Section, Table};
use crate::graph::{Framing, Source, Stage, StageKind};
use crate::input::Input;

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Log-mel energies: each frame's spectrum, summed by triangular \
                                filters that are equally spaced in mel, and its logarithm.";

/// Fields of a `mel` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mel {
    front: FrontEnd,
    energy: Energy,
    rows: Rows,
}

/// A [`Mel`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MelSpec {
    pub(crate) front: FrontEndSpec,
    pub(crate) energy: Energy,
    pub(crate) rows: RowsSpec,
}

impl Mel {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontEnd::read(table, path)?,
            energy: Energy::read(table, path)?,
            rows: Rows::read(table, path)?,
        })
    }

    pub(crate) fn validate(&self, input: &Input) -> Result<MelSpec, ConfigError> {
        let front = self.front.validate(input)?;
        self.energy.validate(&front.log)?;
        let rows = self.rows.validate(input, &front.frames)?;
        Ok(MelSpec {
            front,
            energy: self.energy.clone(),
            rows,
        })
    }
}

impl FeatureSpec for MelSpec {
    fn source(&self, input: &Input) -> Source {
        self.front.frames.source(input)
    }

    fn framing(&self, input: &Input) -> Framing {
        self.front.frames.framing(input)
    }

    fn check_frames(&self, frames: usize) -> Result<(), ConfigError> {
        self.front.frames.check_frames(frames)
    }

    fn warning(&self) -> Option<String> {
        self.front.filters.empty()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        [
            self.front.write(),
            self.energy.write(),
            self.rows.config.write(),
        ]
        .concat()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let mut stages = Stages::new(id);
        let energy = self.energy.kept();
        self.front.expand(&mut stages, energy);
        if energy.is_some() {
            let last = self.energy.is_last();
            let len = self.front.n_mels() + 1;
            stages.push("energy_column", len, StageKind::InsertEnergy { last });
        }
        let mut stages = stages.list;
        self.rows.expand(id, &mut stages);
        stages
    }
}

/// Reads and checks a block.
pub(crate) fn read(
    table: &Table,
    id: &str,
    input: &Input,
) -> Result<Box<dyn FeatureSpec>, ConfigError> {
    Ok(Box::new(Mel::read(table, id)?.validate(input)?))
}
