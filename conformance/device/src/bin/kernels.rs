//! Compares each routine that is written for this processor with its portable twin, on random shapes
//! and values: every byte that they leave behind must be equal.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    otolith_conformance_device::refuse();
}

#[cfg(target_os = "none")]
mod image {
    use otolith_conformance_device::device::{entry, exit};
    use otolith_conformance_device::kernels;
    use semihosting::println;

    otolith_conformance_device::report_panics!();

    #[entry]
    fn main() -> ! {
        let mut failed = false;
        for (name, compare) in kernels::ALL {
            let mut random = kernels::Random::new(7);
            let mut unequal = 0;
            for _ in 0..kernels::CASES {
                match compare(&mut random) {
                    Some(true) => {}
                    Some(false) => unequal += 1,
                    None => {
                        println!("{name}: a shape was refused");
                        exit(1)
                    }
                }
            }
            println!("{name} {} cases {unequal} unequal", kernels::CASES);
            failed |= unequal > 0;
        }
        exit(i32::from(failed))
    }
}
