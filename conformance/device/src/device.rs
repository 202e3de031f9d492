//! The board: entry point, aligned bytes, panic.

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;
pub use semihosting::process::exit;

/// Bytes at an address that plans and arenas need.
#[repr(C, align(8))]
pub struct Aligned<B: ?Sized>(pub B);

/// Writes where a panic happened and stops the emulator with exit code 101.
#[macro_export]
macro_rules! report_panics {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            semihosting::println!("{info}");
            $crate::device::exit(101)
        }
    };
}
