//! From powers to magnitudes.

use crate::error::Fault;
use crate::op::{Op, Step};
use crate::q;

/// `x = 2^16 sqrt(x)`, in place, with a relative error below `2^-22` and half a unit.
///
/// Operands: x (`u64`, in place). No parameters. The result has 16 fraction bits, so that the quiet
/// bins of a loud frame keep their digits.
pub const MAGNITUDE_U64: Op = Op {
    code: 0x0316,
    name: "MAGNITUDE_U64",
    check,
    run: |io| {
        for x in io.write::<u64>(0)? {
            *x = magnitude(*x);
        }
        Ok(())
    },
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<u64>(0)?;
    step.params::<0>().map(|_| ())
}

/// `2^16 sqrt(x)`.
fn magnitude(x: u64) -> u64 {
    // An even shift brings x to the top of 64 bits; its root has 32.
    let shift = x.leading_zeros() & 62;
    let root = u64::from(square_root(((x << shift) >> 32) as u32));
    // sqrt(x) = root / 2^(shift / 2).
    match (shift / 2).checked_sub(16) {
        None => root << (16 - shift / 2),
        Some(right) => q::shr_u64(root, right),
    }
}

/// `128 / sqrt((i + 1/2) / 64)` for i from 16 to 63, rounded.
#[rustfmt::skip]
const INVERSE_ROOT: [u8; 48] = [
    252, 245, 238, 232, 226, 221, 216, 211, 207, 203, 199, 195, 192, 189, 185, 182,
    180, 177, 174, 172, 169, 167, 165, 163, 161, 159, 157, 155, 154, 152, 150, 149,
    147, 146, 144, 143, 141, 140, 139, 137, 136, 135, 134, 133, 132, 131, 130, 129,
];

/// `2^16 sqrt(x)` for `x` from `2^30` on, 0 for smaller ones: two Newton steps for `1 / sqrt(x)`.
#[inline(always)]
fn square_root(x: u32) -> u32 {
    let Some(&guess) = INVERSE_ROOT.get(((x >> 26) as usize).wrapping_sub(16)) else {
        return 0;
    };
    let product = |a: u32, b: u32, shift: u32| ((u64::from(a) * u64::from(b)) >> shift) as u32;
    // x in Q32 is from 1/4 to 1; its inverse root in Q30.
    let mut y = u32::from(guess) << 23;
    for _ in 0..2 {
        let error = (3u32 << 28).wrapping_sub(product(x, product(y, y, 32), 32));
        y = product(y, error, 29);
    }
    ((u64::from(x) * u64::from(y)) >> 30).min(u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_its_formula() {
        for (i, &entry) in INVERSE_ROOT.iter().enumerate() {
            let exact = 128.0 / ((i as f64 + 16.5) / 64.0).sqrt();
            assert_eq!(f64::from(entry), exact.round(), "{i}");
        }
    }

    proptest! {
        #[test]
        fn magnitudes_are_square_roots(x: u64, shift in 0u32..64) {
            let x = x >> shift;
            let (found, exact) = (magnitude(x) as f64, 65536.0 * (x as f64).sqrt());
            prop_assert!((found - exact).abs() <= exact * RELATIVE + 0.5, "{x}: {found} {exact}");
        }
    }

    #[test]
    fn the_ends_are_square_roots() {
        for x in [
            0,
            1,
            2,
            3,
            4,
            1 << 62,
            (1 << 62) - 1,
            u64::MAX,
            u64::MAX - 1,
        ] {
            let (found, exact) = (magnitude(x) as f64, 65536.0 * (x as f64).sqrt());
            assert!(
                (found - exact).abs() <= exact * RELATIVE + 0.5,
                "{x}: {found} {exact}"
            );
        }
    }

    /// The error that the operator promises.
    const RELATIVE: f64 = 1.0 / 4_194_304.0;
}
