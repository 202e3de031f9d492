//! `docs/blocks.md` and `docs/dialects.md` say what the fields and presets declare.
//!
//! `OTOLITH_UPDATE=1 cargo test -p otolith-dsp-core --test reference` writes them anew.

use otolith_dsp_core::explain::{dialects_markdown, reference_markdown};

/// Asserts that the file in `docs` is `expected`, or writes it.
fn check(name: &str, expected: &str) {
    let path = otolith_fixtures::root().join("docs").join(name);
    if std::env::var_os("OTOLITH_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("docs");
        std::fs::write(&path, expected).expect(name);
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} differs from the declarations in dsp-core: run `OTOLITH_UPDATE=1 cargo test \
         -p otolith-dsp-core --test reference` and review the difference"
    );
}

#[test]
fn the_reference_is_up_to_date() {
    check("blocks.md", &reference_markdown());
}

#[test]
fn the_table_of_dialects_is_up_to_date() {
    check("dialects.md", &dialects_markdown());
}
