//! Block `filter`: recursive filters and decimation of each axis of a window.

use super::spectral_analysis::{Decimation, STABLE, decimate};
use super::{FeatureSpec, window};
use crate::ConfigError;
use crate::config::{Section, Table, choices, section};
use crate::graph::{Framing, Section as Sos, Stage, StageKind};
use crate::input::Input;
use crate::tables::filter_design::{Band, Prototype, design, notch, peaking};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "Each axis of a window behind a recursive filter and a decimation, \
                                one axis after the other: for networks that learn their own \
                                features.";

choices! {
    /// Design of the filter.
    pub(crate) enum Design {
        /// Maximally flat.
        Butterworth = "butterworth",
        /// Chebyshev I: steeper, with ripples in the pass band.
        Chebyshev = "chebyshev",
        /// Takes out one frequency.
        Notch = "notch",
        /// Raises or lowers the surroundings of one frequency.
        Peaking = "peaking",
    }
}

choices! {
    /// What a Butterworth or Chebyshev filter lets pass.
    pub(crate) enum Pass {
        /// Frequencies below `frequency_hz`.
        Low = "low",
        /// Frequencies above `frequency_hz`.
        High = "high",
        /// Frequencies from `frequency_hz` to `frequency_high_hz`.
        Band = "band",
        /// All but the frequencies from `frequency_hz` to `frequency_high_hz`.
        Stop = "stop",
    }
}

choices! {
    /// State in which the filter begins in every window.
    pub(crate) enum Start {
        /// At rest: what came before the window was 0.
        Rest = "rest",
        /// Settled for the window's first sample, as if it had always been there: no transient
        /// from an offset.
        Steady = "steady",
    }
}

section! {
    /// Second-order sections, designed by the bilinear transform (`butterworth`, `chebyshev`) or
    /// the formulas of the Audio EQ Cookbook (`notch`, `peaking`).
    pub(crate) struct Filter {
        /// Factor that all axes are multiplied with.
        scale_axes: f64 { range: Some((-1e9, 1e9)), default: "1.0" },
        /// Design of the filter.
        design: Design { default: "\"butterworth\"" },
        /// What a Butterworth or Chebyshev filter lets pass.
        pass: Pass { default: "\"low\"" },
        /// Order of the prototype; band and stop filters have twice as many poles.
        order: usize { range: Some((1.0, 10.0)), default: "4" },
        /// Edge of the pass band, or the frequency of a notch or peak.
        frequency_hz: f64 { unit: "Hz", range: Some((1e-6, 1e6)) },
        /// Upper edge of a band.
        frequency_high_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 1e6)), derived: "required with `pass = \"band\"` and `\"stop\"`" },
        /// Ripple of a Chebyshev filter's pass band.
        ripple_db: f64 { unit: "dB", range: Some((0.001, 12.0)), default: "0.5" },
        /// Quality of a notch or peak: its frequency over its width.
        quality: f64 { range: Some((0.05, 1000.0)), default: "5.0" },
        /// Gain of a peak; negative for a dip.
        gain_db: f64 { unit: "dB", range: Some((-40.0, 40.0)), default: "6.0" },
        /// State in which the filter begins in every window.
        start: Start { default: "\"steady\"" },
        /// How many samples become one behind the filter, and a Chebyshev low-pass of order 8 with
        /// 0.05 dB of ripple up to 0.8 of the new half rate.
        decimation: Decimation { default: "1" },
    }
}

/// A [`Filter`] that has been checked.
#[derive(Debug)]
struct FilterSpec {
    config: Filter,
    input: Input,
    framing: Framing,
    sections: Vec<Sos>,
}

impl Filter {
    fn validate(&self, input: &Input) -> Result<FilterSpec, ConfigError> {
        let sections = self.sections(input.rate_hz)?;
        if sections.iter().any(|section| section.stability() < STABLE) {
            return Err(ConfigError::new(
                "frequency_hz",
                self.frequency_hz,
                "the filter is not stable with 32-bit coefficients: move its frequency away from \
                 0 Hz, or lower its order or quality",
            ));
        }
        Ok(FilterSpec {
            config: self.clone(),
            input: input.clone(),
            framing: window::framing(input),
            sections,
        })
    }

    fn sections(&self, rate_hz: f64) -> Result<Vec<Sos>, ConfigError> {
        let half = rate_hz / 2.0;
        let below = |field: &str, hz: f64| {
            if hz < half {
                return Ok(hz);
            }
            let allowed = format!("expected less than half the rate, {half} Hz");
            Err(ConfigError::new(field, hz, allowed))
        };
        let low = below("frequency_hz", self.frequency_hz)?;
        let prototype = match self.design {
            Design::Butterworth => Prototype::Butterworth,
            Design::Chebyshev => Prototype::Chebyshev {
                ripple_db: self.ripple_db,
            },
            Design::Notch => return Ok(vec![notch(low, self.quality, rate_hz)]),
            Design::Peaking => {
                return Ok(vec![peaking(low, self.quality, self.gain_db, rate_hz)]);
            }
        };
        let band = match (self.pass, self.frequency_high_hz) {
            (Pass::Low, None) => Band::Low(low),
            (Pass::High, None) => Band::High(low),
            (Pass::Low | Pass::High, Some(high)) => {
                return Err(ConfigError::new(
                    "frequency_high_hz",
                    high,
                    "only bands have an upper edge: remove it, or set `pass = \"band\"`",
                ));
            }
            (Pass::Band | Pass::Stop, None) => {
                return Err(ConfigError::new(
                    "frequency_high_hz",
                    "no value",
                    "a band needs it: give the upper edge in Hz",
                ));
            }
            (Pass::Band | Pass::Stop, Some(high)) => {
                let high = below("frequency_high_hz", high)?;
                if high <= low {
                    return Err(ConfigError::new(
                        "frequency_high_hz",
                        high,
                        format!("expected a number above `frequency_hz` = {low}"),
                    ));
                }
                match self.pass {
                    Pass::Stop => Band::Stop(low, high),
                    _ => Band::Pass(low, high),
                }
            }
        };
        Ok(design(prototype, self.order, band, rate_hz))
    }
}

impl FilterSpec {
    /// Values of an axis behind the decimation.
    fn len(&self) -> usize {
        let factors = self.config.decimation.factors().iter();
        factors.fold(self.framing.frame_len, |len, &factor| len.div_ceil(factor))
    }
}

impl FeatureSpec for FilterSpec {
    fn framing(&self, _input: &Input) -> Framing {
        self.framing.clone()
    }

    fn expand(&self, id: &str) -> Vec<Stage> {
        let config = &self.config;
        vec![window::each_axis(id, &self.input, |_, name| {
            let mut len = self.framing.frame_len;
            let mut stages = Vec::new();
            if config.scale_axes != 1.0 {
                stages.push(window::scale(name, len, config.scale_axes));
            }
            stages.push(Stage {
                name: format!("{name}.filter"),
                len,
                kind: StageKind::Sos {
                    sections: self.sections.clone(),
                    steady: config.start == Start::Steady,
                },
            });
            for &factor in config.decimation.factors() {
                len = decimate(&mut stages, name, len, factor);
            }
            stages
        })]
    }

    fn names(&self) -> Vec<String> {
        let of_axis = |axis: String| (0..self.len()).map(move |i| format!("{axis}_{i}"));
        self.input
            .axis_names()
            .into_iter()
            .flat_map(of_axis)
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
    Ok(Box::new(Filter::read(table, id)?.validate(input)?))
}
