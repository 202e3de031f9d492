//! Checks that a C pointer must pass before it becomes a reference.

use crate::abi::oto_status;
use crate::status::{OTO_ERR_LENGTH, OTO_ERR_NULL};

/// Bytes of memory as numbers, to compare without touching them.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    start: usize,
    len: usize,
}

impl Region {
    pub(crate) fn of<T>(pointer: *const T, count: usize) -> Self {
        Self {
            start: pointer.addr(),
            len: count.saturating_mul(size_of::<T>()),
        }
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.len != 0
            && other.len != 0
            && self.start < other.start.saturating_add(other.len)
            && other.start < self.start.saturating_add(self.len)
    }
}

/// Checks that `count` elements at `pointer` can be a slice, as far as numbers tell: not NULL
/// unless empty, aligned (`misaligned` is the answer if not), and not longer than memory.
pub(crate) fn check_slice<T>(
    pointer: *const T,
    count: usize,
    misaligned: oto_status,
) -> Result<(), oto_status> {
    if count == 0 {
        return Ok(());
    }
    if pointer.is_null() {
        return Err(OTO_ERR_NULL);
    }
    if !pointer.is_aligned() {
        return Err(misaligned);
    }
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
        _ => Err(OTO_ERR_LENGTH),
    }
}

/// A slice of C memory; with a `count` of 0 the pointer may be anything.
///
/// # Safety
/// [`check_slice`] must have passed, and the memory must hold `count` elements that nobody writes
/// during `'a`.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    if count == 0 && (pointer.is_null() || !pointer.is_aligned()) {
        return &[];
    }
    // SAFETY: the caller checked NULL, alignment and length, and vouches for the memory.
    unsafe { core::slice::from_raw_parts(pointer, count) }
}
