//! The types that cross the border, as `otolith.h` declares them.
//!
//! Whoever changes a layout here changes [`OTO_ABI_VERSION`] and the header with it.
#![allow(non_camel_case_types)]

use core::ffi::c_void;
use core::marker::PhantomPinned;

/// Number of this interface. A program that was compiled with another header is refused.
pub const OTO_ABI_VERSION: u32 = 3;
/// Bytes of an [`oto_runner`].
pub const OTO_RUNNER_SIZE: usize = 416;

/// A status: `OTO_OK` or one of `OTO_ERR_*`. An integer, because the size of a C enum depends on
/// compiler options.
pub type oto_status = i32;

/// `OTO_EVENT_*`: all samples are consumed and nothing is ready.
pub const OTO_EVENT_NONE: i32 = 0;
/// Features are ready; the plan has no classifier.
pub const OTO_EVENT_FEATURES: i32 = 1;
/// The classifier ran and nothing was decided.
pub const OTO_EVENT_SCORES: i32 = 2;
/// A label was decided for.
pub const OTO_EVENT_DECISION: i32 = 3;

/// Memory for a runner.
#[repr(C, align(8))]
pub struct oto_runner {
    opaque: [u64; OTO_RUNNER_SIZE / 8],
    _pinned: PhantomPinned,
}

/// An operator; C code sees only its address.
#[repr(C)]
pub struct oto_op {
    opaque: [u8; 0],
    _pinned: PhantomPinned,
}

/// A plan's numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct oto_plan_info {
    /// Hash of the plan's contents.
    pub hash: u64,
    /// Samples between two events, once the first has come.
    pub samples_per_decision: u64,
    /// Bytes of the plan.
    pub plan_len: u32,
    /// Arena bytes that a runner needs.
    pub arena_len: u32,
    /// Alignment of the arena.
    pub arena_align: u32,
    /// Sample rate in thousandths of a hertz, 0 when the input has no rate.
    pub rate_millihertz: u32,
    /// `OTO_NUMERIC_*`.
    pub numeric: u32,
    /// `OTO_ELEM_*` of the samples inside the plan.
    pub sample_elem: u32,
    /// `OTO_ELEM_*` of the features, 0 when the plan has no features output.
    pub feature_elem: u32,
    /// Features of one event.
    pub n_features: u32,
    /// Labels, which is the number of scores.
    pub n_labels: u32,
    /// Operators that the plan needs.
    pub n_ops: u32,
}

/// What a push made ready.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct oto_event {
    /// Samples consumed since init or reset.
    pub clock: u64,
    /// `OTO_EVENT_*`.
    pub kind: i32,
    /// The label of a decision, else -1.
    pub label: i32,
    /// The score of a decision in Q15 (32768 is 1.0), else 0.
    pub score_q15: i32,
    /// `OTO_ELEM_*` of `features`, 0 when there are none.
    pub feature_elem: i32,
    /// The features, or NULL.
    pub features: *const c_void,
    /// Number of features.
    pub n_features: usize,
    /// The scores in Q15, one per label, or NULL.
    pub scores: *const i16,
    /// Number of scores.
    pub n_scores: usize,
}

/// The layouts, stated for C by `tests/c/layout.c`.
const _: () = {
    use core::mem::{align_of, offset_of, size_of};
    let word = size_of::<usize>();
    assert!(size_of::<oto_runner>() == OTO_RUNNER_SIZE && align_of::<oto_runner>() == 8);
    assert!(size_of::<oto_plan_info>() == 56);
    assert!(offset_of!(oto_plan_info, plan_len) == 16);
    assert!(offset_of!(oto_plan_info, n_ops) == 52);
    assert!(size_of::<oto_event>() == 24 + 4 * word);
    assert!(offset_of!(oto_event, kind) == 8);
    assert!(offset_of!(oto_event, features) == 24);
    assert!(offset_of!(oto_event, scores) == 24 + 2 * word);
};
