//! Images of another size.

use super::Lowering;
use super::windows::{only_int8, shapes};
use otolith_classifier::ops::resize;
use otolith_tflite::Operator;

impl Lowering<'_, '_> {
    fn images(&self, op: &Operator) -> Result<[[usize; 4]; 2], String> {
        let tensors = [self.tensor(op, 0)?, self.result(op)];
        let shape = |i: usize| <[usize; 4]>::try_from(tensors[i].shape.as_slice()).ok();
        match (shape(0), shape(1)) {
            (Some(x), Some(y)) if x[0] == y[0] && x[3] == y[3] => Ok([x, y]),
            _ => Err(shapes(&tensors)),
        }
    }

    pub(super) fn resize_nearest(
        &mut self,
        name: &str,
        op: &Operator,
        align_corners: bool,
        half_pixel_centers: bool,
    ) -> Result<(), String> {
        let [[batch, in_h, in_w, channels], [_, out_h, out_w, _]] = self.images(op)?;
        let indices = |n: usize, out: usize| -> Vec<i32> {
            // In f32, as the reference.
            let scale = if align_corners && out > 1 {
                (n - 1) as f32 / (out - 1) as f32
            } else {
                n as f32 / out as f32
            };
            let centre = if half_pixel_centers { 0.5 } else { 0.0 };
            let nearest = |i: usize| {
                let at = (i as f32 + centre) * scale;
                let at = if align_corners {
                    libm::roundf(at)
                } else {
                    libm::floorf(at)
                };
                (at as i32).clamp(0, n as i32 - 1)
            };
            (0..out).map(nearest).collect()
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        let dims = [batch, in_h, in_w, channels];
        let (rows, columns) = (indices(in_h, out_h), indices(in_w, out_w));
        self.gather_step(name, [x, y], dims, [&rows, &columns])
    }

    pub(super) fn resize_bilinear(
        &mut self,
        name: &str,
        op: &Operator,
        align_corners: bool,
        half_pixel_centers: bool,
    ) -> Result<(), String> {
        only_int8(&[self.tensor(op, 0)?, self.result(op)])?;
        self.same_scale(&[self.tensor(op, 0)?, self.result(op)])?;
        let [[batch, in_h, in_w, channels], [_, out_h, out_w, _]] = self.images(op)?;
        // In 1/1024 of a pixel.
        let place = |n: usize, out: usize| -> Result<(i32, i32), String> {
            let (n, out) = (n as i64, out as i64);
            let scale = if align_corners && out > 1 {
                (1024 * (n - 1) + (out - 1) / 2) / (out - 1)
            } else {
                (1024 * n + out / 2) / out
            };
            let offset = if half_pixel_centers {
                scale / 2 - 512
            } else {
                0
            };
            if ((out - 1) * scale + offset) / 1024 >= n {
                return Err(format!(
                    "it stretches {n} pixels to {out}, too many to be exact"
                ));
            }
            Ok((scale as i32, offset as i32))
        };
        let ((y_scale, y_offset), (x_scale, x_offset)) = (place(in_h, out_h)?, place(in_w, out_w)?);
        let params = resize::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            channels: channels as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            y_scale,
            y_offset,
            x_scale,
            x_offset,
        };
        let (x, y) = (self.input(op, 0)?, self.new_output(op)?);
        self.step(&resize::RESIZE_BILINEAR_I8, name, &[x, y], &params.encode());
        Ok(())
    }
}
