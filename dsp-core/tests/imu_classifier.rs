//! What the features of `imu_window` are worth: linear classifiers over them, trained by
//! `fixtures/gen/imu_classifier.py`, on recordings of people and movements they have not seen; and
//! how close integer features are to the reference.
//!
//! The recordings are the shared folder's; without it nothing is measured.

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_fixtures::root;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const NUMERICS: [(&str, Numeric); 4] = [
    ("reference", Numeric::Reference),
    ("host", Numeric::Host),
    ("f32", Numeric::F32),
    ("fixed", Numeric::Fixed(Precision::Full)),
];

/// One recording of the test split.
struct Recording {
    label: String,
    /// Samples of all axes side by side, full scale 1.
    samples: Vec<f32>,
}

fn pipeline(path: &str) -> Pipeline {
    let path = root().join(path);
    let text = std::fs::read_to_string(&path).expect("a pipeline of the project");
    let folder = path.parent().expect("a file has a folder");
    Pipeline::from_toml(&text, folder, &[]).expect("valid")
}

/// The test split of a folder of the shared data; nothing without the shared folder.
fn recordings(data: &str, pipeline: &Pipeline) -> Vec<Recording> {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return Vec::new();
    };
    let folder = shared.join("data").join(data);
    let labels = std::fs::read_to_string(folder.join("labels.csv")).expect("labels.csv");
    let mut found = Vec::new();
    for line in labels.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        if let [file, label, _, "test", _] = fields[..] {
            found.push(Recording {
                label: label.to_owned(),
                samples: samples(&folder.join(file), pipeline),
            });
        }
    }
    found
}

/// The recording at the pipeline's rate by linear interpolation, continued by its mirror image to
/// at least one window.
fn samples(path: &Path, pipeline: &Pipeline) -> Vec<f32> {
    let text = std::fs::read_to_string(path).expect("a recording");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .map(|x| x.parse().expect("a number"))
                .collect()
        })
        .collect();
    let chain = pipeline.graph().first();
    let (rate, axes) = (chain.source.rate_hz, chain.source.axes);
    let time = |row: &[f64]| row[0] / 1000.0;
    let (first, last) = (time(&rows[0]), time(&rows[rows.len() - 1]));
    let count = ((last - first) * rate + 1e-6).floor() as usize + 1;
    let mut moments = Vec::with_capacity(count);
    let mut behind = 1;
    for i in 0..count {
        let at = first + i as f64 / rate;
        while behind < rows.len() - 1 && time(&rows[behind]) < at {
            behind += 1;
        }
        let (before, after) = (&rows[behind - 1], &rows[behind]);
        let part = ((at - time(before)) / (time(after) - time(before))).clamp(0.0, 1.0);
        let between = |axis: usize| before[axis] + part * (after[axis] - before[axis]);
        moments.push((1..=axes).map(between).collect::<Vec<f64>>());
    }
    let window = chain.framing.frame_len;
    for i in moments.len()..window {
        let place = i % (2 * count);
        moments.push(moments[place.min(2 * count - 1 - place)].clone());
    }
    let full_scale = pipeline.input().full_scale;
    let values = moments.into_iter().flatten();
    values.map(|x| (x / full_scale) as f32).collect()
}

/// The features of every recording, windows one after the other.
fn features(pipeline: &Pipeline, numeric: Numeric, recordings: &[Recording]) -> Vec<Vec<f64>> {
    let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("a plan");
    recordings
        .iter()
        .map(|recording| {
            let features = engine.features(recording.samples.as_slice());
            features.expect("a window").values.to_f64()
        })
        .collect()
}

/// Scores are `weights * features + bias`.
struct Classifier {
    labels: Vec<String>,
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Classifier {
    fn open(data: &str) -> (Self, PathBuf) {
        let path = root().join(format!("fixtures/golden/{data}-classifier.json"));
        let text = std::fs::read_to_string(&path).expect("a golden of the project");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            let items = value.as_array().expect("a list");
            items
                .iter()
                .map(|x| x.as_f64().expect("a number"))
                .collect()
        };
        let list = |name: &str| json[name].as_array().expect("a list").iter();
        let classifier = Self {
            labels: list("labels")
                .map(|x| x.as_str().expect("a text").to_owned())
                .collect(),
            weights: list("weights").map(numbers).collect(),
            bias: numbers(&json["bias"]),
        };
        let pipeline = json["pipeline"].as_str().expect("a path");
        (classifier, pipeline.into())
    }

    fn label(&self, features: &[f64]) -> &str {
        let score = |weights: &Vec<f64>, bias: &f64| {
            assert_eq!(weights.len(), features.len());
            bias + weights
                .iter()
                .zip(features)
                .map(|(w, x)| w * x)
                .sum::<f64>()
        };
        let scores = self
            .weights
            .iter()
            .zip(&self.bias)
            .map(|(w, b)| score(w, b));
        let best = scores.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        &self.labels[best.expect("a label").0]
    }
}

/// Percent of the windows that the classifier names right, in each numeric.
fn accuracies(data: &str) -> Option<[f64; 4]> {
    let (classifier, path) = Classifier::open(data);
    let pipeline = pipeline(path.to_str().expect("a path in UTF-8"));
    let recordings = recordings(data, &pipeline);
    if recordings.is_empty() {
        return None;
    }
    Some(NUMERICS.map(|(name, numeric)| {
        let (mut right, mut windows) = (0, 0);
        for (recording, values) in recordings
            .iter()
            .zip(features(&pipeline, numeric, &recordings))
        {
            for row in values.chunks(pipeline.graph().row_len()) {
                windows += 1;
                right += usize::from(classifier.label(row) == recording.label);
            }
        }
        let percent = 100.0 * f64::from(right as u32) / f64::from(windows as u32);
        println!("{data}, {name}: {percent:.2} % of {windows} windows");
        percent
    }))
}

#[test]
fn activities_of_people_that_it_has_not_seen_are_told_apart() {
    if let Some([reference, host, f32, fixed]) = accuracies("imu-har") {
        assert!(reference >= 95.0, "{reference}");
        for other in [host, f32, fixed] {
            assert!((other - reference).abs() <= 0.5, "{other} {reference}");
        }
    }
}

#[test]
fn gestures_are_told_apart() {
    if let Some(accuracies) = accuracies("imu-gestures") {
        assert!(
            accuracies.iter().all(|&percent| percent >= 99.0),
            "{accuracies:?}"
        );
    }
}

#[test]
fn a_forest_in_integers_tells_activities_apart_as_in_floats() {
    let folder = root().join("fixtures/golden/heads");
    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let golden = &manifest["files"]["activity.json"];
    let golden = golden["accuracy_percent"].as_f64().expect("a number");

    let features = std::fs::read_to_string(root().join("examples/activity/activity.toml"));
    let head = "[[block]]\nid = \"activity\"\ntype = \"classifier\"\nmodel = \"activity.json\"\n";
    let text = features.expect("a pipeline of the project") + "\n" + head;
    let pipeline = Pipeline::from_toml(&text, &folder, &[]).expect("valid");
    let labels = &pipeline.graph().head.as_ref().expect("a classifier").labels;
    let recordings = recordings("imu-har", &pipeline);
    if recordings.is_empty() {
        return;
    }
    for (name, numeric) in NUMERICS {
        let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("a plan");
        let (mut right, mut windows) = (0, 0);
        for recording in &recordings {
            let said = engine.classify(recording.samples.as_slice());
            for said in said.expect("a window") {
                let (label, _) = said.decision.expect("without a threshold");
                windows += 1;
                right += usize::from(labels[label] == recording.label);
            }
        }
        let percent = 100.0 * f64::from(right as u32) / f64::from(windows as u32);
        println!("imu-har, forest, {name}: {percent:.2} % of {windows} windows ({golden:.2} %)");
        assert!(
            (percent - golden).abs() <= 0.5,
            "{name}: {percent} {golden}"
        );
    }
}

/// Every feature of every channel, at the rate and range of a folder of the shared data.
fn everything(data: &str) -> Pipeline {
    let (example, triads) = match data {
        "imu-har" => (
            "examples/activity/activity.toml",
            "[\"acc: ax ay az\", \"gyr: gx gy gz\"]",
        ),
        _ => ("examples/gestures/motion.toml", "[\"acc: ax ay az\"]"),
    };
    let text = std::fs::read_to_string(root().join(example)).expect("a pipeline of the project");
    let input = text.split("[[block]]").next().expect("an input");
    let block = format!(
        "[[block]]\nid = \"all\"\ntype = \"imu_window\"\ntriads = {triads}\n\
         channels = [\"axes\", \"jerk\", \"gravity\", \"body\", \"magnitude\", \
         \"jerk_magnitude\", \"body_magnitude\"]\n\
         features = [\"mean\", \"std\", \"rms\", \"min\", \"max\", \"peak_to_peak\", \"median\", \
         \"p10\", \"p90\", \"iqr\", \"mad\", \"zero_crossings\", \"mean_crossings\", \
         \"skewness\", \"kurtosis\", \"energy\", \"mean_magnitude\", \"dominant_frequency\", \
         \"dominant_power\", \"spectral_entropy\", \"band_energy\", \"autocorrelation\", \"sma\", \
         \"correlation\", \"direction\", \"tilt\"]\n\
         band_edges_hz = [0.5, 2.0, 5.0, 10.0, 25.0]\n"
    );
    Pipeline::from_toml(&(input.to_owned() + &block), ".".as_ref(), &[]).expect("valid")
}

/// What a feature is, without its channel.
fn kind(name: &str) -> &'static str {
    const KINDS: [&str; 30] = [
        "mean_magnitude",
        "mean_crossings",
        "zero_crossings",
        "peak_to_peak",
        "autocorrelation_lag",
        "autocorrelation_peak",
        "dominant_frequency",
        "dominant_power",
        "spectral_entropy",
        "correlation",
        "direction",
        "skewness",
        "kurtosis",
        "energy_0.5_2_hz",
        "energy_2_5_hz",
        "energy_5_10_hz",
        "energy_10_25_hz",
        "energy",
        "median",
        "tilt",
        "mean",
        "std",
        "rms",
        "min",
        "max",
        "p10",
        "p90",
        "iqr",
        "mad",
        "sma",
    ];
    let found = KINDS.into_iter().find(|kind| name.ends_with(kind));
    found.unwrap_or_else(|| panic!("{name} is of no kind"))
}

/// Decibels of signal over error for each kind of feature, of `numeric` against the reference.
fn decibels(data: &str, numeric: Numeric) -> BTreeMap<&'static str, f64> {
    let pipeline = everything(data);
    let recordings = recordings(data, &pipeline);
    let names = pipeline.graph().names();
    let mut sums: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    let truth = features(&pipeline, Numeric::Reference, &recordings);
    let found = features(&pipeline, numeric, &recordings);
    for (truth, found) in truth.iter().zip(&found) {
        assert_eq!(truth.len(), found.len());
        for ((truth, found), name) in truth.iter().zip(found).zip(names.iter().cycle()) {
            let [signal, error] = sums.entry(kind(name)).or_default();
            *signal += truth * truth;
            *error += (truth - found) * (truth - found);
        }
    }
    let ratio = |[signal, error]: [f64; 2]| 10.0 * libm::log10(signal / error.max(1e-300));
    sums.into_iter()
        .map(|(kind, sums)| (kind, ratio(sums)))
        .collect()
}

#[test]
fn integer_features_are_those_of_the_reference() {
    let spectral = [
        "dominant_frequency",
        "dominant_power",
        "spectral_entropy",
        "energy_0.5_2_hz",
        "energy_2_5_hz",
        "energy_5_10_hz",
        "energy_10_25_hz",
    ];
    for data in ["imu-har", "imu-gestures"] {
        for (name, numeric) in &NUMERICS[1..] {
            let found = decibels(data, *numeric);
            let row: Vec<String> = found
                .iter()
                .map(|(kind, db)| format!("{kind} {db:.1}"))
                .collect();
            println!("{data}, {name}: {}", row.join(", "));
            for (kind, db) in found {
                let least = if spectral.contains(&kind) { 50.0 } else { 60.0 };
                assert!(db >= least, "{data}, {name}: {kind} has {db:.1} dB");
            }
        }
    }
}
