//! What was removed, and why that changes no output.

/// A layer that pruning made smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Index of the operator.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Output channels before.
    pub channels: usize,
    /// The output channels that were removed, in order; none where the layer only has fewer inputs.
    pub removed: Vec<Removed>,
    /// Multiplications before and after.
    pub macs: [u64; 2],
    /// Bytes of weights and biases before and after.
    pub weight_bytes: [usize; 2],
}

/// A channel that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its index before.
    pub channel: usize,
    /// The value that it has for every input of the model; `None` where it may have several, of
    /// which nothing behind it depends.
    pub value: Option<i8>,
    /// Why nobody misses it.
    pub reason: Reason,
}

/// Why a channel can go without changing an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It always has the zero point: it adds nothing to any sum behind it.
    ZeroPoint,
    /// It always has one value: what it adds to the sums behind it is in their biases now.
    Folded,
    /// Only depthwise layers read it, and their outputs from it are constants that went too.
    Behind,
}

impl Reason {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroPoint => "zero point",
            Self::Folded => "folded into biases",
            Self::Behind => "constant behind",
        }
    }
}
