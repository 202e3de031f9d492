//! The examples compile, and the guide quotes them word for word.

use crate::plans::write_c;
use crate::toolchain::{CORTEX_M4F, arm_gcc, cc, crate_dir, run};

const EXAMPLES: [&str; 2] = ["minimal.c", "load.c"];

/// The parts of an example: the text between two lines `/* [name] */`.
fn parts(source: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = source;
    while let Some((_, after)) = rest.split_once("/* [") {
        let (name, body) = after.split_once("] */\n").unwrap();
        let (part, after) = body.split_once(&format!("/* [{name}] */")).unwrap();
        parts.push(part.trim());
        rest = after;
    }
    parts
}

#[test]
fn examples_compile() {
    let folder = tempfile::tempdir().unwrap();
    write_c(&crate::plans::decider(), "kws", folder.path());
    for example in EXAMPLES {
        for mut compiler in [cc("c99"), cc("c11"), arm_gcc(&CORTEX_M4F)] {
            run(compiler
                .arg("-fsyntax-only")
                .arg("-I")
                .arg(folder.path())
                .arg(crate_dir().join("examples").join(example)));
        }
    }
}

#[test]
fn the_guide_quotes_the_examples() {
    let guide = std::fs::read_to_string(crate_dir().join("../docs/firmware.md")).unwrap();
    let sources = EXAMPLES.map(|example| {
        std::fs::read_to_string(crate_dir().join("examples").join(example)).unwrap()
    });
    let parts: Vec<&str> = sources.iter().flat_map(|source| parts(source)).collect();
    assert_eq!(parts.len(), 5);
    let quoted: Vec<&str> = guide
        .split("```c\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap().trim())
        .collect();
    for part in &parts {
        assert!(quoted.contains(part), "docs/firmware.md lacks\n{part}");
    }
    for block in &quoted {
        assert!(parts.contains(block), "no example holds\n{block}");
    }
}
