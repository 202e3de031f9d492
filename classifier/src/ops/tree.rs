//! Decision trees: `TREES_I32`, `TREES_F32`.

use crate::params::{MAX_DIM, expect_count, size};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Mean of the leaves of all trees, for features in `i32`.
///
/// The nodes of all trees stand one after the other, those of a tree in preorder: the root first,
/// the left child of node `i` at `i + 1`, its right child at `i + right[i]`. A node whose
/// `feature[i]` is -1 is a leaf, and `right[i]` is its row in `leaves`. From an inner node the way
/// goes left when `x[feature[i]] <= threshold[i]`, else right.
///
/// `y[l] = floor((2 sum + n_trees) / (2 n_trees))`, where `sum` is that of `leaves[leaf][l]` over
/// the leaf that each tree ends in: probabilities in Q15, 32768 for 1.
///
/// Operands: x `[features]`; feature i16 table `[nodes]`; threshold table `[nodes]` of x's type;
/// right u16 table `[nodes]`; roots u32 table `[trees]`, the first node of each tree, rising from
/// 0; leaves u16 table `[leaves * labels]`, each at most 32768; y i32 `[labels]`.
pub const TREES_I32: Op = Op {
    code: 0x02c0,
    name: "TREES_I32",
    check: check::<i32>,
    run: run::<i32>,
};

/// [`TREES_I32`] for features and thresholds in `f32`. A feature that is not a number goes right.
pub const TREES_F32: Op = Op {
    code: 0x02c1,
    name: "TREES_F32",
    check: check::<f32>,
    run: run::<f32>,
};

/// Largest entry of a leaf: 1 in Q15.
const ONE: u16 = 32768;

params! {
    /// Parameters of [`TREES_I32`] and [`TREES_F32`].
    Params {
        /// Number of labels.
        labels in 1, MAX_DIM;
    }
}

fn check<T: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(7)?;
    let p = Params::checked(step)?;
    let labels = size(p.labels).max(1);
    let n_features = step.count_of::<T>(0)?;
    let feature = step.table::<i16>(1)?;
    let nodes = feature.len();
    let right = step.table::<u16>(3)?;
    expect_count(step.table::<T>(2)?.len(), &[nodes as i32], 2)?;
    expect_count(right.len(), &[nodes as i32], 3)?;
    let roots = step.table::<u32>(4)?;
    if roots.is_empty() || roots.len() > size(MAX_DIM) {
        return Err(Fault::WrongLength { operand: 4 });
    }
    let leaves = step.table::<u16>(5)?;
    if !leaves.len().is_multiple_of(labels) {
        return Err(Fault::WrongLength { operand: 5 });
    }
    if leaves.iter().any(|&p| p > ONE) {
        return Err(Fault::BadTable { operand: 5 });
    }
    expect_count(step.count_of_output::<i32>(6)?, &[p.labels], 6)?;
    step.expect_disjoint(0, 6)?;

    let n_leaves = leaves.len().checked_div(labels).unwrap_or(0);
    let ends = roots.iter().skip(1).map(|&r| r as usize);
    let mut start = 0;
    for (&root, end) in roots.iter().zip(ends.chain([nodes])) {
        if root as usize != start || end <= start || end > nodes {
            return Err(Fault::BadTable { operand: 4 });
        }
        // Both children of a node lie behind it and inside its tree, so that every way ends.
        let tree = (start..end).zip(feature.get(start..end).unwrap_or_default());
        for ((node, &feature), &right) in tree.zip(right.get(start..end).unwrap_or_default()) {
            let right = usize::from(right);
            match usize::try_from(feature) {
                Err(_) if feature == -1 && right < n_leaves => {}
                Ok(f) if f < n_features && node + 1 < end && right > 0 && node + right < end => {}
                Ok(f) if f < n_features => return Err(Fault::BadTable { operand: 3 }),
                _ => return Err(Fault::BadTable { operand: 1 }),
            }
        }
        start = end;
    }
    Ok(())
}

fn run<T: Element + PartialOrd>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let Params { labels } = Params::decode(io.step.params()?);
    let labels = size(labels);
    let feature = io.step.table::<i16>(1)?;
    let threshold = io.step.table::<T>(2)?;
    let right = io.step.table::<u16>(3)?;
    let roots = io.step.table::<u32>(4)?;
    let leaves = io.step.table::<u16>(5)?;
    let (x, y) = io.read_write::<T, i32>(0, 6)?;

    y.fill(0);
    for &root in roots {
        let mut node = root as usize;
        // A node after another, each behind the last.
        while let (Some(&f), Some(&to), Some(t)) =
            (feature.get(node), right.get(node), threshold.get(node))
        {
            let to = usize::from(to);
            let Ok(f) = usize::try_from(f) else {
                let leaf = leaves.get(to.wrapping_mul(labels)..).unwrap_or_default();
                for (y, &p) in y.iter_mut().zip(leaf) {
                    *y = y.wrapping_add(i32::from(p));
                }
                break;
            };
            let left = x.get(f).is_some_and(|x| x <= t);
            node = node.wrapping_add(if left { 1 } else { to.max(1) });
        }
    }
    // Below 2^31: at most 65535 trees of 32768 each, and half a tree.
    let trees = roots.len() as u32;
    for y in y {
        let sum = (*y as u32).wrapping_add(trees / 2);
        *y = sum.checked_div(trees).unwrap_or(0) as i32;
    }
    Ok(())
}
