//! Layers that move bytes: everything becomes one strided copy, one gather, or a view.

use super::weighted::int32;
use super::windows::shapes;
use super::{Lowering, single_scale};
use crate::plan_builder::TensorId;
use otolith_classifier::ops::{gather, strided_copy};
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{DType, Operator, Options, Tensor};

/// One dimension of a copy: size, stride of the input, stride of the output.
pub(super) type CopyAxis = (usize, i64, i64);

/// Dimensions of one merged away, and adjacent dimensions merged where both strides allow.
fn merged(axes: &[CopyAxis]) -> Vec<CopyAxis> {
    let mut result: Vec<CopyAxis> = Vec::new();
    for &(n, x, y) in axes.iter().filter(|axis| axis.0 != 1) {
        match result.last_mut() {
            Some(last) if last.1 == x * n as i64 && last.2 == y * n as i64 => {
                *last = (last.0 * n, x, y);
            }
            _ => result.push((n, x, y)),
        }
    }
    result
}

/// A copy of `len` elements from one tensor to another of the same length.
pub(super) fn run_of(len: usize) -> strided_copy::Params {
    let one = [1, 1, 1, 1, 1, len as u32];
    let steps = [0, 0, 0, 0, 0, 0, 1];
    let words = [&one[..], &steps, &steps].concat();
    strided_copy::Params::decode(&std::array::from_fn(|i| words[i]))
}

/// Strides of a tensor in C order.
pub(super) fn strides(shape: &[usize]) -> Vec<i64> {
    let mut next = 1;
    let mut strides: Vec<i64> = shape
        .iter()
        .rev()
        .map(|&d| {
            let stride = next;
            next *= d as i64;
            stride
        })
        .collect();
    strides.reverse();
    strides
}

/// An axis as an index, counted from the last where it is below 0.
pub(super) fn axis_index(axis: i32, rank: usize) -> Result<usize, String> {
    let index = if axis < 0 { axis + rank as i32 } else { axis };
    usize::try_from(index)
        .ok()
        .filter(|&i| i < rank)
        .ok_or_else(|| format!("axis {axis} of a tensor with {rank} dimensions"))
}

/// Elements before and behind an axis.
fn around(shape: &[usize], axis: usize) -> (usize, usize) {
    (
        shape[..axis].iter().product(),
        shape[axis + 1..].iter().product(),
    )
}

/// Values of a constant of int32.
fn integers(tensor: &Tensor) -> Result<Vec<i32>, String> {
    int32(tensor, tensor.n_elements())
}

impl Lowering<'_, '_> {
    /// A tensor as bytes, words or half words: what copies and gathers work on.
    fn raw(&mut self, id: TensorId) -> Result<(TensorId, Elem), String> {
        let elem = self.plan.elem(id);
        let raw = match elem.size() {
            1 => Elem::I8,
            2 => Elem::I16,
            4 => Elem::I32,
            _ => return Err(format!("elements of {elem:?} are not moved")),
        };
        if raw == elem {
            return Ok((id, raw));
        }
        let shape = self.plan.shape(id).to_vec();
        Ok((self.plan.view("raw", id, 0, raw, &shape), raw))
    }

    /// Appends a copy of a view of `x` into a view of `y`.
    pub(super) fn strided_copy(
        &mut self,
        name: &str,
        (x, x_offset): (TensorId, i64),
        (y, y_offset): (TensorId, i64),
        axes: &[CopyAxis],
    ) -> Result<(), String> {
        let axes = merged(axes);
        let Some(missing) = 6usize.checked_sub(axes.len()) else {
            return Err("it moves elements along more than six axes".into());
        };
        let mut params = [vec![(1, 0, 0); missing], axes].concat();
        // A single element is a run of one.
        if params.iter().all(|axis| axis.0 == 1) {
            params[5] = (1, 1, 1);
        }
        let word = |x: i64| i32::try_from(x).unwrap_or(i32::MAX) as u32;
        let words: Vec<u32> = params
            .iter()
            .map(|axis| axis.0 as u32)
            .chain([word(x_offset)])
            .chain(params.iter().map(|axis| word(axis.1)))
            .chain([word(y_offset)])
            .chain(params.iter().map(|axis| word(axis.2)))
            .collect();
        let ((x, elem), (y, _)) = (self.raw(x)?, self.raw(y)?);
        let op = match elem {
            Elem::I16 => &strided_copy::STRIDED_COPY_16,
            Elem::I32 => &strided_copy::STRIDED_COPY_32,
            _ => &strided_copy::STRIDED_COPY_8,
        };
        self.step(op, name, &[x, y], &words);
        Ok(())
    }

    /// Output `output` of an operator as the elements `x_offset + sum(i * stride)` of its input
    /// `input`, for `axes` of `(size, stride)` in the output's order: a view if they lie side by
    /// side.
    fn select(
        &mut self,
        name: &str,
        op: &Operator,
        (input, output): (usize, usize),
        offset: i64,
        axes: &[(usize, i64)],
    ) -> Result<(), String> {
        let x = self.input(op, input)?;
        let from = Self::index(op, input)?;
        let index = op.outputs[output];
        let (given, tensor) = (&self.model.tensors[from], &self.model.tensors[index]);
        let dims: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        if dims.iter().product::<usize>() != tensor.n_elements() || given.dtype != tensor.dtype {
            return Err(shapes(&[given, tensor]));
        }
        let axes: Vec<CopyAxis> = axes
            .iter()
            .zip(strides(&dims))
            .map(|(&(n, x), y)| (n, x, y))
            .collect();
        let side_by_side = matches!(merged(&axes).as_slice(), [] | [(_, 1, 1)]);
        if side_by_side && self.places[index].is_none() {
            let elem = self.plan.elem(x);
            let at = usize::try_from(offset).map_err(|_| shapes(&[given, tensor]))?;
            let view = self
                .plan
                .view(&tensor.name, x, at * elem.size(), elem, &tensor.shape);
            self.tensors[index] = Some(view);
            self.borrowed[index] = self.borrowed[from];
            return Ok(());
        }
        let y = self.declare(index)?;
        self.strided_copy(name, (x, offset), (y, 0), &axes)
    }

    pub(super) fn transpose(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let input = self.tensor(op, 0)?;
        let order = int32(self.tensor(op, 1)?, input.shape.len())?;
        let step = strides(&input.shape);
        let axes: Vec<(usize, i64)> = order
            .iter()
            .map(|&axis| {
                let axis = axis_index(axis, input.shape.len())?;
                Ok((input.shape[axis], step[axis]))
            })
            .collect::<Result<_, String>>()?;
        self.select(name, op, (0, 0), 0, &axes)
    }

    pub(super) fn slice(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let begin = int32(self.tensor(op, 1)?, input.shape.len())?;
        if output.shape.len() != input.shape.len() {
            return Err(shapes(&[input, output]));
        }
        let mut offset = 0;
        let mut axes = Vec::new();
        let dims = input.shape.iter().zip(&output.shape).zip(&begin);
        for (((&d, &n), &begin), stride) in dims.zip(strides(&input.shape)) {
            if begin < 0 || begin as usize + n > d {
                return Err(format!(
                    "it takes {n} elements from {begin} on along an axis of {d}"
                ));
            }
            offset += i64::from(begin) * stride;
            axes.push((n, stride));
        }
        self.select(name, op, (0, 0), offset, &axes)
    }

    pub(super) fn strided_slice(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
    ) -> Result<(), String> {
        let &Options::StridedSlice {
            begin_mask,
            end_mask,
            ellipsis_mask,
            new_axis_mask,
            shrink_axis_mask,
            offset: relative,
        } = options
        else {
            return Err("its options are missing".into());
        };
        let input = self.tensor(op, 0)?;
        let (shape, step) = (&input.shape, strides(&input.shape));
        let begins = integers(self.tensor(op, 1)?)?;
        let ends = int32(self.tensor(op, 2)?, begins.len())?;
        let steps = int32(self.tensor(op, 3)?, begins.len())?;
        let bit = |mask: i32, i: usize| i < 31 && mask >> i & 1 == 1;
        let entries = begins.len();
        let named = (0..entries)
            .filter(|&i| !bit(ellipsis_mask, i) && !bit(new_axis_mask, i))
            .count();
        let left = shape
            .len()
            .checked_sub(named)
            .ok_or_else(|| format!("it names {named} axes of {}", shape.len()))?;
        let mut axis = 0;
        let mut offset = 0;
        let mut axes = Vec::new();
        for i in 0..entries {
            if bit(ellipsis_mask, i) {
                for _ in 0..left {
                    axes.push((shape[axis], step[axis]));
                    axis += 1;
                }
                continue;
            }
            if bit(new_axis_mask, i) {
                continue;
            }
            let (d, stride) = (shape[axis] as i64, i64::from(steps[i]));
            if stride == 0 {
                return Err("it has a stride of 0".into());
            }
            let (low, high) = if stride > 0 { (0, d) } else { (-1, d - 1) };
            let place = |x: i64| (if x < 0 { x + d } else { x }).clamp(low, high);
            let mut begin = place(i64::from(begins[i]));
            if bit(begin_mask, i) {
                begin = if stride > 0 { 0 } else { d - 1 };
            }
            let end = if bit(end_mask, i) {
                if stride > 0 { d } else { -1 }
            } else if relative {
                place(begin + i64::from(ends[i]))
            } else {
                place(i64::from(ends[i]))
            };
            let n = if bit(shrink_axis_mask, i) {
                1
            } else {
                let span = (end - begin) * stride.signum();
                (span.max(0) as u64).div_ceil(stride.unsigned_abs())
            };
            if n == 0 || !(0..d).contains(&begin) {
                return Err("its slice is empty".into());
            }
            offset += begin * step[axis];
            axes.push((n as usize, stride * step[axis]));
            axis += 1;
        }
        while axis < shape.len() {
            axes.push((shape[axis], step[axis]));
            axis += 1;
        }
        self.select(name, op, (0, 0), offset, &axes)
    }

    /// SPLIT, SPLIT_V and UNPACK: the outputs are parts of input `input`, one behind the other
    /// along `axis`.
    pub(super) fn split(
        &mut self,
        name: &str,
        op: &Operator,
        input: usize,
        axis: i32,
    ) -> Result<(), String> {
        let tensor = self.tensor(op, input)?;
        let axis = axis_index(axis, tensor.shape.len())?;
        let (outer, inner) = around(&tensor.shape, axis);
        let along = tensor.shape[axis];
        let mut at = 0;
        for (output, &index) in op.outputs.iter().enumerate() {
            let part = &self.model.tensors[index];
            let n = part.n_elements() / (outer * inner);
            if part.n_elements() != n * outer * inner || at + n > along {
                return Err(shapes(&[tensor, part]));
            }
            let axes = [(outer, (along * inner) as i64), (n * inner, 1)];
            self.select(name, op, (input, output), (at * inner) as i64, &axes)?;
            at += n;
        }
        if at != along {
            return Err(format!("its outputs hold {at} of {along} along the axis"));
        }
        Ok(())
    }

    /// SPLIT and SPLIT_V: the axis is a constant.
    pub(super) fn split_at(
        &mut self,
        name: &str,
        op: &Operator,
        [input, axis]: [usize; 2],
    ) -> Result<(), String> {
        let axis = int32(self.tensor(op, axis)?, 1)?[0];
        self.split(name, op, input, axis)
    }

    /// CONCATENATION and PACK: the inputs are parts of the output, one behind the other along an
    /// axis of the output.
    pub(super) fn join(&mut self, name: &str, op: &Operator, axis: i32) -> Result<(), String> {
        let output = self.result(op);
        let axis = axis_index(axis, output.shape.len())?;
        let outer: usize = output.shape[..axis].iter().product();
        let line = output.n_elements() / outer;
        let y = self.new_output(op)?;
        let mut at = 0;
        for i in 0..op.inputs.len() {
            let part = self.tensor(op, i)?;
            let n = part.n_elements() / outer;
            if part.n_elements() != n * outer || part.dtype != output.dtype || at + n > line {
                return Err(shapes(&[part, output]));
            }
            let mut x = self.input(op, i)?;
            if part.dtype == DType::I8 && single_scale(part)? != single_scale(output)? {
                x = self.rescaled(name, x, part, output)?;
            }
            let axes = [(outer, n as i64, line as i64), (n, 1, 1)];
            self.strided_copy(name, (x, 0), (y, at as i64), &axes)?;
            at += n;
        }
        if at != line {
            return Err(format!("its inputs hold {at} of {line} along the axis"));
        }
        Ok(())
    }

    /// PAD and PADV2.
    pub(super) fn pad(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let before = paddings(input, self.tensor(op, 1)?, output)?;
        let zero = match output.dtype {
            DType::I8 | DType::I16 => single_scale(output)?.1,
            dtype => return Err(format!("padding of {dtype} is not run: use int8")),
        };
        let value = match op.inputs.get(2) {
            None | Some(None) => zero,
            Some(_) => {
                let value = self.tensor(op, 2)?;
                match (value.dtype, value.data.as_deref()) {
                    (DType::I8, Some(&[byte])) => i32::from(byte as i8),
                    (DType::I16, Some(&[low, high])) => i16::from_le_bytes([low, high]).into(),
                    _ => return Err("its value is not one constant of the output's type".into()),
                }
            }
        };
        let x = self.input(op, 0)?;
        let y = self.new_output(op)?;
        let fill = match output.dtype {
            DType::I16 => &strided_copy::FILL_16,
            _ => &strided_copy::FILL_8,
        };
        self.step(fill, name, &[y], &[value as u32]);
        let y_strides = strides(&output.shape);
        let offset = before.iter().zip(&y_strides).map(|(b, s)| *b as i64 * s);
        let axes: Vec<CopyAxis> = input
            .shape
            .iter()
            .zip(strides(&input.shape))
            .zip(&y_strides)
            .map(|((&n, x), &y)| (n, x, y))
            .collect();
        self.strided_copy(name, (x, 0), (y, offset.sum()), &axes)
    }

    pub(super) fn broadcast_to(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let missing = output.shape.len().checked_sub(input.shape.len());
        let missing = missing.ok_or_else(|| shapes(&[input, output]))?;
        let given = [vec![1; missing], input.shape.clone()].concat();
        let fits = given
            .iter()
            .zip(&output.shape)
            .all(|(&d, &n)| d == n || d == 1);
        if !fits {
            return Err(shapes(&[input, output]));
        }
        let step = strides(&given);
        let axes: Vec<(usize, i64)> = (0..given.len())
            .map(|i| (output.shape[i], if given[i] == 1 { 0 } else { step[i] }))
            .collect();
        self.select(name, op, (0, 0), 0, &axes)
    }

    pub(super) fn tile(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let input = self.tensor(op, 0)?;
        let times = int32(self.tensor(op, 1)?, input.shape.len())?;
        let mut axes = Vec::new();
        for ((&d, &times), step) in input.shape.iter().zip(&times).zip(strides(&input.shape)) {
            axes.push((usize::try_from(times).unwrap_or(0), 0));
            axes.push((d, step));
        }
        self.select(name, op, (0, 0), 0, &axes)
    }

    pub(super) fn reverse(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let input = self.tensor(op, 0)?;
        let mut axes: Vec<(usize, i64)> = input
            .shape
            .iter()
            .copied()
            .zip(strides(&input.shape))
            .collect();
        let mut offset = 0;
        for axis in integers(self.tensor(op, 1)?)? {
            let axis = axis_index(axis, input.shape.len())?;
            offset += (input.shape[axis] as i64 - 1) * axes[axis].1;
            axes[axis].1 *= -1;
        }
        self.select(name, op, (0, 0), offset, &axes)
    }

    /// SPACE_TO_DEPTH, or DEPTH_TO_SPACE with `spread`.
    pub(super) fn blocks(
        &mut self,
        name: &str,
        op: &Operator,
        size: usize,
        spread: bool,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let (&[batch, h, w, c], &[.., out_c]) = (input.shape.as_slice(), output.shape.as_slice())
        else {
            return Err(shapes(&[input, output]));
        };
        let image = (batch, (h * w * c) as i64);
        let axes = if spread {
            [
                image,
                (h, (w * c) as i64),
                (size, (size * out_c) as i64),
                (w, c as i64),
                (size, out_c as i64),
                (out_c, 1),
            ]
        } else {
            [
                image,
                (h / size, (size * w * c) as i64),
                (w / size, (size * c) as i64),
                (size, (w * c) as i64),
                (size, c as i64),
                (c, 1),
            ]
        };
        let whole = if spread {
            c == size * size * out_c
        } else {
            h % size == 0 && w % size == 0
        };
        if !whole {
            return Err(shapes(&[input, output]));
        }
        self.select(name, op, (0, 0), 0, &axes)
    }

    /// Appends a gather of rows and columns from `x`, `[outer, rows, columns, run]`.
    pub(super) fn gather_step(
        &mut self,
        name: &str,
        [x, y]: [TensorId; 2],
        [outer, in_rows, in_columns, run]: [usize; 4],
        [rows, columns]: [&[i32]; 2],
    ) -> Result<(), String> {
        for (table, limit) in [(rows, in_rows), (columns, in_columns)] {
            if let Some(bad) = table.iter().find(|&&i| i < 0 || i as usize >= limit) {
                return Err(format!("index {bad}, allowed are 0 to {}", limit - 1));
            }
        }
        let params = gather::Params {
            outer: outer as i32,
            in_rows: in_rows as i32,
            in_columns: in_columns as i32,
            run: run as i32,
        };
        let table = |plan: &mut crate::plan_builder::PlanBuilder, what: &str, values: &[i32]| {
            plan.table(&format!("{name}.{what}"), &[values.len()], values)
        };
        let rows = table(self.plan, "rows", rows);
        let columns = table(self.plan, "columns", columns);
        let ((x, elem), (y, _)) = (self.raw(x)?, self.raw(y)?);
        let op = match elem {
            Elem::I16 => &gather::GATHER_16,
            Elem::I32 => &gather::GATHER_32,
            _ => &gather::GATHER_8,
        };
        self.step(op, name, &[x, rows, columns, y], &params.encode());
        Ok(())
    }

    pub(super) fn gather(
        &mut self,
        name: &str,
        op: &Operator,
        axis: i32,
        batch_dims: i32,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let axis = axis_index(axis, input.shape.len())?;
        let indices = integers(self.tensor(op, 1)?)?;
        let (outer, run) = around(&input.shape, axis);
        let shared = usize::try_from(batch_dims).unwrap_or(usize::MAX);
        let batches: usize = input.shape.iter().take(shared).product();
        if batches != 1 || output.n_elements() != outer * indices.len() * run {
            return Err(shapes(&[input, output]));
        }
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        let dims = [outer, 1, input.shape[axis], run];
        self.gather_step(name, [x, y], dims, [&[0], &indices])
    }

    /// MIRROR_PAD: a gather for each padded axis.
    pub(super) fn mirror_pad(
        &mut self,
        name: &str,
        op: &Operator,
        symmetric: bool,
    ) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let before = paddings(input, self.tensor(op, 1)?, output)?;
        let mut x = self.input(op, 0)?;
        let y = self.new_output(op)?;
        let elem = self.plan.elem(x);
        let mut shape = input.shape.clone();
        let axes: Vec<usize> = (0..shape.len())
            .filter(|&i| shape[i] != output.shape[i])
            .collect();
        if axes.is_empty() {
            return self.strided_copy(name, (x, 0), (y, 0), &[(input.n_elements(), 1, 1)]);
        }
        for &axis in &axes {
            let (d, before) = (shape[axis] as i32, before[axis] as i32);
            // Reflection does not repeat the outermost element.
            let skip = i32::from(!symmetric);
            let indices: Vec<i32> = (0..output.shape[axis] as i32)
                .map(|i| match i - before {
                    i if i < 0 => -i - 1 + skip,
                    i if i >= d => 2 * d - 1 - i - skip,
                    i => i,
                })
                .collect();
            let (outer, run) = around(&shape, axis);
            let dims = [outer, 1, shape[axis], run];
            shape[axis] = output.shape[axis];
            let to = if Some(&axis) == axes.last() {
                y
            } else {
                self.plan.tensor(&format!("{name}.{axis}"), elem, &shape)
            };
            self.gather_step(name, [x, to], dims, [&[0], &indices])?;
            x = to;
        }
        Ok(())
    }
}

/// Elements before the input along each axis, after checking the output's shape.
fn paddings(input: &Tensor, paddings: &Tensor, output: &Tensor) -> Result<Vec<usize>, String> {
    let rank = input.shape.len();
    let values = int32(paddings, 2 * rank)?;
    let fits = output.shape.len() == rank
        && (0..rank).all(|i| {
            let (before, behind) = (i64::from(values[2 * i]), i64::from(values[2 * i + 1]));
            let sum = before + behind + input.shape[i] as i64;
            before >= 0 && behind >= 0 && sum == output.shape[i] as i64
        });
    if !fits {
        return Err(shapes(&[input, paddings, output]));
    }
    Ok(values.chunks(2).map(|pair| pair[0] as usize).collect())
}
