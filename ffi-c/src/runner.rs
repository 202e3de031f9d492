//! The runner behind an opaque C struct.

use crate::abi::{
    OTO_ABI_VERSION, OTO_EVENT_DECISION, OTO_EVENT_FEATURES, OTO_EVENT_NONE, OTO_EVENT_SCORES,
    oto_event, oto_op, oto_runner, oto_status,
};
use crate::memory::{self, Region};
use crate::status::{
    OTO_ERR_ABI, OTO_ERR_LENGTH, OTO_ERR_NOT_INIT, OTO_ERR_NULL, OTO_ERR_OVERLAP,
    OTO_ERR_PLAN_MISALIGNED, OTO_ERR_RUNNER_MISALIGNED, OTO_ERR_SAMPLES_MISALIGNED, code, of_fault,
    of_init_error, of_plan_error,
};
use core::ffi::c_void;
use core::ptr;
use otolith_dsp_nostd::{Event, Fault, Op, Plan, Pushed, Runner};

/// What an [`oto_runner`] holds after init.
struct Handle {
    /// [`tag`] of the place where the handle was made: zeroed memory has no such tag, and a copy
    /// of the struct, which would share the arena, has that of another place.
    tag: u64,
    arena: Region,
    runner: Runner<'static>,
}

const _: () = {
    assert!(size_of::<Handle>() <= size_of::<oto_runner>());
    assert!(align_of::<Handle>() <= align_of::<oto_runner>());
};

fn tag(place: *const oto_runner) -> u64 {
    0x4f54_4f4c_4954_4821 ^ place.addr() as u64
}

/// Makes a runner; `oto_runner_init` of the header.
///
/// # Safety
/// The contract of `otolith.h`: pointers are NULL or point to what their types say, for the
/// lengths given; plan, operators and arena outlive the runner, and only the runner touches the
/// arena.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_init_abi(
    abi: u32,
    runner: *mut oto_runner,
    plan: *const u8,
    plan_len: usize,
    ops: *const *const oto_op,
    n_ops: usize,
    arena: *mut c_void,
    arena_len: usize,
) -> oto_status {
    if runner.is_null() || plan.is_null() || ops.is_null() || arena.is_null() {
        return OTO_ERR_NULL;
    }
    if abi != OTO_ABI_VERSION {
        return OTO_ERR_ABI;
    }
    code((|| {
        if !runner.is_aligned() {
            return Err(OTO_ERR_RUNNER_MISALIGNED);
        }
        memory::check_slice(plan, plan_len, OTO_ERR_PLAN_MISALIGNED)?;
        memory::check_slice(ops, n_ops, OTO_ERR_LENGTH)?;
        let arena = arena.cast::<u8>();
        memory::check_slice(arena, arena_len, OTO_ERR_LENGTH)?;
        // SAFETY: the pointers were checked; the caller vouches for the memory and its life.
        let (bytes, ops) = unsafe {
            (
                memory::slice::<u8>(plan, plan_len),
                memory::slice(ops, n_ops),
            )
        };
        if ops.iter().any(|op| op.is_null()) {
            return Err(OTO_ERR_NULL);
        }
        // SAFETY: C code has no other way to an `oto_op` than the address of an `OTO_OP_*`
        // static, which is an `Op`; a non-NULL pointer to one is a reference to one.
        let ops = unsafe { &*(ptr::from_ref(ops) as *const [&'static Op]) };
        let plan = Plan::from_bytes(bytes, ops).map_err(of_plan_error)?;

        let region = Region::of(arena, arena_len);
        if region.overlaps(Region::of(bytes.as_ptr(), plan_len))
            || region.overlaps(Region::of(runner, 1))
        {
            return Err(OTO_ERR_OVERLAP);
        }
        // SAFETY: not NULL, of an allowed length, and nothing that this library holds lies in
        // it; the caller vouches that it is theirs to give.
        let arena = unsafe { core::slice::from_raw_parts_mut(arena, arena_len) };
        let made = Runner::new(plan, arena).map_err(of_init_error)?;
        let handle = Handle {
            tag: tag(runner),
            arena: region,
            runner: made,
        };
        // SAFETY: not NULL, aligned, and large enough by the assertion above.
        unsafe { runner.cast::<Handle>().write(handle) };
        Ok(())
    })())
}

/// Pushes 16-bit samples.
///
/// # Safety
/// The contract of `otolith.h`: pointers are NULL or point to what their types say, `samples` to
/// `n` of them, and no other call works on this runner meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_push_i16(
    runner: *mut oto_runner,
    samples: *const i16,
    n: usize,
    used: *mut usize,
    event: *mut oto_event,
) -> oto_status {
    // SAFETY: the caller's promise is the same.
    code(unsafe { push(runner, samples, n, used, event, Runner::push_i16) })
}

/// Pushes float samples, full scale being `[-1, 1)`.
///
/// # Safety
/// As for [`oto_runner_push_i16`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_push_f32(
    runner: *mut oto_runner,
    samples: *const f32,
    n: usize,
    used: *mut usize,
    event: *mut oto_event,
) -> oto_status {
    // SAFETY: the caller's promise is the same.
    code(unsafe { push(runner, samples, n, used, event, Runner::push_f32) })
}

/// Pushes 16-bit samples of one of several inputs.
///
/// # Safety
/// As for [`oto_runner_push_i16`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_push_i16_to(
    runner: *mut oto_runner,
    input: usize,
    samples: *const i16,
    n: usize,
    used: *mut usize,
    event: *mut oto_event,
) -> oto_status {
    let push_to = |runner: &mut Runner<'_>, samples: &[i16]| runner.push_i16_to(input, samples);
    // SAFETY: the caller's promise is the same.
    code(unsafe { push(runner, samples, n, used, event, push_to) })
}

/// Pushes float samples of one of several inputs.
///
/// # Safety
/// As for [`oto_runner_push_i16`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_push_f32_to(
    runner: *mut oto_runner,
    input: usize,
    samples: *const f32,
    n: usize,
    used: *mut usize,
    event: *mut oto_event,
) -> oto_status {
    let push_to = |runner: &mut Runner<'_>, samples: &[f32]| runner.push_f32_to(input, samples);
    // SAFETY: the caller's promise is the same.
    code(unsafe { push(runner, samples, n, used, event, push_to) })
}

/// Forgets all samples.
///
/// # Safety
/// `runner` is NULL or points to an `oto_runner` that was zeroed or initialised, and no other
/// call works on it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn oto_runner_reset(runner: *mut oto_runner) -> oto_status {
    if runner.is_null() {
        return OTO_ERR_NULL;
    }
    // SAFETY: not NULL; the caller vouches for the rest.
    code(unsafe { handle(runner) }.map(|handle| handle.runner.reset()))
}

unsafe fn push<S>(
    runner: *mut oto_runner,
    samples: *const S,
    n: usize,
    used: *mut usize,
    event: *mut oto_event,
    push: impl Fn(&mut Runner<'static>, &[S]) -> Result<Pushed, Fault>,
) -> Result<(), oto_status> {
    if runner.is_null() || used.is_null() || event.is_null() {
        return Err(OTO_ERR_NULL);
    }
    memory::check_slice(samples, n, OTO_ERR_SAMPLES_MISALIGNED)?;
    // SAFETY: not NULL; the caller vouches for the rest.
    let handle = unsafe { handle(runner)? };
    if handle.arena.overlaps(Region::of(samples, n)) {
        return Err(OTO_ERR_OVERLAP);
    }
    // SAFETY: the pointer was checked; the caller vouches for the samples.
    let samples = unsafe { memory::slice(samples, n) };
    let pushed = push(&mut handle.runner, samples).map_err(of_fault)?;
    // SAFETY: not NULL; the caller vouches for the targets.
    unsafe {
        used.write(pushed.consumed);
        event.write(describe(&handle.runner, pushed.event));
    }
    Ok(())
}

/// The handle in an initialised runner.
///
/// # Safety
/// `runner` must not be NULL and, if aligned, point to an `oto_runner` whose memory is zeroed or
/// initialised and that nothing else uses during `'a`.
unsafe fn handle<'a>(runner: *mut oto_runner) -> Result<&'a mut Handle, oto_status> {
    if !runner.is_aligned() {
        return Err(OTO_ERR_RUNNER_MISALIGNED);
    }
    let handle = runner.cast::<Handle>();
    // SAFETY: in bounds and aligned; any bytes are a `u64`.
    let found = unsafe { (&raw const (*handle).tag).read() };
    if found != tag(runner) {
        return Err(OTO_ERR_NOT_INIT);
    }
    // SAFETY: only `oto_runner_init_abi` writes this tag, with a whole handle behind it.
    Ok(unsafe { &mut *handle })
}

fn describe(runner: &Runner<'_>, event: Option<Event>) -> oto_event {
    let mut c = oto_event {
        clock: runner.clock(),
        kind: OTO_EVENT_NONE,
        label: -1,
        score_q15: 0,
        feature_elem: 0,
        features: ptr::null(),
        n_features: 0,
        scores: ptr::null(),
        n_scores: 0,
    };
    let Some(event) = event else {
        return c;
    };
    c.kind = match event {
        Event::Decision(decision) => {
            c.label = i32::from(decision.label);
            c.score_q15 = i32::from(decision.score_q15);
            OTO_EVENT_DECISION
        }
        Event::Scores => OTO_EVENT_SCORES,
        _ => OTO_EVENT_FEATURES,
    };
    let scores = runner.scores();
    if !scores.is_empty() {
        c.scores = scores.as_ptr();
        c.n_scores = scores.len();
    }
    if let Some((elem, bytes)) = runner.features_bytes() {
        c.feature_elem = elem as i32;
        c.features = bytes.as_ptr().cast();
        // Every element has a size of 1, 2, 4 or 8.
        c.n_features = bytes.len() >> elem.size().trailing_zeros();
    }
    c
}
