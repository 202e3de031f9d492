//! Runs the plans of the pack `OTOLITH_PACK` over all signals and prints a line for each.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    otolith_conformance_device::refuse();
}

#[cfg(target_os = "none")]
mod image {
    use otolith_conformance::{OPS, report, signal};
    use otolith_conformance_device::device::{Aligned, entry, exit};
    use semihosting::println;

    otolith_conformance_device::report_panics!();

    static PACK: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("OTOLITH_PACK")));

    #[entry]
    fn main() -> ! {
        let mut arena = Aligned([0; report::ARENA_LEN]);
        let mut buffer = [0; signal::MAX_LEN];
        let done = report::all(&PACK.0, &OPS, &mut arena.0, &mut buffer, |line| {
            println!("{line}");
        });
        if let Err((plan, why)) = done {
            println!("{plan}: {why}");
            exit(1);
        }
        exit(0)
    }
}
