//! `LOGISTIC_I16` and `TANH_I16`: a table of the logistic function with interpolation.

use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Entries of the table: with `f(x) = 65536 / (1 + exp(-x / 24))`, entry `i` is `round(f(i) +
/// (f(i + 1/2) - (f(i) + f(i + 1)) / 2) / 2)`, and the last one 65535.
pub const TABLE: usize = 256;

/// Logistic function of int16: `y / 32768 = 1 / (1 + exp(-x * scale))`.
///
/// With `z = (x * multiplier + round) >> shift`, of which `2^17` stands for `32/3`, the table is
/// interpolated at `|z| / 512` and mirrored for negative `z`.
///
/// Operands: input i16 `[n]`; table u16 `[256]`; output i16 `[n]`. Source: TFLite's
/// `reference_integer_ops::Logistic` for int16.
pub const LOGISTIC_I16: Op = Op {
    code: 0x0299,
    name: "LOGISTIC_I16",
    check,
    run: |io| run(io, logistic),
};

/// Hyperbolic tangent of int16: `y / 32768 = tanh(x * scale)`, as
/// `2 / (1 + exp(-2 x * scale)) - 1` from the same table as [`LOGISTIC_I16`].
///
/// Operands and parameters: as [`LOGISTIC_I16`]. Source: TFLite's `reference_integer_ops::Tanh`
/// for int16.
pub const TANH_I16: Op = Op {
    code: 0x029a,
    name: "TANH_I16",
    check,
    run: |io| run(io, tanh),
};

params! {
    /// Parameters of [`LOGISTIC_I16`] and [`TANH_I16`].
    Params {
        /// Factor that brings the input to units of 1/12288, less than 2^15.
        multiplier in 0, 32767;
        /// Bits to shift right behind it.
        shift in 0, 31;
    }
}

/// `(x * multiplier + half) >> shift`: the input in units of 1/12288.
pub(crate) fn scaled(x: i16, multiplier: i32, shift: i32) -> i32 {
    // 2^15 * (2^15 - 1) + 2^30 is below 2^31.
    let half = match shift {
        0 => 0,
        n => 1i32.wrapping_shl((n - 1) as u32),
    };
    let product = (i32::from(x) * multiplier).wrapping_add(half);
    product.wrapping_shr(shift as u32)
}

/// Two neighbours in the table.
fn neighbours(table: &[u16], at: usize) -> (u32, u32) {
    let entry = |i: usize| u32::from(table.get(i).copied().unwrap_or(u16::MAX));
    (entry(at), entry(at.saturating_add(1)))
}

/// The logistic function of `z / 12288`, in units of 1/32768.
pub(crate) fn logistic(table: &[u16], z: i32) -> i16 {
    let magnitude = z.unsigned_abs();
    let at = magnitude >> 9;
    let result = if at >= 255 {
        0x7fff << 10
    } else {
        let (low, high) = neighbours(table, at as usize);
        (low << 9).wrapping_add((magnitude & 0x1ff).wrapping_mul(high.wrapping_sub(low)))
    };
    let rounded = match z >= 0 {
        true => result.wrapping_add(1 << 9),
        false => (1u32 << 25).wrapping_sub(result).wrapping_add((1 << 9) - 1),
    };
    (rounded >> 10) as i16
}

/// The hyperbolic tangent of `z / 12288`, in units of 1/32768.
pub(crate) fn tanh(table: &[u16], z: i32) -> i16 {
    let magnitude = z.unsigned_abs();
    let at = magnitude >> 8;
    let result = if at >= 255 {
        0xffff << 8
    } else {
        let (low, high) = neighbours(table, at as usize);
        (low << 8).wrapping_add((magnitude & 0xff).wrapping_mul(high.wrapping_sub(low)))
    } as i32;
    let rounded = match z >= 0 {
        true => result - (1 << 23) + (1 << 7),
        false => (1 << 23) - result + (1 << 7) - 1,
    };
    (rounded >> 8) as i16
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    Params::checked(step)?;
    check_table(step, 1)?;
    if step.count_of_output::<i16>(2)? != step.count_of::<i16>(0)? {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)
}

/// Checks the table at an operand: its length, and that it never falls.
pub(crate) fn check_table(step: &Step<'_>, operand: usize) -> Result<(), Fault> {
    let table = step.table::<u16>(operand)?;
    let operand = operand as u8;
    if table.len() != TABLE {
        return Err(Fault::WrongLength { operand });
    }
    match table.is_sorted() {
        true => Ok(()),
        false => Err(Fault::BadTable { operand }),
    }
}

fn run(io: &mut Io<'_, '_>, function: impl Fn(&[u16], i32) -> i16) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let table = io.step.table::<u16>(1)?;
    let (input, output) = io.read_write::<i16, i16>(0, 2)?;
    for (y, &x) in output.iter_mut().zip(input) {
        *y = function(table, scaled(x, p.multiplier, p.shift));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The function without the correction for interpolation.
    fn table() -> [u16; TABLE] {
        core::array::from_fn(|i| {
            libm::round(65536.0 / (1.0 + libm::exp(-(i as f64) / 24.0))) as u16
        })
    }

    /// Both functions of Q3.12 numbers, within a few units of f64.
    #[test]
    fn the_table_gives_logistic_and_tanh() {
        let table = table();
        // Miri is a thousand times slower.
        for x in (-32768..=32767).step_by(if cfg!(miri) { 4999 } else { 7 }) {
            let z = scaled(x as i16, 3, 0);
            let real = f64::from(x) / 4096.0;
            let expected = 32768.0 / (1.0 + libm::exp(-real));
            let got = f64::from(logistic(&table, z));
            assert!(
                (got - expected).abs() < 12.0,
                "logistic {real}: {got} {expected}"
            );
            let expected = 32768.0 * libm::tanh(real);
            let got = f64::from(tanh(&table, z));
            assert!(
                (got - expected).abs() < 24.0,
                "tanh {real}: {got} {expected}"
            );
        }
    }

    #[test]
    fn extremes_saturate() {
        let table = table();
        assert_eq!(logistic(&table, i32::MAX), 32767);
        assert_eq!(tanh(&table, i32::MAX), 32767);
        assert_eq!(logistic(&table, 0), 16384);
        assert_eq!(tanh(&table, 0), 0);
    }
}
