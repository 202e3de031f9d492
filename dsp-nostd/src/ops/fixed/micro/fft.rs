//! Real FFT in 16 bits, with the arithmetic of kissfft's `FIXED_POINT=16`.
//!
//! n real values are n / 2 complex ones. Their transform is decimated in time: all stages are of
//! radix 4, but for a first one of radix 2 where `log2(n / 2)` is odd. Each stage divides its
//! inputs by its radix; the split into the bins of the real signal divides by 2. So the result is
//! the spectrum divided by n. Sums wrap at 16 bits.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// Spectrum of 16-bit values, divided by n.
///
/// Operands: x (`i16[n]`, n a power of two from 16 to 4096), twiddle factors (`i16[n]` table:
/// `cos` and `-sin` of `2 pi k / (n / 2)` times 32767, k below n / 2), split factors
/// (`i16[n / 2]` table: `-sin` and `-cos` of `2 pi k / n` times 32767, k from 1 to n / 4), y
/// (`i16[n + 2]`, written: real and imaginary part of the bins 0 to n / 2). No parameters.
pub const MICRO_RFFT_I16: Op = Op {
    code: 0x03d1,
    name: "MICRO_RFFT_I16",
    check,
    run,
};

/// Smallest and largest number of points.
pub const POINTS: core::ops::RangeInclusive<usize> = 16..=4096;

/// A complex number: real and imaginary part.
type Complex = [i16; 2];

/// Transforms `x` into `y`; lengths and tables are those of [`MICRO_RFFT_I16`].
pub fn rfft(x: &[i16], twiddles: &[i16], split: &[i16], y: &mut [i16]) {
    let (x, _) = x.as_chunks::<2>();
    let (twiddles, _) = twiddles.as_chunks::<2>();
    let (split, _) = split.as_chunks::<2>();
    let (bins, _) = y.as_chunks_mut::<2>();
    let Some((z, _)) = bins.split_at_mut_checked(x.len()) else {
        return;
    };
    let mut distance = first_stage(x, z);
    while distance < z.len() {
        radix_4(z, twiddles, distance);
        distance *= 4;
    }
    split_bins(bins, split);
}

/// The first stage, which takes its inputs in the order of their reversed digits: base 4, and a last
/// binary digit where the number of inputs is no power of 4. Gives the distance of the legs of the
/// next stage.
///
/// All its twiddle factors are 1, that is 32767 / 32768. The product of such a factor and a number
/// below 2^14, as all are behind the division, is rounded to the number itself.
fn first_stage(x: &[Complex], z: &mut [Complex]) -> usize {
    let bits = x.len().max(1).ilog2();
    let leg = |at: usize| x.get(at).copied().unwrap_or_default();
    if bits & 1 == 1 {
        let half = x.len() >> 1;
        let (groups, _) = z.as_chunks_mut::<2>();
        for (i, group) in groups.iter_mut().enumerate() {
            let at = reversed(i, bits - 1);
            let [a, b] = [leg(at), leg(at + half)].map(divided::<2>);
            *group = [plus(a, b), minus(a, b)];
        }
        2
    } else {
        let quarter = x.len() >> 2;
        let (groups, _) = z.as_chunks_mut::<4>();
        for (i, group) in groups.iter_mut().enumerate() {
            let at = reversed(i, bits.saturating_sub(2));
            let legs = [at, at + quarter, at + 2 * quarter, at + 3 * quarter];
            *group = butterfly(legs.map(|at| divided::<4>(leg(at))));
        }
        4
    }
}

/// The base-4 digits of a number of `bits` bits, in reverse.
#[inline(always)]
fn reversed(i: usize, bits: u32) -> usize {
    let Some(unused) = u32::BITS.checked_sub(bits).filter(|&n| n < u32::BITS) else {
        return 0;
    };
    let binary = (i as u32).reverse_bits() >> unused;
    // The two bits of a digit keep their order.
    (((binary & 0x5555_5555) << 1) | ((binary >> 1) & 0x5555_5555)) as usize
}

/// A stage of radix 4 whose legs lie `distance` apart.
fn radix_4(z: &mut [Complex], twiddles: &[Complex], distance: usize) {
    // The distance is a power of two.
    let stride = z.len() >> 2 >> distance.max(1).ilog2();
    let mut rest = z;
    loop {
        let Some((a, behind)) = core::mem::take(&mut rest).split_at_mut_checked(distance) else {
            return;
        };
        let Some((b, behind)) = behind.split_at_mut_checked(distance) else {
            return;
        };
        let Some((c, behind)) = behind.split_at_mut_checked(distance) else {
            return;
        };
        let Some((d, behind)) = behind.split_at_mut_checked(distance) else {
            return;
        };
        rest = behind;
        let legs = a.iter_mut().zip(b).zip(c).zip(d);
        let mut at = 0;
        for (((a, b), c), d) in legs {
            let (Some(&w1), Some(&w2), Some(&w3)) =
                (twiddles.get(at), twiddles.get(2 * at), twiddles.get(3 * at))
            else {
                return;
            };
            at += stride;
            let x = divided::<4>(*a);
            let t1 = turned(divided::<4>(*b), w1);
            let t2 = turned(divided::<4>(*c), w2);
            let t3 = turned(divided::<4>(*d), w3);
            [*a, *b, *c, *d] = butterfly([x, t1, t2, t3]);
        }
    }
}

/// The four-point transform.
#[inline(always)]
fn butterfly([x, t1, t2, t3]: [Complex; 4]) -> [Complex; 4] {
    let (even, odd) = (plus(x, t2), plus(t1, t3));
    let ([re, im], [dre, dim]) = (minus(x, t2), minus(t1, t3));
    [
        plus(even, odd),
        [re.wrapping_add(dim), im.wrapping_sub(dre)],
        minus(even, odd),
        [re.wrapping_sub(dim), im.wrapping_add(dre)],
    ]
}

/// From the transform of pairs, in all but the last of `bins`, to the bins of the real signal.
fn split_bins(bins: &mut [Complex], factors: &[Complex]) {
    let Some(last) = bins.len().checked_sub(1) else {
        return;
    };
    if let Some(&first) = bins.first() {
        let [re, im] = divided::<2>(first);
        if let Some(bin) = bins.first_mut() {
            *bin = [re.wrapping_add(im), 0];
        }
        if let Some(bin) = bins.last_mut() {
            *bin = [re.wrapping_sub(im), 0];
        }
    }
    for (i, &factor) in factors.iter().enumerate() {
        let (low, high) = (i + 1, last.saturating_sub(i + 1));
        let (Some(&x), Some(&[re, im])) = (bins.get(low), bins.get(high)) else {
            return;
        };
        let (x, mirrored) = (divided::<2>(x), divided::<2>([re, im.wrapping_neg()]));
        let even = plus(x, mirrored).map(i32::from);
        let odd = turned(minus(x, mirrored), factor).map(i32::from);
        let ([ere, eim], [ore, oim]) = (even, odd);
        // The middle bin mirrors itself: the second form of it stays.
        if let Some(bin) = bins.get_mut(low) {
            *bin = [((ere + ore) >> 1) as i16, ((eim + oim) >> 1) as i16];
        }
        if let Some(bin) = bins.get_mut(high) {
            *bin = [((ere - ore) >> 1) as i16, ((oim - eim) >> 1) as i16];
        }
    }
}

/// `floor(x 2^-15 + 1/2)` modulo 2^16.
#[inline(always)]
fn rounded(x: i32) -> i16 {
    ((x + (1 << 14)) >> 15) as i16
}

/// `x / D`, as a product with `floor(32767 / D)` in Q15.
#[inline(always)]
fn divided<const D: i32>(x: Complex) -> Complex {
    x.map(|x| rounded(i32::from(x) * (32767 / D)))
}

/// The product of two complex numbers, the second in Q15 and not below -32767: the sum of two
/// products and the half fits 32 bits.
#[inline(always)]
fn turned(x: Complex, w: Complex) -> Complex {
    let ([xr, xi], [wr, wi]) = (x.map(i32::from), w.map(i32::from));
    [rounded(xr * wr - xi * wi), rounded(xr * wi + xi * wr)]
}

#[inline(always)]
fn plus([ar, ai]: Complex, [br, bi]: Complex) -> Complex {
    [ar.wrapping_add(br), ai.wrapping_add(bi)]
}

#[inline(always)]
fn minus([ar, ai]: Complex, [br, bi]: Complex) -> Complex {
    [ar.wrapping_sub(br), ai.wrapping_sub(bi)]
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let n = step.count_of::<i16>(0)?;
    if !POINTS.contains(&n) || !n.is_power_of_two() {
        return Err(Fault::WrongLength { operand: 0 });
    }
    for (operand, len) in [(1, n), (2, n / 2)] {
        let table = step.table::<i16>(operand)?;
        let fault = operand as u8;
        if table.len() != len {
            return Err(Fault::WrongLength { operand: fault });
        }
        if table.contains(&i16::MIN) {
            return Err(Fault::BadTable { operand: fault });
        }
    }
    if step.count_of_output::<i16>(3)? != n + 2 {
        return Err(Fault::WrongLength { operand: 3 });
    }
    step.expect_disjoint(0, 3)?;
    step.params::<0>().map(|_| ())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (twiddles, split) = (io.step.table(1)?, io.step.table(2)?);
    let (x, y) = io.read_write::<i16, i16>(0, 3)?;
    rfft(x, twiddles, split, y);
    Ok(())
}
