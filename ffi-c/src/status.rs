//! The codes that functions answer with. A number never changes and is never used again.

use crate::abi::oto_status;
use core::ffi::{CStr, c_char};
use otolith_dsp_nostd::{Fault, InitError, PlanError};

macro_rules! statuses {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $name: oto_status = $code;
        )*

        /// Every code with its name, for the tests that compare them with the header.
        pub const ALL: &[(&str, oto_status)] = &[$((stringify!($name), $name)),*];

        fn text(status: oto_status) -> Option<&'static [u8]> {
            Some(match status {
                $($code => concat!($text, "\0").as_bytes(),)*
                _ => return None,
            })
        }
    };
}

statuses! {
    OTO_OK = 0, "ok";
    OTO_ERR_NULL = -1, "a pointer is NULL that must not be";
    OTO_ERR_ABI = -2, "otolith.h and the library are of different ABI versions";
    OTO_ERR_NOT_INIT = -3, "the runner was not initialised, or was copied or moved after it";
    OTO_ERR_LENGTH = -4, "a length is larger than the address space";
    OTO_ERR_RUNNER_MISALIGNED = -5, "the runner is not aligned to 8 bytes";
    OTO_ERR_SAMPLES_MISALIGNED = -6, "the samples are not aligned to their type";
    OTO_ERR_OVERLAP = -7, "the arena overlaps the plan, the runner or the samples";
    OTO_ERR_PLAN_MISALIGNED = -10, "the plan is not aligned to 8 bytes";
    OTO_ERR_PLAN_TRUNCATED = -11, "the plan is cut short";
    OTO_ERR_PLAN_MAGIC = -12, "the bytes are not an Otolith plan";
    OTO_ERR_PLAN_VERSION = -13, "the plan's format version is not the one that the library reads";
    OTO_ERR_PLAN_HASH = -14, "the plan is damaged: its hash does not match";
    OTO_ERR_PLAN_INVALID = -15, "the plan contradicts itself: a header field, tensor or step is not allowed";
    OTO_ERR_PLAN_REFUSED = -16, "an operator refuses a step of the plan";
    OTO_ERR_MISSING_OP = -17, "the plan needs an operator that is not in the list of operators";
    OTO_ERR_ARENA_TOO_SMALL = -20, "the arena is shorter than the plan's arena_len";
    OTO_ERR_ARENA_MISALIGNED = -21, "the arena is not aligned to 8 bytes";
    OTO_ERR_SAMPLE_TYPE = -30, "the plan does not take samples of this type";
    OTO_ERR_FAULT = -31, "a step could not run: the runner, arena or plan was overwritten; reset or initialise it";
    OTO_ERR_NO_INPUT = -32, "the plan has no such input";
}

pub(crate) fn of_plan_error(error: PlanError) -> oto_status {
    match error {
        PlanError::Misaligned => OTO_ERR_PLAN_MISALIGNED,
        PlanError::Truncated { .. } => OTO_ERR_PLAN_TRUNCATED,
        PlanError::BadMagic => OTO_ERR_PLAN_MAGIC,
        PlanError::BadVersion { .. } => OTO_ERR_PLAN_VERSION,
        PlanError::BadHash => OTO_ERR_PLAN_HASH,
        PlanError::Refused { .. } => OTO_ERR_PLAN_REFUSED,
        PlanError::MissingOp { .. } => OTO_ERR_MISSING_OP,
        _ => OTO_ERR_PLAN_INVALID,
    }
}

pub(crate) fn of_init_error(error: InitError) -> oto_status {
    match error {
        InitError::Misaligned => OTO_ERR_ARENA_MISALIGNED,
        _ => OTO_ERR_ARENA_TOO_SMALL,
    }
}

pub(crate) fn of_fault(fault: Fault) -> oto_status {
    match fault {
        Fault::WrongSampleType => OTO_ERR_SAMPLE_TYPE,
        Fault::NoInput => OTO_ERR_NO_INPUT,
        _ => OTO_ERR_FAULT,
    }
}

/// `OTO_OK`, or the code of an error.
pub(crate) fn code(result: Result<(), oto_status>) -> oto_status {
    match result {
        Ok(()) => OTO_OK,
        Err(status) => status,
    }
}

/// What a status means, in English; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn oto_status_str(status: oto_status) -> *const c_char {
    const UNKNOWN: &CStr = c"not a status of this library";
    text(status).map_or(UNKNOWN.as_ptr(), |text| text.as_ptr().cast())
}
