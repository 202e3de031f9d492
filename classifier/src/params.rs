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
                const RANGES: [$crate::params::Range; $name::WORDS] =
                    [$($crate::params::range($lo, $hi)),*];
                $crate::params::in_range(words, &RANGES)?;
                let bad = otolith_dsp_nostd::Fault::BadParam {
                    param: Self::WORDS as u8,
                };
                Ok(Self::decode(words.try_into().map_err(|_| bad)?))
            }
        }
    };
}

/// A smallest value, and how far above it the largest one is.
pub(crate) type Range = (i32, u32);

/// The range of the values from `lo` to `hi`.
pub(crate) const fn range(lo: i32, hi: i32) -> Range {
    (lo, hi.wrapping_sub(lo) as u32)
}

/// Fails unless there is a word for each range, within it.
#[inline(never)]
pub(crate) fn in_range(words: &[u32], ranges: &[Range]) -> Result<(), Fault> {
    let outside = |(&word, &(lo, span)): (&u32, &Range)| word.wrapping_sub(lo as u32) > span;
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

/// A checked parameter as a size. The check excludes negative numbers; they would be sizes of no memory.
#[inline(always)]
pub(crate) fn size(x: i32) -> usize {
    x as u32 as usize
}
