//! `docs/blocks.md` is what the fields' declarations say.
//!
//! `OTOLITH_UPDATE=1 cargo test -p otolith-dsp-core --test reference` writes it anew.

#[test]
fn the_reference_is_up_to_date() {
    let path = otolith_fixtures::root().join("docs/blocks.md");
    let expected = otolith_dsp_core::explain::reference_markdown();
    if std::env::var_os("OTOLITH_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("docs");
        std::fs::write(&path, &expected).expect("docs/blocks.md");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/blocks.md differs from the declarations in dsp-core: run `OTOLITH_UPDATE=1 cargo \
         test -p otolith-dsp-core --test reference` and review the difference"
    );
}
