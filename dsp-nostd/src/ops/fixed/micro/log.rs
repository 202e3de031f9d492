//! Natural logarithm of 32-bit integers.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// The logarithm of each value, in place.
///
/// Operands: x (`u32[n]`, in place), correction (`u16[129]` table: `log2(1 + i / 128) - i / 128`
/// in Q16). Parameters: correction bits c (-31 to 31), scale shift s (0 to 10).
/// `x = round(2^s ln(x 2^c))`, where `x 2^c` is an integer modulo 2^32, and 0 where that is 0 or 1.
/// With `f` the 16 bits below the leading one and `i = floor(f 2^-9)`, the fraction of `log2` is
/// `f + t[i] + floor((t[i + 1] - t[i]) (f mod 2^9) 2^-16)`: the last term is 2^7 times smaller than
/// an interpolation would have it, which is how the models were trained. `ln 2` is 45426 / 65536.
pub const MICRO_LOG_U32: Op = Op {
    code: 0x03d5,
    name: "MICRO_LOG_U32",
    check,
    run,
};

/// Values in the table of corrections.
pub const CORRECTIONS: usize = 129;

/// Largest scale shift: `2^s ln(2^32)` fits 15 bits.
pub const MAX_SHIFT: u32 = 10;

/// `ln 2` in Q16, rounded.
const LN_2: u64 = 45426;

/// Replaces the values `x` of one frame by logarithms; see [`MICRO_LOG_U32`].
pub fn logs(x: &mut [u32], corrections: &[u16], correction_bits: i32, scale_shift: u32) {
    let bits = correction_bits.unsigned_abs() & 31;
    for x in x {
        let corrected = if correction_bits < 0 {
            *x >> bits
        } else {
            *x << bits
        };
        *x = match corrected {
            0 | 1 => 0,
            corrected => log(corrected, corrections, scale_shift),
        };
    }
}

/// `2^s ln(x)` for x above 0.
fn log(x: u32, corrections: &[u16], scale_shift: u32) -> u32 {
    let integer = x.ilog2();
    // The 16 bits below the leading one.
    let fraction = (u64::from(x) << 16 >> integer) as u32 & 0xffff;
    let segment = (fraction >> 9) as usize;
    let (Some(&from), Some(&to)) = (corrections.get(segment), corrections.get(segment + 1)) else {
        return 0;
    };
    let (from, to) = (i32::from(from), i32::from(to));
    let within = (fraction & 0x1ff) as i32;
    let correction = from + (((to - from) * within) >> 16);
    let log2 = (integer << 16)
        .wrapping_add(fraction)
        .wrapping_add_signed(correction);
    let ln = LN_2.wrapping_mul(u64::from(log2)).wrapping_add(1 << 15) >> 16;
    ((ln << (scale_shift & 15)) as u32).wrapping_add(1 << 15) >> 16
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    step.count_of_output::<u32>(0)?;
    if step.table::<u16>(1)?.len() != CORRECTIONS {
        return Err(Fault::WrongLength { operand: 1 });
    }
    let &[bits, shift] = step.params()?;
    if !(-31..=31).contains(&(bits as i32)) {
        return Err(Fault::BadParam { param: 0 });
    }
    if shift > MAX_SHIFT {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let &[bits, shift] = io.step.params()?;
    let corrections = io.step.table(1)?;
    logs(io.write(0)?, corrections, bits as i32, shift);
    Ok(())
}
