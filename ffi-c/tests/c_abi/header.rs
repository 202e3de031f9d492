//! The committed header against what the library is.

use crate::toolchain::{
    CORTEX_M0, CORTEX_M4F, arm_gcc, cc, crate_dir, library, run, shared_library,
};
use otolith::{abi, ops, status};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::path::Path;
use std::process::Command;

fn header() -> String {
    std::fs::read_to_string(crate_dir().join("include/otolith.h")).unwrap()
}

/// The header without comments, preprocessor lines and line breaks.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").unwrap().1;
    }
    code.push_str(rest);
    let lines = code.lines().filter(|line| !line.starts_with('#'));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// The function declarations in a header, without parameter names and without spaces that do not
/// matter, by function.
fn functions(text: &str) -> BTreeMap<String, String> {
    let code = code(text);
    let mut functions = BTreeMap::new();
    for statement in code.split([';', '{', '}']) {
        let statement = statement.trim();
        if statement.starts_with("static inline") || statement.starts_with("return") {
            continue;
        }
        let Some((head, parameters)) = statement.split_once('(') else {
            continue;
        };
        let Some(name) = head
            .rsplit([' ', '*'])
            .next()
            .filter(|n| n.starts_with("oto_"))
        else {
            continue;
        };
        let declared = format!("{head}({parameters}").replace("struct ", "");
        let tight = declared
            .replace(" *", "*")
            .replace("* ", "*")
            .replace("*const*", "*const *");
        functions.insert(name.into(), tight);
    }
    functions
}

/// Symbols that the library defines for others and that are ours.
fn exported(library: &Path, kind: &[&str]) -> BTreeSet<String> {
    let text = run(Command::new("nm")
        .args([
            "--defined-only",
            "--extern-only",
            "--format=posix",
            "--quiet",
        ])
        .args(kind)
        .arg(library));
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let ours = names.filter(|name| name.to_lowercase().starts_with("oto"));
    // Files are named after crates, and so are routines in assembly, which no C program needs.
    ours.filter(|name| !name.starts_with("otolith-") && !name.starts_with("otolith_"))
        .map(str::to_owned)
        .collect()
}

/// What the header declares: functions and operators.
fn declared() -> BTreeSet<String> {
    let header = header();
    let code = code(&header);
    let operators = code.split(';').filter_map(|statement| {
        let name = statement.trim().strip_prefix("extern const oto_op ")?;
        Some(name.to_owned())
    });
    operators.chain(functions(&header).into_keys()).collect()
}

#[test]
fn the_library_exports_what_the_header_declares() {
    let declared = declared();
    assert!(declared.contains("oto_runner_init_abi") && declared.contains("OTO_OP_RFFT_F32_512"));
    for target in [None, Some(CORTEX_M4F.target), Some(CORTEX_M0.target)] {
        assert_eq!(exported(&library(target), &[]), declared, "{target:?}");
    }
    let shared = exported(&shared_library(), &["--dynamic"]);
    assert_eq!(shared, declared, "shared library");
}

#[test]
fn the_header_declares_the_functions_with_their_types() {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Type,
        cpp_compat: false,
        usize_is_size_t: true,
        ..cbindgen::Config::default()
    };
    config.export.include = vec!["oto_status".into()];
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["abi", "lib", "plan_info", "runner", "status"] {
        builder = builder.with_src(crate_dir().join(format!("src/{file}.rs")));
    }
    let mut generated = Vec::new();
    builder.generate().unwrap().write(&mut generated);
    let generated = functions(&String::from_utf8(generated).unwrap());
    assert!(generated.len() >= 7, "{generated:#?}");
    assert_eq!(functions(&header()), generated);
}

#[test]
fn every_operator_is_exported_under_its_name() {
    let exported: BTreeMap<&str, u16> = ops::SYMBOLS.iter().map(|(s, op)| (*s, op.code)).collect();
    let all = [otolith_dsp_nostd::ops::ALL, otolith_classifier::ALL].concat();
    let names: Vec<String> = all.iter().map(|op| format!("OTO_OP_{}", op.name)).collect();
    let linked: BTreeMap<&str, u16> = names
        .iter()
        .zip(&all)
        .map(|(name, op)| (name.as_str(), op.code))
        .collect();
    assert_eq!(exported, linked);
    let codes: BTreeSet<u16> = all.iter().map(|op| op.code).collect();
    assert_eq!(codes.len(), all.len(), "two operators have one code");
}

/// Everything that has a number in Rust and in C, and the layouts of `tests/c/layout.c`.
#[test]
fn numbers_and_layouts_are_the_same_in_c() {
    let format_version = otolith_dsp_nostd::format::VERSION;
    let version: Vec<&str> = env!("CARGO_PKG_VERSION").split('.').collect();
    let mut facts: Vec<(String, i64)> = status::ALL
        .iter()
        .map(|&(name, code)| (name.into(), code.into()))
        .collect();
    use otolith_dsp_nostd::format::{ARENA_ALIGN, Elem, Numeric, PLAN_ALIGN};
    for (name, value) in [
        ("OTO_ABI_VERSION", i64::from(abi::OTO_ABI_VERSION)),
        ("OTO_PLAN_VERSION", i64::from(format_version)),
        ("OTO_RUNNER_SIZE", abi::OTO_RUNNER_SIZE as i64),
        ("OTO_PLAN_ALIGN", PLAN_ALIGN as i64),
        ("OTO_ARENA_ALIGN", ARENA_ALIGN as i64),
        ("OTO_VERSION_MAJOR", version[0].parse().unwrap()),
        ("OTO_VERSION_MINOR", version[1].parse().unwrap()),
        ("OTO_VERSION_PATCH", version[2].parse().unwrap()),
        ("OTO_EVENT_NONE", i64::from(abi::OTO_EVENT_NONE)),
        ("OTO_EVENT_FEATURES", i64::from(abi::OTO_EVENT_FEATURES)),
        ("OTO_EVENT_SCORES", i64::from(abi::OTO_EVENT_SCORES)),
        ("OTO_EVENT_DECISION", i64::from(abi::OTO_EVENT_DECISION)),
        ("OTO_NUMERIC_F32", Numeric::F32 as i64),
        ("OTO_NUMERIC_FIXED", Numeric::Fixed as i64),
        ("OTO_ELEM_I8", Elem::I8 as i64),
        ("OTO_ELEM_U8", Elem::U8 as i64),
        ("OTO_ELEM_I16", Elem::I16 as i64),
        ("OTO_ELEM_U16", Elem::U16 as i64),
        ("OTO_ELEM_I32", Elem::I32 as i64),
        ("OTO_ELEM_U32", Elem::U32 as i64),
        ("OTO_ELEM_F32", Elem::F32 as i64),
        ("OTO_ELEM_I64", Elem::I64 as i64),
        ("OTO_ELEM_U64", Elem::U64 as i64),
    ] {
        facts.push((name.into(), value));
    }
    let folder = tempfile::tempdir().unwrap();
    let numbers = folder.path().join("numbers.c");
    let mut text = String::from("#include \"otolith.h\"\n");
    for (name, value) in &facts {
        text += &format!("typedef char fact_{name}[({name} == {value}) ? 1 : -1];\n");
    }
    std::fs::write(&numbers, text).unwrap();
    for file in [numbers, crate_dir().join("tests/c/layout.c")] {
        for mut compiler in [cc("c99"), arm_gcc(&CORTEX_M4F), arm_gcc(&CORTEX_M0)] {
            run(compiler.arg("-fsyntax-only").arg(&file));
        }
    }

    // No code is in the header that the library lacks.
    let code = code(&header());
    let in_header: BTreeSet<&str> = code
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| *word == "OTO_OK" || word.starts_with("OTO_ERR_"))
        .collect();
    assert_eq!(
        in_header,
        status::ALL.iter().map(|(name, _)| *name).collect()
    );
}

#[test]
fn every_status_has_a_text_of_its_own() {
    let text = |status| {
        // SAFETY: the function returns constant text.
        unsafe { CStr::from_ptr(status::oto_status_str(status)) }
            .to_str()
            .unwrap()
    };
    let texts: BTreeSet<&str> = status::ALL.iter().map(|&(_, code)| text(code)).collect();
    assert_eq!(texts.len(), status::ALL.len());
    let codes: BTreeSet<i32> = status::ALL.iter().map(|&(_, code)| code).collect();
    assert_eq!(codes.len(), status::ALL.len());
    assert!(!texts.contains(text(1)));
    // SAFETY: the function returns constant text.
    let version = unsafe { CStr::from_ptr(otolith::oto_version()) };
    assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
}
