//! Counts executed instructions: QEMU's `-icount shift=7` lets each take 128 ns, and the timer of
//! the mps2 boards ticks every 40 ns, so no two instructions share a reading.

/// CMSDK APB TIMER0 of mps2-an385, an386 and an500: a down counter at 25 MHz.
const CONTROL: *mut u32 = 0x4000_0000 as *mut u32;
const VALUE: *mut u32 = 0x4000_0004 as *mut u32;
const RELOAD: *mut u32 = 0x4000_0008 as *mut u32;

/// Starts the timer.
pub fn start() {
    // SAFETY: the registers exist at these addresses on the boards that this program is for, and
    // nothing else uses them.
    unsafe {
        RELOAD.write_volatile(u32::MAX);
        VALUE.write_volatile(u32::MAX);
        CONTROL.write_volatile(1);
    }
}

/// A reading; later ones are smaller.
#[inline(always)]
pub fn now() -> u32 {
    // SAFETY: as in `start`; reading has no side effect.
    unsafe { VALUE.read_volatile() }
}

/// Instructions between two readings, the readings' own included.
pub fn instructions(before: u32, after: u32) -> u64 {
    (5 * u64::from(before.wrapping_sub(after)) + 8) / 16
}

/// Instructions between two readings with nothing between them.
#[inline(never)]
pub fn empty() -> u64 {
    let before = now();
    let after = now();
    instructions(before, after)
}
