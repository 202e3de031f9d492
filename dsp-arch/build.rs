//! Tells the crate whether the target has Arm's DSP instructions, which stable Rust does not say.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(otolith_arm_dsp)");
    let target = std::env::var("TARGET").unwrap_or_default();
    // Cores of ARMv7E-M (Cortex-M4, M7) always have them; those of ARMv8-M may not.
    if target.starts_with("thumbv7em") {
        println!("cargo:rustc-cfg=otolith_arm_dsp");
    }
}
