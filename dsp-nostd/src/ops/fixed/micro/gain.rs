//! Per-channel amplitude normalisation (PCAN): a gain that falls with the noise estimate, and a
//! soft threshold.

use crate::error::Fault;
use crate::op::{Op, Step};

/// Normalises each channel by its noise estimate, in place.
///
/// Operands: estimate (`u32[n]`), gain (`i16[95]` table), x (`u32[n]`, in place). Parameters:
/// shift (0 to 31). `r = x gain(estimate) 2^-shift` modulo 2^32 is a ratio in Q12; x becomes
/// `r^2 / 4` where r is below 2 and `r - 1` from there on, in Q6, rounded down.
///
/// The gain is a table of values at 0 and 1, then, for each power of two from 2 to 2^31, of the
/// constants `y0`, `a1`, `a2` of a parabola over the octave: with `f` the ten bits below the
/// leading one, `gain = y0 + round((a1 2^5 + floor(a2 f 2^-5)) f 2^-15)`.
pub const MICRO_PCAN_U32: Op = Op {
    code: 0x03d4,
    name: "MICRO_PCAN_U32",
    check,
    run: |io| {
        let &[shift] = io.step.params()?;
        let gains = io.step.table(1)?;
        let (estimate, x) = io.read_write(0, 2)?;
        normalise(estimate, gains, shift, x);
        Ok(())
    },
};

/// Values in the table of gains.
pub const GAINS: usize = 2 + 3 * 31;

/// Fraction bits of the ratio of signal and noise.
pub const RATIO_Q: u32 = 12;

/// Fraction bits of the normalised amplitudes.
pub const OUTPUT_Q: u32 = 6;

/// Normalises the amplitudes `x` of one frame; see [`MICRO_PCAN_U32`].
pub fn normalise(estimate: &[u32], gains: &[i16], shift: u32, x: &mut [u32]) {
    for (x, &estimate) in x.iter_mut().zip(estimate) {
        // A negative gain, which no sensible table gives, is extended by its sign.
        let gain = i32::from(gain(estimate, gains)) as u32;
        let ratio = u64::from(*x).wrapping_mul(u64::from(gain)) >> (shift & 31);
        *x = shrink(ratio as u32);
    }
}

fn gain(x: u32, gains: &[i16]) -> i16 {
    if x < 2 {
        return gains.get(x as usize).copied().unwrap_or(0);
    }
    let octave = x.ilog2();
    let (_, parabolas) = gains.split_at_checked(2).unwrap_or((gains, &[]));
    let (parabolas, _) = parabolas.as_chunks::<3>();
    let Some(parabola) = parabolas.get(octave as usize - 1) else {
        return 0;
    };
    let [y0, a1, a2] = parabola.map(i32::from);
    let fraction = (u64::from(x) << 10 >> octave) as i32 & 0x3ff;
    let slope = ((a2 * fraction) >> 5) + (a1 << 5);
    let rise = slope.wrapping_mul(fraction).wrapping_add(1 << 14) >> 15;
    rise.wrapping_add(y0) as i16
}

/// `x^2 / 4` below 2, `x - 1` above; from Q12 to Q6.
fn shrink(x: u32) -> u32 {
    if x < 2 << RATIO_Q {
        (x * x) >> (2 + 2 * RATIO_Q - OUTPUT_Q)
    } else {
        (x >> (RATIO_Q - OUTPUT_Q)) - (1 << OUTPUT_Q)
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    if step.table::<i16>(1)?.len() != GAINS {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of_output::<u32>(2)? != step.count_of::<u32>(0)? {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)?;
    let &[shift] = step.params()?;
    if shift > 31 {
        return Err(Fault::BadParam { param: 0 });
    }
    Ok(())
}
