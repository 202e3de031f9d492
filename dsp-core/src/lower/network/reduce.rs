//! Means, sums, extrema and their indices, and normalisations of rows.

use super::movement::axis_index;
use super::multiplier::Multiplier;
use super::weighted::int32;
use super::windows::{only_int8, shapes};
use super::{Lowering, single_scale};
use otolith_classifier::ops::{l2_normalization, log_softmax, mean, reduce};
use otolith_dsp_nostd::Op;
use otolith_tflite::{BuiltinOp, DType, Operator};

impl Lowering<'_, '_> {
    /// Kept and reduced axes of an operator whose second input lists the axes.
    fn reduced_axes(&self, op: &Operator) -> Result<ReducedAxes, String> {
        let (input, axes, output) = (self.tensor(op, 0)?, self.tensor(op, 1)?, self.result(op));
        let mut reduced = vec![false; input.shape.len()];
        for axis in int32(axes, axes.n_elements())? {
            reduced[axis_index(axis, input.shape.len())?] = true;
        }
        let (keep, reduce) = axis_groups(&input.shape, &reduced)
            .ok_or("it alternates kept and reduced axes more than three times")?;
        let kept: usize = keep.iter().map(|g| g.0 as usize).product();
        if output.n_elements() != kept {
            return Err(shapes(&[input, output]));
        }
        Ok((keep, reduce))
    }

    /// MEAN of int8 or int16.
    pub(super) fn mean(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        if [input.dtype, output.dtype] == [DType::I16; 2] {
            return self.total(name, op, &mean::MEAN_I16, true, 1 << 15);
        }
        only_int8(&[input, output])?;
        self.total(name, op, &mean::MEAN_I8, true, 1 << 23)
    }

    /// SUM: the mean's operator without the division.
    pub(super) fn sum(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        only_int8(&[self.tensor(op, 0)?, self.result(op)])?;
        self.total(name, op, &mean::MEAN_I8, false, 1 << 23)
    }

    /// The sum of at most `most` elements, divided by their number if it is a mean.
    fn total(
        &mut self,
        name: &str,
        op: &Operator,
        kernel: &'static Op,
        is_mean: bool,
        most: i64,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let (keep, reduce) = self.reduced_axes(op)?;
        let n: i64 = reduce.iter().map(|g| i64::from(g.0)).product();
        if n > most {
            let what = if is_mean { "mean" } else { "sum" };
            return Err(format!(
                "the {what} of {n} elements, allowed are at most {most}"
            ));
        }
        let (input_scale, input_zero_point) = single_scale(input)?;
        let (output_scale, output_zero_point) = single_scale(output)?;
        let Multiplier { q, shift } =
            Multiplier::new(f64::from(input_scale) / f64::from(output_scale));
        if !is_mean && shift > 30 {
            return Err("the output's scale is too small for its input's".into());
        }
        // The division by n, folded into the multiplier with as many more bits as fit.
        let divisor = if is_mean { n } else { 1 };
        let more = i64::from(divisor.ilog2())
            .min(32)
            .min(31 + i64::from(shift));
        let params = mean::Params {
            keep0: keep[0].0,
            keep1: keep[1].0,
            keep2: keep[2].0,
            keep0_stride: keep[0].1,
            keep1_stride: keep[1].1,
            keep2_stride: keep[2].1,
            reduce0: reduce[0].0,
            reduce1: reduce[1].0,
            reduce2: reduce[2].0,
            reduce0_stride: reduce[0].1,
            reduce1_stride: reduce[1].1,
            reduce2_stride: reduce[2].1,
            input_zero_point,
            output_zero_point,
            multiplier: ((i64::from(q) << more) / divisor) as i32,
            shift: shift - more as i32,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    /// REDUCE_MAX, or REDUCE_MIN with `least`.
    pub(super) fn extremum(
        &mut self,
        name: &str,
        op: &Operator,
        least: bool,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int8(&[input, output])?;
        self.same_scale(&[input, output])?;
        let (keep, axes) = self.reduced_axes(op)?;
        let params = reduce::Params {
            keep0: keep[0].0,
            keep1: keep[1].0,
            keep2: keep[2].0,
            keep0_stride: keep[0].1,
            keep1_stride: keep[1].1,
            keep2_stride: keep[2].1,
            reduce0: axes[0].0,
            reduce1: axes[1].0,
            reduce2: axes[2].0,
            reduce0_stride: axes[0].1,
            reduce1_stride: axes[1].1,
            reduce2_stride: axes[2].1,
        };
        let kernel = match least {
            true => &reduce::REDUCE_MIN_I8,
            false => &reduce::REDUCE_MAX_I8,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    /// ARG_MAX and ARG_MIN.
    pub(super) fn arg(&mut self, name: &str, op: &Operator, code: BuiltinOp) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int8(&[input])?;
        if output.dtype != DType::I32 {
            let found = output.dtype;
            return Err(format!(
                "its output is {found}, allowed is int32: output_type=tf.int32"
            ));
        }
        let axis = axis_index(int32(self.tensor(op, 1)?, 1)?[0], input.shape.len())?;
        let outer: usize = input.shape[..axis].iter().product();
        let inner: usize = input.shape[axis + 1..].iter().product();
        if output.n_elements() != outer * inner {
            return Err(shapes(&[input, output]));
        }
        let params = reduce::ArgParams {
            outer: outer as i32,
            n: input.shape[axis] as i32,
            inner: inner as i32,
        };
        let kernel = match code {
            BuiltinOp::ARG_MIN => &reduce::ARG_MIN_I8,
            _ => &reduce::ARG_MAX_I8,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    pub(super) fn l2_normalization(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int8(&[input, output])?;
        if input.shape != output.shape {
            return Err(shapes(&[input, output]));
        }
        fixed_scale(single_scale(output)?, (1.0 / 128.0, 0))?;
        let n = input.shape.last().copied().unwrap_or(1);
        if n > 32767 {
            return Err(format!("{n} values in a row, allowed are at most 32767"));
        }
        let params = l2_normalization::Params {
            rows: (input.n_elements() / n) as i32,
            n: n as i32,
            input_zero_point: single_scale(input)?.1,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        let kernel = &l2_normalization::L2_NORMALIZATION_I8;
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }

    pub(super) fn log_softmax(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        only_int8(&[input, output])?;
        if input.shape != output.shape {
            return Err(shapes(&[input, output]));
        }
        fixed_scale(single_scale(output)?, (1.0 / 16.0, 127))?;
        let (scale, _) = single_scale(input)?;
        let real = f64::from(scale) * libm::ldexp(1.0, 26);
        if !(1.0..).contains(&real) {
            return Err(format!("its input's scale {scale} is too small"));
        }
        let Multiplier { q, shift } = Multiplier::new(real.min(libm::ldexp(1.0, 31) - 1.0));
        let reverse = Multiplier::new(libm::ldexp(1.0, 31 - shift) / f64::from(q));
        let n = input.shape.last().copied().unwrap_or(1);
        if n > 4095 {
            return Err(format!("{n} values in a row, allowed are at most 4095"));
        }
        let params = log_softmax::Params {
            rows: (input.n_elements() / n) as i32,
            n: n as i32,
            multiplier: q,
            // As for the softmax: with a shift of 31 only differences of 0 count.
            shift: shift.min(30),
            reverse_multiplier: reverse.q,
            reverse_shift: reverse.shift.min(0),
            diff_min: (-libm::floor(31.0 * libm::ldexp(1.0, 26 - shift))).max(-255.0) as i32,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        let kernel = &log_softmax::LOG_SOFTMAX_I8;
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }
}

/// Fails unless an output has the scale and zero point that its operator always gives.
fn fixed_scale(found: (f32, i32), allowed: (f32, i32)) -> Result<(), String> {
    if found == allowed {
        return Ok(());
    }
    Err(format!(
        "its output has scale {} and zero point {}, allowed is {} and {}",
        found.0, found.1, allowed.0, allowed.1
    ))
}

/// `(size, stride)` of an axis, or of adjacent axes taken together.
type Axis = (i32, i32);

/// Three kept and three reduced axes.
type ReducedAxes = ([Axis; 3], [Axis; 3]);

/// Adjacent axes of the same kind merged: kept ones and reduced ones, outermost first, filled up
/// with axes of size 1; `None` when there are more than three of a kind.
fn axis_groups(shape: &[usize], reduced: &[bool]) -> Option<ReducedAxes> {
    let mut groups: [Vec<Axis>; 2] = [Vec::new(), Vec::new()];
    let mut stride = 1;
    let mut last = None;
    for (&dim, &kind) in shape.iter().zip(reduced).rev() {
        if dim == 1 {
            continue;
        }
        let group = &mut groups[usize::from(kind)];
        match group.last_mut() {
            Some(axis) if last == Some(kind) => axis.0 *= dim as i32,
            _ => group.push((dim as i32, stride)),
        }
        last = Some(kind);
        stride *= dim as i32;
    }
    let three = |mut group: Vec<Axis>| -> Option<[Axis; 3]> {
        group.resize(group.len().max(3), (1, 1));
        group.reverse();
        group.try_into().ok()
    };
    let [keep, reduce] = groups;
    Some((three(keep)?, three(reduce)?))
}
