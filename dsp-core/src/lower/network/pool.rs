//! Average and maximum poolings.

use super::multiplier::clamp;
use super::windows::{Slide, image, only_int8, shapes};
use super::{Lowering, single_scale};
use otolith_classifier::ops::{packed, pool};
use otolith_tflite::{DType, Operator, Options};

impl Lowering<'_, '_> {
    pub(super) fn pool_2d(
        &mut self,
        name: &str,
        op: &Operator,
        options: &Options,
        max: bool,
    ) -> Result<(), String> {
        let &Options::Pool2D {
            filter_h,
            filter_w,
            activation,
            ..
        } = options
        else {
            return Err("its options are missing".into());
        };
        let slide = Slide::of(options, [filter_h, filter_w])?;
        let (input, output) = (self.tensor(op, 0)?, self.result(op));
        let y = self.new_output(op)?;
        let wide = input.dtype == DType::I16 && output.dtype == DType::I16;
        if !wide {
            only_int8(&[input, output])?;
        }
        let [batch, in_h, in_w, channels] = image(input)?;
        let [out_batch, out_h, out_w, out_c] = image(output)?;
        if out_batch != batch || out_c != channels {
            return Err(shapes(&[input, output]));
        }
        let (scale, zero_point) = single_scale(output)?;
        if single_scale(input)? != (scale, zero_point) {
            return Err("its input and output have different scales, allowed is the same".into());
        }
        let limits = if wide { (-32768, 32767) } else { (-128, 127) };
        let (low, high) = clamp(activation, limits, scale, zero_point)
            .ok_or_else(|| format!("the fused activation {activation:?} is not run: use ReLU"))?;
        let [stride_h, stride_w] = slide.stride.map(|s| s as i32);
        let [pad_top, pad_left] = slide.pads([in_h, in_w], [out_h, out_w])?;
        let params = pool::Params {
            batch: batch as i32,
            in_h: in_h as i32,
            in_w: in_w as i32,
            channels: channels as i32,
            out_h: out_h as i32,
            out_w: out_w as i32,
            kernel_h: filter_h as i32,
            kernel_w: filter_w as i32,
            stride_h,
            stride_w,
            pad_top,
            pad_left,
            min: low,
            max: high,
        };
        let x = self.input(op, 0)?;
        let whole = [filter_h, filter_w, batch, out_h, out_w] == [in_h, in_w, 1, 1, 1];
        if whole && !max && !wide && channels.is_multiple_of(8) && in_h * in_w <= 65535 {
            let params = packed::pool::Params {
                pixels: (in_h * in_w) as i32,
                channels: channels as i32,
                min: low,
                max: high,
            };
            let op = &packed::pool::GLOBAL_AVERAGE_POOL_I8;
            self.step(op, name, &[x, y], &params.encode());
            return Ok(());
        }
        let kernel = match (max, wide) {
            (true, false) => &pool::MAX_POOL_2D_I8,
            (false, false) => &pool::AVERAGE_POOL_2D_I8,
            (true, true) => &pool::MAX_POOL_2D_I16,
            (false, true) => &pool::AVERAGE_POOL_2D_I16,
        };
        self.step(kernel, name, &[x, y], &params.encode());
        Ok(())
    }
}
