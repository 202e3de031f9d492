//! Plans without the names that only people need.

use super::PlanBytes;
use bytemuck::bytes_of;
use otolith_dsp_nostd::format::{HASHED_FROM, Header, PART_ALIGN, align_up, content_hash};
use otolith_dsp_nostd::{PlanError, PlanInfo};

/// The same plan without its info part, as firmware carries it: it runs to the same bits, is
/// shorter, and has another hash.
///
/// # Errors
/// [`PlanError`] when `plan` is not a sound plan.
pub fn strip_info(plan: &[u8]) -> Result<PlanBytes, PlanError> {
    let plan = PlanBytes::copy_from(plan);
    let info = PlanInfo::from_bytes(&plan)?;
    let mut header: Header = *info.header();
    // The info part is the last one and padded, as all parts are; only the plan's end need not be.
    let total = header.total_len as usize;
    let info_start = align_up(total, PART_ALIGN) - align_up(info.info().len(), PART_ALIGN);
    let mut bytes = plan[..info_start.min(total)].to_vec();
    header.info_len = 0;
    header.total_len = bytes.len() as u32;
    bytes[..size_of::<Header>()].copy_from_slice(bytes_of(&header));
    header.hash = content_hash(&bytes[HASHED_FROM..]);
    bytes[..size_of::<Header>()].copy_from_slice(bytes_of(&header));
    Ok(PlanBytes::copy_from(&bytes))
}
