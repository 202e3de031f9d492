//! A plan's numbers and its hash, without running it.

use crate::abi::{OTO_ABI_VERSION, oto_plan_info, oto_status};
use crate::memory;
use crate::status::{OTO_ERR_ABI, OTO_ERR_NULL, OTO_ERR_PLAN_MISALIGNED, code, of_plan_error};
use otolith_dsp_nostd::PlanInfo;
use otolith_dsp_nostd::format::{ARENA_ALIGN, TensorRecord};

/// Checks a plan's structure and reads its numbers; `oto_plan_info_get` of the header.
///
/// # Safety
/// `plan` must be NULL or point to `plan_len` readable bytes; `info` must be NULL or point to a
/// writable `oto_plan_info`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_plan_info_get_abi(
    abi: u32,
    plan: *const u8,
    plan_len: usize,
    info: *mut oto_plan_info,
) -> oto_status {
    if plan.is_null() || info.is_null() {
        return OTO_ERR_NULL;
    }
    if abi != OTO_ABI_VERSION {
        return OTO_ERR_ABI;
    }
    code((|| {
        memory::check_slice(plan, plan_len, OTO_ERR_PLAN_MISALIGNED)?;
        // SAFETY: the pointer was checked; the caller vouches for the bytes behind it.
        let bytes = unsafe { memory::slice(plan, plan_len) };
        let plan = PlanInfo::from_bytes(bytes).map_err(of_plan_error)?;
        // SAFETY: not NULL; the caller vouches for the struct behind it.
        unsafe { info.write(read(&plan)) };
        Ok(())
    })())
}

/// Checks a plan's hash.
///
/// # Safety
/// `plan` must be NULL or point to `plan_len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_plan_verify(plan: *const u8, plan_len: usize) -> oto_status {
    if plan.is_null() {
        return OTO_ERR_NULL;
    }
    code((|| {
        memory::check_slice(plan, plan_len, OTO_ERR_PLAN_MISALIGNED)?;
        // SAFETY: the pointer was checked; the caller vouches for the bytes behind it.
        let bytes = unsafe { memory::slice(plan, plan_len) };
        otolith_dsp_nostd::verify(bytes).map_err(of_plan_error)
    })())
}

fn read(plan: &PlanInfo<'_>) -> oto_plan_info {
    let header = plan.header();
    let tensor = |id: u16| plan.tensors().get(usize::from(id));
    let count = |record: Option<&TensorRecord>| record.map_or(0, |record| record.count);
    let features = tensor(header.features);
    oto_plan_info {
        hash: header.hash,
        samples_per_decision: header.samples_per_decision(),
        plan_len: header.total_len,
        arena_len: header.arena_len,
        arena_align: ARENA_ALIGN as u32,
        rate_millihertz: header.rate_mhz,
        numeric: u32::from(header.numeric),
        sample_elem: u32::from(header.source_elem),
        feature_elem: features.map_or(0, |record| u32::from(record.elem)),
        n_features: count(features),
        n_labels: count(tensor(header.scores)),
        n_ops: u32::from(header.n_ops),
    }
}
