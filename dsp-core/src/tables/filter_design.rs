//! Recursive filters as cascades of second-order sections, designed in f64.
//!
//! Butterworth and Chebyshev I filters come from the poles of an analogue prototype through the
//! pre-warped bilinear transform `z = (1 + s) / (1 - s)`, `s = tan(pi f / rate)`; notch and peaking
//! filters from the formulas of the Audio EQ Cookbook (R. Bristow-Johnson).
//!
//! Unlike scipy's, the gain of a cascade lies on all sections alike, a band-pass has both of its
//! zeros in every section, and the sections with the least resonance come first: integers need
//! that. The transfer functions are the same.

use std::f64::consts::{LN_10, PI};

use rustfft::num_complex::Complex64;

use super::polynomial::sqrt;

/// A second-order section: `y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// b0, b1, b2.
    pub b: [f64; 3],
    /// a1, a2.
    pub a: [f64; 2],
}

/// The analogue low-pass whose shape a filter has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Prototype {
    /// Maximally flat: half of the power passes at the edge.
    Butterworth,
    /// Equal ripples in the pass band of this many dB, which the edge ends.
    Chebyshev {
        /// Largest attenuation in the pass band.
        ripple_db: f64,
    },
}

/// What a filter lets pass; edges in Hz, between 0 and half of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Band {
    /// From 0 to the edge.
    Low(f64),
    /// From the edge on.
    High(f64),
    /// Between two edges: twice the prototype's order.
    Pass(f64, f64),
    /// All but what lies between two edges: twice the prototype's order.
    Stop(f64, f64),
}

/// Designs a filter with a prototype of this order (1 to 20).
pub(crate) fn design(prototype: Prototype, order: usize, band: Band, rate_hz: f64) -> Vec<Section> {
    let warped = |hz: f64| libm::tan(PI * hz / rate_hz);
    let half = |x: Complex64| x * 0.5;
    // Digital poles, one of each pair of conjugates; two for each section where they are real.
    let mut pairs: Vec<[Complex64; 2]> = Vec::new();
    let mut lone: Option<Complex64> = None;
    for pole in poles(prototype, order) {
        let real = pole.im == 0.0;
        match band {
            Band::Low(edge) if real => lone = Some(digital(pole * warped(edge))),
            Band::High(edge) if real => lone = Some(digital(pole.inv() * warped(edge))),
            Band::Low(edge) => pairs.push(conjugates(digital(pole * warped(edge)))),
            Band::High(edge) => pairs.push(conjugates(digital(pole.inv() * warped(edge)))),
            Band::Pass(low, high) | Band::Stop(low, high) => {
                let (low, high) = (warped(low), warped(high));
                let narrow = match band {
                    Band::Pass(..) => pole,
                    _ => pole.inv(),
                };
                let middle = half(narrow * (high - low));
                let distance = sqrt(middle * middle - low * high);
                let split = [digital(middle + distance), digital(middle - distance)];
                if real {
                    pairs.push(split);
                } else {
                    pairs.extend(split.map(conjugates));
                }
            }
        }
    }
    // Where the response is that of the prototype at 0: its largest value, but for ripples of even
    // order.
    let (zeros, reference) = match band {
        Band::Low(_) => ([1.0, 2.0, 1.0], 0.0),
        Band::High(_) => ([1.0, -2.0, 1.0], PI),
        Band::Pass(low, high) => {
            let centre = centre(warped(low), warped(high));
            ([1.0, 0.0, -1.0], centre)
        }
        Band::Stop(low, high) => {
            let centre = centre(warped(low), warped(high));
            ([1.0, -2.0 * libm::cos(centre), 1.0], 0.0)
        }
    };
    let mut sections: Vec<Section> = pairs
        .iter()
        .map(|[p, q]| Section {
            b: zeros,
            a: [-(p + q).re, (p * q).re],
        })
        .collect();
    if let Some(pole) = lone {
        sections.push(Section {
            b: [1.0, zeros[1] / 2.0, 0.0],
            a: [-pole.re, 0.0],
        });
    }
    sections.sort_by(|x, y| x.a[1].total_cmp(&y.a[1]));
    let n = sections.len() as f64;
    let share = libm::pow(gain_at_zero(prototype, order), 1.0 / n);
    let gains: Vec<f64> = sections
        .iter()
        .map(|section| share / section.magnitude(reference))
        .collect();
    // Sections of a stop band lie on both sides of it: each alone would be far from 1 at one end.
    let mean = libm::exp(gains.iter().map(|gain| libm::log(*gain)).sum::<f64>() / n);
    for (section, gain) in sections.iter_mut().zip(gains) {
        let gain = if matches!(band, Band::Stop(..)) {
            mean
        } else {
            gain
        };
        section.b = section.b.map(|b| b * gain);
    }
    sections
}

/// A notch at `hz` with the quality `q`: the width at half power is `hz / q`.
pub(crate) fn notch(hz: f64, q: f64, rate_hz: f64) -> Section {
    let (cosine, alpha) = cookbook(hz, q, rate_hz);
    normalised(
        [1.0, -2.0 * cosine, 1.0],
        [1.0 + alpha, -2.0 * cosine, 1.0 - alpha],
    )
}

/// A peak, or with a negative gain a dip, of `gain_db` at `hz` with the quality `q`.
pub(crate) fn peaking(hz: f64, q: f64, gain_db: f64, rate_hz: f64) -> Section {
    let (cosine, alpha) = cookbook(hz, q, rate_hz);
    let amplitude = libm::exp(gain_db / 40.0 * LN_10);
    normalised(
        [
            1.0 + alpha * amplitude,
            -2.0 * cosine,
            1.0 - alpha * amplitude,
        ],
        [
            1.0 + alpha / amplitude,
            -2.0 * cosine,
            1.0 - alpha / amplitude,
        ],
    )
}

fn cookbook(hz: f64, q: f64, rate_hz: f64) -> (f64, f64) {
    let angle = 2.0 * PI * hz / rate_hz;
    (libm::cos(angle), libm::sin(angle) / (2.0 * q))
}

fn normalised(b: [f64; 3], [a0, a1, a2]: [f64; 3]) -> Section {
    Section {
        b: b.map(|b| b / a0),
        a: [a1 / a0, a2 / a0],
    }
}

impl Section {
    /// The response at an angle of 0 to pi per sample.
    fn magnitude(&self, angle: f64) -> f64 {
        let at = |[c0, c1, c2]: [f64; 3]| {
            let re = c0 + c1 * libm::cos(angle) + c2 * libm::cos(2.0 * angle);
            let im = c1 * libm::sin(angle) + c2 * libm::sin(2.0 * angle);
            libm::hypot(re, im)
        };
        at(self.b) / at([1.0, self.a[0], self.a[1]])
    }

    /// What a constant input of 1 settles to.
    pub(crate) fn gain_of_constants(&self) -> f64 {
        self.b.iter().sum::<f64>() / (1.0 + self.a[0] + self.a[1])
    }

    /// How far the section is from instability: `min(1 - |a1| + a2, 1 - a2)`, 0 when a pole lies
    /// on the unit circle.
    pub(crate) fn stability(&self) -> f64 {
        let [a1, a2] = self.a;
        (1.0 - a1.abs() + a2).min(1.0 - a2)
    }
}

/// Distance from instability at which a section with 32-bit coefficients still is the one that was
/// designed, within a percent of its bandwidth.
const REALISABLE: f64 = 1.0 / 65536.0;

/// Whether a filter that runs on and on can have 32-bit coefficients.
pub(crate) fn is_realisable(sections: &[Section]) -> bool {
    // Not a number is not stable either.
    sections
        .iter()
        .all(|section| section.stability() >= REALISABLE)
}

/// The sum of the magnitudes of a cascade's impulse response: no output exceeds the largest input
/// by more than this factor. The response is followed until it has decayed.
pub(crate) fn absolute_gain(sections: &[Section]) -> f64 {
    let mut states = vec![[0.0f64; 2]; sections.len()];
    let (mut sum, mut quiet) = (0.0f64, 0);
    let mut input = 1.0;
    for _ in 0..1 << 20 {
        let mut x = input;
        for (section, state) in sections.iter().zip(&mut states) {
            let y = section.b[0] * x + state[0];
            state[0] = section.b[1] * x - section.a[0] * y + state[1];
            state[1] = section.b[2] * x - section.a[1] * y;
            x = y;
        }
        input = 0.0;
        sum += x.abs();
        let left: f64 = states.iter().flatten().map(|s| s.abs()).sum();
        quiet = if left < 1e-9 { quiet + 1 } else { 0 };
        if quiet > 3 {
            break;
        }
    }
    sum
}

/// The prototype's poles with edge 1, without the lower one of each pair of conjugates.
fn poles(prototype: Prototype, order: usize) -> Vec<Complex64> {
    let (width, height) = match prototype {
        Prototype::Butterworth => (1.0, 1.0),
        Prototype::Chebyshev { ripple_db } => {
            let spread = libm::asinh(1.0 / ripple(ripple_db)) / order as f64;
            (libm::sinh(spread), libm::cosh(spread))
        }
    };
    (0..order.div_ceil(2))
        .map(|k| {
            let angle = PI * (2 * k + 1) as f64 / (2 * order) as f64;
            if 2 * k + 1 == order {
                return Complex64::new(-width, 0.0);
            }
            Complex64::new(-width * libm::sin(angle), height * libm::cos(angle))
        })
        .collect()
}

/// `sqrt(10^(dB / 10) - 1)`.
fn ripple(ripple_db: f64) -> f64 {
    libm::sqrt(libm::expm1(ripple_db / 10.0 * LN_10))
}

/// The prototype's gain at 0.
fn gain_at_zero(prototype: Prototype, order: usize) -> f64 {
    match prototype {
        Prototype::Chebyshev { ripple_db } if order.is_multiple_of(2) => {
            libm::exp(-ripple_db / 20.0 * LN_10)
        }
        _ => 1.0,
    }
}

fn digital(pole: Complex64) -> Complex64 {
    let one = Complex64::new(1.0, 0.0);
    (one + pole) / (one - pole)
}

fn conjugates(pole: Complex64) -> [Complex64; 2] {
    [pole, pole.conj()]
}

/// The angle at the centre of a band with these warped edges.
fn centre(low: f64, high: f64) -> f64 {
    2.0 * libm::atan(libm::sqrt(low * high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use otolith_fixtures::{Array, DspGoldens};

    /// The response of a cascade to an impulse.
    fn impulse_response(sections: &[Section], len: usize) -> Vec<f64> {
        let mut x = vec![0.0; len];
        x[0] = 1.0;
        filter(sections, &mut x, None);
        x
    }

    /// Runs the difference equation; the state at first is 0, or steady for a constant.
    fn filter(sections: &[Section], x: &mut [f64], steady: Option<f64>) {
        let mut constant = steady.unwrap_or(0.0);
        for section in sections {
            let settled = constant * section.gain_of_constants();
            let (mut x1, mut x2, mut y1, mut y2) = (constant, constant, settled, settled);
            for x in &mut *x {
                let [b0, b1, b2] = section.b;
                let y = b0 * *x + b1 * x1 + b2 * x2 - section.a[0] * y1 - section.a[1] * y2;
                (x2, x1, y2, y1) = (x1, *x, y1, y);
                *x = y;
            }
            constant = settled;
        }
    }

    fn largest_error(a: &[f64], b: &[f64]) -> f64 {
        let peak = b.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
        let error = a
            .iter()
            .zip(b)
            .fold(0.0f64, |error, (a, b)| error.max((a - b).abs()));
        error / peak
    }

    /// The designs of `fixtures/gen/filters_golden.py`, in its order.
    fn designs() -> Vec<Vec<Section>> {
        let mut designs = Vec::new();
        for order in 1..=8 {
            for band in [
                Band::Low(0.5),
                Band::Low(20.0),
                Band::High(3.0),
                Band::High(45.0),
                Band::Pass(4.0, 11.0),
                Band::Stop(12.0, 30.0),
            ] {
                designs.push(design(Prototype::Butterworth, order, band, 100.0));
            }
        }
        let chebyshev = Prototype::Chebyshev { ripple_db: 0.05 };
        for band in [
            Band::Low(50.0 * 0.8 / 3.0),
            Band::Low(4.0),
            Band::High(10.0),
        ] {
            for order in [3, 8] {
                designs.push(design(chebyshev, order, band, 100.0));
            }
        }
        designs.push(vec![notch(10.0, 5.0, 100.0)]);
        designs.push(vec![notch(49.0, 30.0, 1000.0)]);
        designs.push(vec![peaking(10.0, 2.0, 6.0, 100.0)]);
        designs.push(vec![peaking(49.0, 1.5, -12.0, 1000.0)]);
        designs
    }

    #[test]
    fn impulse_responses_are_those_of_scipy() {
        let path = otolith_fixtures::root().join("fixtures/golden/filters.npy");
        let golden = Array::read(&path);
        let len = golden.shape[1];
        let designs = designs();
        assert_eq!(designs.len(), golden.shape[0]);
        for (sections, expected) in designs.iter().zip(golden.values.chunks(len)) {
            let error = largest_error(&impulse_response(sections, len), expected);
            assert!(error < 1e-8, "{sections:?}: {error:e}");
        }
    }

    #[test]
    fn the_cookbook_agrees_with_the_crate_biquad() {
        use biquad::{Coefficients, ToHertz, Type};
        let cases = [
            (Type::Notch, 7.0, 3.0, notch(7.0, 3.0, 100.0)),
            (
                Type::PeakingEQ(4.5),
                7.0,
                3.0,
                peaking(7.0, 3.0, 4.5, 100.0),
            ),
            (
                Type::LowPass,
                12.0,
                std::f64::consts::FRAC_1_SQRT_2,
                design(Prototype::Butterworth, 2, Band::Low(12.0), 100.0)[0],
            ),
            (
                Type::HighPass,
                12.0,
                std::f64::consts::FRAC_1_SQRT_2,
                design(Prototype::Butterworth, 2, Band::High(12.0), 100.0)[0],
            ),
        ];
        for (kind, hz, q, ours) in cases {
            let theirs = Coefficients::<f64>::from_params(kind, 100.0.hz(), hz.hz(), q);
            let theirs = theirs.expect("a frequency below half of the rate");
            let theirs = [theirs.b0, theirs.b1, theirs.b2, theirs.a1, theirs.a2];
            let [b0, b1, b2] = ours.b;
            let [a1, a2] = ours.a;
            for (theirs, ours) in theirs.into_iter().zip([b0, b1, b2, a1, a2]) {
                assert!((theirs - ours).abs() < 1e-13, "{kind:?}");
            }
        }
    }

    #[test]
    fn filtered_signals_are_those_of_scipy() {
        let Some(shared) = otolith_fixtures::shared_dir() else {
            return;
        };
        for case in DspGoldens::open(&shared).family("butter_sos") {
            let params = case.params();
            let number = |name: &str| params[name].as_f64().expect("a number");
            let edges: Vec<f64> = match params["cutoff"].as_array() {
                Some(edges) => edges.iter().filter_map(|edge| edge.as_f64()).collect(),
                None => vec![number("cutoff")],
            };
            let band = match params["btype"].as_str() {
                Some("lowpass") => Band::Low(edges[0]),
                Some("highpass") => Band::High(edges[0]),
                Some("bandpass") => Band::Pass(edges[0], edges[1]),
                _ => Band::Stop(edges[0], edges[1]),
            };
            let order = number("order") as usize;
            let sections = design(Prototype::Butterworth, order, band, number("fs"));
            let (plain, steady) = (case.output("y"), case.output("y_zi"));
            let channels = plain.shape.get(1).copied().unwrap_or(1);
            let input: Vec<f64> = case.input().iter().map(|&x| f64::from(x)).collect();
            for channel in 0..channels {
                let column = |values: &[f64]| -> Vec<f64> {
                    values
                        .iter()
                        .skip(channel)
                        .step_by(channels)
                        .copied()
                        .collect()
                };
                let mut x = column(&input);
                let first = x[0];
                filter(&sections, &mut x, None);
                let error = largest_error(&x, &column(&plain.values));
                assert!(error < 1e-6, "{}: {error:e}", case.id());
                let mut x = column(&input);
                filter(&sections, &mut x, Some(first));
                let error = largest_error(&x, &column(&steady.values));
                assert!(error < 1e-6, "{} steady: {error:e}", case.id());
            }
        }
    }

    #[test]
    fn no_section_leaves_its_headroom() {
        // The gain lies on all sections, so that what one of them gives stays near its input.
        for sections in designs() {
            for n in 1..=sections.len() {
                assert!(absolute_gain(&sections[..n]) < 8.0, "{sections:?}");
            }
        }
    }

    #[test]
    fn a_cutoff_near_zero_is_nearly_unstable() {
        let near = design(Prototype::Butterworth, 6, Band::High(0.001), 62.5);
        assert!(near.iter().any(|section| section.stability() < 1e-7));
        let fair = design(Prototype::Butterworth, 2, Band::High(0.5), 62.5);
        assert!(fair.iter().all(|section| section.stability() > 1e-3));
    }
}
