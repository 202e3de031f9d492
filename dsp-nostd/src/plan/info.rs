//! What tools read of a plan, without its operators.

use super::parts::Parts;
use super::verify;
use crate::error::PlanError;
use crate::format::{Header, Lane, Numeric, TensorRecord};

/// A plan's numbers, read without any operator: for tools, and for sizing an arena at run time.
///
/// Reading checks everything but the operators themselves.
#[derive(Clone, Copy, Debug)]
pub struct PlanInfo<'p> {
    parts: Parts<'p>,
}

impl<'p> PlanInfo<'p> {
    /// Checks the bytes' structure and their hash: magic, version, lengths, every record and range.
    ///
    /// # Errors
    /// [`PlanError`], but for what only operators can find.
    pub fn from_bytes(bytes: &'p [u8]) -> Result<Self, PlanError> {
        verify(bytes)?;
        Ok(Self {
            parts: Parts::parse(bytes)?,
        })
    }

    /// The header.
    pub fn header(&self) -> &'p Header {
        self.parts.header
    }

    /// The lanes, at least one.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + use<'p> {
        core::iter::once(self.parts.header.lane()).chain(self.parts.more_lanes.iter().copied())
    }

    /// Op codes that the plan needs.
    pub fn op_codes(&self) -> &'p [u16] {
        self.parts.codes
    }

    /// Tensor records.
    pub fn tensors(&self) -> &'p [TensorRecord] {
        self.parts.tensors
    }

    /// The step list's words.
    pub fn step_words(&self) -> &'p [u32] {
        self.parts.steps
    }

    /// Tables and weights.
    pub fn data(&self) -> &'p [u8] {
        self.parts.data
    }

    /// Names and labels for people: a JSON text, empty when the plan was stripped.
    pub fn info(&self) -> &'p [u8] {
        self.parts.info
    }

    /// The number format of the features.
    pub fn numeric(&self) -> Option<Numeric> {
        Numeric::from_code(self.parts.header.numeric)
    }
}
