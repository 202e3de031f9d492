//! Block `normalise`: constants of a training set, in every numeric.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::engine::{Engine, Features, Numeric};

const MFCC: &str = "[input]\nrate_hz = 16000\n[[block]]\ntype = \"mfcc\"\nframe_ms = 25\nhop_ms = 10\n\
                    n_coeffs = 3\n";
const RAW: &str = "[input]\nkind = \"sensor\"\nrate_hz = 100\naxes = [\"x\", \"y\"]\nfull_scale = 4.0\n\
                   mode = \"window\"\nwindow_ms = 20\n[[block]]\ntype = \"raw\"\n";

fn read(text: &str) -> Result<Pipeline, String> {
    let text = format!("[pipeline]\nname = \"normal\"\n{text}");
    Pipeline::from_toml(&text, ".".as_ref(), &[]).map_err(|e| e.to_string())
}

fn features(text: &str, numeric: Numeric, samples: &[i16]) -> Features {
    let pipeline = read(text).unwrap_or_else(|e| panic!("{e}"));
    let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("lowers");
    engine.features(samples).unwrap_or_else(|e| panic!("{e}"))
}

fn samples(n: i32) -> Vec<i16> {
    (0..n)
        .map(|i| ((i * i * 37 + i * 911) % 20011 - 10005) as i16)
        .collect()
}

#[test]
fn every_scaler_subtracts_and_divides() {
    let cases = [
        (
            MFCC,
            "mean = [-60.0, 3.0, 0.5]\nstd = [10.0, 0.25, 0.0]\n",
            [-60.0, 3.0, 0.5],
            [10.0, 0.25, 1.0],
        ),
        (
            MFCC,
            "scaler = \"min_max\"\nminimum = [-80.0, -4.0, 1.0]\nmaximum = [-40.0, 4.0, 1.0]\n",
            [-80.0, -4.0, 1.0],
            [40.0, 8.0, 1.0],
        ),
        (
            RAW,
            "scaler = \"robust\"\nmedian = [0.5, -0.5, 0.25, 0.0]\niqr = [2.0, 1.0, 0.5, 0.125]\n",
            [0.5, -0.5, 0.25],
            [2.0, 1.0, 0.5],
        ),
    ];
    let audio = samples(2000);
    for (features_toml, constants, centre, spread) in cases {
        let plain = features(features_toml, Numeric::Reference, &audio);
        let text = format!("{features_toml}[[block]]\ntype = \"normalise\"\n{constants}");
        for numeric in Numeric::ALL {
            let found = features(&text, numeric, &audio);
            assert_eq!(found.row_len, plain.row_len);
            let values = found.values.to_f64();
            for (i, (x, y)) in plain.values.to_f64().iter().zip(&values).enumerate() {
                let column = i % plain.row_len;
                if column == 3 {
                    continue;
                }
                let expected = (x - centre[column]) / spread[column];
                let within = match numeric {
                    Numeric::Reference => 1e-12,
                    Numeric::Host | Numeric::F32 => 1e-4,
                    Numeric::Fixed(_) => 0.04 / spread[column].min(1.0),
                };
                assert!(
                    (y - expected).abs() <= within * (1.0 + expected.abs()),
                    "{numeric:?} {i}: {y}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn wrong_constants_are_refused() {
    let refused = |block: &str, part: &str| {
        let error =
            read(&format!("{MFCC}[[block]]\ntype = \"normalise\"\n{block}")).expect_err("refused");
        assert!(error.contains(part), "{error}");
    };
    refused("", "normalise.mean");
    refused("mean = [1.0, 2.0]\nstd = [1.0, 1.0, 1.0]\n", "3 columns");
    refused(
        "mean = [1.0, 2.0, 3.0]\nstd = [1.0, 1.0, -1.0]\n",
        "normalise.std",
    );
    refused(
        "mean = [1.0, 2.0, 3.0]\nstd = [1.0, 1.0, 1.0]\niqr = [1.0, 1.0, 1.0]\n",
        "remove it",
    );
    refused(
        "scaler = \"min_max\"\nminimum = [1.0, 2.0, 3.0]\nmaximum = [1.0, 1.0, 5.0]\n",
        "column 1",
    );
}

#[test]
fn constants_are_kept_to_the_last_digit() {
    let text = format!(
        "{MFCC}[[block]]\ntype = \"normalise\"\nmean = [0.1, 1e-7, 3]\nstd = [1.0, 2.5, 0.3]\n"
    );
    let pipeline = read(&text).expect("valid");
    let again = Pipeline::from_toml(pipeline.resolved_toml(), ".".as_ref(), &[]).expect("valid");
    assert_eq!(again.graph(), pipeline.graph());
}
