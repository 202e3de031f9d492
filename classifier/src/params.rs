//! How an operator's parameters stand in a step: one `u32` word per field, in field order.

use otolith_dsp_nostd::Fault;

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
                let bad = otolith_dsp_nostd::Fault::BadParam {
                    param: Self::WORDS as u8,
                };
                let params = Self::decode(words.try_into().map_err(|_| bad)?);
                $crate::params::in_range(&[$((params.$field, $lo, $hi)),*])?;
                Ok(params)
            }
        }
    };
}

/// Fails at the first `(value, low, high)` whose value is out of range.
pub(crate) fn in_range(fields: &[(i32, i32, i32)]) -> Result<(), Fault> {
    match fields.iter().position(|&(x, lo, hi)| x < lo || x > hi) {
        Some(param) => Err(Fault::BadParam { param: param as u8 }),
        None => Ok(()),
    }
}

/// Fails unless operand `operand` of `got` elements has the product of `dims` elements.
pub(crate) fn expect_count(got: usize, dims: &[i32], operand: u8) -> Result<(), Fault> {
    let want = dims
        .iter()
        .try_fold(1i64, |n, &d| n.checked_mul(i64::from(d)))
        .filter(|&n| n > 0 && n <= i64::from(MAX_COUNT));
    if want == i64::try_from(got).ok() {
        Ok(())
    } else {
        Err(Fault::WrongLength { operand })
    }
}

/// A checked parameter as a size; 0 for a negative number, which the check excludes.
#[inline(always)]
pub(crate) fn size(x: i32) -> usize {
    usize::try_from(x).unwrap_or(0)
}
