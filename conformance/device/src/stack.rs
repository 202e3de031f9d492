//! How deep the stack grows: paint it, call, look what is left of the paint.

use core::arch::asm;

/// Bytes below the caller that are painted.
const DEPTH: usize = 16 * 1024;
const PAINT: u32 = 0xa5a5_a5a5;

/// Runs `work` and gives the bytes of stack that it took, calls included. What the compiler puts
/// into this function itself does not count: `work` is to be a call that is not inlined.
#[inline(never)]
pub fn used_by<R>(work: impl FnOnce() -> R) -> (R, u32) {
    let top = pointer();
    let bottom = top.wrapping_sub(DEPTH);
    for address in (bottom..top).step_by(4) {
        // SAFETY: nothing lives below the stack pointer, and the boards have no interrupts on;
        // the stack is megabytes larger than `DEPTH`.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
    let result = work();
    let mut address = bottom;
    // SAFETY: as above; the words were written before.
    while address < top && unsafe { (address as *const u32).read_volatile() } == PAINT {
        address += 4;
    }
    (result, (top - address) as u32)
}

#[inline(always)]
fn pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
