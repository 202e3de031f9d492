//! From milliseconds to samples.

use crate::ConfigError;
use crate::config::choices;

choices! {
    /// What happens to a length in milliseconds that is no whole number of samples.
    pub(crate) enum LengthRounding {
        /// It is refused.
        Exact = "exact",
        /// Rounded up, but for less than a thousandth of a sample. Edge Impulse.
        Up = "up",
        /// Rounded down. Kaldi, torchaudio.
        Down = "down",
        /// To the nearest, halves up. python_speech_features.
        Nearest = "nearest",
        /// To the nearest, halves to even. Edge Impulse version 1.
        NearestEven = "nearest_even",
    }
}

/// A part of a sample that arithmetic in binary fractions adds or takes away.
const SLIP: f64 = 1e-3;

impl LengthRounding {
    /// Samples in `ms`, at least 1.
    pub(super) fn samples(self, field: &str, ms: f64, rate_hz: f64) -> Result<usize, ConfigError> {
        let samples = ms * rate_hz / 1000.0;
        let rounded = match self {
            Self::Exact => return whole_samples(field, ms, rate_hz),
            Self::Up if samples - samples.floor() < SLIP => samples.floor(),
            Self::Up => samples.ceil(),
            Self::Down if samples.ceil() - samples < 1e-6 => samples.ceil(),
            Self::Down => samples.floor(),
            Self::Nearest => (samples + 0.5).floor(),
            Self::NearestEven => samples.round_ties_even(),
        };
        if rounded >= 1.0 {
            return Ok(rounded as usize);
        }
        Err(ConfigError::new(
            field,
            ms,
            format!("{samples} samples at {rate_hz} Hz are less than one: expected more"),
        ))
    }
}

/// Samples in `ms`, which must be a whole number of them.
pub(crate) fn whole_samples(field: &str, ms: f64, rate_hz: f64) -> Result<usize, ConfigError> {
    let samples = ms * rate_hz / 1000.0;
    let nearest = samples.round();
    // Milliseconds written with six decimals count as exact.
    if (samples - nearest).abs() <= SLIP && nearest >= 1.0 {
        return Ok(nearest as usize);
    }
    let below = samples.floor();
    let as_ms = |count: f64| {
        let written = format!("{:.6}", count * 1000.0 / rate_hz);
        let short = written.trim_end_matches('0').trim_end_matches('.');
        format!("{short} ({count} samples)")
    };
    let nearby = if below < 1.0 {
        as_ms(1.0)
    } else {
        format!("{} or {}", as_ms(below), as_ms(below + 1.0))
    };
    Err(ConfigError::new(
        field,
        ms,
        format!(
            "{samples} samples at {rate_hz} Hz is not a whole number: expected for example \
             {nearby}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_rounds_as_its_origin() {
        use LengthRounding::{Down, Exact, Nearest, NearestEven, Up};
        // 220.5 samples, and 551.25.
        for (rule, half, quarter) in [
            (Up, 221, 552),
            (Down, 220, 551),
            (Nearest, 221, 551),
            (NearestEven, 220, 551),
        ] {
            assert_eq!(rule.samples("x", 20.0, 11025.0).unwrap(), half, "{rule:?}");
            assert_eq!(
                rule.samples("x", 50.0, 11025.0).unwrap(),
                quarter,
                "{rule:?}"
            );
        }
        assert!(Exact.samples("x", 20.0, 11025.0).is_err());
        // Whole numbers survive the arithmetic.
        for samples in 1..500 {
            let ms = f64::from(samples) * 1000.0 / 44100.0;
            for rule in LengthRounding::ALL {
                let found = rule.samples("x", ms, 44100.0).unwrap();
                assert_eq!(found, samples as usize, "{rule:?}");
            }
        }
        assert!(Down.samples("x", 0.5, 1000.0).is_err());
    }
}
