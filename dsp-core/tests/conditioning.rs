//! Blocks `filter` and `decimate` before blocks of features, against scipy in every numeric.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Features, Numeric, all_ops};
use otolith_dsp_core::executor::Samples;
use otolith_dsp_core::lower::{lower_f32, lower_fixed};
use otolith_dsp_core::{ConfigError, EngineError, Pipeline};
use otolith_dsp_nostd::{Event, Plan, Runner};
use otolith_fixtures::Array;

/// The rows of `filtered.npy` behind the first, in its order: blocks, and the factor of all their
/// decimations.
const CASES: &[(&str, usize)] = &[
    ("band = \"low\"\ncutoff_hz = 10\n", 1),
    (
        "kind = \"chebyshev1\"\nband = \"high\"\norder = 5\ncutoff_hz = 3\nripple_db = 0.5\n",
        1,
    ),
    ("band = \"band\"\norder = 2\nlow_hz = 5\nhigh_hz = 20\n", 1),
    ("band = \"stop\"\norder = 3\nlow_hz = 12\nhigh_hz = 30\n", 1),
    ("kind = \"notch\"\ncentre_hz = 10\nq = 5\n", 1),
    (
        "kind = \"peaking\"\ncentre_hz = 10\nq = 2\ngain_db = 6\n",
        1,
    ),
    (
        "kind = \"peaking\"\ncentre_hz = 10\nq = 0.2\ngain_db = 30\n",
        1,
    ),
    ("D4", 4),
    (
        "band = \"high\"\norder = 2\ncutoff_hz = 1\nD5\nband = \"low\"\norder = 3\ncutoff_hz = 4\n",
        5,
    ),
    ("D2\nD5", 10),
];

const RATE_HZ: f64 = 100.0;
const AXES: usize = 2;
const FULL_SCALE: f64 = 2.0;

/// Blocks from the shorthand of [`CASES`]: `D4` is a decimation, all else the fields of a filter.
fn blocks(short: &str) -> String {
    let mut blocks = String::new();
    let mut id = 0;
    let mut open = false;
    for line in short.lines() {
        if let Some(factor) = line.strip_prefix('D') {
            blocks +=
                &format!("[[block]]\nid = \"b{id}\"\ntype = \"decimate\"\nfactor = {factor}\n");
            (id, open) = (id + 1, false);
            continue;
        }
        if !open {
            blocks += &format!("[[block]]\nid = \"b{id}\"\ntype = \"filter\"\n");
            (id, open) = (id + 1, true);
        }
        blocks += &format!("{line}\n");
    }
    blocks
}

fn read(input: &str, blocks: &str) -> Result<Pipeline, ConfigError> {
    let text = format!("[pipeline]\nname = \"conditioned\"\n[input]\n{input}\n{blocks}");
    Pipeline::from_toml(&text, ".".as_ref(), &[])
}

fn pipeline(input: &str, blocks: &str) -> Pipeline {
    read(input, blocks).unwrap_or_else(|error| panic!("{error}\n{blocks}"))
}

fn sensor(window: usize, hop: usize) -> String {
    format!(
        "kind = \"sensor\"\nrate_hz = {RATE_HZ}\naxes = [\"x\", \"y\"]\nfull_scale = {FULL_SCALE}\n\
         mode = \"window\"\nwindow_samples = {window}\nwindow_hop_samples = {hop}\n"
    )
}

const RAW: &str = "[[block]]\nid = \"features\"\ntype = \"raw\"\n";

/// Samples, and what scipy makes of them.
fn golden() -> Vec<Vec<f64>> {
    let golden = Array::read(&otolith_fixtures::root().join("fixtures/golden/filtered.npy"));
    let rows = golden.values.chunks(golden.shape[1]);
    rows.map(<[f64]>::to_vec).collect()
}

fn integers(samples: &[f64]) -> Vec<i16> {
    samples.iter().map(|x| (x * 32768.0) as i16).collect()
}

fn features<'a>(
    pipeline: &Pipeline,
    numeric: Numeric,
    pad_tail: bool,
    samples: impl Into<Samples<'a>>,
) -> Features {
    let mut engine =
        Engine::new(pipeline.graph(), numeric, pad_tail).unwrap_or_else(|e| panic!("{e}"));
    engine.features(samples).unwrap_or_else(|e| panic!("{e}"))
}

fn snr_db(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let power: f64 = expected.iter().map(|x| x * x).sum();
    let noise: f64 = found
        .iter()
        .zip(expected)
        .map(|(x, y)| (x - y) * (x - y))
        .sum();
    10.0 * libm::log10(power / noise)
}

fn largest_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let peak = expected.iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
    let errors = found.iter().zip(expected).map(|(x, y)| (x - y).abs());
    errors.fold(0.0, f64::max) / peak
}

#[test]
fn windows_are_cut_from_what_scipy_gives_for_the_whole_recording() {
    let golden = golden();
    let samples = integers(&golden[0]);
    let (window, hop) = (100, 40);
    for ((short, factor), expected) in CASES.iter().zip(&golden[1..]) {
        let pipeline = pipeline(&sensor(window, hop), &format!("{}{RAW}", blocks(short)));
        let (len, step) = (window / factor * AXES, hop / factor * AXES);
        let windows = (samples.len() / AXES - window) / hop + 1;
        let expected: Vec<f64> = (0..windows)
            .flat_map(|i| &expected[i * step..][..len])
            .map(|x| x * FULL_SCALE)
            .collect();
        for numeric in Numeric::ALL {
            let found = features(&pipeline, numeric, false, &samples);
            assert_eq!((found.windows, found.rows), (windows, 1));
            let found = found.values.to_f64();
            let (error, snr) = (largest_error(&found, &expected), snr_db(&found, &expected));
            let most = match numeric {
                Numeric::Reference | Numeric::Host => 1e-6,
                _ => 1e-4,
            };
            assert!(error < most, "{short} {numeric:?}: {error:e}");
            assert!(snr > 90.0, "{short} {numeric:?}: {snr}");
        }
    }
}

#[test]
fn frames_are_cut_from_the_filtered_samples_in_every_mode() {
    const MEL: &str = "[[block]]\nid = \"features\"\ntype = \"mel\"\nframe_samples = 16\n\
                       hop_samples = 8\nn_fft = 16\nn_mels = 4\nf_min_hz = 0\n";
    let golden = golden();
    let axis = |row: usize, n: usize| -> Vec<f64> {
        golden[row].iter().step_by(AXES).take(n).copied().collect()
    };
    let samples = integers(&axis(0, 400));
    for (row, factor) in [(1, 1), (3, 1), (8, 4)] {
        // What scipy gives, rounded to floats.
        let filtered: Vec<f32> = axis(row, 400 / factor).iter().map(|&x| x as f32).collect();
        for (mode, window) in [("stream", 0), ("window", 200), ("clip", 0)] {
            for frame in ["", "dc_removal = \"frame\"\npre_emphasis = \"frame\"\n"] {
                let input = |factor: usize| {
                    let lengths = match window {
                        0 => String::new(),
                        window => format!(
                            "window_samples = {}\nwindow_hop_samples = {}\n",
                            window / factor,
                            window / 2 / factor
                        ),
                    };
                    let rate = RATE_HZ / factor as f64;
                    format!("rate_hz = {rate}\nmode = \"{mode}\"\n{lengths}")
                };
                let mel = format!("{MEL}{frame}");
                let plain = pipeline(&input(factor), &mel);
                let expected = features(&plain, Numeric::Reference, false, &filtered);
                let (short, _) = CASES[row - 1];
                let conditioned = pipeline(&input(1), &format!("{}{mel}", blocks(short)));
                for numeric in Numeric::ALL {
                    let found = features(&conditioned, numeric, false, &samples);
                    assert_eq!(found.windows, expected.windows);
                    assert_eq!(found.rows, expected.rows);
                    let snr = snr_db(&found.values.to_f64(), &expected.values.to_f64());
                    let least = match numeric {
                        Numeric::Reference => 110.0,
                        Numeric::Host | Numeric::F32 => 90.0,
                        Numeric::Fixed(Precision::Full) => 60.0,
                        Numeric::Fixed(_) => 50.0,
                    };
                    assert!(snr > least, "{short} {mode} {frame} {numeric:?}: {snr}");
                }
            }
        }
    }
}

#[test]
fn blocks_of_whole_windows_see_the_filtered_samples() {
    const FLATTEN: &str = "[[block]]\nid = \"features\"\ntype = \"flatten\"\n";
    // Its own filter and the mean that it removes work in place.
    const SPECTRA: &str = "[[block]]\nid = \"features\"\ntype = \"spectral_analysis\"\n\
                           filter = \"low\"\ncutoff_hz = 4\nfilter_order = 2\nn_fft = 16\n";
    let golden = golden();
    let samples = integers(&golden[0]);
    // The last of them twice, so that windows overlap or stand side by side.
    for (row, factor, hop) in [(1, 1, 40), (9, 5, 40), (8, 4, 40), (8, 4, 100)] {
        let n = samples.len() / factor;
        let filtered: Vec<f32> = golden[row][..n].iter().map(|&x| x as f32).collect();
        let (short, _) = CASES[row - 1];
        for block in [FLATTEN, SPECTRA] {
            let rate = RATE_HZ / factor as f64;
            let slower = sensor(100 / factor, hop / factor).replace(
                &format!("rate_hz = {RATE_HZ}"),
                &format!("rate_hz = {rate}"),
            );
            let plain = pipeline(&slower, block);
            let expected = features(&plain, Numeric::Reference, false, &filtered);
            let conditioned = pipeline(&sensor(100, hop), &format!("{}{block}", blocks(short)));
            assert_eq!(conditioned.graph().names(), plain.graph().names());
            for numeric in Numeric::ALL {
                let found = features(&conditioned, numeric, false, &samples);
                assert_eq!(found.windows, expected.windows);
                let (found, expected) = (found.values.to_f64(), expected.values.to_f64());
                let snr = snr_db(&found, &expected);
                println!("{short:?} {numeric:?}: {snr:.1} dB");
                let least = match numeric {
                    Numeric::Reference => 100.0,
                    Numeric::Host | Numeric::F32 => 80.0,
                    Numeric::Fixed(_) => 60.0,
                };
                assert!(snr > least, "{block} {short} {numeric:?}: {snr}");
            }
        }
    }
}

#[test]
fn a_padded_last_window_is_the_same_in_all_numerics() {
    let samples = integers(&golden()[0]);
    // Not even whole decimated samples.
    let samples = &samples[..321 * AXES];
    let pipeline = pipeline(&sensor(100, 40), &format!("{}{RAW}", blocks("D4")));
    let expected = features(&pipeline, Numeric::Reference, true, samples);
    assert_eq!(expected.windows, 7);
    for numeric in Numeric::ALL {
        let found = features(&pipeline, numeric, true, samples);
        assert_eq!(found.windows, expected.windows);
        let error = largest_error(&found.values.to_f64(), &expected.values.to_f64());
        assert!(error < 1e-4, "{numeric:?}: {error:e}");
    }
}

#[test]
fn blocks_of_features_hear_the_blocks_before_them() {
    let samples = integers(&golden()[0]);
    let input = sensor(100, 40);
    let low = blocks(CASES[0].0);
    let raw = |id: &str| format!("[[block]]\nid = \"{id}\"\ntype = \"raw\"\n");
    let decimate = "[[block]]\ntype = \"decimate\"\nfactor = 4\n";
    let all = format!("{}{low}{}{decimate}{}", raw("a"), raw("b"), raw("c"));
    let joined = pipeline(&input, &all);
    assert_eq!(joined.graph().row_len(), (100 + 100 + 25) * AXES);
    let parts = [
        pipeline(&input, &raw("a")),
        pipeline(&input, &format!("{low}{}", raw("b"))),
        pipeline(&input, &format!("{low}{decimate}{}", raw("c"))),
    ];
    for numeric in Numeric::ALL {
        let joined = features(&joined, numeric, false, &samples);
        let parts = parts
            .each_ref()
            .map(|part| features(part, numeric, false, &samples));
        for window in 0..joined.windows {
            let expected: Vec<f64> = parts
                .iter()
                .flat_map(|part| {
                    part.values.to_f64()[window * part.row_len..][..part.row_len].to_vec()
                })
                .collect();
            let found = &joined.values.to_f64()[window * joined.row_len..][..joined.row_len];
            assert!(found == expected, "{numeric:?}");
        }
    }
    // What is written reads back to the same.
    let resolved = Pipeline::from_toml(joined.resolved_toml(), ".".as_ref(), &[]);
    assert_eq!(resolved.as_ref().map(Pipeline::graph), Ok(joined.graph()));
}

/// All features of a plan, fed in pieces of the given lengths in turn.
fn pushed(plan: &[u8], samples: &[i16], pieces: &[usize]) -> Vec<Vec<u8>> {
    let plan = Plan::from_bytes(plan, all_ops()).expect("valid");
    let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)).expect("memory");
    let mut all = Vec::new();
    // The second time after a reset, which forgets everything.
    for _ in 0..2 {
        all.clear();
        runner.reset();
        let mut rest = samples;
        for &piece in pieces.iter().cycle() {
            let mut part = &rest[..piece.min(rest.len())];
            rest = &rest[part.len()..];
            loop {
                let pushed = runner.push_i16(part).expect("runs");
                part = &part[pushed.consumed..];
                match pushed.event {
                    Some(Event::Features) => {
                        all.push(runner.features_bytes().expect("features").1.to_vec());
                    }
                    Some(event) => panic!("{event:?}"),
                    None => break,
                }
            }
            if rest.is_empty() {
                break;
            }
        }
    }
    all
}

#[test]
fn any_chunking_gives_the_same_bits() {
    let samples = integers(&golden()[0]);
    let short = CASES[8].0;
    let windows = pipeline(&sensor(100, 40), &format!("{}{RAW}", blocks(short)));
    let stream = pipeline(
        "rate_hz = 200\n",
        &format!(
            "{}[[block]]\nid = \"features\"\ntype = \"mel\"\nframe_samples = 16\nhop_samples = 8\n\
             n_fft = 16\nn_mels = 4\nf_min_hz = 0\npre_emphasis = \"signal\"\n",
            blocks("D2")
        ),
    );
    for graph in [windows.graph(), stream.graph()] {
        for plan in [
            lower_f32(graph, None).expect("lowers"),
            lower_fixed(graph, None, Precision::Full).expect("lowers"),
        ] {
            let whole = pushed(&plan, &samples, &[samples.len()]);
            assert!(whole.len() > 5);
            for pieces in [&[1][..], &[7, 1, 80, 3], &[199, 201]] {
                assert!(pushed(&plan, &samples, pieces) == whole, "{pieces:?}");
            }
        }
    }
}

#[test]
fn recordings_that_are_too_short_say_how_long_they_must_be() {
    let pipeline = pipeline(&sensor(100, 40), &format!("{}{RAW}", blocks("D4")));
    for numeric in Numeric::ALL {
        let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("lowers");
        let found = engine.features(&vec![0i16; 99 * AXES]);
        let expected = EngineError::TooShort {
            samples: 99,
            need: 100,
            what: "one window",
        };
        assert_eq!(
            found.map(|_| ()).map_err(|e| e.to_string()),
            Err(expected.to_string())
        );
    }
}

#[test]
fn integers_keep_sixty_decibels_of_recorded_signals() {
    let Some(shared) = otolith_fixtures::shared_dir() else {
        return;
    };
    let path = shared.join("data/audio-keywords/test/stop/fe1916ba_nohash_0.wav");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let words = bytes[44..].chunks_exact(2);
    let audio: Vec<i16> = words.map(|x| i16::from_le_bytes([x[0], x[1]])).collect();
    let path = shared.join("data/imu-har/recordings/s13_01.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let accelerations = text
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').skip(1).take(3));
    let motion: Vec<i16> = accelerations
        .map(|x| (x.parse::<f64>().expect("a number") / 39.24 * 32768.0) as i16)
        .collect();
    let of_audio = "rate_hz = 16000\nmode = \"window\"\nwindow_ms = 250\n";
    let of_motion = "kind = \"sensor\"\nrate_hz = 100\naxes = [\"x\", \"y\", \"z\"]\n\
                     full_scale = 39.24\nmode = \"window\"\nwindow_samples = 100\n";
    for (input, samples, short) in [
        (of_audio, &audio, "band = \"high\"\ncutoff_hz = 80\n"),
        (
            of_audio,
            &audio,
            "band = \"band\"\nlow_hz = 300\nhigh_hz = 3400\n",
        ),
        (
            of_audio,
            &audio,
            "kind = \"notch\"\ncentre_hz = 50\nq = 10\n",
        ),
        (of_audio, &audio, "D2"),
        (
            of_motion,
            &motion,
            "band = \"high\"\norder = 2\ncutoff_hz = 0.5\n",
        ),
        (of_motion, &motion, "band = \"low\"\ncutoff_hz = 5\n"),
        (
            of_motion,
            &motion,
            "D4\nband = \"band\"\nlow_hz = 0.3\nhigh_hz = 8\n",
        ),
    ] {
        let pipeline = pipeline(input, &format!("{}{RAW}", blocks(short)));
        let reference = features(&pipeline, Numeric::Reference, false, samples);
        for numeric in [Numeric::F32, Numeric::Fixed(Precision::Full)] {
            let found = features(&pipeline, numeric, false, samples);
            let snr = snr_db(&found.values.to_f64(), &reference.values.to_f64());
            println!("{short:?} {numeric:?}: {snr:.1} dB");
            assert!(snr > 60.0, "{short} {numeric:?}: {snr}");
        }
    }
}

/// Where bad blocks are wrong, and what the message says.
#[test]
fn bad_blocks_say_what_is_allowed() {
    let sensor = sensor(100, 40);
    let filter = |fields: &str| format!("{}{RAW}", blocks(fields));
    let late = format!("{RAW}{}", blocks("D4"));
    let micro = "[[block]]\ntype = \"micro_frontend\"\n";
    for (input, blocks, path, said) in [
        (
            &sensor,
            filter("band = \"low\"\n"),
            "b0.cutoff_hz",
            "no value",
        ),
        (
            &sensor,
            filter("cutoff_hz = 3\n"),
            "b0.band",
            "expected \"low\"",
        ),
        (
            &sensor,
            filter("band = \"low\"\ncutoff_hz = 50\n"),
            "b0.cutoff_hz",
            "less than 50 Hz",
        ),
        (
            &sensor,
            filter("D4\nband = \"high\"\ncutoff_hz = 12.5\n"),
            "b1.cutoff_hz",
            "less than 12.5 Hz",
        ),
        (
            &sensor,
            filter("band = \"low\"\ncutoff_hz = 0.001\norder = 8\n"),
            "b0.cutoff_hz",
            "unit circle",
        ),
        (
            &sensor,
            filter("band = \"band\"\nlow_hz = 9\nhigh_hz = 9\n"),
            "b0.high_hz",
            "above `low_hz`",
        ),
        (
            &sensor,
            filter("band = \"low\"\ncutoff_hz = 9\nripple_db = 1\n"),
            "b0.ripple_db",
            "no use for it",
        ),
        (
            &sensor,
            filter("kind = \"notch\"\ncentre_hz = 9\n"),
            "b0.q",
            "no value",
        ),
        (&sensor, filter("D3"), "b0.factor", "multiples of 3"),
        (&sensor, filter("D2\nD8"), "b1.factor", "multiples of 16"),
        (&sensor, filter("D1"), "b0.factor", "from 2 to 32"),
        (&sensor, late, "b0", "no block of features hears"),
        (&sensor, blocks("D4"), "block", "no block of features"),
        (
            &"rate_hz = 16000".to_owned(),
            format!("{}{micro}", blocks("D2")),
            "micro_frontend.type",
            "16-bit samples",
        ),
    ] {
        let error = read(input, &blocks).expect_err(&blocks);
        assert_eq!(error.path, path, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_device_needs_windows_without_gaps() {
    let pipeline = pipeline(&sensor(40, 80), &format!("{}{RAW}", blocks("D4")));
    let samples = integers(&golden()[0]);
    assert_eq!(
        features(&pipeline, Numeric::Host, false, &samples).windows,
        5
    );
    for numeric in [Numeric::F32, Numeric::Fixed(Precision::Full)] {
        let error = Engine::new(pipeline.graph(), numeric, false).err();
        let error = error.expect("gaps").to_string();
        assert!(error.contains("between windows"), "{error}");
    }
}
