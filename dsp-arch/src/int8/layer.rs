//! Whole layers, for processors that gain from many pixels at once.
//!
//! A function here runs the layer and gives `Some`, or leaves everything as it was and gives `None`:
//! the caller then goes through the layer by the routines of the parent module. Tables are the
//! same, and so are the bits.

use super::{Channel, Packed, Sign, Weights3x3};

/// Input and output of a layer, which may start at the same byte.
pub trait Memory {
    /// What the layer reads.
    fn input(&self) -> &[i8];
    /// What the layer writes.
    fn output(&mut self) -> &mut [i8];
}

/// A 2-D convolution on packed weights, see the parent module.
#[derive(Clone, Copy, Debug)]
pub struct Conv<'a> {
    /// Weights and channels, filled up to a multiple of four channels.
    pub packed: Packed<'a>,
    /// Height, width and channels of the input.
    pub input: [usize; 3],
    /// Height, width and channels of the output.
    pub output: [usize; 3],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps of the kernel, down and to the right.
    pub stride: [usize; 2],
    /// Padding above and at the left.
    pub pad: [usize; 2],
    /// Bytes of a window's row, those that weights of 0 meet included: a multiple of four.
    pub row_bytes: usize,
    /// The kernel is 3 x 3 of three channels, its taps in the order of [`super::Windows::nine`].
    pub nine: bool,
    /// What padding holds: the input's zero point.
    pub padding: i8,
}

/// A 3 x 3 convolution of each channel by itself.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise3x3<'a> {
    /// Of each four channels.
    pub weights: &'a [Weights3x3],
    /// Of each four channels.
    pub channels: &'a [[Channel; 4]],
    /// Whether the lines of `weights` are columns of the kernel instead of rows.
    pub transposed: bool,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Step of the kernel, both ways: 1 or 2.
    pub stride: usize,
    /// Padding above and at the left: 0 or 1.
    pub pad: [usize; 2],
    /// What padding holds: the input's zero point.
    pub padding: i8,
    /// Whether the sign of sums matters.
    pub sign: Sign,
}

/// Image number `image` of a batch.
///
/// When input and output start together the kernel must be a single pixel and the stride 1.
#[inline]
pub fn conv<M: Memory>(conv: &Conv<'_>, image: usize, memory: &mut M) -> Option<()> {
    #[cfg(target_arch = "x86_64")]
    return crate::x86::conv::run(conv, image, memory);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (conv, image, memory);
        None
    }
}

/// The whole image. Input and output may start together.
#[inline]
pub fn depthwise_3x3<M: Memory>(layer: &Depthwise3x3<'_>, memory: &mut M) -> Option<()> {
    #[cfg(target_arch = "x86_64")]
    return crate::x86::depthwise::run(layer, memory);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (layer, memory);
        None
    }
}
