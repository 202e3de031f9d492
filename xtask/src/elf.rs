//! What is in an image: sections, and symbols by whose code they are.

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf};
use std::collections::BTreeMap;
use std::path::Path;

/// An image's contents.
pub(crate) struct Contents {
    /// Bytes of each section that is loaded or reserved, with whether it lies in flash.
    pub(crate) sections: Vec<(String, u64, bool)>,
    /// Bytes in flash by owner, the largest first.
    pub(crate) owners: Vec<(String, u64)>,
    /// Names of all symbols, demangled.
    pub(crate) symbols: Vec<String>,
}

/// Reads an image.
pub(crate) fn read(path: &Path) -> Result<Contents, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let file = object::File::parse(&*bytes).map_err(|e| e.to_string())?;
    let mut sections = Vec::new();
    let mut owners: BTreeMap<String, u64> = BTreeMap::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        if sh_flags & u64::from(elf::SHF_ALLOC) == 0 || section.size() == 0 {
            continue;
        }
        let name = section.name().unwrap_or("?").to_owned();
        let in_flash = section.file_range().is_some();
        sections.push((name, section.size(), in_flash));
        if !in_flash {
            continue;
        }
        let mut symbols: Vec<(u64, u64, String)> = file
            .symbols()
            .filter(|symbol| symbol.section_index() == Some(section.index()))
            // The lowest bit of a function's address says that it is Thumb code.
            .map(|symbol| (symbol.address() & !1, symbol.size(), demangled(&symbol)))
            // Marks of code and data, which end nothing.
            .filter(|(_, _, name)| !name.starts_with('$'))
            .collect();
        symbols.sort();
        let section_end = section.address() + section.size();
        measure_routines(&mut symbols, section_end);
        let mut end = section.address();
        let mut named = 0;
        for (address, size, name) in symbols {
            let own = (address + size).saturating_sub(end.max(address));
            end = end.max(address + size);
            named += own;
            *owners.entry(owner(&name)).or_default() += own;
        }
        *owners.entry("unnamed, padding".into()).or_default() += section.size() - named;
    }
    let mut owners: Vec<(String, u64)> = owners.into_iter().filter(|&(_, n)| n > 0).collect();
    owners.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(Contents {
        sections,
        owners,
        symbols: file.symbols().map(|symbol| demangled(&symbol)).collect(),
    })
}

/// Gives routines whose source does not say their size the bytes up to the next symbol.
fn measure_routines(symbols: &mut [(u64, u64, String)], section_end: u64) {
    let mut next = section_end;
    let mut upper = section_end;
    for (address, size, name) in symbols.iter_mut().rev() {
        if *address < next {
            (upper, next) = (next, *address);
        }
        if *size == 0 && name.starts_with("otolith_dsp_arch") {
            *size = upper - *address;
        }
    }
}

/// Where the functions of an image lie, in order: first address, and whose they are.
pub(crate) fn functions(path: &Path) -> Result<Vec<(u64, String)>, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let file = object::File::parse(&*bytes).map_err(|e| e.to_string())?;
    let mut functions: Vec<(u64, String)> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| (symbol.address() & !1, owner(&demangled(&symbol))))
        .collect();
    functions.sort();
    Ok(functions)
}

fn demangled<'d>(symbol: &impl ObjectSymbol<'d>) -> String {
    let name = symbol.name().unwrap_or_default();
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Whose code or data a symbol is. A generic function belongs to the operator that it was made
/// for, and what the linker's optimiser drew into the firmware's calls of the runner is the
/// runner.
fn owner(symbol: &str) -> String {
    let ops = [
        ("otolith_dsp_nostd::ops::", "op "),
        ("otolith_classifier::ops::", "op classifier::"),
    ];
    for (path, kind) in ops {
        if let Some((_, behind)) = symbol.split_once(path) {
            return format!("{kind}{}", module(behind));
        }
    }
    let is = |paths: &[&str]| paths.iter().any(|path| symbol.contains(path));
    // Routines and the safe functions around them: the operators' kernels, but for what the runner
    // moves samples with.
    if is(&["otolith_dsp_arch"]) && !is(&["otolith_dsp_arch_move", "::memory::"]) {
        return "op dsp-arch".into();
    }
    // How deep a call's stack is belongs to the measurement, whatever the call.
    if is(&["::stack::used_by"]) {
        return "board".into();
    }
    let own = [
        "image::load",
        "image::new",
        "image::listen",
        "otolith_dsp_nostd::",
        "otolith_dsp_arch",
    ];
    let plain = symbol.trim_start_matches(['<', '&']);
    let owner = if is(&["image::PLAN"]) {
        "plan"
    } else if is(&["otolith_classifier::"]) {
        "op classifier"
    } else if is(&own) {
        "runner"
    } else if is(&["microfft::"]) {
        "microfft"
    } else if is(&["libm::"]) {
        "libm"
    } else if is(&["compiler_builtins::"]) || symbol.starts_with("__") && is(&FLOAT_OR_MEMORY) {
        "compiler builtins"
    } else if symbol.starts_with(".L") {
        "unnamed, padding"
    } else if plain.starts_with("core::") {
        "core"
    } else {
        "board"
    };
    owner.into()
}

/// Parts of the names of the compiler's own functions.
const FLOAT_OR_MEMORY: [&str; 6] = ["__aeabi_", "sf", "df", "di", "si", "mem"];

/// The operator's file: `fixed::fft` of `fixed::fft::run`, `mel` of `mel::run`.
fn module(path: &str) -> String {
    let mut parts = path.split("::");
    let first = parts.next().unwrap_or_default();
    let name = |part: &str| -> String {
        let word = |c: &char| c.is_alphanumeric() || *c == '_';
        part.chars().take_while(word).collect()
    };
    match (first, parts.next()) {
        ("fixed", Some(second)) => format!("fixed::{}", name(second)),
        _ => name(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_without_a_size_end_at_the_next_symbol() {
        let of = |address, size, name: &str| (address, size, name.to_owned());
        let mut symbols = [
            of(0, 0, "__stext"),
            of(0, 8, "Reset"),
            of(8, 0, "otolith_dsp_arch_a"),
            of(20, 0, "otolith_dsp_arch_b"),
            of(20, 0, "otolith_dsp_arch_b_too"),
            of(30, 0, "__etext"),
        ];
        measure_routines(&mut symbols, 40);
        let sizes = symbols.map(|(_, size, _)| size);
        assert_eq!(sizes, [0, 8, 12, 10, 10, 0]);
    }

    #[test]
    fn symbols_have_owners() {
        let owners = [
            ("otolith_dsp_nostd::ops::fixed::fft::run", "op fixed::fft"),
            ("otolith_dsp_nostd::ops::mel::check", "op mel"),
            (
                "<otolith_dsp_nostd::ops::rfft::RFFT_F32_512::{closure#0} as \
                 core::ops::function::FnOnce<(&otolith_dsp_nostd::op::Step,)>>::call_once",
                "op rfft",
            ),
            ("<otolith_dsp_nostd::runner::Runner>::run_section", "runner"),
            ("firmware::image::listen", "runner"),
            ("firmware::image::PLAN", "plan"),
            ("__aeabi_fadd", "compiler builtins"),
            ("<core::slice::Iter<u8>>::next", "core"),
            ("__RESET_VECTOR", "board"),
        ];
        for (symbol, expected) in owners {
            assert_eq!(owner(symbol), expected, "{symbol}");
        }
    }
}
