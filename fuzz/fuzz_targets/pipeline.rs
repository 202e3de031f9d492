//! Pipeline files: read, checked, and written again as they were resolved.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otolith_dsp_core::Pipeline;
use std::path::Path;

fuzz_target!(|text: &str| {
    // Models of others are not looked for.
    if text.contains("model") || text.contains("labels") {
        return;
    }
    let folder = Path::new("corpus");
    let Ok(pipeline) = Pipeline::from_toml(text, folder, &[]) else {
        return;
    };
    let again = Pipeline::from_toml(pipeline.resolved_toml(), folder, &[]).expect("resolved");
    assert_eq!(again.resolved_toml(), pipeline.resolved_toml());
});
