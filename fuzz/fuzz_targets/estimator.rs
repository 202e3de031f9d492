//! The JSON of trees, linear models and anomaly scores.
#![no_main]

use libfuzzer_sys::fuzz_target;
use otolith_dsp_core::estimator::Estimator;

fuzz_target!(|text: &str| {
    if let Ok(estimator) = Estimator::from_json(text) {
        let features = vec![0.25; estimator.n_features()];
        assert_eq!(estimator.scores(&features).len(), estimator.labels().len());
    }
});
