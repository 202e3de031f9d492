//! From one number format to another, column by column.

use crate::error::Fault;
use crate::format::Element;
use crate::op::{Io, Op, Step};
use crate::ops::runs;
use crate::q;

/// Parameters of the `SCALE_*` operators: three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleParams {
    /// Right shift, at most 62.
    pub shift: u32,
    /// Smallest result; `i32::MIN` for none.
    pub min: i32,
    /// Largest result; `i32::MAX` for none.
    pub max: i32,
}

impl ScaleParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 3] {
        [self.shift, self.min as u32, self.max as u32]
    }

    fn decode(&[shift, min, max]: &[u32; 3]) -> Self {
        Self {
            shift,
            min: min as i32,
            max: max as i32,
        }
    }
}

/// A type that scaled values are stored in.
trait Narrow: Element {
    /// Saturates.
    fn narrow(x: i32) -> Self;
}

impl Narrow for i8 {
    #[inline(always)]
    fn narrow(x: i32) -> i8 {
        q::narrow_i8(x.into())
    }
}

impl Narrow for i16 {
    #[inline(always)]
    fn narrow(x: i32) -> i16 {
        q::narrow_i16(x.into())
    }
}

impl Narrow for i32 {
    #[inline(always)]
    fn narrow(x: i32) -> i32 {
        x
    }
}

macro_rules! scale {
    ($($name:ident, $code:literal, $x:ty => $y:ty;)*) => {$(
        #[doc = concat!("From `", stringify!($x), "` to `", stringify!($y), "`: ")]
        /// `y[i] = narrow(clamp(shr(x[i] mul[c] + add[c], shift), min, max))`, with the column
        /// `c = i mod cols`.
        ///
        #[doc = concat!("Operands: x (`", stringify!($x), "[n]`), mul (`i32[cols]` table), add ",
            "(`i64[cols]` table), y (`", stringify!($y), "[n]`, written).")]
        /// Parameters: [`ScaleParams`]. Features reach their format through it, or int8 at a
        /// model's scale. The sum must fit 64 bits, and 32 once it is shifted.
        pub const $name: Op = Op {
            code: $code,
            name: stringify!($name),
            check: check::<$x, $y>,
            run: run::<$x, $y>,
        };
    )*};
}

scale! {
    SCALE_I32_I8, 0x0325, i32 => i8;
    SCALE_I32_I16, 0x0326, i32 => i16;
    SCALE_I32_I32, 0x0327, i32 => i32;
    SCALE_I16_I8, 0x0328, i16 => i8;
    SCALE_I16_I16, 0x0329, i16 => i16;
}

fn check<X: Element, Y: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let n = step.count_of::<X>(0)?;
    let cols = step.table::<i32>(1)?.len();
    if cols == 0 || !n.is_multiple_of(cols) {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.table::<i64>(2)?.len() != cols {
        return Err(Fault::WrongLength { operand: 2 });
    }
    if step.count_of_output::<Y>(3)? != n {
        return Err(Fault::WrongLength { operand: 3 });
    }
    step.expect_disjoint(0, 3)?;
    let params = ScaleParams::decode(step.params()?);
    if params.shift > 62 {
        return Err(Fault::BadParam { param: 0 });
    }
    if params.min > params.max {
        return Err(Fault::BadParam { param: 1 });
    }
    Ok(())
}

fn run<X: Element + Into<i64>, Y: Narrow>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let ScaleParams { shift, min, max } = ScaleParams::decode(io.step.params()?);
    let mul = io.step.table::<i32>(1)?;
    let add = io.step.table::<i64>(2)?;
    let (x, y) = io.read_write::<X, Y>(0, 3)?;
    // A clamp that a block asks for is no loss; only the format's end is.
    let limited = |x: i32| match x {
        x if x < min => min,
        x if x > max => max,
        x => x,
    };
    // Which half of a sum the result is in is known before the loop.
    if shift < 32 {
        columns(x, mul, add, y, |sum| limited(q::shr_i32(sum, shift & 31)));
    } else {
        columns(x, mul, add, y, |sum| {
            limited(q::shr_i32(sum, shift & 31 | 32))
        });
    }
    Ok(())
}

/// `y[i] = narrow(scaled(x[i] mul[c] + add[c]))` with the column `c = i mod cols`.
#[inline(always)]
fn columns<X: Element + Into<i64>, Y: Narrow>(
    x: &[X],
    mul: &[i32],
    add: &[i64],
    mut y: &mut [Y],
    scaled: impl Fn(i64) -> i32,
) {
    for x in runs(x, mul.len()) {
        let (out, behind) = y.split_at_mut_checked(mul.len()).unwrap_or_default();
        y = behind;
        for (((y, &x), &mul), &add) in out.iter_mut().zip(x).zip(mul).zip(add) {
            let x: i64 = x.into();
            let sum = x.wrapping_mul(i64::from(mul)).wrapping_add(add);
            *y = Y::narrow(scaled(sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::fixed::probe::Probe;
    use proptest::prelude::*;
    extern crate std;

    proptest! {
        #[test]
        fn values_are_scaled_rounded_and_limited(
            x in prop::collection::vec(-(1i32 << 20)..1 << 20, 6),
            mul in prop::collection::vec(-(1i32 << 24)..1 << 24, 3),
            add in prop::collection::vec(-(1i64 << 40)..1 << 40, 3),
            shift in 24u32..62,
        ) {
            let mut probe = Probe::default();
            let (input, mul_table, add_table) =
                (probe.tensor(&x), probe.table(&mul), probe.table(&add));
            let (i8s, i16s) = (probe.tensor(&[0i8; 6]), probe.tensor(&[0i16; 6]));
            let params = |min, max| ScaleParams { shift, min, max }.encode();
            let operands = [input, mul_table, add_table];
            let with = |y| [operands[0], operands[1], operands[2], y];
            probe.run(&SCALE_I32_I16, &with(i16s), &params(i32::MIN, i32::MAX)).expect("runs");
            probe.run(&SCALE_I32_I8, &with(i8s), &params(-5, 100)).expect("runs");
            for i in 0..6 {
                let sum = f64::from(x[i]) * f64::from(mul[i % 3]) + add[i % 3] as f64;
                let exact = (sum / 2f64.powi(shift as i32) + 0.5).floor();
                let (wide, narrow) = (exact.clamp(-32768.0, 32767.0), exact.clamp(-5.0, 100.0));
                prop_assert_eq!(f64::from(probe.get::<i16>(i16s)[i]), wide);
                prop_assert_eq!(f64::from(probe.get::<i8>(i8s)[i]), narrow);
            }
        }
    }

    #[test]
    fn checks_refuse_what_does_not_fit() {
        let mut probe = Probe::default();
        let (x, y) = (probe.tensor(&[0i16; 6]), probe.tensor(&[0i16; 6]));
        let (mul, add) = (probe.table(&[1i32; 3]), probe.table(&[0i64; 3]));
        let short = probe.table(&[0i64; 2]);
        let params = |shift, min, max| ScaleParams { shift, min, max }.encode();
        let check =
            |operands: [u32; 4], params: [u32; 3]| probe.check(&SCALE_I16_I16, &operands, &params);
        assert_eq!(check([x, mul, add, y], params(1, -1, 1)), Ok(()));
        assert!(check([x, mul, short, y], params(1, -1, 1)).is_err());
        assert!(check([x, mul, add, x], params(1, -1, 1)).is_err());
        assert!(check([x, mul, add, y], params(63, -1, 1)).is_err());
        assert!(check([x, mul, add, y], params(1, 1, -1)).is_err());
    }
}
