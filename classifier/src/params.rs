//! How an operator's parameters stand in a step: one `u32` word per field, in field order.

use otolith_dsp_nostd::{Fault, Step};

/// Largest size of one dimension of a tensor, kernel, stride or dilation.
pub(crate) const MAX_DIM: i32 = 65535;
/// Largest number of elements of a tensor.
pub(crate) const MAX_COUNT: i32 = 1 << 28;
/// Smallest and largest value of an int8, as a parameter.
pub(crate) const I8_MIN: i32 = i8::MIN as i32;
pub(crate) const I8_MAX: i32 = i8::MAX as i32;
/// Shifts that a multiplier may carry.
pub(crate) const SHIFT_MIN: i32 = -31;
pub(crate) const SHIFT_MAX: i32 = 30;

/// Declares a parameter struct whose fields have an allowed range each.
macro_rules! params {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident in $lo:expr, $hi:expr;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: i32,)* }

        impl $name {
            /// Words in a step.
            pub const WORDS: usize = [$(stringify!($field)),*].len();

            /// The words of a step, in the order of the fields.
            pub fn encode(&self) -> [u32; Self::WORDS] {
                [$(self.$field as u32),*]
            }

            /// The parameters in a step's words. They are not checked.
            pub fn decode(words: &[u32; Self::WORDS]) -> Self {
                let &[$($field),*] = words;
                Self { $($field: $field as i32),* }
            }

            /// The parameters of a step, each within its range.
            // Operators with parameters of two kinds take them apart and need only `within`.
            #[allow(dead_code)]
            fn checked(
                step: &otolith_dsp_nostd::Step<'_>,
            ) -> Result<Self, otolith_dsp_nostd::Fault> {
                Self::within(step.all_params())
            }

            /// The parameters in `words`, each within its range.
            fn within(words: &[u32]) -> Result<Self, otolith_dsp_nostd::Fault> {
                const WIDE: [(i32, i32); $name::WORDS] = [$(($lo, $hi)),*];
                const NARROW: Option<[(i16, u16); $name::WORDS]> = $crate::params::narrow(WIDE);
                // Of the two tables only one is in the firmware.
                match &NARROW {
                    Some(ranges) => $crate::params::expect_narrow(words, ranges)?,
                    None => otolith_dsp_nostd::op::expect_words(words, &WIDE)?,
                }
                let bad = otolith_dsp_nostd::Fault::BadParam {
                    param: Self::WORDS as u8,
                };
                Ok(Self::decode(words.try_into().map_err(|_| bad)?))
            }
        }
    };
}

/// The ranges in half the space, if they fit.
// It runs in the compiler, which refuses an index that is too large.
#[allow(clippy::indexing_slicing)]
pub(crate) const fn narrow<const N: usize>(wide: [(i32, i32); N]) -> Option<[(i16, u16); N]> {
    let mut narrow = [(0, 0); N];
    let mut i = 0;
    while i < N {
        let (lo, hi) = wide[i];
        let fits =
            lo >= i16::MIN as i32 && lo <= i16::MAX as i32 && hi >= 0 && hi <= u16::MAX as i32;
        if !fits {
            return None;
        }
        narrow[i] = (lo as i16, hi as u16);
        i += 1;
    }
    Some(narrow)
}

/// [`otolith_dsp_nostd::op::expect_words`] with ranges that take half the space.
#[inline(never)]
pub(crate) fn expect_narrow(words: &[u32], ranges: &[(i16, u16)]) -> Result<(), Fault> {
    let outside = |(&word, &(lo, hi)): (&u32, &(i16, u16))| {
        (word as i32) < i32::from(lo) || word as i32 > i32::from(hi)
    };
    let param = match words.iter().zip(ranges).position(outside) {
        _ if words.len() != ranges.len() => ranges.len(),
        Some(param) => param,
        None => return Ok(()),
    };
    Err(Fault::BadParam { param: param as u8 })
}

/// Fails unless operand `operand` of `got` elements has the product of `dims` elements.
#[inline(never)]
pub(crate) fn expect_count(got: usize, dims: &[i32], operand: u8) -> Result<(), Fault> {
    let mut want = 1u32;
    for &d in dims {
        // No size is negative: what does not fit is no size of a tensor.
        want = want.checked_mul(d as u32).unwrap_or(0);
    }
    if want as usize == got && (1..=MAX_COUNT as u32).contains(&want) {
        Ok(())
    } else {
        Err(Fault::WrongLength { operand })
    }
}

/// Fails unless operand `operand` holds as many int8 values as the product of `dims`.
#[inline(never)]
pub(crate) fn expect_i8(step: &Step<'_>, operand: usize, dims: &[i32]) -> Result<(), Fault> {
    expect_count(step.count_of::<i8>(operand)?, dims, operand as u8)
}

/// [`expect_i8`] of an operand that is written.
#[inline(never)]
pub(crate) fn expect_i8_output(step: &Step<'_>, operand: usize, dims: &[i32]) -> Result<(), Fault> {
    expect_count(step.count_of_output::<i8>(operand)?, dims, operand as u8)
}

/// Fails when the operands of a pair share bytes.
#[inline(never)]
pub(crate) fn expect_apart(step: &Step<'_>, pairs: &[[u8; 2]]) -> Result<(), Fault> {
    for &[a, b] in pairs {
        step.expect_disjoint(a.into(), b.into())?;
    }
    Ok(())
}

/// A checked parameter as a size. The check excludes negative numbers; they would be sizes of no memory.
#[inline(always)]
pub(crate) fn size(x: i32) -> usize {
    x as u32 as usize
}
