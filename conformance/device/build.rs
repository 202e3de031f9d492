//! The memory map of the emulated board, for the linker scripts of `cortex-m-rt` and `riscv-rt`.

use std::env::var;
use std::path::Path;

/// QEMU's mps2-an385, an386 and an500.
const MPS2: &str = "MEMORY
{
    FLASH : ORIGIN = 0x00000000, LENGTH = 4M
    RAM : ORIGIN = 0x20000000, LENGTH = 4M
}
";

/// QEMU's mps2-an505, secure side.
const MPS2_AN505: &str = "MEMORY
{
    FLASH : ORIGIN = 0x10000000, LENGTH = 4M
    RAM : ORIGIN = 0x38000000, LENGTH = 4M
}
";

/// QEMU's riscv32 virt.
const VIRT: &str = "MEMORY
{
    FLASH : ORIGIN = 0x80000000, LENGTH = 8M
    RAM : ORIGIN = 0x80800000, LENGTH = 8M
}
REGION_ALIAS(\"REGION_TEXT\", FLASH);
REGION_ALIAS(\"REGION_RODATA\", FLASH);
REGION_ALIAS(\"REGION_DATA\", RAM);
REGION_ALIAS(\"REGION_BSS\", RAM);
REGION_ALIAS(\"REGION_HEAP\", RAM);
REGION_ALIAS(\"REGION_STACK\", RAM);
";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let target = var("TARGET").unwrap_or_default();
    let memory = match &*target {
        _ if target.starts_with("riscv32") => VIRT,
        _ if target.starts_with("thumbv8m") => MPS2_AN505,
        _ => MPS2,
    };
    let out = var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("memory.x"), memory).expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    // Pages as large as the alignment: images are loaded, not mapped.
    println!("cargo:rustc-link-arg-bins=--nmagic");
}
