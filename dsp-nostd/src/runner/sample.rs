//! The types of samples that can be pushed.

use crate::format::{Elem, Element};
use crate::q;
use otolith_dsp_arch::dsp::memory;

/// Writes samples to the front of a source window's bytes.
pub(super) type Store<S> = fn(&[S], &mut [u8]);

/// A type of samples that can be pushed.
pub(super) trait Sample: Copy + 'static {
    /// How samples get into a source window whose elements have this code; `None` when they cannot.
    fn store(elem: u8) -> Option<Store<Self>>;
}

const I8: u8 = Elem::I8 as u8;
const I16: u8 = Elem::I16 as u8;
const I32: u8 = Elem::I32 as u8;
const F32: u8 = Elem::F32 as u8;

impl Sample for i8 {
    fn store(elem: u8) -> Option<Store<i8>> {
        match elem {
            I8 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

impl Sample for i32 {
    fn store(elem: u8) -> Option<Store<i32>> {
        match elem {
            I32 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

impl Sample for i16 {
    fn store(elem: u8) -> Option<Store<i16>> {
        match elem {
            I16 => Some(copy),
            F32 => Some(|from, to| each(from, to, q::i16_to_f32_bits)),
            _ => None,
        }
    }
}

impl Sample for f32 {
    fn store(elem: u8) -> Option<Store<f32>> {
        match elem {
            I16 => Some(|from, to| each(from, to, q::f32_to_i16)),
            F32 => Some(|from, to| each(from, to, |x| x)),
            _ => None,
        }
    }
}

/// Converts samples into elements of the source window, one by one.
fn each<S: Copy, T: Element>(from: &[S], to: &mut [u8], convert: impl Fn(S) -> T) {
    let to: &mut [T] = bytemuck::try_cast_slice_mut(to).unwrap_or_default();
    for (to, &from) in to.iter_mut().zip(from) {
        *to = convert(from);
    }
}

/// Copies samples: two at a time where both begin at a whole word.
fn copy(from: &[i16], to: &mut [u8]) {
    let words = bytemuck::try_cast_slice::<i16, u32>(from).ok();
    match (words, bytemuck::try_cast_slice_mut::<u8, u32>(to)) {
        (Some(from), Ok(to)) => memory::copy(from, to),
        _ => each(from, to, |x| x),
    }
}
