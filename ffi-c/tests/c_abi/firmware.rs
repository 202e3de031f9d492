//! Images for microcontrollers: what a linker keeps of the library.

use crate::plans::{log_mel, write_c};
use crate::toolchain::{CORTEX_M0, CORTEX_M4F, Core, arm_gcc, crate_dir, library, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Links `tests/c/firmware.c` with `plan` for `core`.
fn image(plan: &[u8], core: &Core, folder: &Path) -> PathBuf {
    let source = write_c(plan, "tested", folder);
    let image = folder.join(format!("{}.elf", core.target));
    run(arm_gcc(core)
        .arg("-I")
        .arg(folder)
        .args(["-DPLAN=TESTED", "-DPLAN_HEADER=\"tested.h\""])
        .arg(crate_dir().join("tests/c/firmware.c"))
        .arg(source)
        .arg(library(Some(core.target)))
        .args([
            "-nostdlib",
            "-Wl,--gc-sections",
            "-Wl,-eReset_Handler",
            "-lgcc",
            "-o",
        ])
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
        println!(
            "{}\n{}",
            core.target,
            run(Command::new("arm-none-eabi-size").arg("-A").arg(&image))
        );
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
