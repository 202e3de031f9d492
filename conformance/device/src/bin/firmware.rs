//! A firmware: the plan `OTOLITH_PLAN` with just its operators, fed with noise. What a linker
//! keeps of the device crates is measured on this image, so it must not format or panic itself.
//!
//! Prints, in hexadecimal: events, bytes of the runner, bytes of stack that loading the plan,
//! making the runner and pushing samples took.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    otolith_conformance_device::refuse();
}

#[cfg(all(target_os = "none", not(target_arch = "arm")))]
compile_error!("the firmware is for Arm boards");

#[cfg(all(target_os = "none", target_arch = "arm"))]
mod image {
    use core::mem::offset_of;
    use otolith_conformance::select;
    use otolith_conformance_device::device::{Aligned, entry, exit};
    use otolith_conformance_device::stack;
    use otolith_dsp_nostd::format::Header;
    use otolith_dsp_nostd::{Fault, InitError, Op, Plan, PlanError, Runner};
    use semihosting::sys::arm_compat::sys_writec;

    const BYTES: &[u8] = include_bytes!(concat!(env!("OTOLITH_PLAN"), ".oto"));
    static PLAN: Aligned<[u8; BYTES.len()]> =
        Aligned(*include_bytes!(concat!(env!("OTOLITH_PLAN"), ".oto")));
    const CODES: &[u16] = &include!(concat!(env!("OTOLITH_PLAN"), ".codes"));
    static OPS: [&Op; CODES.len()] = select(CODES);

    const ARENA_LEN: usize = {
        let at = offset_of!(Header, arena_len);
        u32::from_le_bytes([BYTES[at], BYTES[at + 1], BYTES[at + 2], BYTES[at + 3]]) as usize
    };

    /// Samples that are pushed: enough for two looks of a classifier.
    const N_SAMPLES: u32 = 24_000;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        exit(101)
    }

    #[entry]
    fn main() -> ! {
        static mut ARENA: Aligned<[u8; ARENA_LEN]> = Aligned([0; ARENA_LEN]);

        let (plan, load_stack) = stack::used_by(|| load(&PLAN.0));
        let Ok(plan) = plan else { stop("plan\n") };
        let arena = &mut ARENA.0;
        let (runner, new_stack) = stack::used_by(|| new(plan, arena));
        let Ok(mut runner) = runner else {
            stop("arena\n")
        };
        let (events, push_stack) = stack::used_by(|| listen(&mut runner));
        let Ok(events) = events else { stop("fault\n") };
        let runner = size_of::<Runner<'_>>() as u32;
        for number in [events, runner, load_stack, new_stack, push_stack] {
            hexadecimal(number);
        }
        exit(0)
    }

    #[inline(never)]
    fn load(plan: &'static [u8]) -> Result<Plan<'static>, PlanError> {
        Plan::from_bytes(plan, &OPS)
    }

    #[inline(never)]
    fn new<'a>(plan: Plan<'a>, arena: &'a mut [u8]) -> Result<Runner<'a>, InitError> {
        Runner::new(plan, arena)
    }

    /// Pushes noise, sample by sample; gives the number of events.
    #[inline(never)]
    fn listen(runner: &mut Runner<'_>) -> Result<u32, Fault> {
        let (mut state, mut events) = (1u32, 0);
        for _ in 0..N_SAMPLES {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = (state as i32 >> 16) as i16;
            let pushed = runner.push_i16(&[sample])?;
            events += u32::from(pushed.event.is_some());
        }
        Ok(events)
    }

    fn hexadecimal(number: u32) {
        for digit in (0..8).rev().map(|digit| (number >> (4 * digit)) as u8 & 15) {
            sys_writec(digit + if digit < 10 { b'0' } else { b'a' - 10 });
        }
        sys_writec(b'\n');
    }

    fn stop(what: &str) -> ! {
        what.bytes().for_each(sys_writec);
        exit(1)
    }
}
