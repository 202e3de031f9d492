//! What each fuzz target does with its bytes: whatever they are, it returns.
//!
//! The targets call these functions, and so does a test of the command line, on the inputs under
//! `fuzz/regressions` that once broke one of them.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "the readers of the command line have more than a target needs, and the test is a program"
)]

#[path = "../../cli/src/acquisition.rs"]
mod acquisition_file;
#[path = "../../cli/src/delimited.rs"]
mod delimited;
#[path = "../../cli/src/riff.rs"]
mod riff;

mod network;
mod plan;

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::estimator::Estimator;
use otolith_tflite::Model;
use std::path::Path;

pub use network::network;
pub use plan::plan;

/// The reader of `.tflite` files.
pub fn model(bytes: &[u8]) {
    let _ = Model::from_bytes(bytes);
}

/// WAV files.
pub fn wav(bytes: &[u8]) {
    let Ok(mut reader) = riff::open(bytes) else {
        return;
    };
    match reader.spec().sample_format {
        hound::SampleFormat::Int => reader
            .samples::<i32>()
            .take_while(Result::is_ok)
            .for_each(drop),
        hound::SampleFormat::Float => reader
            .samples::<f32>()
            .take_while(Result::is_ok)
            .for_each(drop),
    }
}

/// CSV files of sensors.
pub fn table(bytes: &[u8]) {
    let Ok(mut table) = delimited::Delimited::open(bytes) else {
        return;
    };
    while let Ok(Some(_)) = table.next_line() {
        for column in 0..table.columns {
            let _ = (
                table.number(column),
                table.present(column),
                table.stamp(column),
            );
        }
    }
}

/// Acquisition files in JSON and CBOR.
pub fn acquisition(bytes: &[u8]) {
    if acquisition_file::is_acquisition(bytes) {
        let _ = acquisition_file::read(bytes);
    }
}

/// Pipeline files: read, checked, and written again as they were resolved.
pub fn pipeline(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
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
}

/// The JSON of trees, linear models and anomaly scores.
pub fn estimator(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(estimator) = Estimator::from_json(text) {
        let features = vec![0.25; estimator.n_features()];
        assert_eq!(estimator.scores(&features).len(), estimator.labels().len());
    }
}
