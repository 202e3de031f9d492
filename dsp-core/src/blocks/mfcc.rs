//! Block `mfcc`: mel-frequency cepstral coefficients.

use super::FeatureSpec;
use super::front_end::energy::Energy;
use super::front_end::{FrontEnd, FrontEndSpec, Stages};
use super::rows::{Rows, RowsSpec};
use crate::ConfigError;
use crate::config::{Section, Table, section};
use crate::graph::{Framing, Source, Stage, StageKind};
use crate::input::Input;
use crate::tables::dct::{DctNorm, DctType, Lifter, dct};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Mel-frequency cepstral coefficients: the discrete cosine transform \
                                of the log-mel energies of each frame.";

section! {
    /// From log-mel energies to cepstral coefficients.
    pub(crate) struct Cepstral {
        /// Number of coefficients that are kept, from coefficient 0; at most `n_mels`.
        n_coeffs: usize { range: Some((1.0, 1024.0)), default: "13" },
        /// Type of the discrete cosine transform.
        dct_type: DctType { default: "2" },
        /// Scale of the discrete cosine transform.
        dct_norm: DctNorm { default: "\"ortho\"" },
        /// Formula of the lifter, which weighs the coefficients.
        lifter: Lifter { default: "\"none\"" },
        /// The lifter length `L`.
        lifter_length: f64 { range: Some((1.0, 1000.0)), default: "22.0" },
    }
}

/// Fields of an `mfcc` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mfcc {
    front: FrontEnd,
    energy: Energy,
    cepstral: Cepstral,
    rows: Rows,
}

/// An [`Mfcc`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MfccSpec {
    pub(crate) front: FrontEndSpec,
    pub(crate) energy: Energy,
    pub(crate) cepstral: Cepstral,
    pub(crate) rows: RowsSpec,
}

impl Mfcc {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontEnd::read(table, path)?,
            energy: Energy::read(table, path)?,
            cepstral: Cepstral::read(table, path)?,
            rows: Rows::read(table, path)?,
        })
    }

    pub(crate) fn validate(&self, input: &Input) -> Result<MfccSpec, ConfigError> {
        let front = self.front.validate(input)?;
        let cepstral = &self.cepstral;
        let n_mels = front.n_mels();
        if cepstral.n_coeffs > n_mels {
            return Err(ConfigError::new(
                "n_coeffs",
                cepstral.n_coeffs,
                format!("expected at most `n_mels` = {n_mels}"),
            ));
        }
        if cepstral.dct_norm == DctNorm::Tf && cepstral.dct_type != DctType::Two {
            return Err(ConfigError::new(
                "dct_norm",
                "\"tf\"",
                "TensorFlow's scale belongs to `dct_type = 2`: expected \"none\" or \"ortho\"",
            ));
        }
        if cepstral.dct_type == DctType::One && n_mels < 2 {
            return Err(ConfigError::new(
                "dct_type",
                1,
                "DCT-I needs at least 2 mel filters: expected 2 or 3",
            ));
        }
        self.energy.validate(&front.log)?;
        if self.energy.is_last() && self.energy.kept().is_some() && cepstral.n_coeffs < 2 {
            return Err(ConfigError::new(
                "n_coeffs",
                cepstral.n_coeffs,
                "the only coefficient is replaced by the energy: expected at least 2, or \
                 `energy_position = \"first\"`",
            ));
        }
        let rows = self.rows.validate(input, &front.frames)?;
        Ok(MfccSpec {
            front,
            energy: self.energy.clone(),
            cepstral: cepstral.clone(),
            rows,
        })
    }
}

impl FeatureSpec for MfccSpec {
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
            self.cepstral.write(),
            self.energy.write(),
            self.rows.config.write(),
        ]
        .concat()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let cepstral = &self.cepstral;
        let energy = self.energy.kept();
        let mut stages = Stages::new(id);
        self.front.expand(&mut stages, energy);
        let n_mels = self.front.n_mels();
        let n_coeffs = cepstral.n_coeffs;
        let mut matrix = dct(cepstral.dct_type, cepstral.dct_norm, n_mels, n_coeffs);
        for (k, row) in matrix.values.chunks_mut(n_mels).enumerate() {
            let weight = cepstral.lifter.weight(cepstral.lifter_length, k);
            row.iter_mut().for_each(|value| *value *= weight);
        }
        match (energy.is_some(), self.energy.is_last()) {
            (false, last) => {
                if last {
                    matrix.values.rotate_left(n_mels);
                }
                stages.push("dct", n_coeffs, StageKind::Matrix(matrix));
            }
            (true, false) => {
                stages.push("dct", n_coeffs, StageKind::Matrix(matrix));
                stages.push("replace_c0", n_coeffs, StageKind::ReplaceFirst);
            }
            // Coefficient 0 would be replaced: it is not computed.
            (true, true) => {
                matrix.values.drain(..n_mels);
                matrix.rows -= 1;
                stages.push("dct", n_coeffs - 1, StageKind::Matrix(matrix));
                let kind = StageKind::InsertEnergy { last: true };
                stages.push("energy_column", n_coeffs, kind);
            }
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
    Ok(Box::new(Mfcc::read(table, id)?.validate(input)?))
}
