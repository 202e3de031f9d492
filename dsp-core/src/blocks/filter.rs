//! Block `filter`: a recursive filter over the running samples.

use super::SignalSpec;
use crate::ConfigError;
use crate::config::{Section as _, Table, choices, section};
use crate::graph::{Section, SignalKind};
use crate::tables::filter_design::{self, Band, Prototype};

/// Meaning of the block, for the reference.
pub(crate) const ABOUT: &str = "A filter over the running samples of each axis, before windows \
                                and frames are cut from them: its memory runs on from window to \
                                window and is at rest at a recording's start. The blocks of \
                                features of the same input that stand behind it in the file hear \
                                its output.";

choices! {
    /// Design of a filter.
    pub(crate) enum FilterKind {
        /// Flat in the pass band; half of the power passes at the edge.
        Butterworth = "butterworth",
        /// Steeper, with ripples of `ripple_db` in the pass band, which the edge ends.
        Chebyshev1 = "chebyshev1",
        /// Takes one frequency out: 0 at `centre_hz`, half of the power at a distance of about
        /// `centre_hz / (2 q)`.
        Notch = "notch",
        /// Lifts or lowers one frequency by `gain_db` and leaves those far from it alone.
        Peaking = "peaking",
    }
}

choices! {
    /// What a filter lets pass.
    pub(crate) enum BandKind {
        /// What lies below `cutoff_hz`.
        Low = "low",
        /// What lies above `cutoff_hz`.
        High = "high",
        /// What lies between `low_hz` and `high_hz`.
        Band = "band",
        /// All but what lies between `low_hz` and `high_hz`.
        Stop = "stop",
    }
}

section! {
    /// The filter. Its edges lie below half of the rate of the samples that reach it.
    pub(crate) struct Filter {
        /// Design.
        kind: FilterKind { default: "\"butterworth\"" },
        /// What passes, with `kind = "butterworth"` or `"chebyshev1"`.
        band: Option<BandKind> { derived: "required with these kinds" },
        /// Order of the design, with `kind = "butterworth"` or `"chebyshev1"`. It doubles for
        /// `band = "band"` and `"stop"`, as in scipy.
        order: Option<usize> { range: Some((1.0, 8.0)), derived: "4 with these kinds" },
        /// Edge, with `band = "low"` or `"high"`.
        cutoff_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 384000.0)), derived: "required with these bands" },
        /// Lower edge, with `band = "band"` or `"stop"`.
        low_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 384000.0)), derived: "required with these bands" },
        /// Upper edge, with `band = "band"` or `"stop"`.
        high_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 384000.0)), derived: "required with these bands" },
        /// Ripple in the pass band, with `kind = "chebyshev1"`.
        ripple_db: Option<f64> { unit: "dB", range: Some((0.001, 6.0)), derived: "required with this kind" },
        /// Centre, with `kind = "notch"` or `"peaking"`.
        centre_hz: Option<f64> { unit: "Hz", range: Some((1e-6, 384000.0)), derived: "required with these kinds" },
        /// Quality, with `kind = "notch"` or `"peaking"`: the centre divided by the width.
        q: Option<f64> { range: Some((0.1, 100.0)), derived: "required with these kinds" },
        /// Gain at the centre, negative for a dip, with `kind = "peaking"`.
        gain_db: Option<f64> { unit: "dB", range: Some((-40.0, 40.0)), derived: "required with this kind" },
    }
}

/// Reads and checks a block for samples at `rate_hz`. Paths of errors are names of fields, but for
/// those of [`Table`]s.
pub(crate) fn read(table: &Table, id: &str, rate_hz: f64) -> Result<SignalSpec, ConfigError> {
    let mut config = Filter::read(table, id)?;
    let sections = config.sections(rate_hz)?;
    if matches!(
        config.kind,
        FilterKind::Butterworth | FilterKind::Chebyshev1
    ) {
        config.order = Some(config.order());
    }
    Ok(SignalSpec {
        kind: SignalKind::Filter(sections),
        fields: config.write(),
    })
}

impl Filter {
    fn order(&self) -> usize {
        self.order.unwrap_or(4)
    }

    fn sections(&self, rate_hz: f64) -> Result<Vec<Section>, ConfigError> {
        use FilterKind::{Butterworth, Chebyshev1, Notch, Peaking};
        let of_kind = |name| format!("`kind = \"{}\"` {name}", self.kind.name());
        let needs = of_kind("needs it");
        let (band, used): (_, &[&str]) = match (self.kind, self.band) {
            (Notch | Peaking, _) => (None, &["centre_hz", "q"]),
            (Butterworth | Chebyshev1, None) => {
                return Err(ConfigError::new(
                    "band",
                    "no value",
                    format!("{needs}: expected \"low\", \"high\", \"band\" or \"stop\""),
                ));
            }
            (_, Some(BandKind::Low)) => {
                let edge = given("cutoff_hz", self.cutoff_hz, "this band needs it")?;
                (Some(Band::Low(edge)), &["band", "order", "cutoff_hz"])
            }
            (_, Some(BandKind::High)) => {
                let edge = given("cutoff_hz", self.cutoff_hz, "this band needs it")?;
                (Some(Band::High(edge)), &["band", "order", "cutoff_hz"])
            }
            (_, Some(kind)) => {
                let low = given("low_hz", self.low_hz, "this band needs it")?;
                let high = given("high_hz", self.high_hz, "this band needs it")?;
                if low >= high {
                    return Err(ConfigError::new(
                        "high_hz",
                        high,
                        format!("expected a number above `low_hz` = {low}"),
                    ));
                }
                let band = match kind {
                    BandKind::Stop => Band::Stop(low, high),
                    _ => Band::Pass(low, high),
                };
                (Some(band), &["band", "order", "low_hz", "high_hz"])
            }
        };
        let own: &[&str] = match self.kind {
            Chebyshev1 => &["kind", "ripple_db"],
            Peaking => &["kind", "gain_db"],
            Butterworth | Notch => &["kind"],
        };
        let mut written = self.write().into_iter();
        let unused = written.find(|(name, _)| !used.contains(name) && !own.contains(name));
        if let Some((name, value)) = unused {
            return Err(ConfigError::new(
                name,
                value,
                format!("{}: remove it", of_kind("with this band has no use for it")),
            ));
        }
        for (name, edge) in [
            ("cutoff_hz", self.cutoff_hz),
            ("low_hz", self.low_hz),
            ("high_hz", self.high_hz),
            ("centre_hz", self.centre_hz),
        ] {
            if let Some(edge) = edge.filter(|&edge| edge >= rate_hz / 2.0) {
                return Err(ConfigError::new(
                    name,
                    edge,
                    format!(
                        "expected less than {} Hz, half of the rate of the samples that reach \
                         this block",
                        rate_hz / 2.0
                    ),
                ));
            }
        }
        let sections = match (self.kind, band) {
            (Chebyshev1, Some(band)) => {
                let ripple_db = given("ripple_db", self.ripple_db, &needs)?;
                filter_design::design(
                    Prototype::Chebyshev { ripple_db },
                    self.order(),
                    band,
                    rate_hz,
                )
            }
            (_, Some(band)) => {
                filter_design::design(Prototype::Butterworth, self.order(), band, rate_hz)
            }
            (kind, None) => {
                let centre = given("centre_hz", self.centre_hz, &needs)?;
                let q = given("q", self.q, &needs)?;
                vec![match kind {
                    Peaking => {
                        let gain_db = given("gain_db", self.gain_db, &needs)?;
                        filter_design::peaking(centre, q, gain_db, rate_hz)
                    }
                    _ => filter_design::notch(centre, q, rate_hz),
                }]
            }
        };
        if !filter_design::is_realisable(&sections) {
            let name = match (self.kind, self.band) {
                (Notch | Peaking, _) => "centre_hz",
                (_, Some(BandKind::Low | BandKind::High)) => "cutoff_hz",
                _ => "low_hz",
            };
            let edge = self.centre_hz.or(self.cutoff_hz).or(self.low_hz);
            return Err(ConfigError::new(
                name,
                edge.unwrap_or_default(),
                format!(
                    "this filter's poles are too near to the unit circle for coefficients of 32 \
                     bits at {rate_hz} Hz: move its edges away from 0 Hz, from each other and \
                     from {} Hz, lower the order or the quality, or decimate first",
                    rate_hz / 2.0
                ),
            ));
        }
        Ok(sections)
    }
}

/// The value of a field that the others ask for.
fn given(name: &str, value: Option<f64>, why: &str) -> Result<f64, ConfigError> {
    value.ok_or_else(|| ConfigError::new(name, "no value", format!("{why}: give `{name}`")))
}
