//! Where a sliding window lies on its input, one axis at a time.

/// One axis of a convolution or pooling.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) input: i32,
    pub(crate) output: i32,
    pub(crate) kernel: i32,
    pub(crate) stride: i32,
    pub(crate) dilation: i32,
    pub(crate) pad: i32,
}

impl Axis {
    /// Whether no coordinate overflows.
    pub(crate) fn fits(&self) -> bool {
        let far = i64::from(self.output - 1) * i64::from(self.stride)
            + i64::from(self.kernel - 1) * i64::from(self.dilation);
        far <= i64::from(i32::MAX)
    }

    /// Whether every window covers at least one element, for undilated windows.
    pub(crate) fn covers(&self) -> bool {
        let last = i64::from(self.output - 1) * i64::from(self.stride) - i64::from(self.pad);
        self.pad < self.kernel && last < i64::from(self.input)
    }

    /// Input coordinate of tap 0 of the window of output `out`; negative in the padding.
    #[inline(always)]
    pub(crate) fn start(&self, out: usize) -> i32 {
        (out as i32)
            .wrapping_mul(self.stride)
            .wrapping_sub(self.pad)
    }

    /// Input coordinate of `tap`, `None` in the padding.
    #[inline(always)]
    pub(crate) fn at(&self, start: i32, tap: usize) -> Option<usize> {
        let at = start.wrapping_add((tap as i32).wrapping_mul(self.dilation));
        (at >= 0 && at < self.input).then_some(at as usize)
    }

    /// The coordinate of tap 0 when all taps lie side by side inside the input.
    #[inline(always)]
    pub(crate) fn inside(&self, start: i32) -> Option<usize> {
        (self.dilation == 1 && start >= 0 && start <= self.input - self.kernel)
            .then_some(start as usize)
    }
}

/// Steps through two iterators together.
///
/// `Iterator::zip` asks chunk iterators for their number of chunks: a division whose check for
/// zero would stay in a firmware image as a panic.
#[inline(always)]
pub(crate) fn pairs<A, B>(
    a: impl IntoIterator<Item = A>,
    b: impl IntoIterator<Item = B>,
) -> impl Iterator<Item = (A, B)> {
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    core::iter::from_fn(move || Some((a.next()?, b.next()?)))
}

/// The `len` elements of `x` from `at * len` on, `None` out of range.
#[inline(always)]
pub(crate) fn row<T>(x: &[T], at: usize, len: usize) -> Option<&[T]> {
    let from = at.checked_mul(len)?;
    x.get(from..from.checked_add(len)?)
}
