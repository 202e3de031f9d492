//! Real FFT in place.
//!
//! Each length is an operator of its own, so that firmware links the tables of the lengths that
//! it uses and no others. The arithmetic is that of the `microfft` crate: scalar radix-2
//! butterflies in f32.

use crate::error::Fault;
use crate::op::{Io, Op, Step};
use num_complex::Complex32;

macro_rules! rfft {
    ($($name:ident, $n:literal, $log2:literal, $function:path;)*) => {$(
        #[doc = concat!("Real FFT of ", stringify!($n), " points.")]
        ///
        /// Operands: x (`f32[n]`, in place). No parameters. On return `x` holds the bins
        /// `1..n/2` as pairs (real, imaginary) at `2 k`; bin 0 (real) is at 0 and bin `n/2`
        /// (real) at 1. No scaling: `X[k] = sum x[t] exp(-2 pi i k t / n)`.
        pub const $name: Op = Op {
            code: 0x0140 + $log2,
            name: stringify!($name),
            check: check::<$n>,
            run: |io| run::<$n>(io, |x| { let _: &mut [Complex32; $n / 2] = $function(x); }),
        };
    )*};
}

rfft! {
    RFFT_F32_16, 16, 4, microfft::real::rfft_16;
    RFFT_F32_32, 32, 5, microfft::real::rfft_32;
    RFFT_F32_64, 64, 6, microfft::real::rfft_64;
    RFFT_F32_128, 128, 7, microfft::real::rfft_128;
    RFFT_F32_256, 256, 8, microfft::real::rfft_256;
    RFFT_F32_512, 512, 9, microfft::real::rfft_512;
    RFFT_F32_1024, 1024, 10, microfft::real::rfft_1024;
    RFFT_F32_2048, 2048, 11, microfft::real::rfft_2048;
    RFFT_F32_4096, 4096, 12, microfft::real::rfft_4096;
    RFFT_F32_8192, 8192, 13, microfft::real::rfft_8192;
}

/// The operator for `n` points, if there is one.
pub fn rfft_f32(n: usize) -> Option<&'static Op> {
    Some(match n {
        16 => &RFFT_F32_16,
        32 => &RFFT_F32_32,
        64 => &RFFT_F32_64,
        128 => &RFFT_F32_128,
        256 => &RFFT_F32_256,
        512 => &RFFT_F32_512,
        1024 => &RFFT_F32_1024,
        2048 => &RFFT_F32_2048,
        4096 => &RFFT_F32_4096,
        8192 => &RFFT_F32_8192,
        _ => return None,
    })
}

fn check<const N: usize>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(1)?;
    if step.count_of_output::<f32>(0)? != N {
        return Err(Fault::WrongLength { operand: 0 });
    }
    step.params::<0>().map(|_| ())
}

fn run<const N: usize>(io: &mut Io<'_, '_>, fft: impl Fn(&mut [f32; N])) -> Result<(), Fault> {
    let x = io.write::<f32>(0)?;
    fft(x
        .try_into()
        .map_err(|_| Fault::WrongLength { operand: 0 })?);
    Ok(())
}
