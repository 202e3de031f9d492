//! Logarithm with a floor, in place.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::{finite, larger};

/// `x = scale * ln(floored x)`.
///
/// Operands: x (`f32`, in place). Parameters: [`LogParams`].
pub const LOG_F32: Op = Op {
    code: 0x0121,
    name: "LOG_F32",
    check,
    run,
};

/// How small values are kept away from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Floor {
    /// `x + epsilon`.
    Add = 0,
    /// `max(x, epsilon)`.
    Max = 1,
    /// `epsilon` where `x` is 0.
    ReplaceZero = 2,
}

impl Floor {
    /// The rule with this code.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Self::Add, Self::Max, Self::ReplaceZero]
            .into_iter()
            .find(|&rule| rule as u32 == code)
    }
}

/// Parameters of [`LOG_F32`]: three words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogParams {
    /// The floor's rule.
    pub floor: Floor,
    /// The floor's value, positive.
    pub epsilon: f32,
    /// Factor behind the logarithm.
    pub scale: f32,
}

impl LogParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 3] {
        [
            self.floor as u32,
            self.epsilon.to_bits(),
            self.scale.to_bits(),
        ]
    }

    fn decode(&[floor, epsilon, scale]: &[u32; 3]) -> Result<Self, Fault> {
        let floor = Floor::from_code(floor).ok_or(Fault::BadParam { param: 0 })?;
        let epsilon = finite(epsilon, 1)?;
        if epsilon <= 0.0 {
            return Err(Fault::BadParam { param: 1 });
        }
        Ok(Self {
            floor,
            epsilon,
            scale: finite(scale, 2)?,
        })
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    step.count_of_output::<f32>(0)?;
    LogParams::decode(step.params()?).map(|_| ())
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let params = LogParams::decode(io.step.params()?)?;
    log(io.write(0)?, &params);
    Ok(())
}

fn log(x: &mut [f32], params: &LogParams) {
    for x in x {
        let floored = match params.floor {
            Floor::Add => *x + params.epsilon,
            Floor::Max => larger(*x, params.epsilon),
            Floor::ReplaceZero if *x == 0.0 => params.epsilon,
            Floor::ReplaceZero => *x,
        };
        *x = params.scale * libm::logf(floored);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_logarithm(x in 0.0f32..1e6) {
            for floor in [Floor::Add, Floor::Max, Floor::ReplaceZero] {
                let params = LogParams { floor, epsilon: 1e-6, scale: 4.342_944_8 };
                let mut y = [x];
                log(&mut y, &params);
                let x = f64::from(x);
                let floored = match floor {
                    Floor::Add => x + 1e-6,
                    Floor::Max => x.max(1e-6),
                    Floor::ReplaceZero => if x == 0.0 { 1e-6 } else { x },
                };
                let exact = 10.0 * floored.log10();
                prop_assert!((f64::from(y[0]) - exact).abs() <= 2e-6 * exact.abs().max(4.0));
            }
        }
    }
}
