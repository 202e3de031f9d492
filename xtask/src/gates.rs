//! What must not be in a firmware image.

use crate::run::Report;
use crate::size::Firmware;
use crate::snapshot::{self, Table};
use serde_json::json;

/// A kind of code, and the names that give it away.
struct Gate {
    name: &'static str,
    found: fn(&str) -> bool,
}

const GATES: [Gate; 4] = [
    Gate {
        name: "panic",
        found: |symbol| {
            has(
                symbol,
                &["core::panicking", "rust_begin_unwind", "unwind", "panic_"],
            ) || symbol.ends_with("::panic")
        },
    },
    Gate {
        name: "heap",
        found: |symbol| {
            has(
                symbol,
                &[
                    "malloc",
                    "realloc",
                    "__rust_alloc",
                    "__rust_dealloc",
                    "alloc::",
                ],
            )
        },
    },
    Gate {
        name: "fmt",
        found: |symbol| has(symbol, &["core::fmt"]),
    },
    Gate {
        name: "float",
        found: float,
    },
];

fn has(symbol: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| symbol.contains(part))
}

/// The compiler's float functions, by their names of the Arm ABI and of compiler-rt, and maths
/// libraries.
fn float(symbol: &str) -> bool {
    // __addsf3, __ltdf2, __fixunssfsi, __floatundidf, __extendsfdf2, ...
    let runtime = symbol.starts_with("__")
        && has(
            symbol,
            &[
                "sf2", "sf3", "df2", "df3", "sfsi", "sfdi", "dfsi", "dfdi", "sisf", "disf", "sidf",
                "didf",
            ],
        );
    let converts = has(
        symbol,
        &[
            "__aeabi_i2f",
            "__aeabi_ui2f",
            "__aeabi_l2f",
            "__aeabi_ul2f",
            "__aeabi_i2d",
            "__aeabi_ui2d",
            "__aeabi_l2d",
            "__aeabi_ul2d",
        ],
    );
    let arm = ["__aeabi_f", "__aeabi_d", "__aeabi_cf", "__aeabi_cd"];
    let libraries = ["libm::", "microfft::", "compiler_builtins::float"];
    arm.iter().any(|prefix| symbol.starts_with(prefix))
        || converts
        || runtime
        || has(symbol, &libraries)
}

/// `cargo xtask gates`.
pub(crate) fn all(report: &mut Report, firmwares: &[Firmware]) {
    let mut table = Table::new(&["plan", "core", "panic", "heap", "fmt", "float"]);
    for firmware in firmwares {
        let mut row = vec![json!(firmware.plan.name), json!(firmware.core.name)];
        for gate in &GATES {
            let symbols = firmware.contents.symbols.iter();
            let found: Vec<&String> = symbols.filter(|symbol| (gate.found)(symbol)).collect();
            row.push(json!(found.len()));
            // A float plan may use floats.
            if gate.name == "float" && !firmware.plan.integer {
                continue;
            }
            let name = format!(
                "gates: no {} in {} on {}",
                gate.name, firmware.plan.name, firmware.core.name
            );
            if !found.is_empty() {
                eprintln!("{name}: {found:#?}");
            }
            report.count(&name, found.is_empty());
        }
        table.rows.push(row);
    }
    let tables = [("symbols that give away", &table)];
    snapshot::show(report, "gates", &tables, &tables);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_know_what_they_look_for() {
        let found = |name: &str| -> Vec<&str> {
            let gates = GATES.iter().filter(|gate| (gate.found)(name));
            gates.map(|gate| gate.name).collect()
        };
        for name in [
            "__aeabi_fadd",
            "__aeabi_fdiv",
            "__aeabi_dmul",
            "__aeabi_fcmplt",
            "__aeabi_cdcmple",
            "__aeabi_i2f",
            "__aeabi_ul2d",
            "__aeabi_f2iz",
            "__addsf3",
            "__muldf3",
            "__floatundisf",
            "__fixsfsi",
            "__extendsfdf2",
            "__ltsf2",
            "compiler_builtins::float::add::__addsf3",
            "libm::math::logf::logf",
        ] {
            assert_eq!(found(name), ["float"], "{name}");
        }
        for name in [
            "__aeabi_idiv",
            "__aeabi_uldivmod",
            "__aeabi_lmul",
            "__aeabi_memcpy4",
            "__udivsi3",
            "__muldi3",
            "otolith_dsp_nostd::ops::fixed::fft::run",
        ] {
            assert!(found(name).is_empty(), "{name}");
        }
        assert_eq!(found("core::panicking::panic_bounds_check"), ["panic"]);
        assert_eq!(found("firmware::image::panic"), ["panic"]);
        assert_eq!(found("core::fmt::write"), ["fmt"]);
        assert_eq!(found("__rust_alloc"), ["heap"]);
    }
}
