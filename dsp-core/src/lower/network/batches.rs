//! SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: the converter's frame around a dilated convolution.

use super::movement::{CopyAxis, strides};
use super::weighted::int32;
use super::windows::shapes;
use super::{Lowering, elem, single_scale};
use otolith_classifier::ops::strided_copy;
use otolith_tflite::{DType, Operator, Tensor};

/// Blocks and borders of one operator.
struct Blocks {
    /// Height and width of a block; 1 for the width of a tensor of three dimensions.
    size: [usize; 2],
    /// Elements in front of and behind each of both axes.
    borders: [[usize; 2]; 2],
}

/// Shape with two spatial axes: of three dimensions, the second one has size 1.
fn image(tensor: &Tensor) -> Option<[usize; 4]> {
    match *tensor.shape.as_slice() {
        [n, h, c] => Some([n, h, 1, c]),
        [n, h, w, c] => Some([n, h, w, c]),
        _ => None,
    }
}

impl Lowering<'_, '_> {
    fn block_options(&self, op: &Operator) -> Result<Blocks, String> {
        let axes = self.tensor(op, 0)?.shape.len().saturating_sub(2);
        let sizes = int32(self.tensor(op, 1)?, axes)?;
        let borders = int32(self.tensor(op, 2)?, 2 * axes)?;
        let mut blocks = Blocks {
            size: [1; 2],
            borders: [[0; 2]; 2],
        };
        let fault = || format!("its blocks are {sizes:?} and its borders {borders:?}");
        for (axis, (&size, border)) in sizes.iter().zip(borders.chunks(2)).enumerate().take(2) {
            blocks.size[axis] = usize::try_from(size)
                .ok()
                .filter(|&n| n > 0)
                .ok_or_else(fault)?;
            for (place, &width) in blocks.borders[axis].iter_mut().zip(border) {
                *place = usize::try_from(width).map_err(|_| fault())?;
            }
        }
        Ok(blocks)
    }

    /// Every element of a block gets a batch of its own: `y[(i b1 + j) n + k, h, w, c] = x[k, h b0 + i,
    /// w b1 + j, c]`, of the input with borders of its zero point.
    pub(super) fn space_to_batch(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let Blocks {
            size: [b0, b1],
            borders,
        } = self.block_options(op)?;
        let (Some([n, h, w, c]), Some(out)) = (image(input), image(output)) else {
            return Err(shapes(&[input, output]));
        };
        let [[top, bottom], [left, right]] = borders;
        let (ph, pw) = (h + top + bottom, w + left + right);
        let fits = ph % b0 == 0
            && pw % b1 == 0
            && out == [n * b0 * b1, ph / b0, pw / b1, c]
            && input.dtype == output.dtype;
        if !fits {
            return Err(shapes(&[input, output]));
        }
        let mut x = self.input(op, 0)?;
        if (ph, pw) != (h, w) {
            let (fill, elem) = match input.dtype {
                DType::I8 => (&strided_copy::FILL_8, elem(DType::I8)),
                DType::I16 => (&strided_copy::FILL_16, elem(DType::I16)),
                dtype => return Err(format!("borders of {dtype} are not run: use int8")),
            };
            let elem = elem.ok_or("its type is unknown")?;
            let zero = single_scale(output)?.1;
            let padded = self
                .plan
                .tensor(&format!("{name}.padded"), elem, &[n, ph, pw, c]);
            self.step(fill, name, &[padded], &[zero as u32]);
            let (from, to) = (strides(&[n, h, w, c]), strides(&[n, ph, pw, c]));
            let axes: Vec<CopyAxis> = [n, h, w, c]
                .into_iter()
                .zip(from.into_iter().zip(&to))
                .map(|(size, (x, &y))| (size, x, y))
                .collect();
            let at = top as i64 * to[1] + left as i64 * to[2];
            self.strided_copy(name, (x, 0), (padded, at), &axes)?;
            x = padded;
        }
        let step = strides(&[n, ph, pw, c]);
        let axes = [
            (b0, step[1]),
            (b1, step[2]),
            (n, step[0]),
            (ph / b0, b0 as i64 * step[1]),
            (pw / b1, b1 as i64 * step[2]),
            (c, 1),
        ];
        let y = self.new_output(op)?;
        self.strided_copy(name, (x, 0), (y, 0), &in_order(&axes))
    }

    /// The inverse of [`space_to_batch`](Self::space_to_batch), whose borders are cut off.
    pub(super) fn batch_to_space(&mut self, name: &str, op: &Operator) -> Result<(), String> {
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let Blocks {
            size: [b0, b1],
            borders,
        } = self.block_options(op)?;
        let (Some([batches, h, w, c]), Some(out)) = (image(input), image(output)) else {
            return Err(shapes(&[input, output]));
        };
        let [[top, bottom], [left, right]] = borders;
        let n = batches / (b0 * b1);
        let whole = [n, h * b0, w * b1, c];
        let fits = n * b0 * b1 == batches
            && out[0] == n
            && out[3] == c
            && out[1] + top + bottom == whole[1]
            && out[2] + left + right == whole[2]
            && input.dtype == output.dtype;
        let elem = elem(input.dtype).filter(|_| fits);
        let elem = elem.ok_or_else(|| shapes(&[input, output]))?;
        let x = self.input(op, 0)?;
        let step = strides(&[b0, b1, n, h, w, c]);
        let axes = [
            (n, step[2]),
            (h, step[3]),
            (b0, step[0]),
            (w, step[4]),
            (b1, step[1]),
            (c, 1),
        ];
        if out == whole {
            let y = self.new_output(op)?;
            return self.strided_copy(name, (x, 0), (y, 0), &in_order(&axes));
        }
        let joined = self.plan.tensor(&format!("{name}.whole"), elem, &whole);
        self.strided_copy(name, (x, 0), (joined, 0), &in_order(&axes))?;
        let y = self.new_output(op)?;
        let (from, to) = (strides(&whole), strides(&out));
        let at = top as i64 * from[1] + left as i64 * from[2];
        let axes: Vec<CopyAxis> = out
            .into_iter()
            .zip(from.into_iter().zip(to))
            .map(|(size, (x, y))| (size, x, y))
            .collect();
        self.strided_copy(name, (joined, at), (y, 0), &axes)
    }
}

/// Axes of `(size, stride of the input)` in the order of the output.
fn in_order(axes: &[(usize, i64); 6]) -> Vec<CopyAxis> {
    let dims = axes.map(|axis| axis.0);
    let steps = axes.iter().zip(strides(&dims));
    steps.map(|(&(n, x), y)| (n, x, y)).collect()
}
