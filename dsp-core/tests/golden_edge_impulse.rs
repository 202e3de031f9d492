//! Audio blocks of Edge Impulse, implementation versions 1 to 4, against the numbers of its own
//! Python blocks.

use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::{ConfigError, Pipeline};
use otolith_fixtures::{Array, EdgeImpulseCase, EdgeImpulseGoldens};

/// Type of block and its fields for a case.
fn fields(case: &EdgeImpulseCase, block: &str) -> String {
    let number = |name: &str| case.number(name);
    let mut text = format!(
        "type = \"{block}\"\npreset = \"edge_impulse_v{}\"\nframe_ms = {:?}\nhop_ms = {:?}\n\
         n_fft = {}\n",
        case.version(),
        number("frame_length") * 1000.0,
        number("frame_stride") * 1000.0,
        number("fft_length"),
    );
    let mut set = |name: &str, value: String| text.push_str(&format!("{name} = {value}\n"));
    if block != "spectrogram" {
        set("n_mels", number("num_filters").to_string());
        set("f_min_hz", number("low_frequency").to_string());
        if number("high_frequency") > 0.0 {
            set("f_max_hz", number("high_frequency").to_string());
        }
        if case.allows_empty_filters() {
            set("empty_filters", "\"allow\"".to_owned());
        }
    }
    let spans = block == "mfcc" || block == "mel" && case.version() < 3;
    if spans && number("win_size") == 0.0 {
        set("cmvn", "\"none\"".to_owned());
    } else if spans {
        set("cmvn_span", number("win_size").to_string());
    }
    if block == "mfcc" {
        // More coefficients than filters: the block has as many as there are filters.
        let coefficients = number("num_cepstral").min(number("num_filters"));
        set("n_coeffs", coefficients.to_string());
        set("pre_emphasis_coefficient", number("pre_cof").to_string());
        set("pre_emphasis_shift", number("pre_shift").to_string());
    } else if case.version() >= 3 {
        set("rescale_low", number("noise_floor_db").to_string());
    }
    text
}

fn pipeline_of(case: &EdgeImpulseCase, block: &str) -> Result<Pipeline, ConfigError> {
    let normalise = if case.is_int16() {
        "int16_scale"
    } else {
        "none"
    };
    let text = format!(
        "[pipeline]\nname = \"golden\"\n[input]\nrate_hz = {}\nmode = \"window\"\nwindow_ms = \
         {:?}\nnormalise = \"{normalise}\"\n[[block]]\n{block}",
        case.rate_hz(),
        case.input().values.len() as f64 * 1000.0 / case.rate_hz(),
    );
    Pipeline::from_toml(&text, ".".as_ref(), &[])
}

/// The samples as the pipeline takes them: integers as numbers in [-1, 1).
fn samples(case: &EdgeImpulseCase) -> Vec<f32> {
    let scale = if case.is_int16() { 32768.0 } else { 1.0 };
    let values = case.input().values;
    values.into_iter().map(|x| (x / scale) as f32).collect()
}

/// The features of a case in `reference` and in `host`.
fn features(case: &EdgeImpulseCase, pipeline: &Pipeline) -> [Vec<f64>; 2] {
    let samples = samples(case);
    let reference = Executor::<f64>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples)
        .values;
    let host = Executor::<f32>::new(pipeline.graph().first())
        .expect("a graph that fits together")
        .features(&samples)
        .values;
    [reference, host.into_iter().map(f64::from).collect()]
}

/// Runs every case of a block: errors must be refused, the others are handed to `check` with
/// what is expected, `reference` and `host`.
fn each(
    edge_impulse: &str,
    block: &str,
    mut check: impl FnMut(&EdgeImpulseCase, &Array, [Vec<f64>; 2]),
) {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    for case in EdgeImpulseGoldens::open(&shared).block(edge_impulse) {
        let id = case.id().to_owned();
        match (case.features(), pipeline_of(&case, &fields(&case, block))) {
            (Ok(golden), Ok(pipeline)) => {
                let found = features(&case, &pipeline);
                check(&case, &golden, found);
            }
            (Ok(_), Err(error)) => panic!("{id}: {error}"),
            (Err(refusal), Ok(_)) => panic!("{id} is built, though the origin says: {refusal}"),
            (Err(refusal), Err(error)) => {
                println!("{id}: {error}   [origin: {refusal}]");
                assert!(!error.path.is_empty() && !error.allowed.is_empty(), "{id}");
            }
        }
    }
}

/// Largest difference as a fraction of the largest value, without ill-conditioned features.
fn relative_error(case: &EdgeImpulseCase, golden: &Array, found: &[f64], least: f64) -> f64 {
    let (mut golden, mut found) = (golden.clone(), found.to_vec());
    assert_eq!(golden.values.len(), found.len(), "{}", case.id());
    let largest = golden.values.iter().fold(least, |m: f64, x| m.max(x.abs()));
    for i in case.ill_conditioned() {
        golden.values[i] = 0.0;
        found[i] = 0.0;
    }
    golden.absolute_error(&found) / largest
}

#[test]
fn mfcc() {
    each("mfcc", "mfcc", |case, golden, found| {
        // Standardised columns have a deviation of 1, unless all rows are equal (silence, a
        // constant, a single frame): then they are rounding noise, divided by 1e-10.
        let noise = golden.values.iter().all(|x| x.abs() < 1e-3);
        let least = if noise { 5.0 } else { 0.0 };
        let errors = found.map(|found| relative_error(case, golden, &found, least));
        println!(
            "{} reference {:.1e} host {:.1e}",
            case.id(),
            errors[0],
            errors[1]
        );
        assert!(errors[0] < 1e-4, "{} reference {}", case.id(), errors[0]);
        assert!(errors[1] < 1e-4, "{} host {}", case.id(), errors[1]);
    });
}

/// Whether every frame of a case is the same but for rounding noise. Centred energies are that
/// noise alone, and the map to 0..1 makes it as large as any signal.
fn is_rounding_noise(case: &EdgeImpulseCase) -> bool {
    let largest = |block: &str| {
        let text = format!("{}{block}", fields(case, "mel"));
        let pipeline = pipeline_of(case, &text).expect("a pipeline");
        let [reference, _] = features(case, &pipeline);
        reference.iter().fold(0.0, |m: f64, x| m.max(x.abs()))
    };
    let centred = largest("window_scale = \"none\"\n");
    let energies = largest("window_scale = \"none\"\ncmvn = \"none\"\n");
    centred > 0.0 && centred < 1e-12 * energies
}

#[test]
fn mfe() {
    let mut noise = Vec::new();
    each("mfe", "mel", |case, golden, found| {
        let [reference, host] = found;
        if case.version() < 3 && is_rounding_noise(case) {
            noise.push(case.id().to_owned());
            return;
        }
        if case.version() < 3 {
            for (name, found) in [("reference", reference), ("host", host)] {
                let error = relative_error(case, golden, &found, 0.0);
                println!("{} {name} {error:.1e}", case.id());
                let silent = golden.values.iter().all(|&x| x == 0.0) && found == golden.values;
                assert!(error < 1e-4 || silent, "{} {name} {error}", case.id());
            }
            return;
        }
        // Levels of 1/256: the reference has every one of them.
        assert_eq!(reference, golden.values, "{}", case.id());
        let steps = |found: &[f64]| {
            let differences = found
                .iter()
                .zip(&golden.values)
                .map(|(a, b)| (a - b) * 256.0);
            differences.filter(|x| *x != 0.0).collect::<Vec<f64>>()
        };
        let differences = steps(&host);
        println!(
            "{} host: {} of {} differ",
            case.id(),
            differences.len(),
            host.len()
        );
        assert!(
            differences.iter().all(|x| x.abs() <= 1.0),
            "{} {differences:?}",
            case.id()
        );
        assert!(differences.len() * 100 <= host.len(), "{}", case.id());
    });
    // A square wave whose period divides the hop.
    let found_any = otolith_fixtures::shared_dir().is_some();
    assert!(
        !found_any || noise == ["mfe_v1_007", "mfe_v2_015"],
        "{noise:?}"
    );
}

#[test]
fn spectrogram() {
    each("spectrogram", "spectrogram", |case, golden, found| {
        for (name, found, tolerance) in [("reference", &found[0], 1e-9), ("host", &found[1], 1e-4)]
        {
            let error = relative_error(case, golden, found, 0.0);
            println!("{} {name} {error:.1e}", case.id());
            let silent = golden.values.iter().all(|&x| x == 0.0) && *found == golden.values;
            assert!(error < tolerance || silent, "{} {name} {error}", case.id());
        }
    });
}

#[test]
fn mfe_saturation_can_be_told_to_keep_loud_bands_loud() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let cases = EdgeImpulseGoldens::open(&shared).block("mfe");
    let case = cases
        .iter()
        .find(|case| case.id() == "mfe_v4_076")
        .expect("the tone at full scale");
    let golden = case.features().expect("features");
    let block = format!("{}mfe_saturate = \"clamp\"\n", fields(case, "mel"));
    let clamped = pipeline_of(case, &block).expect("a pipeline");
    let [reference, _] = features(case, &clamped);
    let mut raised = 0;
    for (found, wrapped) in reference.iter().zip(&golden.values) {
        if found == wrapped {
            continue;
        }
        assert_eq!((*found, *wrapped), (255.0 / 256.0, 0.0));
        raised += 1;
    }
    assert!(raised > 0);
}

#[test]
fn low0_as_300_is_what_the_device_did_before_version_4() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let cases = EdgeImpulseGoldens::open(&shared).block("mfe");
    // The block refuses 0 Hz at its defaults; the case with 300 Hz is what the device computes.
    let case = cases
        .iter()
        .find(|case| case.id() == "mfe_v3_018")
        .expect("the defaults from 300 Hz");
    assert_eq!(case.number("low_frequency"), 300.0);
    let block = fields(case, "mel").replace("f_min_hz = 300", "f_min_hz = 0");
    let built = |switch: &str| {
        let text = format!("{block}low0_as_300 = \"{switch}\"\n");
        pipeline_of(case, &text)
    };
    let [reference, _] = features(case, &built("on").expect("a pipeline"));
    assert_eq!(reference, case.features().expect("features").values);
    let error = built("off").expect_err("empty filters");
    assert_eq!(error.path, "mel.n_mels");
}
