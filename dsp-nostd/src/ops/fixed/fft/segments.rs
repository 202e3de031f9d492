//! One power spectrum of a window, from the spectra of its segments, in integers.

use super::kernel::{Complex, Sample, Window, stage};
use super::{Places, Tables};
use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::q;
use crate::spectral::{Combine, Segments};

macro_rules! segment_power {
    ($($name:ident $log2:literal $n:literal $h:literal $first:literal [$($q:literal)*];)*) => {$(
        #[doc = concat!("Power spectrum of a window's segments by an FFT of ", stringify!($n),
            " points.")]
        ///
        /// Operands: x (`i32`), window, twiddles and split (tables as those of
        /// [`RFFT_POWER_I32_T32_16`](super::RFFT_POWER_I32_T32_16) and its like), segment
        /// (`i32[len]`, written), spectrum (`u64[n_fft / 2 + 1]`, written), power
        /// (`u64[n_fft / 2 + 1]`, written), exponent (`i32[1]`, written). Parameters:
        /// [`Segments`], mirror, bits.
        ///
        /// All segments have the block exponent `d` of the window, so that their powers are of
        /// one unit: that of the operators for one frame. The mean is a sum of powers rounded to
        /// `2^ceil(log2 count)` of their unit, without the factor `2^ceil(log2 count) / count`.
        pub const $name: Op = Op {
            code: 0x03e7 + $log2,
            name: stringify!($name),
            check: check::<$n>,
            run: |io| run::<$n, $h, $first, { $h / $first }, { $h / 4 - 1 }, { $h / 2 - 1 }>(
                io,
                &const { Places::<{ $h / $first }>::REVERSED },
                |x, twiddles| {
                    $(stage::<i32, $q, { 4 * $q }, { $h / 4 / $q }, { $h / 4 - 1 }>(x, twiddles);)*
                },
            ),
        };
    )*

        /// The operators, from 16 points on.
        const OPS: [&Op; 9] = [$(&$name),*];
    };
}

segment_power! {
    SEGMENT_POWER_I32_16 4 16 8 2 [2];
    SEGMENT_POWER_I32_32 5 32 16 4 [4];
    SEGMENT_POWER_I32_64 6 64 32 2 [2 8];
    SEGMENT_POWER_I32_128 7 128 64 4 [4 16];
    SEGMENT_POWER_I32_256 8 256 128 2 [2 8 32];
    SEGMENT_POWER_I32_512 9 512 256 4 [4 16 64];
    SEGMENT_POWER_I32_1024 10 1024 512 2 [2 8 32 128];
    SEGMENT_POWER_I32_2048 11 2048 1024 4 [4 16 64 256];
    SEGMENT_POWER_I32_4096 12 4096 2048 2 [2 8 32 128 512];
}

/// The operator for this FFT length, if there is one.
pub fn segment_power_i32(n: usize) -> Option<&'static Op> {
    if !n.is_power_of_two() {
        return None;
    }
    OPS.get(n.trailing_zeros().checked_sub(4)? as usize)
        .copied()
}

/// Furthest shift of quiet windows to the left.
const LEFT: i32 = -12;

/// Bits by which the powers of `count` segments are shifted right before they are added.
pub const fn mean_shift(count: u32) -> u32 {
    32 - count.saturating_sub(1).leading_zeros()
}

fn check<const N: usize>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(8)?;
    let samples = step.count_of::<i32>(0)?;
    let &[
        len,
        hop,
        count,
        combine,
        remove_mean,
        one_sided,
        mirror,
        bits,
    ] = step.params()?;
    let words = [len, hop, count, combine, remove_mean, one_sided];
    let segments =
        Segments::decode(&words, samples, N).map_err(|param| Fault::BadParam { param })?;
    if mirror != segments.len && mirror != segments.len - 1 {
        return Err(Fault::BadParam { param: 6 });
    }
    if !(1..=31).contains(&bits) {
        return Err(Fault::BadParam { param: 7 });
    }
    for (operand, len, expected) in [
        (1, step.table::<i32>(1)?.len(), N / 2 + 1),
        (2, step.table::<i32>(2)?.len(), 6 * (N / 8 - 1)),
        (3, step.table::<i32>(3)?.len(), 2 * (N / 4 - 1)),
        (4, step.count_of_output::<i32>(4)?, segments.len as usize),
        (5, step.count_of_output::<u64>(5)?, N / 2 + 1),
        (6, step.count_of_output::<u64>(6)?, N / 2 + 1),
        (7, step.count_of_output::<i32>(7)?, 1),
    ] {
        if len != expected {
            return Err(Fault::WrongLength { operand });
        }
    }
    for b in [4, 5, 6, 7] {
        step.expect_disjoint(0, b)?;
    }
    step.expect_disjoint(4, 5)?;
    step.expect_disjoint(5, 6)?;
    step.expect_disjoint(4, 6)
}

fn run<
    const N: usize,
    const H: usize,
    const F: usize,
    const R: usize,
    const W: usize,
    const P: usize,
>(
    io: &mut Io<'_, '_>,
    places: &Places<R>,
    stages: impl Fn(&mut [Complex], &[[i32; 6]; W]),
) -> Result<(), Fault> {
    let &[
        len,
        hop,
        count,
        combine,
        remove_mean,
        one_sided,
        mirror,
        bits,
    ] = io.step.params()?;
    let words = [len, hop, count, combine, remove_mean, one_sided];
    let short = |operand| Fault::WrongLength { operand };
    let x = io.read::<i32>(0)?;
    let segments =
        Segments::decode(&words, x.len(), N).map_err(|param| Fault::BadParam { param })?;
    // Deviations from a mean may have a bit more.
    let wide = <i32 as Sample>::bits(x) + i32::from(segments.remove_mean);
    let excess = wide - bits as i32;
    let d = if excess > LEFT { excess } else { LEFT };
    let (twiddles, _) = io.step.table::<i32>(2)?.as_chunks::<6>();
    let twiddles = twiddles.first_chunk::<W>().ok_or(short(2))?;
    let (split, _) = io.step.table::<i32>(3)?.as_chunks::<2>();
    let split = split.first_chunk::<P>().ok_or(short(3))?;
    let half = io.step.table::<i32>(1)?;
    io.write::<u64>(6)?.fill(0);
    let shift = match segments.combine {
        Combine::Maximum => 0,
        Combine::Mean => mean_shift(segments.count),
    };
    for i in 0..segments.count as usize {
        let (x, segment) = io.read_write::<i32, i32>(0, 4)?;
        let rest = x.get(i.wrapping_mul(hop as usize)..).unwrap_or_default();
        let cut = rest.get(..len as usize).unwrap_or(rest);
        copy(cut, segment, segments.remove_mean);
        let (segment, spectrum) = io.read_write::<i32, u64>(4, 5)?;
        let tables = Tables {
            window: Window {
                half,
                mirror: mirror as usize,
            },
            twiddles,
            split,
            places,
        };
        tables
            .transform::<i32, N, H, F>(segment, d, spectrum, &stages)
            .ok_or(short(5))?;
        let (spectrum, power) = io.read_write::<u64, u64>(5, 6)?;
        for (power, &new) in power.iter_mut().zip(spectrum) {
            *power = match segments.combine {
                Combine::Maximum if new > *power => new,
                Combine::Maximum => *power,
                Combine::Mean => q::add_u64(*power, q::shr_u64(new, shift)),
            };
        }
    }
    if segments.one_sided {
        let power = io.write::<u64>(6)?;
        if let Some(inner) = power.get_mut(1..N / 2) {
            for power in inner {
                *power = q::add_u64(*power, *power);
            }
        }
    }
    io.write::<i32>(7)?.fill(d);
    Ok(())
}

/// A segment, without its mean if that is wanted, and zeros behind it.
fn copy(x: &[i32], segment: &mut [i32], remove_mean: bool) {
    let mean = if remove_mean {
        q::div(x.iter().map(|&x| i64::from(x)).sum(), x.len() as i64)
    } else {
        0
    };
    segment.fill(0);
    for (to, &x) in segment.iter_mut().zip(x) {
        *to = q::narrow_i32(i64::from(x) - mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::fft::halvings;
    use crate::ops::fixed::probe::Probe;
    extern crate std;
    use std::f64::consts::TAU;
    use std::vec::Vec;

    fn turn(j: usize, n: usize) -> [i32; 2] {
        let angle = TAU * j as f64 / n as f64;
        [angle.cos(), angle.sin()].map(|x| (x * 2f64.powi(31)).round().min(2147483647.0) as i32)
    }

    #[test]
    fn powers_are_those_of_the_definition() {
        const N: usize = 64;
        let x: Vec<i32> = (0..150i32)
            .map(|t| (t * 29 % 67 - 30) * 3_000_017)
            .collect();
        let twiddles: Vec<i32> = (1..N / 8)
            .flat_map(|j| [j, 2 * j, 3 * j])
            .flat_map(|j| turn(j, N / 2))
            .collect();
        let split: Vec<i32> = (1..N / 4).flat_map(|k| turn(k, N)).collect();
        let cosine = |n: usize| 0.5 - 0.5 * (TAU * n as f64 / N as f64).cos();
        let half: Vec<i32> = (0..=N / 2)
            .map(|n| (cosine(n) * 2147483647.0).round() as i32)
            .collect();
        for (combine, remove_mean, one_sided, hop, count) in [
            (Combine::Maximum, false, false, 32, 5),
            (Combine::Mean, true, true, 32, 3),
            (Combine::Mean, false, false, 64, 2),
        ] {
            for quiet in [0, 9, 17] {
                let x: Vec<i32> = x.iter().map(|x| x >> quiet).collect();
                let segments = Segments {
                    len: N as u32,
                    hop,
                    count,
                    combine,
                    remove_mean,
                    one_sided,
                };
                let mut exact = [0f64; N / 2 + 1];
                for i in 0..count as usize {
                    let from = i * hop as usize;
                    let cut = &x[from..(from + N).min(x.len())];
                    let mean = cut.iter().map(|&x| f64::from(x)).sum::<f64>() / cut.len() as f64;
                    let mean = if remove_mean { mean } else { 0.0 };
                    for (k, exact) in exact.iter_mut().enumerate() {
                        let (mut re, mut im) = (0.0, 0.0);
                        for (t, &x) in cut.iter().enumerate() {
                            let angle = TAU * (k * t) as f64 / N as f64;
                            let x = (f64::from(x) - mean) * cosine(t);
                            re += x * angle.cos();
                            im -= x * angle.sin();
                        }
                        let twice = if one_sided && k % (N / 2) != 0 {
                            2.0
                        } else {
                            1.0
                        };
                        let power = twice * (re * re + im * im);
                        *exact = match combine {
                            Combine::Maximum => exact.max(power),
                            Combine::Mean => *exact + power / f64::from(count),
                        };
                    }
                }
                let mut probe = Probe::default();
                let operands = [
                    probe.tensor(&x),
                    probe.table(&half),
                    probe.table(&twiddles),
                    probe.table(&split),
                    probe.tensor(&[0i32; N]),
                    probe.tensor(&[0u64; N / 2 + 1]),
                    probe.tensor(&[5u64; N / 2 + 1]),
                    probe.tensor(&[0i32]),
                ];
                let mut params = segments.encode().to_vec();
                params.extend([N as u32, 24]);
                probe
                    .run(&SEGMENT_POWER_I32_64, &operands, &params)
                    .unwrap();
                let d = probe.get::<i32>(operands[7])[0];
                let mean = match combine {
                    Combine::Maximum => 1.0,
                    Combine::Mean => f64::from(1 << mean_shift(count)) / f64::from(count),
                };
                let unit = mean * 4f64.powi(1 + d + halvings(N) as i32);
                let (mut value, mut error) = (0.0, 0.0);
                for (got, exact) in probe.get::<u64>(operands[6]).iter().zip(exact) {
                    value += exact * exact;
                    error += (*got as f64 * unit - exact).powi(2);
                }
                let ratio = 10.0 * (value / error).log10();
                assert!(ratio > 80.0, "{combine:?} {quiet}: {ratio}");
            }
        }
    }

    #[test]
    fn checks_refuse_what_cannot_run() {
        let mut probe = Probe::default();
        let x = probe.tensor(&[0i32; 40]);
        let (window, twiddles) = (probe.table(&[0i32; 9]), probe.table(&[0i32; 6]));
        let (split, segment) = (probe.table(&[0i32; 6]), probe.tensor(&[0i32; 16]));
        let (spectrum, power) = (probe.tensor(&[0u64; 9]), probe.tensor(&[0u64; 9]));
        let d = probe.tensor(&[0i32]);
        let good = [x, window, twiddles, split, segment, spectrum, power, d];
        let params = [16, 8, 5, 0, 0, 0, 16, 20];
        let check =
            |operands: &[u32], params: &[u32]| probe.check(&SEGMENT_POWER_I32_16, operands, params);
        assert_eq!(check(&good, &params), Ok(()));
        for (param, bad) in [(0, 17), (2, 6), (3, 2), (6, 14), (7, 0), (7, 32)] {
            let mut params = params;
            params[param] = bad;
            assert!(check(&good, &params).is_err(), "{param} {bad}");
        }
        let mut shared = good;
        shared[6] = spectrum;
        assert_eq!(
            check(&shared, &params),
            Err(Fault::WrongPlace { operand: 6 })
        );
        assert_eq!(segment_power_i32(4096).map(|op| op.code), Some(0x03f3));
        assert!(segment_power_i32(8).is_none() && segment_power_i32(24).is_none());
    }
}
