//! Images for microcontrollers: what a linker keeps of the library, and that it computes the same
//! bits there.

use crate::plans::{keywords, log_mel, write_c};
use crate::toolchain::{CORTEX_M0, CORTEX_M4F, Core, arm_gcc, crate_dir, library, run};
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_nostd::{Plan, Runner};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Links `tests/c/firmware.c` with `plan` for `core`.
fn image(plan: &[u8], core: &Core, folder: &Path) -> PathBuf {
    let source = write_c(plan, "tested", folder);
    let image = folder.join(format!("{}.elf", core.target));
    let tests = crate_dir().join("tests/c");
    run(arm_gcc(core)
        .arg("-I")
        .arg(folder)
        .args(["-DPLAN=TESTED", "-DPLAN_HEADER=\"tested.h\""])
        .arg(tests.join("firmware.c"))
        .arg(source)
        .arg(library(Some(core.target)))
        .args(["-nostdlib", "-Wl,--gc-sections", "-lgcc", "-T"])
        .arg(tests.join("mps2.ld"))
        .arg("-o")
        .arg(&image));
    image
}

fn symbols(image: &Path) -> Vec<String> {
    let text = run(Command::new("arm-none-eabi-nm")
        .arg("--demangle")
        .arg(image));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_image_holds_the_operators_of_its_plan_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    for core in [CORTEX_M4F, CORTEX_M0] {
        let image = image(&log_mel(), &core, folder.path());
        let symbols = symbols(&image);
        let mut operators: Vec<&str> = symbols
            .iter()
            .filter_map(|line| line.split(' ').find(|word| word.starts_with("OTO_OP_")))
            .collect();
        operators.sort_unstable();
        assert_eq!(
            operators,
            [
                "OTO_OP_FRAME_I16_F32",
                "OTO_OP_LOG_F32",
                "OTO_OP_MEL_F32",
                "OTO_OP_POWER_F32",
                "OTO_OP_RFFT_F32_512",
                "OTO_OP_WINDOW_F32"
            ]
        );
        let unwanted = ["panic", "core::fmt", "unwind", "malloc", "alloc::"];
        let found: Vec<&String> = symbols
            .iter()
            .filter(|line| unwanted.iter().any(|word| line.contains(word)))
            .collect();
        assert!(found.is_empty(), "{}: {found:#?}", core.target);
    }
}

/// Number of events and digest of their features, as `tests/c/firmware.c` computes them.
fn expected(plan: &[u8]) -> (u32, u32) {
    let plan = Plan::from_bytes(plan, all_ops()).unwrap();
    let mut arena = vec![0u64; plan.arena_len() / 8];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let (mut state, mut events, mut digest) = (1u32, 0, 0x811c_9dc5u32);
    for _ in 0..16000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let sample = ((state >> 16) as i32 - 32768) as i16;
        let pushed = runner.push_i16(&[sample]).unwrap();
        assert_eq!(pushed.consumed, 1);
        if pushed.event.is_some() {
            events += 1;
            for &byte in runner.features_bytes().unwrap().1 {
                digest = (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
        }
    }
    (events, digest)
}

#[test]
fn emulated_cores_compute_the_same_bits() {
    assert_same_bits(&log_mel(), 90);
    assert_same_bits(&keywords(), 1);
}

fn assert_same_bits(plan: &[u8], min_events: u32) {
    let folder = tempfile::tempdir().unwrap();
    let expected = expected(plan);
    assert!(expected.0 >= min_events);
    // A Cortex-M3 executes ARMv6-M code, here with floats in software.
    for (core, machine) in [(CORTEX_M4F, "mps2-an386"), (CORTEX_M0, "mps2-an385")] {
        let image = image(plan, &core, folder.path());
        let size = run(Command::new("arm-none-eabi-size").arg(&image));
        let printed = run(Command::new("timeout")
            .args(["60", "qemu-system-arm", "-machine", machine, "-kernel"])
            .arg(&image)
            .args(["-semihosting-config", "enable=on,target=native,chardev=out"])
            .args(["-chardev", "stdio,id=out", "-display", "none"])
            .args(["-monitor", "none", "-serial", "none"])
            .stdin(Stdio::null()));
        let numbers: Vec<u32> = printed
            .split_whitespace()
            .map(|word| u32::from_str_radix(word, 16).unwrap_or_else(|_| panic!("{printed}")))
            .collect();
        let &[events, digest, stack] = &numbers[..] else {
            panic!("{machine} prints {printed:?}");
        };
        println!("{}:\n{size}plan {} stack {stack}", core.target, plan.len());
        assert_eq!((events, digest), expected, "{machine}");
        assert!(stack < 2560, "{stack} bytes of stack");
    }
}
