//! `otolith run`: decisions, against what was spoken and against TensorFlow's answers.

mod support;

use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use support::{Place, chirp, root, wav};

/// The keyword spotter of `examples/keywords`, with `MODEL` to be replaced.
const KEYWORDS: &str = r#"[pipeline]
name = "words"
[input]
rate_hz = 16000
[[block]]
id = "features"
type = "mfcc"
preset = "tf_signal"
frame_ms = 30
hop_ms = 20
n_mels = 40
f_min_hz = 20
f_max_hz = 4000
n_coeffs = 10
[[block]]
id = "keyword"
type = "classifier"
model = 'MODEL'
hop_rows = 5
labels = ["silence", "unknown", "yes", "no", "go", "stop", "left", "right"]
[[block]]
id = "trigger"
type = "decide"
average = 3
threshold = 0.8
refractory_ms = 700
ignore = ["silence", "unknown"]
"#;

fn place() -> Place {
    let place = Place::new();
    let examples = root().join("examples/keywords");
    let model = examples.join("keywords.tflite");
    let model = model.to_str().expect("UTF-8");
    place.write("words.toml", KEYWORDS.replace("MODEL", model));
    for entry in fs::read_dir(examples).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "wav") {
            let name = path.file_name().and_then(|n| n.to_str()).expect("UTF-8");
            place.write(
                &format!("wav/{name}"),
                fs::read(&path).expect("a recording"),
            );
        }
    }
    place
}

fn lines(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split('\t').collect())
        .collect()
}

#[test]
fn spoken_words_are_heard_where_they_are_spoken() {
    let place = place();
    let spoken =
        fs::read_to_string(root().join("examples/keywords/expected.csv")).expect("a table");
    let spoken: Vec<(String, f64, f64, &str)> = spoken
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let time = |i: usize| fields[i].parse().expect("seconds");
            (format!("wav/{}", fields[0]), time(1), time(2), fields[3])
        })
        .collect();
    let keywords = ["yes", "no", "go", "stop", "left", "right"];
    let n_spoken = spoken
        .iter()
        .filter(|word| keywords.contains(&word.3))
        .count();
    for numeric in ["f32", "host", "reference"] {
        let text = place.ok(&["run", "words.toml", "wav", "--numeric", numeric]);
        let heard = lines(&text);
        for line in &heard {
            let [file, time, label, score] = line[..] else {
                panic!("{line:?}")
            };
            let time: f64 = time.parse().expect("seconds");
            // A word is heard once it is over (or nearly), and while the window of 0.99 s and the
            // average of 3 still hold it.
            let was_spoken = |(name, start, end, word): &&(String, f64, f64, &str)| {
                name == file && *word == label && *start < time && time < *end + 1.2
            };
            assert_eq!(spoken.iter().filter(was_spoken).count(), 1, "{line:?}");
            let score: f64 = score.parse().expect("a score");
            assert!((0.8..=1.0).contains(&score), "{line:?}");
        }
        // The stop under babble is beyond this model.
        assert!(
            heard.len() + 1 >= n_spoken,
            "{numeric}: {} of {n_spoken}",
            heard.len()
        );
    }
}

#[test]
fn json_says_the_same_as_text() {
    let place = place();
    let (one, other) = ("wav/just-noise.wav", "wav/yes-no-stop.wav");
    let text = place.ok(&["run", "words.toml", one, other, "--all"]);
    let objects = place.ok(&["run", "words.toml", one, other, "--all", "--json"]);
    let labels = [
        "silence", "unknown", "yes", "no", "go", "stop", "left", "right",
    ];
    let (lines, objects): (Vec<_>, Vec<_>) = (lines(&text), objects.lines().collect());
    assert_eq!(lines.len(), objects.len());
    let mut undecided = 0;
    for (line, text) in lines.iter().zip(objects) {
        let object: Value = serde_json::from_str(text).expect("JSON");
        let [file, time, label, score, best] = line[..] else {
            panic!("{line:?}")
        };
        assert_eq!(object["file"], file);
        assert_eq!(
            format!("{:.3}", object["time_s"].as_f64().expect("seconds")),
            time
        );
        assert_eq!(object["label"].as_str().unwrap_or("-"), label);
        assert_eq!(
            format!("{:.3}", object["score"].as_f64().expect("a score")),
            score
        );
        assert_eq!(object["best"], best);
        undecided += usize::from(object["label"].is_null());
        // Scores stand in the order of the labels.
        let places = labels.map(|label| text.find(&format!("\"{label}\":")).expect("a score"));
        assert!(places.is_sorted(), "{text}");
        let scores = object["scores"].as_object().expect("scores");
        let sum: f64 = scores.values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 0.05, "{text}");
        let largest = scores
            .values()
            .filter_map(Value::as_f64)
            .fold(0.0, f64::max);
        assert_eq!(object["scores"][best].as_f64(), Some(largest));
    }
    assert!(undecided > 0);
    let decided = place.ok(&["run", "words.toml", one, other]);
    assert_eq!(decided.lines().count(), lines.len() - undecided);
    assert_eq!(
        decided,
        place.ok(&["run", "words.toml", "wav/[jy]*[ep].wav", "-j", "1"])
    );
}

#[test]
fn silence_and_short_recordings_are_said() {
    let place = place();
    place.write("silent.wav", wav(1, 16000, &[0; 32000]));
    place.write("short.wav", wav(1, 16000, &chirp(16000, 0.3, 1)));
    let ran = place.run(&["run", "words.toml", "silent.wav"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(
        ran.stderr
            .contains("note: silent.wav: no decision; highest score"),
        "{}",
        ran.stderr
    );
    let quiet = place.run(&["run", "words.toml", "silent.wav", "-q"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let ran = place.run(&["run", "words.toml", "short.wav", "wav/yes-no-stop.wav"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr
            .contains("short.wav: the recording has 4800 samples"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stdout.is_empty());
    let missing = place.run(&[
        "run",
        "words.toml",
        "silent.wav",
        "--set",
        "keyword.model=absent.tflite",
    ]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("absent.tflite"),
        "{}",
        missing.stderr
    );
}

#[test]
fn the_mlperf_model_answers_as_in_tensorflow() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let place = Place::new();
    let answers =
        fs::read_to_string(shared.join("golden/kws-tf/audio-keywords.csv")).expect("answers");
    let data = shared.join("data/audio-keywords");
    let answers: HashMap<String, &str> = answers
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            (data.join(fields[0]).display().to_string(), fields[2])
        })
        .collect();
    assert_eq!(answers.len(), 495);
    let pipeline = root().join("examples/kws-mlperf/kws.toml");
    let model = format!(
        "keyword.model={}",
        shared.join("models/kws_ref_model.tflite").display()
    );
    for numeric in ["host", "f32"] {
        let text = place.ok(&[
            "run",
            pipeline.to_str().expect("UTF-8"),
            data.to_str().expect("UTF-8"),
            "--set",
            &model,
            "--numeric",
            numeric,
        ]);
        let heard = lines(&text);
        assert_eq!(heard.len(), 495, "one decision for each clip");
        let different: Vec<_> = heard
            .iter()
            .filter(|line| answers[line[0]] != line[2])
            .collect();
        println!("{numeric}: {} of 495 labels differ", different.len());
        assert!(different.len() <= 2, "{numeric}: {different:?}");
    }
}

#[test]
fn an_overridden_model_is_found_from_here_and_from_the_pipelines_folder() {
    let place = place();
    let model = fs::read(root().join("examples/keywords/keywords.tflite")).expect("the model");
    place.write("there/words.toml", KEYWORDS.replace("MODEL", "none.tflite"));
    place.write("here.tflite", &model);
    place.write("there/beside.tflite", &model);
    for name in ["here.tflite", "there/beside.tflite", "beside.tflite"] {
        let set = format!("keyword.model={name}");
        place.ok(&["check", "there/words.toml", "--set", &set]);
    }
    let missing = place.run(&["check", "there/words.toml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("none.tflite"), "{}", missing.stderr);
}

#[test]
fn the_shipped_pipeline_hears_what_was_spoken() {
    let folder = root().join("examples/keywords");
    let pipeline = folder.join("keywords.toml");
    let words = ["yes", "no", "go", "stop", "left", "right"];
    // The one word that this model does not hear: it lies under babble.
    let missed = "stop-music-yes-babble.wav stop";
    let spoken = fs::read_to_string(folder.join("expected.csv")).expect("a table");
    let mut expected: Vec<String> = spoken
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| words.contains(&fields[3]))
        .map(|fields| format!("{} {}", fields[0], fields[3]))
        .filter(|word| word != missed)
        .collect();
    // Stable: within a recording, the order in which the words are spoken stays.
    expected.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));

    let place = Place::new();
    let arguments = [pipeline.to_str(), folder.to_str()].map(|path| path.expect("UTF-8"));
    let text = place.ok(&["run", arguments[0], arguments[1]]);
    let heard: Vec<String> = lines(&text)
        .iter()
        .map(|line| {
            let name = line[0].rsplit('/').next().expect("a name");
            format!("{name} {}", line[2])
        })
        .collect();
    assert_eq!(heard, expected);
}
