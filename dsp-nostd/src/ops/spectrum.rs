//! Power and magnitude of a packed spectrum, in place.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use crate::ops::finite;

/// `y[k] = scale (re^2 + im^2)`.
///
/// Operands: x (`f32[n]`, in place): in, a packed spectrum as the real FFT leaves it; out, the
/// bins `0..=n/2` in its first `n/2 + 1` elements, the rest undefined. Parameters: scale (float
/// bits).
pub const POWER_F32: Op = Op {
    code: 0x0110,
    name: "POWER_F32",
    check,
    run: |io| run(io, |power| power),
};

/// `y[k] = scale sqrt(re^2 + im^2)`; operands and parameters as for [`POWER_F32`].
pub const MAGNITUDE_F32: Op = Op {
    code: 0x0111,
    name: "MAGNITUDE_F32",
    check,
    run: |io| run(io, libm::sqrtf),
};

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    let n = step.count_of_output::<f32>(0)?;
    if n < 4 || !n.is_multiple_of(2) {
        return Err(Fault::WrongLength { operand: 0 });
    }
    let &[scale] = step.params()?;
    finite(scale, 0).map(|_| ())
}

#[inline]
fn run(io: &mut Io<'_, '_>, root: impl Fn(f32) -> f32) -> Result<(), Fault> {
    let &[scale] = io.step.params()?;
    bins(io.write(0)?, f32::from_bits(scale), root);
    Ok(())
}

#[inline]
fn bins(x: &mut [f32], scale: f32, root: impl Fn(f32) -> f32) {
    let half = x.len() / 2;
    let Some(&[first, last]) = x.first_chunk::<2>() else {
        return;
    };
    // Bin k is read at 2k and written at k: reading stays ahead of writing.
    for k in 1..half {
        if let Some(&[re, im]) = x.get(2 * k..2 * k + 2).and_then(|x| x.first_chunk::<2>())
            && let Some(y) = x.get_mut(k)
        {
            *y = scale * root(re * re + im * im);
        }
    }
    if let Some(y) = x.first_mut() {
        *y = scale * root(first * first);
    }
    if let Some(y) = x.get_mut(half) {
        *y = scale * root(last * last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    extern crate std;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn bins_are_the_squared_dft(x in prop::collection::vec(-1.0f32..1.0, 32)) {
            let mut packed: [f32; 32] = x.as_slice().try_into().unwrap();
            let _ = microfft::real::rfft_32(&mut packed);
            bins(&mut packed, 0.5, |p| p);
            let exact: Vec<f64> = (0..=16)
                .map(|k| {
                    let (mut re, mut im) = (0.0f64, 0.0f64);
                    for (t, &x) in x.iter().enumerate() {
                        let angle = -2.0 * std::f64::consts::PI * (k * t) as f64 / 32.0;
                        re += f64::from(x) * angle.cos();
                        im += f64::from(x) * angle.sin();
                    }
                    0.5 * (re * re + im * im)
                })
                .collect();
            for (y, exact) in packed.iter().zip(&exact) {
                prop_assert!((f64::from(*y) - exact).abs() < 1e-4);
            }
        }
    }
}
