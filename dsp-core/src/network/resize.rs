//! Images of another size.

use super::Values;
use super::node::Node;
use crate::executor::Real;
use otolith_tflite::Options;

/// How one axis of an image becomes another.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    align_corners: bool,
    half_pixel_centers: bool,
}

impl Axis {
    /// Input sizes over output sizes.
    fn ratio(self) -> f32 {
        match self.align_corners && self.output > 1 {
            true => (self.input - 1) as f32 / (self.output - 1) as f32,
            false => self.input as f32 / self.output as f32,
        }
    }

    /// The input element nearest to output element `at`.
    fn nearest(self, at: usize) -> usize {
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let place = (at as f32 + offset) * self.ratio();
        let place = match self.align_corners {
            true => libm::roundf(place),
            false => libm::floorf(place),
        };
        (place as usize).min(self.input - 1)
    }

    /// The two input elements around output element `at`, and the place between them in units
    /// of 1/1024.
    fn between(self, at: usize) -> (usize, usize, i64) {
        let (input, output) = (self.input as i64, self.output as i64);
        let scale = match self.align_corners && output > 1 {
            true => (1024 * (input - 1) + (output - 1) / 2) / (output - 1),
            false => (1024 * input + output / 2) / output,
        };
        let shift = if self.half_pixel_centers {
            scale / 2 - 512
        } else {
            0
        };
        let place = at as i64 * scale + shift;
        let low = (place / 1024).max(0);
        let high = ((place + 1023) / 1024).min(input - 1);
        (
            low.min(input - 1) as usize,
            high.max(0) as usize,
            place - 1024 * low,
        )
    }

    /// The same over real numbers.
    fn between_real(self, at: usize) -> (usize, usize, f32) {
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let place = (at as f32 + offset) * self.ratio() - offset;
        let low = libm::floorf(place).max(0.0);
        let high = (libm::ceilf(place).max(0.0) as usize).min(self.input - 1);
        ((low as usize).min(self.input - 1), high, place - low)
    }
}

/// Rows and columns of the operator, and its number of channels.
fn axes<F: Real>(node: &Node<'_, F>) -> Result<([Axis; 2], usize), String> {
    let &Options::Resize {
        align_corners,
        half_pixel_centers,
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    let (input, output) = (&node.input(0)?.shape, &node.output().shape);
    let (&[batches, h, w, channels], &[out_batches, out_h, out_w, out_channels]) =
        (input.as_slice(), output.as_slice())
    else {
        return Err(node.shapes());
    };
    if (batches, channels) != (out_batches, out_channels) {
        return Err(node.shapes());
    }
    let axis = |input, output| Axis {
        input,
        output,
        align_corners,
        half_pixel_centers,
    };
    Ok(([axis(h, out_h), axis(w, out_w)], channels))
}

pub(super) fn nearest<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let ([rows, columns], channels) = axes(node)?;
    let batches = node.output().shape[0];
    let mut places = Vec::new();
    for batch in 0..batches {
        for y in 0..rows.output {
            for x in 0..columns.output {
                let row = batch * rows.input + rows.nearest(y);
                let first = (row * columns.input + columns.nearest(x)) * channels;
                places.extend((first..first + channels).map(Some));
            }
        }
    }
    Ok(super::movement::gather(
        node.values(0)?,
        &places,
        Default::default(),
    ))
}

pub(super) fn bilinear<F: Real>(node: &Node<'_, F>) -> Result<Values<F>, String> {
    let ([rows, columns], channels) = axes(node)?;
    let batches = node.output().shape[0];
    let at = |batch: usize, y: usize, x: usize, channel: usize| {
        ((batch * rows.input + y) * columns.input + x) * channels + channel
    };
    let outputs = (0..batches).flat_map(|batch| {
        (0..rows.output).flat_map(move |y| (0..columns.output).map(move |x| (batch, y, x)))
    });
    if node.is_real() {
        let values = node.reals(0)?;
        let mut results = Vec::new();
        for (batch, y, x) in outputs {
            let (top, bottom, down) = rows.between_real(y);
            let (left, right, across) = columns.between_real(x);
            let (down, across) = (F::from_sample(down), F::from_sample(across));
            let one = F::of(1.0);
            for channel in 0..channels {
                let value = |y, x| values[at(batch, y, x, channel)];
                let upper = value(top, left) * (one - across) + value(top, right) * across;
                let lower = value(bottom, left) * (one - across) + value(bottom, right) * across;
                results.push(upper * (one - down) + lower * down);
            }
        }
        return Ok(Values::Reals(results));
    }
    let values = node.integers(0)?;
    let mut results = Vec::new();
    for (batch, y, x) in outputs {
        let (top, bottom, down) = rows.between(y);
        let (left, right, across) = columns.between(x);
        for channel in 0..channels {
            let value = |y, x| values[at(batch, y, x, channel)];
            let sum = value(top, left) * (1024 - down) * (1024 - across)
                + value(bottom, left) * down * (1024 - across)
                + value(top, right) * (1024 - down) * across
                + value(bottom, right) * down * across;
            // Halves away from zero.
            let nudge = if sum > 0 { 1 << 19 } else { -(1 << 19) };
            results.push((sum + nudge) / (1 << 20));
        }
    }
    Ok(Values::Integers(results))
}
