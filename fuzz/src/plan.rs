//! Plans from strangers.

use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_nostd::format::{HASHED_FROM, content_hash};
use otolith_dsp_nostd::{Plan, Runner};

const MOST_BYTES: usize = 1 << 16;

/// Whatever the bytes, loading refuses them or running ends.
pub fn plan(bytes: &[u8]) {
    // The hash is made right: a fuzzer would never find it, a stranger would.
    let mut bytes = bytes.to_vec();
    if let Some((head, rest)) = bytes.split_at_mut_checked(HASHED_FROM)
        && let Some(field) = head.last_chunk_mut::<8>()
    {
        *field = content_hash(rest).to_le_bytes();
    }
    let bytes = PlanBytes::copy_from(&bytes);
    let Ok(plan) = Plan::from_bytes(&bytes, all_ops()) else {
        return;
    };
    if plan.arena_len() > MOST_BYTES {
        return;
    }
    let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
    let Ok(mut runner) = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)) else {
        return;
    };
    let samples: Vec<i16> = (0..512).map(|i: i32| (i * i * 7919) as i16).collect();
    let mut rest = samples.as_slice();
    // Each push takes samples or makes an event; a plan may make many of few.
    for _ in 0..64 {
        let Ok(pushed) = runner.push_i16(rest) else {
            return;
        };
        rest = &rest[pushed.consumed..];
        if pushed.event.is_none() {
            return;
        }
    }
}
