//! Block `mfcc`: mel-frequency cepstral coefficients.

use super::FeatureSpec;
use super::front_end::{FrontEnd, FrontEndSpec, Limit};
use super::rows::{Rows, RowsSpec};
use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{Framing, Stage, StageKind};
use crate::input::Input;
use crate::tables::dct::{DctNorm, DctType, Lifter, dct};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Mel-frequency cepstral coefficients: the discrete cosine transform \
                                of the log-mel energies of each frame.";

choices! {
    /// Energy that replaces coefficient 0, as a natural logarithm.
    pub(crate) enum EnergyKind {
        /// None: coefficient 0 stays.
        None = "none",
        /// Sum of the frame's squares before pre-emphasis in the frame and window. Kaldi.
        Raw = "raw",
        /// Sum of the frame's squares after the window. Kaldi's `raw_energy=false`.
        Windowed = "windowed",
        /// Sum of the spectrum's bins. python_speech_features, Edge Impulse.
        Spectrum = "spectrum",
    }
}

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
        /// Energy that replaces coefficient 0, as a natural logarithm, after the lifter.
        energy: EnergyKind { default: "\"none\"" },
        /// Smallest energy, before its logarithm.
        energy_floor: f64 { range: Some((1e-30, 1e12)), default: "1e-10" },
    }
}

/// Energy that the front end keeps aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Energy {
    Raw { floor: f64 },
    Windowed { floor: f64 },
    Spectrum { floor: f64 },
}

/// Fields of an `mfcc` block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mfcc {
    pub(crate) front: FrontEnd,
    pub(crate) cepstral: Cepstral,
    pub(crate) rows: Rows,
}

/// An [`Mfcc`] that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MfccSpec {
    pub(crate) front: FrontEndSpec,
    pub(crate) cepstral: Cepstral,
    pub(crate) rows: RowsSpec,
}

impl Mfcc {
    pub(crate) fn read(table: &Table, path: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            front: FrontEnd::read(table, path)?,
            cepstral: Cepstral::read(table, path)?,
            rows: Rows::read(table, path)?,
        })
    }

    pub(crate) fn validate(&self, input: &Input) -> Result<MfccSpec, ConfigError> {
        let front = self.front.validate(input)?;
        let cepstral = &self.cepstral;
        let n_mels = front.config.n_mels;
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
        if cepstral.energy != EnergyKind::None && front.config.top_range != Limit::None {
            return Err(ConfigError::new(
                "energy",
                format!("{:?}", cepstral.energy.name()),
                "it cannot be combined with `top_range`: expected \"none\", or \
                 `top_range = \"none\"`",
            ));
        }
        Ok(MfccSpec {
            front,
            cepstral: cepstral.clone(),
            rows: self.rows.validate(input)?,
        })
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

impl FeatureSpec for MfccSpec {
    fn framing(&self, input: &Input) -> Framing {
        self.front.framing(input)
    }

    fn warning(&self) -> Option<String> {
        self.front.empty_filters()
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        let mut fields = self.front.config.write();
        fields.extend(self.cepstral.write());
        fields.extend(self.rows.config.write());
        fields
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let cepstral = &self.cepstral;
        let floor = cepstral.energy_floor;
        let energy = match cepstral.energy {
            EnergyKind::None => None,
            EnergyKind::Raw => Some(Energy::Raw { floor }),
            EnergyKind::Windowed => Some(Energy::Windowed { floor }),
            EnergyKind::Spectrum => Some(Energy::Spectrum { floor }),
        };
        let mut stages = self.front.expand(id, energy);
        let n_mels = self.front.config.n_mels;
        let n_coeffs = cepstral.n_coeffs;
        let mut matrix = dct(cepstral.dct_type, cepstral.dct_norm, n_mels, n_coeffs);
        for (k, row) in matrix.values.chunks_mut(n_mels).enumerate() {
            let weight = cepstral.lifter.weight(cepstral.lifter_length, k);
            row.iter_mut().for_each(|value| *value *= weight);
        }
        stages.push(Stage {
            name: format!("{id}.dct"),
            len: n_coeffs,
            kind: StageKind::Matrix(matrix),
        });
        if energy.is_some() {
            stages.push(Stage {
                name: format!("{id}.replace_c0"),
                len: n_coeffs,
                kind: StageKind::ReplaceFirst,
            });
        }
        self.rows.expand(id, &mut stages);
        stages
    }
}
