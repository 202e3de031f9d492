//! Pipelines of several inputs on the command line.

mod support;

use support::{Place, root};

const TWO: &str = r#"[pipeline]
name = "both"
[[input]]
id = "audio"
rate_hz = 16000
mode = "window"
window_ms = 500
tail = "drop"
[[input]]
id = "motion"
kind = "sensor"
rate_hz = 100
axes = ["ax", "ay", "az"]
full_scale = 39.24
mode = "window"
window_ms = 500
tail = "drop"
[[block]]
id = "sound"
type = "mel"
frame_ms = 64
hop_ms = 32
n_mels = 4
[[block]]
id = "move"
type = "flatten"
input = "motion"
[[block]]
type = "decimate"
factor = 2
input = "motion"
[[block]]
id = "slow"
type = "flatten"
input = "motion"
minimum = "off"
"#;

#[test]
fn a_file_for_each_input_stands_behind_a_plus() {
    let place = Place::new();
    place.write("p.toml", TWO);
    let folder = root().join("examples");
    let audio = folder.join("keywords/stop-music-yes-babble.wav");
    let motion = folder.join("gestures/recordings/shake.csv");
    let both = format!("{}+{}", audio.display(), motion.display());
    let mut found = Vec::new();
    for numeric in ["reference", "host", "f32", "fixed"] {
        let ran = place.run(&["features", "p.toml", &both, "--numeric", numeric]);
        assert_eq!(ran.code, 0, "{numeric}: {}", ran.stderr);
        let mut lines = ran.stdout.lines();
        let header = lines.next().unwrap_or_default();
        assert!(header.contains(",sound_0,sound_1,"), "{header}");
        assert!(
            header.ends_with(",az_stdev,az_skewness,az_kurtosis"),
            "{header}"
        );
        let rows: Vec<Vec<f64>> = lines
            .map(|line| {
                let cells: Vec<&str> = line.split(',').collect();
                let at = cells.len() - (4 * 14 + 21 + 18);
                cells[at..]
                    .iter()
                    .map(|x| x.parse().expect("a number"))
                    .collect()
            })
            .collect();
        assert!(rows.len() >= 3, "{numeric}: {} windows", rows.len());
        found.push(rows);
    }
    for other in &found[1..] {
        for (truth, row) in found[0].iter().flatten().zip(other.iter().flatten()) {
            assert!(
                (truth - row).abs() <= 0.02 * (1.0 + truth.abs()),
                "{truth} and {row}"
            );
        }
    }
}

#[test]
fn too_few_files_are_told() {
    let place = Place::new();
    place.write("p.toml", TWO);
    let ran = place.run(&["features", "p.toml", "a.wav"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("audio, motion"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a.wav+b.csv"), "{}", ran.stderr);
}
