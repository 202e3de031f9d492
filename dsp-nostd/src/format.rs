//! The plan's bytes. `docs/FORMAT.md` is the normative text; this file is its one implementation.
//!
//! A plan is: [`Header`], further lanes ([`Lane`]), op codes (`u16`), tensor records ([`TensorRecord`]), steps (`u32`
//! words), data (tables and weights), info (UTF-8, not needed to run). Each part starts where
//! the one before ends, rounded up to a multiple of [`PART_ALIGN`].

use bytemuck::{Pod, Zeroable};

/// First bytes of every plan.
pub const MAGIC: [u8; 4] = *b"OTOL";
/// Version of the format that this crate reads.
pub const VERSION: u16 = 1;
/// A plan must start at a multiple of this many bytes.
pub const PLAN_ALIGN: usize = 8;
/// An arena must start at a multiple of this many bytes.
pub const ARENA_ALIGN: usize = 8;
/// Each part of a plan starts at a multiple of this many bytes, counted from the plan's start.
pub const PART_ALIGN: usize = 16;
/// Most different operators in one plan.
pub const MAX_OPS: usize = 32;
/// Most operands of one step.
pub const MAX_OPERANDS: usize = 16;
/// Most bytes of a plan or an arena: sizes stay far from the overflow of 32-bit arithmetic.
pub const MAX_BYTES: u32 = 1 << 28;
/// Most frames of one window, so that one push has a bounded amount of work.
pub const MAX_FRAMES: u32 = 1 << 16;
/// Most lanes of a plan.
pub const MAX_LANES: usize = 4;
/// "No tensor" in the header's output fields.
pub const NONE: u16 = u16::MAX;

/// The fixed first part of a plan. All integers are little endian.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// [`VERSION`].
    pub version: u16,
    /// A [`Numeric`] code.
    pub numeric: u8,
    /// Element type of the source window, an [`Elem`] code.
    pub source_elem: u8,
    /// Bytes of the whole plan.
    pub total_len: u32,
    /// Lanes beside the one that this header describes, fewer than [`MAX_LANES`].
    pub more_lanes: u32,
    /// [`content_hash`] of everything behind this field.
    pub hash: u64,
    /// Arena bytes that the plan needs.
    pub arena_len: u32,
    /// Leading arena bytes that hold state between pushes; [`crate::Runner::reset`] zeroes them.
    pub state_len: u32,
    /// Number of op codes.
    pub n_ops: u16,
    /// Number of tensor records.
    pub n_tensors: u16,
    /// Number of `u32` words in the step list.
    pub step_words: u32,
    /// Bytes of data.
    pub data_len: u32,
    /// Bytes of info.
    pub info_len: u32,
    /// Number of steps in each [`Section`].
    pub steps: [u16; 3],
    /// Tensor that holds the source window.
    pub source: u16,
    /// Samples between the starts of two windows.
    pub source_hop: u32,
    /// Zero samples that stand before the first sample of a stream.
    pub source_prime: u32,
    /// Frames that are taken from one window, at most [`MAX_FRAMES`].
    pub frames: u32,
    /// Tensor that holds the rows, or [`NONE`] when the plan has no frame section.
    pub rows: u16,
    /// Tensor whose contents are a [`crate::Event::Features`], or [`NONE`].
    pub features: u16,
    /// Rows that the row tensor holds.
    pub row_count: u32,
    /// Rows that are dropped after each decision, at most `row_count`.
    pub row_hop: u32,
    /// Tensor with the scores (Q15), or [`NONE`].
    pub scores: u16,
    /// Tensor with the decision (`[label or -1, score Q15]`), or [`NONE`].
    pub decision: u16,
    /// Sample rate in thousandths of a hertz, 0 when the input has no rate.
    pub rate_mhz: u32,
}

/// How samples become rows: a source window, its frames, and the rows that they fill. A plan has
/// one lane for each block of features; all of them end in one decision. Lanes of the same input
/// share its source window.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Lane {
    /// Number of steps in the window and the frame section of the lane.
    pub steps: [u16; 2],
    /// As [`Header::source`].
    pub source: u16,
    /// As [`Header::rows`].
    pub rows: u16,
    /// As [`Header::source_hop`].
    pub source_hop: u32,
    /// As [`Header::source_prime`].
    pub source_prime: u32,
    /// As [`Header::frames`].
    pub frames: u32,
    /// As [`Header::row_count`].
    pub row_count: u32,
    /// As [`Header::row_hop`].
    pub row_hop: u32,
    /// As [`Header::rate_mhz`].
    pub rate_mhz: u32,
    /// Which of the pipeline's inputs the samples come from, counted from 0.
    pub input: u8,
    /// As [`Header::source_elem`].
    pub source_elem: u8,
    /// Reserved, 0.
    pub reserved: u16,
}

impl Header {
    /// The lane that the header describes. It listens to input 0.
    pub fn lane(&self) -> Lane {
        let [window, frame, _] = self.steps;
        Lane {
            steps: [window, frame],
            source: self.source,
            rows: self.rows,
            source_hop: self.source_hop,
            source_prime: self.source_prime,
            frames: self.frames,
            row_count: self.row_count,
            row_hop: self.row_hop,
            rate_mhz: self.rate_mhz,
            input: 0,
            source_elem: self.source_elem,
            reserved: 0,
        }
    }

    /// Samples between two decisions (or feature events), once the first has come.
    pub fn samples_per_decision(&self) -> u64 {
        u64::from(self.source_hop) * u64::from(self.row_hop.max(1)) / u64::from(self.frames.max(1))
    }
}

/// Where and what a tensor is.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct TensorRecord {
    /// An [`Elem`] code.
    pub elem: u8,
    /// A [`Place`] code.
    pub place: u8,
    /// Reserved, 0.
    pub reserved: u16,
    /// Byte offset in its place.
    pub offset: u32,
    /// Number of elements.
    pub count: u32,
}

/// Number format of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Numeric {
    /// 32-bit floating point features.
    F32 = 1,
    /// Integer features.
    Fixed = 2,
}

impl Numeric {
    /// The numeric with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::F32, Self::Fixed]
            .into_iter()
            .find(|&n| n as u8 == code)
    }
}

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Elem {
    /// Signed 8-bit integer.
    I8 = 1,
    /// Unsigned 8-bit integer.
    U8 = 2,
    /// Signed 16-bit integer.
    I16 = 3,
    /// Unsigned 16-bit integer.
    U16 = 4,
    /// Signed 32-bit integer.
    I32 = 5,
    /// Unsigned 32-bit integer.
    U32 = 6,
    /// IEEE 754 binary32.
    F32 = 7,
    /// Signed 64-bit integer.
    I64 = 8,
    /// Unsigned 64-bit integer.
    U64 = 9,
}

impl Elem {
    /// The element type with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::I8,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::U16,
            5 => Self::I32,
            6 => Self::U32,
            7 => Self::F32,
            8 => Self::I64,
            9 => Self::U64,
            _ => return None,
        })
    }

    /// Bytes of one element, which is also its alignment.
    pub const fn size(self) -> usize {
        size_of_elem(self as u8)
    }
}

/// Bytes of an element by the code of its type.
pub(crate) const fn size_of_elem(code: u8) -> usize {
    // Two bits for each code from 0 on: the exponent of the size.
    const LOG2: u32 = 0b11_11_10_10_10_01_01_00_00_00;
    1 << (LOG2.wrapping_shr(2 * code as u32) & 3)
}

/// A Rust type that tensors hold.
pub trait Element: Pod {
    /// Its element code.
    const ELEM: Elem;
}

macro_rules! element {
    ($($t:ty => $e:ident),*) => { $(impl Element for $t { const ELEM: Elem = Elem::$e; })* };
}
element!(i8 => I8, u8 => U8, i16 => I16, u16 => U16, i32 => I32, u32 => U32, f32 => F32,
         i64 => I64, u64 => U64);

/// Memory in which a tensor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// The plan's data: a table or weights, never written.
    Data = 0,
    /// The arena.
    Arena = 1,
    /// The row that the frame section is filling now; `offset` counts from the row's start.
    Row = 2,
}

impl Place {
    /// The place with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Data,
            1 => Self::Arena,
            2 => Self::Row,
            _ => return None,
        })
    }
}

/// When a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Section {
    /// Once for every full source window, before its frames.
    Window = 0,
    /// Once for every frame of a window; fills one row.
    Frame = 1,
    /// Once whenever the rows are full.
    Decision = 2,
}

/// First word of a step: operator index, number of operands, number of parameters. The operands
/// (tensor indices) and parameters follow, one word each.
pub const fn step_word(op_index: u8, n_operands: u8, n_params: u16) -> u32 {
    op_index as u32 | (n_operands as u32) << 8 | (n_params as u32) << 16
}

/// Takes a step's first word apart: `(op_index, n_operands, n_params)`.
pub const fn parse_step_word(word: u32) -> (usize, usize, usize) {
    (
        (word & 0xff) as usize,
        (word >> 8 & 0xff) as usize,
        (word >> 16) as usize,
    )
}

/// Byte offset of the first hashed byte: just behind [`Header::hash`].
pub const HASHED_FROM: usize = 24;

/// 64-bit hash of plan contents: two 32-bit lanes over little-endian words, the last word padded
/// with zeros.
///
/// Lane a is FNV-1a on words, `a = (a ^ w) * 0x01000193`; lane b is
/// `b = (rotl(b, 5) ^ w) * 0x9E3779B1`; the result is `b << 32 | a`. It finds damage; it does not
/// authenticate.
pub fn content_hash(bytes: &[u8]) -> u64 {
    let mut a: u32 = 0x811c_9dc5;
    let mut b: u32 = 0x85eb_ca6b;
    let mut mix = |w: u32| {
        a = (a ^ w).wrapping_mul(0x0100_0193);
        b = (b.rotate_left(5) ^ w).wrapping_mul(0x9e37_79b1);
    };
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        if let Ok(word) = word.try_into() {
            mix(u32::from_le_bytes(word));
        }
    }
    let mut last = [0; 4];
    let rest = words.remainder();
    if !rest.is_empty() {
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        mix(u32::from_le_bytes(last));
    }
    u64::from(b) << 32 | u64::from(a)
}

/// `n` rounded up to a multiple of `align`, a power of two.
pub const fn align_up(n: usize, align: usize) -> usize {
    (n + (align - 1)) & !(align - 1)
}
