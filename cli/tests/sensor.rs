//! Recordings of sensors: every dialect of a table gives the same features, time stamps and missing
//! values follow the pipeline, real recordings are read.

mod support;

use otolith_fixtures::shared_dir;
use std::fmt::Write;
use std::fs;
use support::motion::{Random, STATISTICS, alone, cbor, json, key, motion, place, plain};
use support::{Place, chunk, format, riff, root, wav};

/// Features without the file's name.
fn features(place: &Place, file: &str, set: &[&str]) -> String {
    let mut arguments = vec!["features", "p.toml", file];
    for field in set {
        arguments.extend(["--set", field]);
    }
    let text = place.ok(&arguments);
    let columns = |line: &str| line.split_once(',').map(|(_, rest)| rest.to_owned());
    text.lines()
        .filter_map(columns)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_dialect_gives_the_same_features() {
    let place = place();
    let moments = motion(120);
    place.write("plain.csv", plain(&moments));
    let expected = features(&place, "plain.csv", &[]);
    assert_eq!(expected.lines().count(), 1 + 2, "{expected}");
    let mut random = Random(1);
    for index in 0..60 {
        let delimiter = [",", ";", "\t"][random.below(3)];
        let end = ["\n", "\r\n", "\r"][random.below(3)];
        let comma = delimiter != "," && random.below(2) == 0;
        let quote = if random.below(2) == 0 { "\"" } else { "" };
        let trailing = if random.below(2) == 0 { delimiter } else { "" };
        let header = random.below(3) != 0;
        let time = header && random.below(2) == 0;
        let label = header && random.below(2) == 0;
        let mut text = String::new();
        if random.below(2) == 0 {
            text.push('\u{feff}');
        }
        let mut line = |cells: Vec<String>, blank: bool| {
            let cells: Vec<String> = cells.iter().map(|c| format!("{quote}{c}{quote}")).collect();
            text += &cells.join(delimiter);
            text += trailing;
            text += end;
            if blank {
                text += end;
            }
        };
        // Axes in another order, between columns that nobody asked for.
        if header {
            let mut names = vec!["az", " AX", "temperature", "ay"];
            if time {
                names.insert(0, "Time (s)");
            }
            if label {
                names.push("label");
            }
            line(names.into_iter().map(str::to_owned).collect(), true);
        }
        for (i, [x, y, z]) in moments.iter().enumerate() {
            let number = |x: &f64| match comma {
                true => x.to_string().replace('.', ","),
                false => x.to_string(),
            };
            let mut cells = match header {
                true => vec![number(z), number(x), "warm".to_owned(), number(y)],
                false => vec![number(x), number(y), number(z)],
            };
            if time {
                cells.insert(0, number(&(i as f64 / 100.0)));
            }
            if label {
                cells.push("walking".into());
            }
            line(cells, random.below(10) == 0);
        }
        let name = format!("dialect-{index}.csv");
        place.write(&name, &text);
        assert_eq!(features(&place, &name, &[]), expected, "{text}");
    }
}

#[test]
fn acquisition_files_and_wav_say_the_same() {
    let place = place();
    let moments = motion(120);
    place.write("plain.csv", plain(&moments));
    let expected = features(&place, "plain.csv", &[]);
    let text = json(&moments, "m/s2");
    place.write("a.json", &text);
    place.write("a.cbor", cbor(&text));
    // Lists without a length, and erased flash behind the map, as firmware writes them.
    let mut open = cbor(&alone(&text));
    let values = key(&open, "values");
    // 120 moments, then the first of them with 3 values. They are the file's last entry.
    assert_eq!(open[values..][..3], [0x98, 120, 0x83]);
    open.splice(values..values + 2, [0x9f]);
    open.extend([0xff; 9]);
    place.write("open.cbor", open);
    for file in ["a.json", "a.cbor", "open.cbor"] {
        assert_eq!(features(&place, file, &[]), expected, "{file}");
    }
    let floats: Vec<u8> = moments
        .iter()
        .flatten()
        .flat_map(|&x| ((x / 39.24) as f32).to_le_bytes())
        .collect();
    let header = chunk(b"fmt ", &format(3, 3, 100, 32));
    place.write("a.wav", riff(&[header, chunk(b"data", &floats)]));
    assert_eq!(features(&place, "a.wav", &[]), expected);

    place.write("g.json", json(&moments, "g"));
    let ran = place.run(&["features", "p.toml", "g.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("unit is \"g\", the pipeline's is \"m/s2\""),
        "{}",
        ran.stderr
    );
}

#[test]
fn audio_in_acquisition_files_has_the_samples_of_a_wav() {
    let place = Place::new();
    place.write("p.toml", support::MFCC);
    let samples = support::chirp(16000, 0.2, 5);
    place.write("a.wav", wav(1, 16000, &samples));
    let nested: Vec<[i16; 1]> = samples.iter().map(|&x| [x]).collect();
    for (name, values) in [
        ("flat", serde_json::json!(samples)),
        ("nested", serde_json::json!(nested)),
    ] {
        let text = serde_json::json!({
            "payload": {"interval_ms": 0.0625, "sensors": [{"name": "audio", "units": "wav"}], "values": values}
        })
        .to_string();
        place.write(&format!("{name}.json"), &text);
        place.write(&format!("{name}.cbor"), cbor(&text));
    }
    let expected = features(&place, "a.wav", &[]);
    for file in ["flat.json", "nested.json", "flat.cbor", "nested.cbor"] {
        assert_eq!(features(&place, file, &[]), expected, "{file}");
    }
    place.write("motion.json", json(&motion(10), "m/s2"));
    let ran = place.run(&["features", "p.toml", "motion.json"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("kind = \"sensor\""), "{}", ran.stderr);
}

#[test]
fn time_stamps_are_used_and_said() {
    let place = place();
    let table = |stamp: &dyn Fn(usize) -> f64, n: usize| {
        let mut text = String::from("time_ms,ax,ay,az\n");
        for (i, [x, y, z]) in motion(n).iter().enumerate() {
            let _ = writeln!(text, "{},{x},{y},{z}", stamp(i));
        }
        text
    };
    let noted = |name: &str, text: String, set: &[&str]| {
        place.write(name, text);
        let mut arguments = vec!["features", "p.toml", name];
        for field in set {
            arguments.extend(["--set", field]);
        }
        let ran = place.run(&arguments);
        (
            ran.code,
            ran.stderr.split_whitespace().collect::<Vec<_>>().join(" "),
        )
    };
    let even = |i: usize| i as f64 * 10.0;
    assert_eq!(
        noted("even.csv", table(&even, 120), &[]),
        (0, String::new())
    );
    let (code, note) = noted(
        "late.csv",
        table(&|i| even(i) + (i % 3) as f64 * 2.0, 120),
        &[],
    );
    assert_eq!(code, 0);
    assert!(
        note.contains("late.csv: resampled to 100 Hz by linear interpolation"),
        "{note}"
    );
    assert!(
        note.contains("intervals of 12 ms (median) to 12 ms"),
        "{note}"
    );
    let gap = |i: usize| even(i) + if i < 60 { 0.0 } else { 1000.0 };
    let (code, error) = noted("gap.csv", table(&gap, 120), &[]);
    assert_eq!(code, 3);
    assert!(
        error.contains("line 62: 1010 ms since the moment before, where 200 ms are allowed"),
        "{error}"
    );
    let (code, note) = noted("gap.csv", table(&gap, 120), &["input.gaps=fill"]);
    assert_eq!((code, note.contains("filled 1 gaps")), (0, true), "{note}");
    let back = |i: usize| if i == 70 { 5.0 } else { even(i) };
    let (code, error) = noted("back.csv", table(&back, 120), &[]);
    assert_eq!(code, 3);
    assert!(
        error.contains("line 72: time goes back from 690 to 5"),
        "{error}"
    );
    let slow = |i: usize| i as f64 * 20.0;
    let (code, error) = noted("slow.csv", table(&slow, 120), &[]);
    assert_eq!(code, 3);
    assert!(
        error.contains("50 moments per second and the pipeline 100: set `rate_hz = 50`"),
        "{error}"
    );
    let (code, note) = noted("slow.csv", table(&slow, 120), &["input.resample=convert"]);
    assert_eq!(
        (code, note.contains("resampled to 100 Hz")),
        (0, true),
        "{note}"
    );
    // Without the time column, moments are even.
    let (code, note) = noted("back.csv", table(&back, 120), &["input.time_column=none"]);
    assert_eq!((code, note), (0, String::new()));
}

#[test]
fn missing_values_and_scales_follow_the_fields() {
    let place = place();
    let mut text = plain(&motion(120));
    text = text.replacen("9.81\n", "\n", 1);
    place.write("hole.csv", &text);
    let ran = place.run(&["features", "p.toml", "hole.csv"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("line 1: no value of axis \"az\""),
        "{}",
        ran.stderr
    );
    for (policy, note) in [
        ("interpolate", "interpolated 1 of 360 values"),
        ("drop", "left out 1 of 120 moments"),
    ] {
        let set = format!("input.nan={policy}");
        let ran = place.run(&["features", "p.toml", "hole.csv", "--set", &set]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains(note), "{}", ran.stderr);
    }
    // The sensor's integers are the same recording as the physical values that they stand for.
    let counts: String = (0..60)
        .map(|i| format!("{},{},{}\n", i * 100, -i * 300, 8192))
        .collect();
    let physical: String = (0..60)
        .map(|i| {
            [i * 100, -i * 300, 8192]
                .map(|x| (f64::from(x) * 39.24 / 32768.0).to_string())
                .join(",")
                + "\n"
        })
        .collect();
    place.write("counts.csv", counts);
    place.write("physical.csv", physical);
    assert_eq!(
        features(&place, "counts.csv", &["input.values=counts"]),
        features(&place, "physical.csv", &[])
    );
    place.write("loud.csv", plain(&[[50.0, 0.0, 9.81]; 50]));
    let ran = place.run(&["features", "p.toml", "loud.csv"]);
    assert!(
        ran.stderr
            .contains("50 of 150 values reach beyond full scale 39.24"),
        "{}",
        ran.stderr
    );
}

#[test]
fn folders_are_searched_for_recordings_but_not_for_labels() {
    let place = place();
    place.write("data/a.csv", plain(&motion(60)));
    place.write("data/b/c.json", json(&motion(60), "m/s2"));
    place.write("data/labels.csv", "file,label\na.csv,wave\nb/c.json,rest\n");
    place.write("data/notes.txt", "not a recording");
    let text = place.ok(&["features", "p.toml", "data", "--labels", "data/labels.csv"]);
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].starts_with("data/a.csv,0,0,") && lines[0].contains(",wave,"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("data/b/c.json,0,0,") && lines[1].contains(",rest,"),
        "{text}"
    );
}

#[test]
fn the_device_hears_what_the_reference_hears() {
    let place = Place::new();
    place.write("p.toml", STATISTICS.replace("flatten", "raw"));
    place.write("a.csv", plain(&motion(170)));
    place.ok(&["check", "p.toml"]);
    for numeric in ["f32", "fixed", "host"] {
        let text = place.ok(&["diff", "p.toml", "a.csv", "--numeric", numeric, "--json"]);
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let stages = report["stages"].as_array().expect("stages");
        assert!(!stages.is_empty(), "{text}");
        for stage in stages {
            assert!(
                stage["snr_db"].as_f64().is_none_or(|db| db > 50.0),
                "{numeric}: {stage}"
            );
        }
    }
}

#[test]
fn the_example_is_read_in_all_its_forms() {
    let place = Place::new();
    let example = root().join("examples/gestures");
    for name in [
        "gestures.toml",
        "recordings/shake.csv",
        "recordings/circle.csv",
        "recordings/rest.json",
    ] {
        place.write(name, fs::read(example.join(name)).expect("a file"));
    }
    let text = place.ok(&["features", "gestures.toml", "recordings"]);
    for gesture in ["rest", "shake", "circle"] {
        let windows = text.lines().filter(|line| line.contains(gesture)).count();
        assert!(windows >= 4, "{gesture}: {windows}");
    }
}

#[test]
fn shared_recordings_are_read() {
    let Some(shared) = shared_dir() else { return };
    let place = place();
    for (folder, rate, axes, files) in [
        (
            "imu-har",
            "100",
            r#"["ax","ay","az","gx","gy","gz"]"#,
            329 + 141,
        ),
        ("imu-gestures", "104", r#"["ax","ay","az"]"#, 96),
    ] {
        let data = shared.join("data").join(folder);
        let parts = ["train", "test"].map(|part| data.join(part).display().to_string());
        let axes = format!("input.axes={axes}");
        let rate = format!("input.rate_hz={rate}");
        let ran = place.run(&[
            "features",
            "p.toml",
            &parts[0],
            &parts[1],
            "--set",
            &axes,
            "--set",
            &rate,
            "--set",
            "input.tail=pad",
            "-o",
            "all.csv",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("{files} recordings")),
            "{}",
            ran.stderr
        );
        let resampled = ran.stderr.matches("resampled").count();
        println!("{folder}: {files} files, {resampled} resampled");
        // Stamps of the phone are uneven, those of the export are not.
        assert_eq!(resampled, if folder == "imu-har" { files } else { 0 });
    }
}
