//! One power spectrum of a window, from the spectra of its segments.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::{finite, larger};
use crate::spectral::{Combine, Segments};
use num_complex::Complex32;

macro_rules! segment_power {
    ($($name:ident, $n:literal, $log2:literal, $function:path;)*) => {$(
        #[doc = concat!("Power spectrum of a window's segments by a real FFT of ",
            stringify!($n), " points.")]
        ///
        /// Operands: x (`f32`), window (`f32[len]` table), scratch (`f32[n_fft]`, written), power
        /// (`f32[n_fft / 2 + 1]`, written). Parameters: [`Segments`], scale (float bits).
        /// `P[k] = scale * combine |DFT(w x)[k]|^2`, with the mean's sum from the first segment
        /// on.
        pub const $name: Op = Op {
            code: 0x0168 + $log2,
            name: stringify!($name),
            check: check::<$n>,
            run: |io| run::<$n>(io, |x| { let _: &mut [Complex32; $n / 2] = $function(x); }),
        };
    )*

        /// The operators, from 16 points on.
        const OPS: [&Op; 9] = [$(&$name),*];
    };
}

segment_power! {
    SEGMENT_POWER_F32_16, 16, 4, microfft::real::rfft_16;
    SEGMENT_POWER_F32_32, 32, 5, microfft::real::rfft_32;
    SEGMENT_POWER_F32_64, 64, 6, microfft::real::rfft_64;
    SEGMENT_POWER_F32_128, 128, 7, microfft::real::rfft_128;
    SEGMENT_POWER_F32_256, 256, 8, microfft::real::rfft_256;
    SEGMENT_POWER_F32_512, 512, 9, microfft::real::rfft_512;
    SEGMENT_POWER_F32_1024, 1024, 10, microfft::real::rfft_1024;
    SEGMENT_POWER_F32_2048, 2048, 11, microfft::real::rfft_2048;
    SEGMENT_POWER_F32_4096, 4096, 12, microfft::real::rfft_4096;
}

/// The operator for this FFT length, if there is one.
pub fn segment_power_f32(n: usize) -> Option<&'static Op> {
    if !n.is_power_of_two() {
        return None;
    }
    OPS.get(n.trailing_zeros().checked_sub(4)? as usize)
        .copied()
}

fn check<const N: usize>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let n = step.count_of::<f32>(0)?;
    let window = step.table::<f32>(1)?;
    let &[len, hop, count, combine, remove_mean, one_sided, scale] = step.params()?;
    let words = [len, hop, count, combine, remove_mean, one_sided];
    let segments = Segments::decode(&words, n, N).map_err(|param| Fault::BadParam { param })?;
    finite(scale, 6)?;
    for (operand, len, expected) in [
        (1, window.len(), segments.len as usize),
        (2, step.count_of_output::<f32>(2)?, N),
        (3, step.count_of_output::<f32>(3)?, N / 2 + 1),
    ] {
        if len != expected {
            return Err(Fault::WrongLength { operand });
        }
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(2, 3)
}

fn run<const N: usize>(io: &mut Io<'_, '_>, fft: impl Fn(&mut [f32; N])) -> Result<(), Fault> {
    let &[len, hop, count, combine, remove_mean, one_sided, scale] = io.step.params()?;
    let words = [len, hop, count, combine, remove_mean, one_sided];
    let window = io.step.table::<f32>(1)?;
    let (x, scratch, power) = io.read_write2::<f32, f32, f32>(0, 2, 3)?;
    let segments =
        Segments::decode(&words, x.len(), N).map_err(|param| Fault::BadParam { param })?;
    let scratch: &mut [f32; N] = scratch
        .try_into()
        .map_err(|_| Fault::WrongLength { operand: 2 })?;
    power.fill(0.0);
    for segment in segments.cut(x) {
        let mean = if segments.remove_mean {
            segment.iter().fold(0.0, |sum, x| sum + x) / segment.len() as f32
        } else {
            0.0
        };
        scratch.fill(0.0);
        for ((to, x), w) in scratch.iter_mut().zip(segment).zip(window) {
            *to = (x - mean) * w;
        }
        fft(scratch);
        accumulate(scratch, power, segments.combine);
    }
    let scale = f32::from_bits(scale);
    let scale = match segments.combine {
        Combine::Maximum => scale,
        Combine::Mean => scale / segments.count as f32,
    };
    let last = power.len().wrapping_sub(1);
    for (k, power) in power.iter_mut().enumerate() {
        let twice = segments.one_sided && k != 0 && k != last;
        *power *= if twice { 2.0 * scale } else { scale };
    }
    Ok(())
}

/// Takes the powers of a packed spectrum into those of the segments before.
fn accumulate(spectrum: &[f32], power: &mut [f32], combine: Combine) {
    let mut take = |k: usize, re: f32, im: f32| {
        if let Some(power) = power.get_mut(k) {
            let new = re * re + im * im;
            *power = match combine {
                Combine::Maximum => larger(*power, new),
                Combine::Mean => *power + new,
            };
        }
    };
    let (bins, _) = spectrum.as_chunks::<2>();
    for (k, &[re, im]) in bins.iter().enumerate() {
        if k == 0 {
            take(0, re, 0.0);
            take(bins.len(), im, 0.0);
        } else {
            take(k, re, im);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    extern crate std;
    use std::f64::consts::TAU;
    use std::vec::Vec;

    #[test]
    fn powers_are_those_of_the_definition() {
        let x: Vec<f32> = (0..61)
            .map(|t| ((t * 29 % 67) as f32 - 30.0) / 40.0)
            .collect();
        for (combine, remove_mean, one_sided, len, hop, count) in [
            (Combine::Maximum, false, false, 32, 16, 4),
            (Combine::Mean, true, true, 24, 12, 4),
            (Combine::Maximum, true, true, 32, 32, 1),
        ] {
            let segments = Segments {
                len,
                hop,
                count,
                combine,
                remove_mean,
                one_sided,
            };
            let window: Vec<f32> = (0..len).map(|i| 0.5 + 0.01 * i as f32).collect();
            let mut exact = [0f64; 17];
            for i in 0..count as usize {
                let cut = &x[i * hop as usize..(i * hop as usize + len as usize).min(x.len())];
                let mean = cut.iter().map(|&x| f64::from(x)).sum::<f64>() / cut.len() as f64;
                let mean = if remove_mean { mean } else { 0.0 };
                for (k, exact) in exact.iter_mut().enumerate() {
                    let (mut re, mut im) = (0.0, 0.0);
                    for (t, (&x, &w)) in cut.iter().zip(&window).enumerate() {
                        let angle = TAU * (k * t) as f64 / 32.0;
                        let x = (f64::from(x) - mean) * f64::from(w);
                        re += x * angle.cos();
                        im -= x * angle.sin();
                    }
                    let twice = if one_sided && k % 16 != 0 { 2.0 } else { 1.0 };
                    let power = 0.25 * twice * (re * re + im * im);
                    *exact = match combine {
                        Combine::Maximum => exact.max(power),
                        Combine::Mean => *exact + power / f64::from(count),
                    };
                }
            }
            let mut probe = Probe::default();
            let operands = [
                probe.tensor(&x),
                probe.table(&window),
                probe.tensor(&[0f32; 32]),
                probe.tensor(&[5f32; 17]),
            ];
            let mut params = segments.encode().to_vec();
            params.push(0.25f32.to_bits());
            probe
                .run(&SEGMENT_POWER_F32_32, &operands, &params)
                .unwrap();
            let peak = exact.iter().fold(0.0f64, |a, &b| a.max(b));
            for (got, exact) in probe.get::<f32>(operands[3]).iter().zip(exact) {
                assert!(
                    (f64::from(*got) - exact).abs() < 1e-6 * peak,
                    "{got} {exact}"
                );
            }
        }
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let (x, w) = (probe.tensor(&[0f32; 40]), probe.table(&[1f32; 16]));
        let (scratch, power) = (probe.tensor(&[0f32; 16]), probe.tensor(&[0f32; 9]));
        let good = [16, 8, 5, 0, 0, 0, 0x3f80_0000];
        let check =
            |operands: &[u32], params: &[u32]| probe.check(&SEGMENT_POWER_F32_16, operands, params);
        assert_eq!(check(&[x, w, scratch, power], &good), Ok(()));
        assert_eq!(
            check(&[x, w, scratch, x], &good),
            Err(Fault::WrongLength { operand: 3 })
        );
        assert_eq!(
            check(&[scratch, w, scratch, power], &[16, 8, 2, 0, 0, 0, 0]),
            Err(Fault::WrongPlace { operand: 2 })
        );
        let mut bad = good;
        bad[2] = 6;
        assert_eq!(
            check(&[x, w, scratch, power], &bad),
            Err(Fault::BadParam { param: 2 })
        );
        bad = good;
        bad[6] = f32::NAN.to_bits();
        assert_eq!(
            check(&[x, w, scratch, power], &bad),
            Err(Fault::BadParam { param: 6 })
        );
        assert_eq!(segment_power_f32(4096).map(|op| op.code), Some(0x0174));
        assert!(segment_power_f32(8).is_none() && segment_power_f32(24).is_none());
    }
}
