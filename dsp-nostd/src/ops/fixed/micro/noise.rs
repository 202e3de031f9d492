//! Noise estimate of each channel, and spectral subtraction.

use crate::error::Fault;
use crate::op::{Io, Op, Step};

/// Follows the noise in each channel and subtracts it, in place.
///
/// Operands: smoothing (`u16[n]` table, Q14, at most 1), x (`u32[n]`, in place), estimate (`u32[n]`,
/// in place, 0 at first). Parameters: [`NoiseParams`]. With `a` the smoothing of a channel and `s`
/// the smoothing bits, `u = x 2^s` modulo 2^32,
/// `estimate = floor((a u + (2^14 - a) estimate) 2^-14)` and
/// `x = max(floor((u - min(estimate, u)) 2^-s), floor(x remaining 2^-14))`.
pub const MICRO_NOISE_REDUCTION_U32: Op = Op {
    code: 0x03d3,
    name: "MICRO_NOISE_REDUCTION_U32",
    check,
    run,
};

/// Fraction bits of the constants.
pub const NOISE_Q: u32 = 14;

/// Parameters of [`MICRO_NOISE_REDUCTION_U32`]: three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseParams {
    /// Smallest share of a value that stays; Q14, at most 1.
    pub min_signal_remaining: u32,
    /// Fraction bits of the estimate, at most 16.
    pub smoothing_bits: u32,
    /// Whether the estimate starts at 0 in the first frame of each window.
    pub fresh: bool,
}

impl NoiseParams {
    /// The parameter words.
    pub fn encode(self) -> [u32; 3] {
        let Self {
            min_signal_remaining,
            smoothing_bits,
            fresh,
        } = self;
        [min_signal_remaining, smoothing_bits, u32::from(fresh)]
    }

    fn decode(&[min_signal_remaining, smoothing_bits, fresh]: &[u32; 3]) -> Self {
        Self {
            min_signal_remaining,
            smoothing_bits: smoothing_bits & 31,
            fresh: fresh != 0,
        }
    }

    /// Takes the amplitudes `x` of one frame: updates `estimate`, and leaves in `x` what is above
    /// the noise.
    pub fn reduce(&self, smoothing: &[u16], x: &mut [u32], estimate: &mut [u32]) {
        for ((x, estimate), &new) in x.iter_mut().zip(estimate).zip(smoothing) {
            let scaled = *x << (self.smoothing_bits & 31);
            let new = u32::from(new);
            let old = (1u32 << NOISE_Q).wrapping_sub(new);
            let sum = product(scaled, new).wrapping_add(product(*estimate, old));
            *estimate = (sum >> NOISE_Q) as u32;
            let above = scaled.saturating_sub(*estimate) >> (self.smoothing_bits & 31);
            let least = (product(*x, self.min_signal_remaining) >> NOISE_Q) as u32;
            *x = if above > least { above } else { least };
        }
    }
}

fn product(a: u32, b: u32) -> u64 {
    u64::from(a).wrapping_mul(u64::from(b))
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    let smoothing = step.table::<u16>(0)?;
    if smoothing.iter().any(|&a| a > 1 << NOISE_Q) {
        return Err(Fault::BadTable { operand: 0 });
    }
    for operand in [1, 2] {
        if step.count_of_output::<u32>(operand)? != smoothing.len() {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
    }
    step.expect_disjoint(1, 2)?;
    let words = step.params::<3>()?;
    let most = [1 << NOISE_Q, 16, 1];
    match words.iter().zip(most).position(|(&w, most)| w > most) {
        Some(param) => Err(Fault::BadParam { param: param as u8 }),
        None => Ok(()),
    }
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let params = NoiseParams::decode(io.step.params()?);
    let first = io.frame() == 0;
    let (smoothing, x, estimate) = io.read_write2::<u16, u32, u32>(0, 1, 2)?;
    if params.fresh && first {
        estimate.fill(0);
    }
    params.reduce(smoothing, x, estimate);
    Ok(())
}
