//! Tells the crate whether the target has Arm's DSP instructions, which stable Rust does not say.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(otolith_arm_dsp)");
    println!("cargo:rustc-check-cfg=cfg(otolith_core, values(\"small\", \"scalar\"))");
    let target = std::env::var("TARGET").unwrap_or_default();
    // Cores of ARMv7E-M (Cortex-M4, M7) always have them; those of ARMv8-M may not.
    if target.starts_with("thumbv7em") {
        println!("cargo:rustc-cfg=otolith_arm_dsp");
    }
    // Cores that multiply and load one number at a time; the small ones have 32-bit products only.
    let scalar = ["thumbv7m-", "thumbv8m.main-", "riscv32"];
    if target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base") {
        println!("cargo:rustc-cfg=otolith_core=\"small\"");
    } else if scalar.iter().any(|prefix| target.starts_with(prefix)) {
        println!("cargo:rustc-cfg=otolith_core=\"scalar\"");
    }
}
