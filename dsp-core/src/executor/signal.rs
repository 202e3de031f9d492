//! Samples as the frames see them: converted, scaled, pre-emphasised and padded.

use otolith_dsp_nostd::q;

use super::real::Real;
use crate::graph::{Gain, Padding, SampleType, SignalPreEmphasis};

/// Samples of a recording, full scale being `[-1, 1)`.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a> {
    /// 16-bit integers, `sample / 32768`.
    I16(&'a [i16]),
    /// Floats.
    F32(&'a [f32]),
}

impl<'a> From<&'a [i16]> for Samples<'a> {
    fn from(samples: &'a [i16]) -> Self {
        Self::I16(samples)
    }
}

impl<'a> From<&'a [f32]> for Samples<'a> {
    fn from(samples: &'a [f32]) -> Self {
        Self::F32(samples)
    }
}

impl<'a> From<&'a Vec<i16>> for Samples<'a> {
    fn from(samples: &'a Vec<i16>) -> Self {
        Self::I16(samples)
    }
}

impl<'a> From<&'a Vec<f32>> for Samples<'a> {
    fn from(samples: &'a Vec<f32>) -> Self {
        Self::F32(samples)
    }
}

impl<'a> Samples<'a> {
    /// Number of samples.
    pub fn len(self) -> usize {
        match self {
            Self::I16(x) => x.len(),
            Self::F32(x) => x.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The samples `from..to`, as far as they exist.
    pub fn slice(self, from: usize, to: usize) -> Self {
        let to = to.min(self.len());
        let from = from.min(to);
        match self {
            Self::I16(x) => Self::I16(&x[from..to]),
            Self::F32(x) => Self::F32(&x[from..to]),
        }
    }
}

/// What the frames are cut from: one window, clip or stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signal<'a, F> {
    samples: Samples<'a>,
    /// Float samples are rounded to 16 bits first.
    rounds: bool,
    gain: F,
    pre_emphasis: Option<SignalPreEmphasis>,
    padding: Padding,
}

impl<'a, F: Real> Signal<'a, F> {
    pub(super) fn new(
        samples: Samples<'a>,
        sample_type: SampleType,
        gain: Gain,
        pre_emphasis: Option<SignalPreEmphasis>,
        padding: Padding,
    ) -> Self {
        let rounds = sample_type == SampleType::I16;
        let gain = match gain {
            Gain::Constant(gain) => gain,
            Gain::PeakMagnitude => inverse(peak(samples, rounds, f32::abs)),
            Gain::PeakMaximum => inverse(peak(samples, rounds, |x| x)),
            Gain::IntegersToUnit(gain) => {
                let largest = f64::from(peak(samples, rounds, f32::abs)) * gain;
                gain / if largest > 1.0 { 32768.0 } else { 1.0 }
            }
        };
        Self {
            samples,
            rounds,
            gain: F::of(gain),
            pre_emphasis,
            padding,
        }
    }

    /// Writes the values at positions `at..at + out.len()`, which may lie outside the signal.
    pub(super) fn fetch(&self, at: isize, out: &mut [F]) {
        let n = self.samples.len();
        let end = at + out.len() as isize;
        let inside_from = at.clamp(0, n as isize);
        let inside_to = end.clamp(inside_from, n as isize);
        let front = ((inside_from - at) as usize).min(out.len());
        let back = front + (inside_to - inside_from) as usize;
        self.read(inside_from as usize, &mut out[front..back]);
        for i in (0..front).chain(back..out.len()) {
            out[i] = match self.padding.index(at + i as isize, n) {
                Some(from) => {
                    let mut value = [F::zero()];
                    self.read(from, &mut value);
                    value[0]
                }
                None => F::zero(),
            };
        }
    }

    /// The values from `from` on, all inside the signal.
    #[inline(always)]
    fn read(&self, from: usize, out: &mut [F]) {
        self.scaled(from, out);
        if let Some(pre) = self.pre_emphasis {
            self.emphasise(pre, from, out);
        }
    }

    /// Pre-emphasis of the values from `from` on, which `out` holds.
    fn emphasise(&self, pre: SignalPreEmphasis, from: usize, out: &mut [F]) {
        let c = F::of(pre.coefficient);
        let shift = pre.shift;
        for i in (shift..out.len()).rev() {
            out[i] = out[i] - c * out[i - shift];
        }
        let n = self.samples.len();
        for (i, out) in out.iter_mut().take(shift).enumerate() {
            let before = match (from + i).checked_sub(shift) {
                Some(before) => before,
                None if pre.circular => (from + i + shift * n - shift) % n,
                None => continue,
            };
            let mut value = [F::zero()];
            self.scaled(before, &mut value);
            *out = *out - c * value[0];
        }
    }

    #[inline(always)]
    fn scaled(&self, from: usize, out: &mut [F]) {
        let to = from + out.len();
        match self.samples {
            Samples::I16(x) => self.convert(&x[from..to], out, q::i16_to_f32),
            Samples::F32(x) if self.rounds => self.convert(&x[from..to], out, rounded),
            Samples::F32(x) => self.convert(&x[from..to], out, |x| x),
        }
    }

    #[inline(always)]
    fn convert<T: Copy>(&self, from: &[T], out: &mut [F], value: impl Fn(T) -> f32) {
        for (to, &x) in out.iter_mut().zip(from) {
            *to = F::from_sample(value(x)) * self.gain;
        }
    }
}

/// The float nearest to `x` that is a 16-bit sample: `i16_to_f32(f32_to_i16(x))` of
/// [`otolith_dsp_nostd::q`], in a form that becomes vector code.
#[inline(always)]
pub(super) fn rounded(x: f32) -> f32 {
    // Just under a half, so that the sum of it and the number below a tie does not round up.
    const HALF: f32 = 0.499_999_97;
    let scaled = x * 32768.0;
    let nearest = scaled + HALF.copysign(scaled);
    let limited = if nearest < 32767.0 { nearest } else { 32767.0 };
    let limited = if limited > -32768.0 {
        limited
    } else {
        -32768.0
    };
    let whole = if x.is_nan() { 0 } else { limited as i32 };
    whole as f32 * (1.0 / 32768.0)
}

fn peak(samples: Samples<'_>, rounds: bool, of: impl Fn(f32) -> f32) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    match samples {
        Samples::I16(x) => x.iter().map(|&x| of(q::i16_to_f32(x))).fold(0.0, larger),
        Samples::F32(x) if rounds => x.iter().map(|&x| of(rounded(x))).fold(0.0, larger),
        Samples::F32(x) => x.iter().map(|&x| of(x)).fold(0.0, larger),
    }
}

fn inverse(peak: f32) -> f64 {
    if peak > 0.0 {
        1.0 / f64::from(peak)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fetch(signal: &Signal<'_, f64>, at: isize, n: usize) -> Vec<f64> {
        let mut out = vec![f64::NAN; n];
        signal.fetch(at, &mut out);
        out
    }

    fn signal(x: &[f32], gain: Gain, pre: Option<f64>, padding: Padding) -> Signal<'_, f64> {
        let pre = pre.map(|coefficient| SignalPreEmphasis {
            coefficient,
            shift: 1,
            circular: false,
        });
        Signal::new(Samples::F32(x), SampleType::F32, gain, pre, padding)
    }

    #[test]
    fn padding_stands_on_both_sides() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let one = Gain::Constant(1.0);
        for (padding, expected) in [
            (Padding::Zero, [0., 0., 0., 1., 2., 3., 4., 0., 0., 0.]),
            (Padding::Edge, [1., 1., 1., 1., 2., 3., 4., 4., 4., 4.]),
            (Padding::Reflect, [4., 3., 2., 1., 2., 3., 4., 3., 2., 1.]),
            (Padding::Symmetric, [3., 2., 1., 1., 2., 3., 4., 4., 3., 2.]),
        ] {
            assert_eq!(fetch(&signal(&x, one, None, padding), -3, 10), expected);
        }
        // Wholly outside, on either side.
        let edge = signal(&x, one, None, Padding::Edge);
        assert_eq!(fetch(&edge, -9, 2), [1.0, 1.0]);
        assert_eq!(fetch(&edge, 7, 2), [4.0, 4.0]);
        // Nothing to mirror.
        let empty = signal(&[], one, None, Padding::Reflect);
        assert_eq!(fetch(&empty, -1, 3), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn pre_emphasis_comes_before_padding() {
        let x = [1.0, 2.0, 4.0];
        let s = signal(&x, Gain::Constant(2.0), Some(0.5), Padding::Edge);
        // y = 2, 4 - 1, 8 - 2
        assert_eq!(fetch(&s, -1, 5), [2.0, 2.0, 3.0, 6.0, 6.0]);
        assert_eq!(fetch(&s, 1, 2), [3.0, 6.0]);
        assert_eq!(fetch(&s, 2, 1), [6.0]);
    }

    #[test]
    fn circular_pre_emphasis_looks_at_the_other_end() {
        let x = [1.0, 2.0, 4.0, 8.0];
        for (shift, expected) in [
            (1, [1.0 - 4.0, 2.0 - 0.5, 4.0 - 1.0, 8.0 - 2.0]),
            (3, [1.0 - 1.0, 2.0 - 2.0, 4.0 - 4.0, 8.0 - 0.5]),
            (4, [0.5, 1.0, 2.0, 4.0]),
            (9, [1.0 - 4.0, 2.0 - 0.5, 4.0 - 1.0, 8.0 - 2.0]),
        ] {
            let pre = SignalPreEmphasis {
                coefficient: 0.5,
                shift,
                circular: true,
            };
            let samples = Samples::F32(&x);
            let gain = Gain::Constant(1.0);
            let s = Signal::<f64>::new(samples, SampleType::F32, gain, Some(pre), Padding::Zero);
            assert_eq!(fetch(&s, 0, 4), expected, "{shift}");
            assert_eq!(fetch(&s, 2, 2), expected[2..], "{shift}");
        }
    }

    #[test]
    fn integers_are_brought_to_full_scale_and_floats_are_left_alone() {
        let gain = Gain::IntegersToUnit(1.0);
        let integers = signal(&[-16384.0, 1.0], gain, None, Padding::Zero);
        assert_eq!(fetch(&integers, 0, 2), [-0.5, 1.0 / 32768.0]);
        let floats = signal(&[-1.0, 0.25], gain, None, Padding::Zero);
        assert_eq!(fetch(&floats, 0, 2), [-1.0, 0.25]);
    }

    #[test]
    fn peak_gains_differ_in_the_sign_they_look_at() {
        let x = [0.25, -0.5];
        let magnitude = signal(&x, Gain::PeakMagnitude, None, Padding::Zero);
        assert_eq!(fetch(&magnitude, 0, 2), [0.5, -1.0]);
        let maximum = signal(&x, Gain::PeakMaximum, None, Padding::Zero);
        assert_eq!(fetch(&maximum, 0, 2), [1.0, -2.0]);
        let negative = signal(&[-0.5], Gain::PeakMaximum, None, Padding::Zero);
        assert_eq!(fetch(&negative, 0, 1), [-0.5]);
        let silent = signal(&[0.0], Gain::PeakMagnitude, None, Padding::Zero);
        assert_eq!(fetch(&silent, 0, 1), [0.0]);
    }

    #[test]
    fn integers_and_floats_are_the_same_samples() {
        let whole = [i16::MIN, -1, 0, 77, i16::MAX];
        let float: Vec<f32> = whole.iter().map(|&x| f32::from(x) / 32768.0).collect();
        for gain in [Gain::Constant(32768.0), Gain::PeakMagnitude] {
            let of = |samples, sample_type| {
                let s = Signal::<f64>::new(samples, sample_type, gain, None, Padding::Zero);
                fetch(&s, 0, 5)
            };
            let expected = of(Samples::I16(&whole), SampleType::I16);
            assert_eq!(of(Samples::F32(&float), SampleType::I16), expected);
            assert_eq!(of(Samples::F32(&float), SampleType::F32), expected);
        }
        let s = Signal::<f64>::new(
            Samples::I16(&whole),
            SampleType::I16,
            Gain::Constant(32768.0),
            None,
            Padding::Zero,
        );
        assert_eq!(fetch(&s, 0, 5), [-32768.0, -1.0, 0.0, 77.0, 32767.0]);
    }

    proptest! {
        #[test]
        fn rounding_is_the_law_of_the_device(x in prop_oneof![
            -1.5f32..1.5,
            any::<f32>(),
            // Ties and their neighbours.
            (-70000i32..70000, -2i32..3).prop_map(|(half, near)| {
                let tie = half as f32 / 65536.0;
                f32::from_bits((tie.to_bits() as i32 + near).max(0) as u32)
            }),
        ]) {
            prop_assert_eq!(rounded(x), q::i16_to_f32(q::f32_to_i16(x)));
        }
    }
}
