//! Decision trees and random forests.

/// Trees whose leaves are averaged.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// What a leaf says.
    pub combine: Combine,
    /// At least one.
    pub trees: Vec<Tree>,
}

/// What each tree adds to the mean over all trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// The probabilities of its leaf, as scikit-learn's forests.
    Mean,
    /// 1 for the most probable label of its leaf, the first of equals.
    Votes,
}

/// A decision tree: nodes in preorder, the root first, the left child of a node right behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Left, to the next node, when `x[feature] <= threshold`, else to node `right`.
    Split {
        /// Index of the feature.
        feature: usize,
        /// Largest value that goes left.
        threshold: f64,
        /// Index of the right child.
        right: usize,
    },
    /// Probabilities of all labels.
    Leaf(Vec<f64>),
}

impl Tree {
    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The leaf that `x` ends in. Features are rounded to f32 first, as scikit-learn does.
    fn leaf(&self, x: &[f64]) -> &[f64] {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(probabilities) => return probabilities,
                Node::Split {
                    feature,
                    threshold,
                    right,
                } => {
                    let left = f64::from(x[*feature] as f32) <= *threshold;
                    at = if left { at + 1 } else { *right };
                }
            }
        }
    }
}

impl Forest {
    /// What a leaf adds.
    pub(crate) fn said(&self, leaf: &[f64]) -> Vec<f64> {
        match self.combine {
            Combine::Mean => leaf.to_vec(),
            Combine::Votes => {
                let mut best = 0;
                for (label, p) in leaf.iter().enumerate() {
                    if *p > leaf[best] {
                        best = label;
                    }
                }
                let vote = |label| if label == best { 1.0 } else { 0.0 };
                (0..leaf.len()).map(vote).collect()
            }
        }
    }

    pub(super) fn probabilities(&self, x: &[f64], labels: usize) -> Vec<f64> {
        let mut sums = vec![0.0; labels];
        for tree in &self.trees {
            for (sum, p) in sums.iter_mut().zip(self.said(tree.leaf(x))) {
                *sum += p;
            }
        }
        let n = self.trees.len() as f64;
        sums.into_iter().map(|sum| sum / n).collect()
    }
}
