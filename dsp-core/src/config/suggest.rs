//! "Did you mean".

/// The candidate that `word` most likely was meant to be, if any is near.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let near = |distance: usize, candidate: &str| {
        distance * 3 <= candidate.len().max(word.len()) || distance <= 1
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(d, candidate)| near(d, candidate))
        .min_by_key(|&(d, _)| d)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    // Longer words are never near a field's name, and the work grows with the product.
    const LONGEST: usize = 64;
    let a: Vec<char> = a.chars().take(LONGEST).collect();
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("n_mels", "n_mels"), 0);
        assert_eq!(distance("n_mel", "n_mels"), 1);
        assert_eq!(distance("mn_els", "nm_els"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["n_mels", "n_coeffs", "frame_ms"];
        assert_eq!(nearest("n_mel", names), Some("n_mels"));
        assert_eq!(nearest("FrameMs", names), Some("frame_ms"));
        assert_eq!(nearest("colour", names), None);
    }
}
