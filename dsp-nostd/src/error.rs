//! Errors of the device half: small, `Copy`, without strings in the type.

/// Why a step cannot run, found by an operator's check at load time or, should a check have
/// missed it, in place of a panic at run time.
///
/// `operand` and `param` count from 0 in the order in which the operator's documentation lists
/// them.
// A word whose value 0 is left for `Ok`: what each `?` in a firmware compares is one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Fault {
    /// The step has no such operand, or its record is out of the tensor table.
    NoOperand {
        /// Position in the operator's operand list.
        operand: u8,
    } = 1,
    /// The operand's element type is not the one that the operator takes.
    WrongType {
        /// Position in the operator's operand list.
        operand: u8,
    },
    /// The operand lives where the operator cannot use it (a table that is written, an arena
    /// tensor where a table is needed), or operands that must not overlap do.
    WrongPlace {
        /// Position in the operator's operand list.
        operand: u8,
    },
    /// The operand's number of elements does not fit the parameters.
    WrongLength {
        /// Position in the operator's operand list.
        operand: u8,
    },
    /// The contents of a table are outside what the operator allows.
    BadTable {
        /// Position in the operator's operand list.
        operand: u8,
    },
    /// A parameter is missing or outside its range.
    BadParam {
        /// Position in the operator's parameter list.
        param: u8,
    },
    /// `push` was called with samples of a type that the plan's input cannot take.
    WrongSampleType,
    /// `push` was called for an input that the plan does not have.
    NoInput,
}

/// Why bytes are not a plan that can run with the given operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The bytes do not start at a multiple of [`crate::format::PLAN_ALIGN`].
    Misaligned,
    /// Fewer bytes than the header or than the header's `total_len` says.
    Truncated {
        /// Bytes that are needed.
        need: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// The first four bytes are not [`crate::format::MAGIC`].
    BadMagic,
    /// The format version is not [`crate::format::VERSION`].
    BadVersion {
        /// The version found.
        found: u16,
    },
    /// The contents do not match the hash in the header: the file is damaged.
    BadHash,
    /// A header field contradicts another one or exceeds its limit; the offset of the field in
    /// the header is given.
    BadHeader {
        /// Byte offset of the field.
        offset: u8,
    },
    /// A tensor record points outside its memory, is misaligned, or has an unknown type.
    BadTensor {
        /// Index in the tensor table.
        tensor: u16,
    },
    /// The step list does not parse: a step runs past its end, or names an operator or tensor
    /// that does not exist.
    BadStep {
        /// Index of the step, counted over all sections.
        step: u16,
    },
    /// The plan needs an operator that the application did not link.
    MissingOp {
        /// The op code.
        code: u16,
    },
    /// An operator refused the step.
    Refused {
        /// Index of the step, counted over all sections.
        step: u16,
        /// The op code.
        code: u16,
        /// The operator's reason.
        fault: Fault,
    },
}

/// Why a runner cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitError {
    /// The arena is shorter than the plan needs.
    ArenaTooSmall {
        /// Bytes that the plan needs.
        need: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// The arena does not start at a multiple of [`crate::format::ARENA_ALIGN`].
    Misaligned,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::NoOperand { operand } => write!(f, "operand {operand} is missing"),
            Self::WrongType { operand } => write!(f, "operand {operand} has the wrong type"),
            Self::WrongPlace { operand } => {
                write!(
                    f,
                    "operand {operand} is in the wrong memory or overlaps another"
                )
            }
            Self::WrongLength { operand } => write!(f, "operand {operand} has the wrong length"),
            Self::BadTable { operand } => {
                write!(
                    f,
                    "the table in operand {operand} holds a value that is not allowed"
                )
            }
            Self::BadParam { param } => write!(f, "parameter {param} is missing or out of range"),
            Self::WrongSampleType => write!(f, "the plan's input takes another sample type"),
            Self::NoInput => write!(f, "the plan has no such input"),
        }
    }
}

impl core::fmt::Display for PlanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Misaligned => write!(
                f,
                "the plan must start at a multiple of {} bytes",
                crate::format::PLAN_ALIGN
            ),
            Self::Truncated { need, got } => {
                write!(f, "the plan is cut short: {need} bytes needed, {got} given")
            }
            Self::BadMagic => write!(f, "not a plan: the magic number is missing"),
            Self::BadVersion { found } => write!(
                f,
                "plan format version {found}, this library reads version {}",
                crate::format::VERSION
            ),
            Self::BadHash => write!(f, "the plan is damaged: its hash does not match"),
            Self::BadHeader { offset } => {
                write!(f, "the plan's header field at byte {offset} is not allowed")
            }
            Self::BadTensor { tensor } => write!(f, "tensor record {tensor} is not allowed"),
            Self::BadStep { step } => write!(f, "step {step} does not parse"),
            Self::MissingOp { code } => {
                write!(
                    f,
                    "the plan needs operator {code:#06x}, which is not linked"
                )
            }
            Self::Refused { step, code, fault } => {
                write!(f, "operator {code:#06x} refuses step {step}: {fault}")
            }
        }
    }
}

impl core::fmt::Display for InitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::ArenaTooSmall { need, got } => {
                write!(
                    f,
                    "the arena is too small: {need} bytes needed, {got} given"
                )
            }
            Self::Misaligned => write!(
                f,
                "the arena must start at a multiple of {} bytes",
                crate::format::ARENA_ALIGN
            ),
        }
    }
}

impl core::error::Error for Fault {}
impl core::error::Error for PlanError {}
impl core::error::Error for InitError {}
