//! Recursions from row to row: what they keep, and when they forget it.

use crate::error::Fault;
use crate::op::{Io, Step};

/// When a recursion over rows forgets the rows before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Restart {
    /// Only when the runner is reset: rows of an endless stream.
    Reset = 0,
    /// At frame 0 of each window, too.
    Window = 1,
    /// Each time the step runs: it takes all rows of a window at once.
    Step = 2,
}

impl Restart {
    /// The rule with this code, which is parameter `param`.
    pub(crate) fn decode(code: u32, param: u8) -> Result<Self, Fault> {
        [Self::Reset, Self::Window, Self::Step]
            .into_iter()
            .find(|&rule| rule as u32 == code)
            .ok_or(Fault::BadParam { param })
    }

    /// Whether the step that runs now starts anew.
    pub(crate) fn is_due(self, io: &Io<'_, '_>) -> bool {
        match self {
            Self::Reset => false,
            Self::Window => io.frame() == 0,
            Self::Step => true,
        }
    }
}

/// Checks that operand `state` holds `len` values of type `T` and lies apart from operand `x`.
pub(crate) fn check_state<T: crate::format::Element>(
    step: &Step<'_>,
    state: usize,
    len: usize,
    x: usize,
) -> Result<(), Fault> {
    if step.count_of_output::<T>(state)? != len {
        return Err(Fault::WrongLength {
            operand: state as u8,
        });
    }
    step.expect_disjoint(state, x)
}
