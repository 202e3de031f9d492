//! `RESIZE_BILINEAR_I8`.

use crate::params::{MAX_DIM, expect_count, size};
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Bilinear interpolation in integers: input and output share scale and zero point.
///
/// Row `i` of the output lies at `s = i * y_scale + y_offset` in 1/1024 of the input's rows,
/// between `r0 = max(s / 1024, 0)` and `r1 = min((s + 1023) / 1024, in_h - 1)`, divisions
/// truncating; columns likewise. With the weights `v = s - 1024 r0` and `h` for columns,
/// `y = round(((1024 - v) * ((1024 - h) x[r0, c0] + h x[r0, c1])
/// + v * ((1024 - h) x[r1, c0] + h x[r1, c1])) / 2^20)`, ties away from zero.
///
/// Operands: input i8 `[batch, in_h, in_w, channels]`; output i8
/// `[batch, out_h, out_w, channels]`. Parameters: [`Params`]. Source: TFLite's
/// `reference_ops::ResizeBilinearInteger`.
pub const RESIZE_BILINEAR_I8: Op = Op {
    code: 0x026c,
    name: "RESIZE_BILINEAR_I8",
    check,
    run,
};

params! {
    /// Parameters of [`RESIZE_BILINEAR_I8`].
    Params {
        /// Images.
        batch in 1, MAX_DIM;
        /// Input height.
        in_h in 1, MAX_DIM;
        /// Input width.
        in_w in 1, MAX_DIM;
        /// Channels.
        channels in 1, MAX_DIM;
        /// Output height.
        out_h in 1, MAX_DIM;
        /// Output width.
        out_w in 1, MAX_DIM;
        /// Input rows per output row, in 1/1024. The last output row lies in the input.
        y_scale in 0, MAX_DIM << 10;
        /// Place of output row 0 in 1/1024 of the input's rows.
        y_offset in -512, MAX_DIM << 9;
        /// As y_scale for columns.
        x_scale in 0, MAX_DIM << 10;
        /// As y_offset for columns.
        x_offset in -512, MAX_DIM << 9;
    }
}

/// Two neighbours and the weight of the second, in 1/1024.
#[derive(Clone, Copy)]
struct Between {
    first: usize,
    second: usize,
    weight: i32,
}

/// Where output position `i` lies among `n` input positions.
fn between(i: usize, scale: i32, offset: i32, n: i32) -> Between {
    let at = (i as i32).wrapping_mul(scale).wrapping_add(offset);
    let first = (at / 1024).max(0);
    let second = (at.wrapping_add(1023) / 1024).min(n - 1);
    Between {
        first: size(first),
        second: size(second),
        weight: at.wrapping_sub(first.wrapping_mul(1024)),
    }
}

fn check(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    let p = Params::checked(step)?;
    for (param, out, input, scale, offset) in [
        (6, p.out_h, p.in_h, p.y_scale, p.y_offset),
        (8, p.out_w, p.in_w, p.x_scale, p.x_offset),
    ] {
        let last = i64::from(out - 1) * i64::from(scale) + i64::from(offset);
        if last / 1024 >= i64::from(input) || last > 1 << 30 {
            return Err(Fault::BadParam { param });
        }
    }
    let input = [p.batch, p.in_h, p.in_w, p.channels];
    expect_count(step.count_of::<i8>(0)?, &input, 0)?;
    let output = [p.batch, p.out_h, p.out_w, p.channels];
    expect_count(step.count_of_output::<i8>(1)?, &output, 1)?;
    step.expect_disjoint(0, 1)
}

fn run(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (input, output) = io.read_write::<i8, i8>(0, 1)?;
    let channels = size(p.channels).max(1);
    let line = size(p.in_w).wrapping_mul(channels);
    let image = size(p.in_h).wrapping_mul(line);
    let mut pixels = output.chunks_exact_mut(channels);
    for b in 0..size(p.batch) {
        let image = input.get(b.wrapping_mul(image)..).unwrap_or_default();
        for i in 0..size(p.out_h) {
            let v = between(i, p.y_scale, p.y_offset, p.in_h);
            let [top, bottom] = [v.first, v.second]
                .map(|row| image.get(row.wrapping_mul(line)..).unwrap_or_default());
            for (j, out) in pixels.by_ref().take(size(p.out_w)).enumerate() {
                let h = between(j, p.x_scale, p.x_offset, p.in_w);
                let [l, r] = [h.first, h.second].map(|at| at.wrapping_mul(channels));
                let [a, b] = [l, r].map(|at| top.get(at..).unwrap_or_default());
                let [c, d] = [l, r].map(|at| bottom.get(at..).unwrap_or_default());
                for ((((y, &a), &b), &c), &d) in out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *y = mix(a, b, c, d, h.weight, v.weight);
                }
            }
        }
    }
    Ok(())
}

/// The four neighbours weighted. Weights are at most 1535 in magnitude, so nothing overflows.
#[inline(always)]
fn mix(a: i8, b: i8, c: i8, d: i8, h: i32, v: i32) -> i8 {
    let row = |l: i8, r: i8| i32::from(l) * (1024 - h) + i32::from(r) * h;
    let sum = (1024 - v) * row(a, b) + v * row(c, d);
    let half = if sum > 0 { 1 << 19 } else { -(1 << 19) };
    ((sum + half) / (1 << 20)) as i8
}
