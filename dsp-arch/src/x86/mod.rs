//! Kernels for x86-64 with AVX2, which is looked for at run time.
//!
//! The widest integer product of AVX2 takes sixteen 16-bit numbers and adds them up in pairs. It
//! meets the packed weights as they are: one product with the halves `256 * w[even] + w[odd]`, and
//! one with their lower bytes. There are no kernels for AVX-512 and its byte products.
//!
//! Input is widened to 16 bits once, whole images with their padding where they fit, so that windows
//! which overlap share it; the weights of sixteen channels are taken apart once for all pixels.

pub(crate) mod conv;
pub(crate) mod depthwise;
mod requant;
pub(crate) mod routines;
#[cfg(test)]
mod tests;

cpufeatures::new!(avx2, "avx2");

/// Whether the processor has AVX2.
#[inline]
pub(crate) fn available() -> bool {
    avx2::get()
}
