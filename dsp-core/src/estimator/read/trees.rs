//! Trees in the file of an estimator.

use super::{Fields, MOST, ReadError, length, number};
use crate::estimator::trees::{Combine, Forest, Node, Tree};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeFile {
    feature: Vec<i64>,
    threshold: Vec<f64>,
    left: Vec<i64>,
    right: Vec<i64>,
    value: Vec<Vec<f64>>,
}

pub(super) fn forest(
    fields: &mut Fields,
    n_features: usize,
    labels: usize,
) -> Result<Forest, ReadError> {
    let combine: String = fields.take("combine")?;
    let combine = match combine.as_str() {
        "mean" => Combine::Mean,
        "votes" => Combine::Votes,
        other => {
            let allowed = "expected \"mean\" or \"votes\"";
            return Err(ReadError::new("combine", format!("{other:?}"), allowed));
        }
    };
    let files: Vec<TreeFile> = fields.take("trees")?;
    length("trees", files.len(), 1..=MOST)?;
    let trees = files
        .into_iter()
        .enumerate()
        .map(|(i, file)| tree(&format!("trees[{i}]"), file, n_features, labels))
        .collect::<Result<_, _>>()?;
    Ok(Forest { combine, trees })
}

/// Checks a tree and puts its nodes in preorder.
pub(super) fn tree(
    path: &str,
    file: TreeFile,
    n_features: usize,
    labels: usize,
) -> Result<Tree, ReadError> {
    let n = file.feature.len();
    length(&format!("{path}.feature"), n, 1..=MOST)?;
    length(&format!("{path}.threshold"), file.threshold.len(), n..=n)?;
    length(&format!("{path}.left"), file.left.len(), n..=n)?;
    length(&format!("{path}.right"), file.right.len(), n..=n)?;
    length(&format!("{path}.value"), file.value.len(), n..=n)?;
    let mut nodes = Vec::with_capacity(n);
    let mut reached = vec![false; n];
    // Nodes to visit, each with the node whose right child it is.
    let mut next: Vec<(usize, Option<usize>)> = vec![(0, None)];
    while let Some((i, parent)) = next.pop() {
        if std::mem::replace(&mut reached[i], true) {
            let allowed = "expected a tree, in which a node is the child of one other";
            let found = format!("node {i} as the child of several");
            return Err(ReadError::new(path, found, allowed));
        }
        let here = nodes.len();
        if let Some(parent) = parent
            && let Some(Node::Split { right, .. }) = nodes.get_mut(parent)
        {
            *right = here;
        }
        if file.feature[i] < 0 {
            nodes.push(leaf(&format!("{path}.value[{i}]"), &file.value[i], labels)?);
            continue;
        }
        let feature = usize::try_from(file.feature[i]).unwrap_or(usize::MAX);
        if feature >= n_features {
            let allowed = format!(
                "expected a feature from 0 to {}, or -1 for a leaf",
                n_features - 1
            );
            return Err(ReadError::new(
                format!("{path}.feature[{i}]"),
                feature,
                allowed,
            ));
        }
        let at = format!("{path}.threshold[{i}]");
        number(at, file.threshold[i], |_| true, "a finite number")?;
        let child = |name: &str, child: i64| {
            let found = usize::try_from(child).ok().filter(|&c| c > i && c < n);
            found.ok_or_else(|| {
                let last = n - 1;
                let allowed = format!(
                    "expected a node from {} to {last}: children come after their parent",
                    i + 1
                );
                ReadError::new(format!("{path}.{name}[{i}]"), child, allowed)
            })
        };
        let (left, right) = (child("left", file.left[i])?, child("right", file.right[i])?);
        nodes.push(Node::Split {
            feature,
            threshold: file.threshold[i],
            right: 0,
        });
        next.push((right, Some(here)));
        next.push((left, None));
    }
    if let Some(i) = reached.iter().position(|reached| !reached) {
        let allowed = "expected every node to be the child of another: remove it";
        let found = format!("node {i}, which nothing leads to");
        return Err(ReadError::new(path, found, allowed));
    }
    Ok(Tree { nodes })
}

/// A leaf with its values as shares of their sum.
fn leaf(path: &str, values: &[f64], labels: usize) -> Result<Node, ReadError> {
    length(path, values.len(), labels..=labels)?;
    for (i, &x) in values.iter().enumerate() {
        number(
            format!("{path}[{i}]"),
            x,
            |x| x >= 0.0,
            "a number of at least 0",
        )?;
    }
    let sum: f64 = values.iter().sum();
    number(
        path.into(),
        sum,
        |sum| sum > 0.0,
        "numbers whose sum is above 0",
    )?;
    Ok(Node::Leaf(values.iter().map(|x| x / sum).collect()))
}
