//! Counting through the positions of a strided view.

/// Visits all index tuples of `dims` in C order and keeps the offset `sum(index * stride)`.
///
/// Offsets wrap: a negative stride is its two's complement.
pub(crate) struct Odometer<const N: usize> {
    dims: [usize; N],
    strides: [usize; N],
    index: [usize; N],
    offset: usize,
}

impl<const N: usize> Odometer<N> {
    pub(crate) fn new(dims: [usize; N], strides: [usize; N]) -> Self {
        Self {
            dims,
            strides,
            index: [0; N],
            offset: 0,
        }
    }

    /// The offset of the present position.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Steps to the next position; behind the last one comes the first.
    #[inline]
    pub(crate) fn advance(&mut self) {
        let axes = self.index.iter_mut().zip(&self.dims).zip(&self.strides);
        for ((index, &dim), &stride) in axes.rev() {
            *index += 1;
            self.offset = self.offset.wrapping_add(stride);
            if *index < dim {
                return;
            }
            self.offset = self.offset.wrapping_sub(stride.wrapping_mul(*index));
            *index = 0;
        }
    }
}

/// One more than the largest offset of a strided view, if it fits 31 bits.
pub(crate) fn extent(dims: &[i32], strides: &[i32]) -> Option<usize> {
    dims.iter()
        .zip(strides)
        .try_fold(1i64, |n, (&d, &s)| {
            n.checked_add(i64::from(d - 1).checked_mul(i64::from(s))?)
        })
        .and_then(|n| i32::try_from(n).ok())
        .and_then(|n| usize::try_from(n).ok())
}
