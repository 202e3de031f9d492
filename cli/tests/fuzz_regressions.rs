//! Inputs that a fuzzer found and that once broke a reader, each through the target that it broke.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;

/// What is run on an input.
type Target = fn(&[u8]);

/// Runs `target` on all files in its folder, if it has one.
fn every_input(name: &str, target: Target) -> usize {
    let folder = otolith_fixtures::root().join("fuzz/regressions").join(name);
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let files = entries.map(|entry| entry.expect("a file").path());
    let inputs = files.map(|file| {
        println!("{}", file.display());
        target(&fs::read(file).expect("a file"));
    });
    inputs.count()
}

#[test]
fn what_broke_a_reader_once_does_not_again() {
    let targets: [(&str, Target); 8] = [
        ("acquisition", targets::acquisition),
        ("estimator", targets::estimator),
        ("model", targets::model),
        ("network", targets::network),
        ("pipeline", targets::pipeline),
        ("plan", targets::plan),
        ("table", targets::table),
        ("wav", targets::wav),
    ];
    let inputs = targets.map(|(name, target)| every_input(name, target));
    let folders = fs::read_dir(otolith_fixtures::root().join("fuzz/regressions"));
    // No folder has a name that is no target's.
    let folders = folders.expect("the folder").count();
    assert_eq!(inputs.iter().filter(|&&n| n > 0).count(), folders);
}
