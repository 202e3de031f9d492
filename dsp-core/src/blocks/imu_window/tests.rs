use crate::engine::{Engine, Numeric};
use crate::{ConfigError, Pipeline};

/// A pipeline of 1 s windows at 64 Hz with three axes.
fn pipeline(fields: &str) -> Result<Pipeline, ConfigError> {
    let text = format!(
        "[pipeline]\nname = \"motion\"\n[input]\nkind = \"sensor\"\nrate_hz = 64\n\
         axes = [\"ax\", \"ay\", \"az\"]\nfull_scale = 4\nmode = \"window\"\n\
         window_samples = 64\n[[block]]\nid = \"imu\"\ntype = \"imu_window\"\n{fields}\n"
    );
    Pipeline::from_toml(&text, ".".as_ref(), &[])
}

/// The features of `axes` of a window, in full scale 4, by their names.
fn features(fields: &str, of: impl Fn(f64) -> [f64; 3]) -> Vec<(String, f64)> {
    let pipeline = pipeline(fields).expect("valid");
    let samples: Vec<f32> = (0..64)
        .flat_map(|t| of(f64::from(t) / 64.0))
        .map(|x| (x / 4.0) as f32)
        .collect();
    let mut engine = Engine::new(pipeline.graph(), Numeric::Reference, false).expect("sound");
    let values = engine
        .features(samples.as_slice())
        .expect("a window")
        .values;
    let names = pipeline.graph().names();
    assert_eq!(names.len(), values.len());
    names.into_iter().zip(values.to_f64()).collect()
}

fn get(features: &[(String, f64)], name: &str) -> f64 {
    let found = features.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("{name} in {features:?}")).1
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
}

/// `(0.5, 0.3 sin(2 pi 4 t), 1 + 0.1 cos(2 pi 8 t))`: whole periods in a window.
fn waves(t: f64) -> [f64; 3] {
    let turn = 2.0 * std::f64::consts::PI * t;
    [
        0.5,
        0.3 * libm::sin(4.0 * turn),
        1.0 + 0.1 * libm::cos(8.0 * turn),
    ]
}

#[test]
fn waves_have_the_features_that_paper_says() {
    let found = features(
        "channels = [\"axes\"]\nfeatures = [\"tilt\", \"autocorrelation\", \"mean\", \"rms\", \
         \"std\", \"energy\", \"dominant_frequency\", \"mean_crossings\", \"band_energy\", \
         \"p25\", \"sma\", \"direction\", \"correlation\", \"kurtosis\", \"spectral_entropy\"]\n\
         band_edges_hz = [0.5, 3, 6, 12]",
        waves,
    );
    let get = |name: &str| get(&found, name);
    close(get("ax_mean"), 0.5);
    close(get("ax_std"), 0.0);
    close(get("ax_kurtosis"), -3.0);
    close(get("ax_spectral_entropy"), 0.0);
    close(get("ax_autocorrelation_peak"), 0.0);
    close(get("ay_rms"), 0.3 / 2f64.sqrt());
    close(get("ay_energy"), 0.045);
    close(get("ay_dominant_frequency"), 4.0);
    close(get("az_dominant_frequency"), 8.0);
    close(get("ay_mean_crossings"), 8.0 / 64.0);
    close(get("ay_p25"), -0.3 / 2f64.sqrt());
    // All of the wave is in its band, and hann spreads it over three bins.
    close(get("ay_energy_3_6_hz"), 0.045);
    close(get("ay_energy_6_12_hz"), 0.0);
    close(get("az_energy_6_12_hz"), 0.005);
    // Three bins of shares 1/6, 2/3 and 1/6 of 32.
    let entropy = (2.0 / 6.0 * libm::log(6.0) + 2.0 / 3.0 * libm::log(1.5)) / libm::log(32.0);
    close(get("ay_spectral_entropy"), entropy);
    // Two of its periods of 16 samples: 32 / 64 of the sum; from lag 6 on one period is higher.
    close(get("ay_autocorrelation_lag"), 16.0 / 64.0);
    close(get("ay_autocorrelation_peak"), 48.0 / 64.0);
    close(get("a_sma"), 0.5 + 0.3 * 0.628_417_44 + 1.0);
    let norm = 1.25f64.sqrt();
    close(get("ax_direction"), 0.5 / norm);
    close(get("ay_direction"), 0.0);
    close(get("a_tilt"), libm::atan(0.5));
    close(get("ay_az_correlation"), 0.0);
}

#[test]
fn derived_signals_follow_their_formulas() {
    let ramp = |t: f64| [t, 2.0 * t, -2.0 * t];
    let found = features(
        "channels = [\"jerk\", \"magnitude\", \"jerk_magnitude\"]\n\
         features = [\"mean\", \"max\", \"std\"]\ntriads = [\"acc: ax ay az\"]",
        ramp,
    );
    let get = |name: &str| get(&found, name);
    close(get("ay_jerk_mean"), 2.0);
    close(get("az_jerk_max"), -2.0);
    close(get("acc_magnitude_max"), 3.0 * 63.0 / 64.0);
    close(get("acc_jerk_magnitude_mean"), 3.0);
    close(get("acc_jerk_magnitude_std"), 0.0);
}

#[test]
fn gravity_and_body_are_the_whole_and_split_slow_from_fast() {
    let found = features(
        "channels = [\"axes\", \"gravity\", \"body\", \"body_magnitude\"]\n\
         features = [\"mean\", \"peak_to_peak\", \"rms\"]\ngravity_hz = 0.5",
        waves,
    );
    let get = |name: &str| get(&found, name);
    for axis in ["ax", "ay", "az"] {
        let sum = get(&format!("{axis}_gravity_mean")) + get(&format!("{axis}_body_mean"));
        close(sum, get(&format!("{axis}_mean")));
    }
    // A first-order low-pass at 0.5 Hz leaves 1/16 of 8 Hz, on both sides of 1.
    assert!(get("az_gravity_peak_to_peak") < 2.5 * 0.1 / 16.0);
    assert!((get("az_gravity_mean") - 1.0).abs() < 0.01);
    let axes = ["ax_body_rms", "ay_body_rms", "az_body_rms"];
    let square: f64 = axes.iter().map(|axis| get(axis) * get(axis)).sum();
    close(get("a_body_magnitude_rms"), square.sqrt());
}

#[test]
fn everything_that_is_written_reads_back() {
    let first = pipeline("features = [\"sma\", \"autocorrelation\"]").expect("valid");
    let text = first.resolved_toml();
    let again = Pipeline::from_toml(text, ".".as_ref(), &[]).expect("valid");
    assert_eq!(first, again);
    assert!(text.contains("triads = [\"a: ax ay az\"]"), "{text}");
    assert!(text.contains("n_fft = 64"), "{text}");
}

#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let refused = |fields: &str, path: &str, words: &str| {
        let error = pipeline(fields).expect_err(fields);
        assert_eq!(error.path, path, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(
        "features = [\"meen\"]",
        "imu.features",
        "did you mean \"mean\"?",
    );
    refused("features = [\"p101\"]", "imu.features", "p0 to p100");
    refused("features = [\"p50\", \"median\"]", "imu.features", "twice");
    refused("features = []", "imu.features", "at least one");
    refused(
        "channels = [\"magnitud\"]",
        "imu.channels",
        "\"magnitude\"?",
    );
    refused("channels = []", "imu.channels", "at least one");
    refused(
        "triads = [\"ax ay az\"]",
        "imu.triads",
        "a name and three axes",
    );
    refused(
        "triads = [\"a: ax ay gz\"]",
        "imu.triads",
        "\"gz\" is no axis",
    );
    refused("triads = []", "imu.triads", "need three axes");
    refused("gravity_hz = 16", "imu.gravity_hz", "16 Hz, a quarter");
    refused("n_fft = 32", "imu.n_fft", "at least 64");
    refused(
        "features = [\"band_energy\"]",
        "imu.band_edges_hz",
        "needs it",
    );
    refused(
        "band_edges_hz = [3, 2]",
        "imu.band_edges_hz",
        "rising edges",
    );
    refused(
        "band_edges_hz = [2.2, 2.4]",
        "imu.band_edges_hz",
        "1.000 Hz apart",
    );
    let lags = "features = [\"autocorrelation\"]\nlag_max_ms = 1000";
    refused(lags, "imu.lag_max_ms", "from 1 to 62 samples");
}
