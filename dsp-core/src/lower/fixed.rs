//! Lowering to integer operators.

use super::Layout;
use crate::deploy::Precision;
use crate::error::LowerError;
use crate::graph::Graph;
use crate::plan_builder::PlanBytes;

pub(super) fn lower(
    _graph: &Graph,
    _layout: &Layout,
    _precision: Precision,
) -> Result<PlanBytes, LowerError> {
    Err(LowerError::new("deploy.numeric", "fixed is being written"))
}
