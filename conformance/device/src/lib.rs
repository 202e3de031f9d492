//! What the images have in common. On the host this crate is empty.
#![cfg_attr(target_os = "none", no_std)]

#[cfg(target_os = "none")]
pub mod device;
#[cfg(target_os = "none")]
pub mod kernels;
#[cfg(all(target_os = "none", target_arch = "arm"))]
pub mod stack;
#[cfg(all(target_os = "none", target_arch = "arm"))]
pub mod timer;

/// What the programs do on the host.
#[cfg(not(target_os = "none"))]
pub fn refuse() {
    eprintln!("this program runs on an emulated microcontroller: cargo xtask qemu|count|size");
    std::process::exit(2);
}
