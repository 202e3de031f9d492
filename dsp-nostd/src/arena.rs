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
    let mut parts: [&mut [u8]; 4] = Default::default();
    let mut left = places.map(|place| Some(order(place)));
    let mut rest = arena;
    // Cut in front of whichever comes last of those that are left.
    while let Some(last) = left.iter().copied().max().flatten() {
        let found = left.iter_mut().zip(&mut parts).zip(places);
        let mut found = found.filter(|((order, _), _)| **order == Some(last));
        let ((order, part), (start, end)) = found.next()?;
        let (low, high) = rest.split_at_mut_checked(start)?;
        *part = high.get_mut(..end.wrapping_sub(start))?;
        (*order, rest) = (None, low);
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Whether parts lie inside the arena and none shares a byte with another.
    fn may_be_cut(places: &[Place], len: usize) -> bool {
        let inside = places
            .iter()
            .all(|&(start, end)| start <= end && end <= len);
        let mut owners = vec![0; len];
        inside && {
            for &(start, end) in places {
                owners[start..end].iter_mut().for_each(|n| *n += 1);
            }
            owners.iter().all(|&n| n <= 1)
        }
    }

    proptest! {
        #[test]
        fn parts_are_those_that_were_asked_for(
            places in prop::array::uniform4((0usize..24, 1usize..7)),
            absent in 0usize..4,
        ) {
            let mut places = places.map(|(start, len)| (start, start + len));
            places[absent] = (0, 0);
            let mut arena: Vec<u8> = (0..24).collect();
            let found = apart(&mut arena, places).map(|parts| parts.map(|part| part.to_vec()));
            prop_assert_eq!(found.is_some(), may_be_cut(&places, 24));
            for (part, (start, end)) in found.iter().flatten().zip(places) {
                prop_assert_eq!(part, &(start as u8..end as u8).collect::<Vec<_>>());
            }
        }

        #[test]
        fn two_parts_are_those_that_were_asked_for(
            places in prop::array::uniform2((0usize..24, 1usize..12)),
        ) {
            let places = places.map(|(start, len)| (start, start + len));
            let mut arena: Vec<u8> = (0..24).collect();
            let [a, b] = places;
            let found = cut2(&mut arena, a, b).map(|(a, b)| [a.to_vec(), b.to_vec()]);
            prop_assert_eq!(found.is_some(), may_be_cut(&places, 24));
            for (part, (start, end)) in found.iter().flatten().zip(places) {
                prop_assert_eq!(part, &(start as u8..end as u8).collect::<Vec<_>>());
            }
        }
    }
}
