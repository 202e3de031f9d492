//! What tools see of a plan that runs.

use crate::format::{Elem, Element, Place};
use crate::op::byte_range;
use crate::plan::Plan;

/// The tensors of a plan as a step left them.
#[derive(Debug)]
pub struct Tensors<'r> {
    pub(super) plan: &'r Plan<'r>,
    pub(super) arena: &'r [u8],
    pub(super) row_offset: u32,
}

impl Tensors<'_> {
    /// Element type of tensor `index`.
    pub fn elem(&self, index: usize) -> Option<Elem> {
        Elem::from_code(self.plan.tensors.get(index)?.elem)
    }

    /// The elements of tensor `index`, a table's too. `None` when there is no such tensor or it
    /// holds another type. Memory that later steps use again shows what they wrote.
    pub fn get<T: Element>(&self, index: usize) -> Option<&[T]> {
        if self.elem(index)? != T::ELEM {
            return None;
        }
        bytemuck::try_cast_slice(self.bytes(index)?).ok()
    }

    /// The bytes of tensor `index`, as [`get`](Self::get) its elements.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        let record = self.plan.tensors.get(index)?;
        let range = byte_range(record);
        match Place::from_code(record.place)? {
            Place::Data => self.plan.data.get(range),
            Place::Arena => self.arena.get(range),
            Place::Row => {
                let row = self.arena.get(self.row_offset as usize..)?;
                row.get(range)
            }
        }
    }
}

/// Is told of every step that ran. [`Unobserved`] costs nothing.
pub(super) trait Observe {
    fn ran<'r>(&mut self, section: usize, step: usize, tensors: impl FnOnce() -> Tensors<'r>);
}

pub(super) struct Unobserved;

impl Observe for Unobserved {
    #[inline(always)]
    fn ran<'r>(&mut self, _: usize, _: usize, _: impl FnOnce() -> Tensors<'r>) {}
}

pub(super) struct Observed<'f, F>(pub(super) &'f mut F);

impl<F: FnMut(usize, &Tensors<'_>)> Observe for Observed<'_, F> {
    fn ran<'r>(&mut self, section: usize, step: usize, tensors: impl FnOnce() -> Tensors<'r>) {
        let tensors = tensors();
        let before: usize = (0..section)
            .map(|section| {
                let [window, frame] = tensors.plan.lane(section / 2).steps;
                usize::from(if section % 2 == 0 { window } else { frame })
            })
            .sum();
        (self.0)(before + step, &tensors);
    }
}
