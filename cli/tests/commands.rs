//! Every command: results, exit codes, errors, JSON.

mod support;

use serde_json::Value;
use support::{MFCC, Place, chirp, root, wav};

fn place() -> Place {
    let place = Place::new();
    place.write("p.toml", MFCC);
    for seed in 0..6u32 {
        let folder = ["low", "high"][seed as usize % 2];
        let samples = chirp(16000, 0.5, seed);
        place.write(
            &format!("data/{folder}/{seed}.wav"),
            wav(1, 16000, &samples),
        );
    }
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn check_prints_the_resolved_spec_and_it_reads_back() {
    let place = place();
    let text = place.ok(&["check", "p.toml"]);
    assert!(text.contains("n_mels = 40"), "{text}");
    assert!(text.contains("# flash "), "{text}");
    assert!(text.contains("# RAM "), "{text}");
    place.write("resolved.toml", &text);
    assert_eq!(place.ok(&["check", "resolved.toml"]), text);

    let report = json(&place.ok(&["--json", "check", "p.toml", "--set", "features.n_mels=32"]));
    assert_eq!(report["version"], 1);
    assert_eq!(report["ok"], true);
    assert_eq!(report["spec"]["block"][0]["n_mels"], 32);
    assert!(report["plan"]["ram_bytes"].as_u64() > Some(0));
    assert!(report["plan"]["flash_bytes"].as_u64() < report["plan"]["file_bytes"].as_u64());
}

#[test]
fn a_plan_over_budget_fails_the_check() {
    let place = place();
    let roomy = "[deploy]\nbudget = { flash_kib = 64, ram_kib = 64 }\n";
    place.write("roomy.toml", format!("{MFCC}{roomy}"));
    assert!(place.ok(&["check", "roomy.toml"]).contains("within 64 KiB"));
    let ran = place.run(&["check", "roomy.toml", "--set", "deploy.budget.ram_kib=1"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("over the budget of 1 KiB by "),
        "{}",
        ran.stdout
    );
    let ran = place.run(&[
        "check",
        "--json",
        "roomy.toml",
        "--set",
        "deploy.budget.ram_kib=1",
    ]);
    assert_eq!(
        (ran.code, &json(&ran.stdout)["ok"]),
        (1, &Value::Bool(false))
    );
    // What has no plan is within no budget.
    let ran = place.run(&["check", "roomy.toml", "--set", "input.mode=clip"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("no plan"), "{}", ran.stdout);
    assert_eq!(
        place
            .run(&["check", "p.toml", "--set", "input.mode=clip"])
            .code,
        0
    );
}

#[test]
fn configuration_errors_point_at_the_value() {
    let place = place();
    place.write(
        "bad.toml",
        MFCC.replace("n_mels = 40", "n_mels = \"forty\""),
    );
    let ran = place.run(&["check", "bad.toml"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "  × features.n_mels: found \"forty\"
    ╭─[bad.toml:12:10]
 11 │ hop_ms = 10
 12 │ n_mels = \"forty\"
    ·          ───┬───
    ·             ╰── here
 13 │ n_coeffs = 13
    ╰────
  help: Expected an integer from 1 to 1024
"
    );
    let ran = place.run(&["check", "bad.toml", "--json"]);
    let error = &json(&ran.stderr)["error"];
    assert_eq!(error["kind"], "config");
    assert_eq!(error["field"], "features.n_mels");
    assert_eq!(
        (&error["line"], &error["column"]),
        (&Value::from(12), &Value::from(10))
    );

    let ran = place.run(&["check", "p.toml", "--set", "features.n_mels=0"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "  × features.n_mels: found 0 (from the override `features.n_mels=0`)
  help: Expected an integer from 1 to 1024
"
    );
    let misspelt = place.run(&["check", "p.toml", "--set", "features.n_mel=4"]);
    assert_eq!(misspelt.code, 2);
    assert!(misspelt.stderr.contains("n_mels"), "{}", misspelt.stderr);
    place.write("no.toml", "[pipeline\nname = 3");
    let syntax = place.run(&["check", "no.toml"]);
    assert_eq!(syntax.code, 2);
    assert!(syntax.stderr.contains("[no.toml:1:"), "{}", syntax.stderr);
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = place();
    let cases: &[(&[&str], &str)] = &[
        (&["fly"], "unrecognized subcommand"),
        (&["check"], "required arguments"),
        (&["check", "absent.toml"], "absent.toml"),
        (&["check", "p.toml", "--set", "n_mels"], "no FIELD=VALUE"),
        (&["run", "p.toml", "data"], "no classifier or anomaly block"),
        (
            &["features", "p.toml", "data", "-o", "x.mat"],
            "Expected .npy, .npz or .csv",
        ),
        (&["features", "p.toml", "data", "--ragged"], "for .npz only"),
        (
            &["check", "p.toml", "--numeric", "host"],
            "possible values: f32, fixed",
        ),
        (
            &["features", "p.toml", "data", "--jobs", "0"],
            "0 is not in 1..",
        ),
        (
            &["features", "p.toml", "data", "--labels", "absent.csv"],
            "absent.csv",
        ),
        (
            &["diff", "p.toml", "data/low/0.wav", "--numeric", "reference"],
            "compared with itself",
        ),
        (&["explain", "mfcc.n_mel"], "Did you mean `mfcc.n_mels`?"),
        (
            &["check", "p.toml", "--quiet", "--verbose"],
            "cannot be used with",
        ),
    ];
    for (arguments, expected) in cases {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
        assert!(ran.stdout.is_empty(), "{arguments:?}: {}", ran.stdout);
    }
    let help = place.ok(&["--help"]);
    for line in [
        "Exit codes:",
        "0  all went well",
        "1  a check failed",
        "2  wrong usage",
        "3  an input file",
    ] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let place = place();
    place.write("bad.wav", "no sound");
    let arguments = [
        "features",
        "p.toml",
        "data/low/0.wav",
        "bad.wav",
        "data/high/1.wav",
    ];
    let ran = place.run(&arguments);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("bad.wav: not a WAV file"),
        "{}",
        ran.stderr
    );
    let alone = place.ok(&["features", "p.toml", "data/low/0.wav", "data/high/1.wav"]);
    assert_eq!(ran.stdout, alone);

    let ran = place.run(&[
        "--json",
        "features",
        "p.toml",
        "bad.wav",
        "data/low/0.wav",
        "-o",
        "x.npy",
    ]);
    assert_eq!(ran.code, 3);
    assert_eq!(json(&ran.stderr)["error"]["file"], "bad.wav");
    assert_eq!(json(&ran.stdout)["left_out"], 1);
    for absent in ["absent.wav", "data/*.flac"] {
        assert_eq!(
            place.run(&["features", "p.toml", absent]).code,
            3,
            "{absent}"
        );
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let place = place();
    let one = place.ok(&["features", "p.toml", "data", "-j", "1"]);
    assert_eq!(one, place.ok(&["features", "p.toml", "data", "-j", "2"]));
    let globbed = place.ok(&["features", "p.toml", "data/*/*.wav", "-j", "3"]);
    assert_eq!(one, globbed);
    for (jobs, name) in [("1", "a.npz"), ("2", "b.npz")] {
        place.ok(&[
            "features", "p.toml", "data", "--labels", "folders", "-j", jobs, "-o", name,
        ]);
    }
    assert_eq!(place.read("a.npz"), place.read("b.npz"));
    assert!(
        one.starts_with("file,window,row,time_s,features_0,features_1,"),
        "{one}"
    );
}

#[test]
fn quiet_says_nothing_and_colour_comes_on_demand() {
    let place = place();
    let ran = place.run(&["features", "p.toml", "data", "-o", "x.npy"]);
    assert!(
        ran.stderr
            .contains("note: x.npy: 6 recordings, shape [6, 48, 13], numeric host"),
        "{}",
        ran.stderr
    );
    let ran = place.run(&["features", "p.toml", "data", "-o", "x.npy", "--quiet"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let plain = place.ok(&["diff", "p.toml", "data/low/0.wav"]);
    assert!(!plain.contains('\u{1b}'));
    let coloured = place.ok(&["diff", "p.toml", "data/low/0.wav", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[1m"));
}

#[test]
fn diff_measures_every_stage() {
    let place = place();
    for numeric in ["f32", "host"] {
        let report = json(&place.ok(&[
            "diff",
            "p.toml",
            "data/low/0.wav",
            "--numeric",
            numeric,
            "--json",
        ]));
        let stages = report["stages"].as_array().expect("stages");
        let names: Vec<_> = stages
            .iter()
            .map(|s| s["stage"].as_str().expect("a name"))
            .collect();
        assert!(
            names.contains(&"features.mel") && names.contains(&"features.dct"),
            "{names:?}"
        );
        // A spectrum has no plan of its own.
        assert_eq!(names.contains(&"features.rfft"), numeric == "host");
        for stage in stages {
            // Single precision has 24 bits, 144 dB.
            let snr = stage["snr_db"].as_f64().unwrap_or(f64::INFINITY);
            assert!(snr > 90.0, "{stage}");
            let relative =
                stage["max_error"].as_f64() < stage["largest"].as_f64().map(|x| x * 1e-4);
            assert!(relative, "{stage}");
        }
        assert_eq!(stages.last().expect("a stage")["values"], 48 * 13);
    }
    // Pipelines with windows, and recordings that do not fill them.
    place.write("windows.toml", support::WINDOWS);
    let report = json(&place.ok(&["diff", "windows.toml", "data/low/0.wav", "--json"]));
    let last = report["stages"]
        .as_array()
        .and_then(|s| s.last())
        .expect("a stage")
        .clone();
    assert_eq!(last["values"], (1 + (16000 - 512) / 256) * 24);
}

#[test]
fn diff_of_fixed_shows_error_and_headroom_of_every_stage() {
    let place = place();
    let diff = ["diff", "p.toml", "data/low/0.wav", "--numeric", "fixed"];
    let report = json(&place.ok(&[&diff[..], &["--json"]].concat()));
    let stages = report["stages"].as_array().expect("stages");
    let skipped = report["skipped"].as_array().expect("skipped");
    let names: Vec<_> = stages.iter().map(|s| s["stage"].clone()).collect();
    for name in ["features.mel", "features.log", "features.dct"] {
        assert!(names.contains(&name.into()), "{names:?}");
    }
    assert!(skipped.contains(&"features.rfft".into()), "{skipped:?}");
    for stage in stages {
        let headroom = stage["headroom_bits"].as_f64().expect("headroom");
        assert!((0.0..64.0).contains(&headroom), "{stage}");
        let snr = stage["snr_db"].as_f64().unwrap_or(f64::INFINITY);
        assert!(snr > 60.0, "{stage}");
    }
    let text = place.ok(&diff);
    assert!(
        text.contains("fixed against reference") && text.contains("headroom"),
        "{text}"
    );
}

#[test]
fn check_models_what_the_plan_costs_on_the_target() {
    let place = place();
    let generic = place.ok(&["check", "p.toml"]);
    assert!(
        generic.contains("# load   not measured for target generic"),
        "{generic}"
    );
    assert!(generic.contains("code not measured"), "{generic}");
    let target = ["--numeric", "fixed", "--set", "deploy.target=cortex-m4f"];
    let text = place.ok(&[&["check", "p.toml"][..], &target].concat());
    assert!(text.contains("numeric = \"fixed\""), "{text}");
    assert!(
        text.contains("% of cortex-m4f at 64 MHz (modelled)"),
        "{text}"
    );
    let report = json(&place.ok(&[&["check", "p.toml", "--json"][..], &target].concat()));
    let cost = &report["cost"];
    assert_eq!(cost["target"], "cortex-m4f");
    // 100 frames a second, each of some ten thousand instructions.
    let per_frame = cost["instructions_per_s"].as_f64().expect("a load") / 100.0;
    assert!((10e3..100e3).contains(&per_frame), "{cost}");
    let load = cost["load"].as_f64().expect("a load");
    assert!((0.01..0.5).contains(&load), "{cost}");
}

#[test]
fn a_fixed_plan_compiles_to_c_with_the_format_of_its_features() {
    let place = place();
    place.ok(&["compile", "p.toml", "-o", "out", "--numeric", "fixed"]);
    let header = String::from_utf8(place.read("out/speech.h")).expect("UTF-8");
    for line in [
        "#define SPEECH_NUMERIC OTO_NUMERIC_FIXED",
        "#define SPEECH_FEATURE_TYPE int16_t",
        "#define SPEECH_FEATURES_Q { ",
    ] {
        assert!(header.contains(line), "{line} is not in\n{header}");
    }
    let plan = json(&place.ok(&["--json", "inspect", "out/speech.oto"]));
    assert_eq!(plan["plan"]["numeric"], "fixed");
    let of_pipeline = place.ok(&["--json", "inspect", "p.toml", "--numeric", "fixed"]);
    assert_eq!(json(&of_pipeline)["plan"], plan["plan"]);
}

#[test]
fn compile_writes_plan_and_source_that_inspect_reads() {
    let place = place();
    let listed = place.ok(&["compile", "p.toml", "-o", "out/firmware", "--dry-run"]);
    assert!(!place.path().join("out").exists());
    let written = place.ok(&["compile", "p.toml", "-o", "out/firmware"]);
    assert_eq!(listed, written);
    assert!(place.read("out/firmware/speech.oto").starts_with(b"OTOL"));
    let header = String::from_utf8(place.read("out/firmware/speech.h")).expect("UTF-8");
    assert!(header.contains("SPEECH_ARENA_LEN"), "{header}");
    place.ok(&["compile", "p.toml", "-o", "plan", "--emit", "plan"]);
    let files: Vec<_> = std::fs::read_dir(place.path().join("plan"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(files, ["speech.oto"]);
    assert_eq!(
        place.read("plan/speech.oto"),
        place.read("out/firmware/speech.oto")
    );

    let report = json(&place.ok(&["--json", "inspect", "plan/speech.oto"]));
    let check = json(&place.ok(&["--json", "check", "p.toml"]));
    assert_eq!(report["plan"]["arena_bytes"], check["plan"]["ram_bytes"]);
    assert_eq!(report["plan"]["bytes"], check["plan"]["file_bytes"]);
    assert_eq!(report["plan"]["name"], "speech");
    let ops: Vec<_> = report["plan"]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["op"].as_str().expect("a name"))
        .collect();
    assert!(
        ops.contains(&"RFFT_F32_512") && ops.contains(&"MEL_F32"),
        "{ops:?}"
    );
    let text = place.ok(&["inspect", "plan/speech.oto"]);
    for part in [
        "steps",
        "tables and weights",
        "arena",
        "RFFT_F32_512",
        "features.mel",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let of_pipeline = json(&place.ok(&["--json", "inspect", "p.toml"]));
    assert_eq!(of_pipeline["plan"], report["plan"]);

    let mut damaged = place.read("plan/speech.oto");
    damaged[200] ^= 1;
    place.write("damaged.oto", damaged);
    let ran = place.run(&["inspect", "damaged.oto"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("its hash does not match"),
        "{}",
        ran.stderr
    );
    place.write("bad.tflite", b"\x18\0\0\0TFL3");
    assert_eq!(place.run(&["inspect", "bad.tflite"]).code, 3);
}

#[test]
fn inspect_lists_a_model() {
    let place = Place::new();
    let model = root().join("examples/keywords/keywords.tflite");
    let model = model.to_str().expect("UTF-8");
    let text = place.ok(&["inspect", model]);
    for part in [
        "DEPTHWISE_CONV_2D",
        "i8[1x49x10x1]",
        "every operator runs on the device",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let report = json(&place.ok(&["inspect", model, "--json"]));
    assert_eq!(report["model"]["runs"], true);
    assert_eq!(
        report["model"]["inputs"][0]["shape"],
        serde_json::json!([1, 49, 10, 1])
    );
    assert_eq!(report["model"]["unsupported"], serde_json::json!([]));

    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let mut refused = 0;
    for entry in std::fs::read_dir(shared.join("models")).expect("models") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "tflite") {
            continue;
        }
        let ran = place.run(&["inspect", path.to_str().expect("UTF-8"), "--json"]);
        let model = &json(&ran.stdout)["model"];
        let runs = model["runs"].as_bool().expect("a verdict");
        assert_eq!(ran.code, if runs { 0 } else { 1 }, "{}", path.display());
        for operator in model["unsupported"].as_array().expect("a list") {
            refused += 1;
            assert!(
                operator["why"].as_str().is_some_and(|why| why.len() > 20),
                "{operator}"
            );
        }
    }
    assert!(
        refused > 0,
        "no model of the shared folder has an unsupported operator"
    );
}

#[test]
fn verify_compares_a_model_layer_by_layer() {
    let place = Place::new();
    let model = root().join("examples/keywords/keywords.tflite");
    let model = model.to_str().expect("UTF-8");
    let text = place.ok(&["verify", model, "--random", "3", "--seed", "7", "--loss"]);
    assert!(text.contains("3 inputs, "), "{text}");
    assert!(text.contains("all bytes equal"), "{text}");
    assert!(text.contains("SNR dB"), "{text}");
    // The same seed gives the same inputs.
    let again = place.ok(&["verify", model, "--random", "3", "--seed", "7", "--loss"]);
    assert_eq!(text, again);

    place.write("input.bin", [7; 2 * 490]);
    let report = json(&place.ok(&["verify", model, "--input", "input.bin", "--json"]));
    assert_eq!(report["inputs"], 2);
    assert_eq!(report["equal"], true);
    assert_eq!(report["first_difference"], serde_json::Value::Null);
    let verdicts = report["layers"].as_array().expect("layers").iter();
    assert!(verdicts.filter(|layer| layer["verdict"] == "equal").count() >= 5);

    place.write("short.bin", [7; 489]);
    let ran = place.run(&["verify", model, "--input", "short.bin"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.stderr.contains("one input of the model takes 490"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.run(&["verify", model, "--random", "0"]).code, 2);
}

#[test]
fn explain_and_completions_print() {
    let place = Place::new();
    let all = place.ok(&["explain"]);
    assert!(all.lines().any(|line| line == "mfcc.n_mels"), "{all}");
    for path in all.lines() {
        assert!(place.ok(&["explain", path]).len() > 20, "{path}");
    }
    let one = json(&place.ok(&["explain", "mfcc.n_mels", "--json"]));
    assert_eq!(one["path"], "mfcc.n_mels");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            place.ok(&["completions", shell]).contains("otolith"),
            "{shell}"
        );
    }
}
