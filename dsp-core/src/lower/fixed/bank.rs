//! Filter banks with 16-bit weights.

use crate::graph::{Filter, FilterBank};

/// A filter bank in the form of an operator.
#[derive(Debug, PartialEq)]
pub(super) enum Bank {
    /// Triangles that share their edges.
    Triangles {
        first: usize,
        lengths: Vec<u16>,
        weights: Vec<u16>,
    },
    /// Anything else: each filter is to be multiplied with its gain.
    Sparse {
        first: Vec<u16>,
        lengths: Vec<u16>,
        weights: Vec<u16>,
        gains: Vec<f64>,
    },
}

impl Bank {
    pub(super) fn new(bank: &FilterBank) -> Self {
        triangles(&bank.filters).unwrap_or_else(|| sparse(&bank.filters))
    }
}

/// A weight from 0 to 1 in Q16.
fn q16(weight: f64) -> u16 {
    libm::round(weight * 65536.0).clamp(0.0, 65535.0) as u16
}

/// The bank as rises, if wherever two filters overlap one falls as the other rises.
fn triangles(filters: &[Filter]) -> Option<Bank> {
    const CLOSE: f64 = 1e-9;
    let last = filters.len().checked_sub(1).filter(|&last| last > 0)?;
    let bins = || {
        filters
            .iter()
            .enumerate()
            .filter(|(_, f)| f.weights.iter().any(|&w| w > 0.0))
    };
    let from = bins().map(|(_, f)| f.first).min()?;
    let to = bins().map(|(_, f)| f.first + f.weights.len()).max()?;
    let weight = |m: usize, k: usize| {
        let filter = &filters[m];
        let at = k.checked_sub(filter.first)?;
        filter.weights.get(at).copied().filter(|&w| w > CLOSE)
    };
    let peak = |m: usize| {
        let (mut best, mut at) = (0.0, 0);
        for (i, &w) in filters[m].weights.iter().enumerate() {
            if w > best {
                (best, at) = (w, filters[m].first + i);
            }
        }
        at
    };
    let mut lengths = vec![0u16; filters.len() + 1];
    let mut weights = Vec::new();
    let mut segment = 0;
    for k in from..to {
        let hit: Vec<(usize, f64)> = (0..=last)
            .filter_map(|m| weight(m, k).map(|w| (m, w)))
            .collect();
        // The segment in which filter `s` rises with weight `a` and filter `s - 1` falls.
        let (s, a) = match *hit.as_slice() {
            [(m, w)] if (w - 1.0).abs() < CLOSE => (m + 1, 0.0),
            // Alone: the first filter before its top, or the last one behind it.
            [(0, w)] if k <= peak(0) => (0, w),
            [(m, w)] if m == last && k >= peak(m) => (m + 1, 1.0 - w),
            [(m, w), (n, v)] if n == m + 1 && (w + v - 1.0).abs() < CLOSE => (n, v),
            _ => return None,
        };
        if s < segment {
            return None;
        }
        segment = s;
        lengths[s] = lengths[s].checked_add(1)?;
        weights.push(q16(a));
    }
    Some(Bank::Triangles {
        first: from,
        lengths,
        weights,
    })
}

fn sparse(filters: &[Filter]) -> Bank {
    let (mut weights, mut gains) = (Vec::new(), Vec::new());
    for filter in filters {
        let most = filter.weights.iter().copied().fold(0.0, f64::max);
        // The largest weight becomes 65535.
        let gain = if most > 0.0 {
            most * 65536.0 / 65535.0
        } else {
            1.0
        };
        weights.extend(filter.weights.iter().map(|&w| q16(w / gain)));
        gains.push(gain);
    }
    Bank::Sparse {
        first: filters.iter().map(|f| f.first as u16).collect(),
        lengths: filters.iter().map(|f| f.weights.len() as u16).collect(),
        weights,
        gains,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank(filters: &[(usize, &[f64])]) -> FilterBank {
        let filter = |&(first, weights): &(usize, &[f64])| Filter {
            first,
            weights: weights.to_vec(),
        };
        FilterBank {
            filters: filters.iter().map(filter).collect(),
        }
    }

    #[test]
    fn triangles_that_share_edges_become_rises() {
        let found = Bank::new(&bank(&[
            (1, &[0.5, 1.0, 0.75, 0.25]),
            (3, &[0.25, 0.75, 0.5]),
        ]));
        let quarter = 1 << 14;
        assert_eq!(
            found,
            Bank::Triangles {
                first: 1,
                lengths: vec![1, 3, 1],
                weights: vec![2 * quarter, 0, quarter, 3 * quarter, 2 * quarter],
            }
        );
    }

    #[test]
    fn tops_may_lie_between_bins() {
        let found = Bank::new(&bank(&[(1, &[0.25, 0.75, 0.25]), (3, &[0.75, 0.5])]));
        let quarter = 1 << 14;
        assert_eq!(
            found,
            Bank::Triangles {
                first: 1,
                lengths: vec![2, 1, 1],
                weights: vec![quarter, 3 * quarter, 3 * quarter, 2 * quarter],
            }
        );
    }

    #[test]
    fn other_banks_keep_their_weights() {
        let found = Bank::new(&bank(&[(0, &[1.0, 2.0]), (1, &[0.5])]));
        let Bank::Sparse { weights, gains, .. } = found else {
            panic!("{found:?}");
        };
        assert_eq!(weights, [32768, 65535, 65535]);
        assert!((gains[0] - 2.0).abs() < 1e-4 && (gains[1] - 0.5).abs() < 1e-4);
    }
}
