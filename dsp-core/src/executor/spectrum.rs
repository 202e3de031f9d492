//! From a frame to the power or magnitude of its bins.
//!
//! The FFT is rustfft's complex one. A frame of even length goes through one of half its length,
//! two samples being one complex number, and what it mixed is split here: only for the bins that
//! are looked at, in loops that become vector code.

use std::ops::Range;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::GraphError;
use super::real::Real;
use super::vector::check_len;
use crate::graph::{Stage, StageKind};

/// Real FFT and what follows it.
pub(super) struct Spectrum<F> {
    n_fft: usize,
    fft: Arc<dyn Fft<F>>,
    /// What the FFT works on. For an even length its first value is repeated at the end.
    z: Vec<Complex<F>>,
    scratch: Vec<Complex<F>>,
    /// `exp(-2 pi i k / n_fft)` for all bins `k`, when the length is even.
    twiddle_re: Vec<F>,
    twiddle_im: Vec<F>,
    values: Vec<F>,
    scale: F,
    root: bool,
}

impl<F: Real> Spectrum<F> {
    /// The stages `rfft` and `after` on frames of `input` values.
    pub(super) fn new(
        rfft: &Stage,
        n_fft: usize,
        after: Option<&Stage>,
        input: usize,
    ) -> Result<Self, GraphError> {
        if n_fft < input || n_fft == 0 {
            return Err(GraphError::new(
                rfft,
                format!("an FFT of {n_fft} for frames of {input}: it must be at least as long"),
            ));
        }
        let bins = n_fft / 2 + 1;
        check_len(rfft, bins)?;
        let (scale, root) = match after.map(|stage| &stage.kind) {
            Some(StageKind::Power { scale }) => (*scale, false),
            Some(StageKind::Magnitude { scale }) => (*scale, true),
            _ => {
                return Err(GraphError::new(
                    rfft,
                    "must be followed by power or magnitude",
                ));
            }
        };
        if let Some(after) = after {
            check_len(after, bins)?;
        }
        let even = n_fft.is_multiple_of(2);
        let complex_len = if even { n_fft / 2 } else { n_fft };
        let fft = FftPlanner::<F>::new().plan_fft_forward(complex_len);
        let twiddles = |of: fn(f64) -> f64| {
            let angle = |k: usize| -std::f64::consts::TAU * k as f64 / n_fft as f64;
            let bins = if even { 0..bins } else { 0..0 };
            bins.map(|k| F::of(of(angle(k)))).collect()
        };
        let zero = Complex::new(F::zero(), F::zero());
        Ok(Self {
            n_fft,
            z: vec![zero; complex_len + usize::from(even)],
            scratch: vec![zero; fft.get_inplace_scratch_len()],
            fft,
            twiddle_re: twiddles(libm::cos),
            twiddle_im: twiddles(libm::sin),
            values: vec![F::zero(); bins],
            scale: F::of(scale),
            root,
        })
    }

    /// Number of bins.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Transforms a frame, each value multiplied by its value of `window`.
    #[inline(always)]
    pub(super) fn transform(&mut self, frame: &[F], window: &[F]) {
        let even = self.n_fft.is_multiple_of(2);
        let zero = F::zero();
        if even {
            let (pairs, last) = frame.as_chunks::<2>();
            let (window_pairs, window_last) = window.as_chunks::<2>();
            let (head, tail) = self.z.split_at_mut(pairs.len());
            for ((z, x), w) in head.iter_mut().zip(pairs).zip(window_pairs) {
                *z = Complex::new(x[0] * w[0], x[1] * w[1]);
            }
            tail.fill(Complex::new(zero, zero));
            if let (Some(z), [x], [w]) = (tail.first_mut(), last, window_last) {
                z.re = *x * *w;
            }
        } else {
            let (head, tail) = self.z.split_at_mut(frame.len());
            for ((z, &x), &w) in head.iter_mut().zip(frame).zip(window) {
                *z = Complex::new(x * w, zero);
            }
            tail.fill(Complex::new(zero, zero));
        }
        let len = self.fft.len();
        self.fft
            .process_with_scratch(&mut self.z[..len], &mut self.scratch);
        if even {
            self.z[len] = self.z[0];
        }
    }

    /// Bin `k` of the last frame.
    pub(super) fn bin(&self, k: usize) -> Complex<F> {
        if !self.n_fft.is_multiple_of(2) {
            return self.z[k];
        }
        let twiddle = (self.twiddle_re[k], self.twiddle_im[k]);
        let doubled = doubled_bin(self.z[k], self.z[self.n_fft / 2 - k], twiddle);
        doubled.scale(F::of(0.5))
    }

    /// Writes power or magnitude of `range` of the last frame's bins into `lane` of `out`.
    #[inline(always)]
    pub(super) fn write<const L: usize>(
        &mut self,
        range: Range<usize>,
        out: &mut [[F; L]],
        lane: usize,
    ) {
        let values = &mut self.values[..range.len()];
        let mut scale = self.scale;
        if !self.n_fft.is_multiple_of(2) {
            for (value, z) in values.iter_mut().zip(&self.z[range.clone()]) {
                *value = z.norm_sqr();
            }
        } else {
            let half = self.n_fft / 2;
            let forth = &self.z[range.clone()];
            let back = &self.z[half + 1 - range.end..half + 1 - range.start];
            let (re, im) = (
                &self.twiddle_re[range.clone()],
                &self.twiddle_im[range.clone()],
            );
            for ((((value, &a), &b), &re), &im) in values
                .iter_mut()
                .zip(forth)
                .zip(back.iter().rev())
                .zip(re)
                .zip(im)
            {
                *value = doubled_bin(a, b, (re, im)).norm_sqr();
            }
            scale = scale * F::of(if self.root { 0.5 } else { 0.25 });
        }
        if self.root {
            for value in values.iter_mut() {
                *value = value.sqrt();
            }
        }
        for (to, value) in out[range].iter_mut().zip(values) {
            to[lane] = scale * *value;
        }
    }
}

/// Twice the bin of `2 n` real values whose pairs went through a complex FFT of `n`: `a` is the
/// FFT's value at the bin, `b` the one at `n` minus the bin.
///
/// The even samples' spectrum is `(a + conj b) / 2`, the odd ones' `-i (a - conj b) / 2`, and the
/// bin is the first plus the twiddle factor times the second.
#[inline(always)]
fn doubled_bin<F: Real>(a: Complex<F>, b: Complex<F>, twiddle: (F, F)) -> Complex<F> {
    let even = Complex::new(a.re + b.re, a.im - b.im);
    let odd = Complex::new(a.im + b.im, b.re - a.re);
    Complex::new(
        even.re + (twiddle.0 * odd.re - twiddle.1 * odd.im),
        even.im + (twiddle.0 * odd.im + twiddle.1 * odd.re),
    )
}
