//! The bytes of a plan in aligned memory.

use std::ops::Deref;

/// The bytes of a plan, aligned as a plan must be.
#[derive(Clone, PartialEq, Eq)]
pub struct PlanBytes {
    words: Vec<u64>,
    len: usize,
}

impl PlanBytes {
    /// Copies `bytes` into aligned memory. They are not checked.
    pub fn copy_from(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self {
            words,
            len: bytes.len(),
        }
    }
}

impl Deref for PlanBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.len]
    }
}

impl std::fmt::Debug for PlanBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlanBytes({} bytes)", self.len)
    }
}
