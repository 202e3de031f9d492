//! Separate parts of an arena, for operators that read some tensors while they write others.

/// Where a part starts and ends.
pub(crate) type Place = (usize, usize);

/// A number that orders parts that do not overlap, empty ones too.
#[inline(always)]
fn order((start, end): Place) -> usize {
    start.wrapping_add(end)
}

/// Two parts of the arena; `None` when they overlap or lie outside.
#[inline(always)]
pub(crate) fn cut2(arena: &mut [u8], a: Place, b: Place) -> Option<(&mut [u8], &mut [u8])> {
    // Cut in front of whichever comes later.
    let swap = order(a) > order(b);
    let (first, second) = if swap { (b, a) } else { (a, b) };
    let (low, high) = arena.split_at_mut_checked(second.0)?;
    let low = low.get_mut(first.0..first.1)?;
    let high = high.get_mut(..second.1.wrapping_sub(second.0))?;
    Some(if swap { (high, low) } else { (low, high) })
}

/// Two parts of the arena to read, and one to write that overlaps neither.
pub(crate) fn around(
    arena: &mut [u8],
    a: Place,
    b: Place,
    to: Place,
) -> Option<(&[u8], &[u8], &mut [u8])> {
    let (low, rest) = arena.split_at_mut_checked(to.0)?;
    let (out, high) = rest.split_at_mut_checked(to.1.wrapping_sub(to.0))?;
    let (low, high): (&[u8], &[u8]) = (low, high);
    let side = |x: Place| match x.0.checked_sub(to.1) {
        Some(start) => high.get(start..x.1.wrapping_sub(to.1)),
        None => low.get(x.0..x.1),
    };
    Some((side(a)?, side(b)?, out))
}

/// Four parts of the arena; `None` when two overlap or one lies outside.
#[inline(never)]
pub(crate) fn apart(arena: &mut [u8], places: [Place; 4]) -> Option<[&mut [u8]; 4]> {
    let ranges = places.map(|(start, end)| start..end);
    arena.get_disjoint_mut(ranges).ok()
}
