//! Pipelines of several blocks of features, on one input and on several.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Features, Numeric, all_ops};
use otolith_dsp_core::executor::Samples;
use otolith_dsp_core::lower::{lower_f32, lower_fixed};
use otolith_dsp_core::{EngineError, Pipeline};
use otolith_dsp_nostd::{Event, Plan, Runner};

const AUDIO: &str = "rate_hz = 16000\nmode = \"window\"\nwindow_ms = 250\nwindow_hop_ms = 125\n";
const MOTION: &str = "kind = \"sensor\"\nrate_hz = 104\naxes = [\"x\", \"y\", \"z\"]\nfull_scale = 4.0\n\
                      mode = \"window\"\nwindow_ms = 250\nwindow_hop_ms = 125\n";
const MEL: &str =
    "[[block]]\nid = \"mel\"\ntype = \"mel\"\nframe_ms = 32\nhop_ms = 16\nn_mels = 8\n";
const MFCC: &str =
    "[[block]]\nid = \"mfcc\"\ntype = \"mfcc\"\nframe_ms = 25\nhop_ms = 10\nn_coeffs = 5\n";
const RAW: &str = "[[block]]\nid = \"raw\"\ntype = \"raw\"\nscale_axes = 0.5\n";

fn pipeline(input: &str, blocks: &str) -> Pipeline {
    let text = format!("[pipeline]\nname = \"joined\"\n{input}{blocks}");
    Pipeline::from_toml(&text, ".".as_ref(), &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn one(input: &str, blocks: &str) -> Pipeline {
    pipeline(&format!("[input]\n{input}"), blocks)
}

fn two(blocks: &str) -> Pipeline {
    pipeline(
        &format!("[[input]]\nid = \"audio\"\n{AUDIO}[[input]]\nid = \"motion\"\n{MOTION}"),
        blocks,
    )
}

/// Audio: a tone with a moving level. Motion: three slow waves, moment by moment.
fn samples(n: usize, step: f64) -> Vec<i16> {
    (0..n)
        .map(|i| {
            let t = i as f64 * step;
            (12000.0 * libm::sin(t) * libm::cos(t * 0.013) + 2000.0 * libm::sin(7.7 * t)) as i16
        })
        .collect()
}

fn features(pipeline: &Pipeline, numeric: Numeric, inputs: &[&[i16]]) -> Features {
    let inputs: Vec<Samples<'_>> = inputs.iter().map(|&x| x.into()).collect();
    let mut engine = Engine::new(pipeline.graph(), numeric, false).expect("lowers");
    engine
        .features_of(&inputs)
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn blocks_on_one_input_stand_one_after_the_other() {
    let audio = samples(16000, 0.31);
    let both = one(AUDIO, &format!("{MEL}{MFCC}"));
    let parts = [one(AUDIO, MEL), one(AUDIO, MFCC)];
    for numeric in Numeric::ALL {
        let joined = features(&both, numeric, &[&audio]);
        let parts = parts
            .each_ref()
            .map(|part| features(part, numeric, &[&audio]));
        assert_eq!(joined.windows, 7, "{numeric:?}");
        assert_eq!(joined.rows, 1);
        let expected: Vec<f64> = (0..7)
            .flat_map(|window| {
                parts.iter().flat_map(move |part| {
                    let len = part.rows * part.row_len;
                    part.values.to_f64()[window * len..][..len].to_vec()
                })
            })
            .collect();
        assert!(joined.values.to_f64() == expected, "{numeric:?}");
    }
}

#[test]
fn inputs_have_their_own_rates() {
    let (audio, motion) = (samples(16000, 0.31), samples(3 * 104, 0.05));
    let blocks = format!("{MEL}{RAW}input = \"motion\"\n");
    let both = two(&blocks);
    // Whatever the order of the blocks.
    let swapped = two(&format!("{RAW}input = \"motion\"\n{MEL}"));
    let parts = [one(AUDIO, MEL), one(MOTION, RAW)];
    for numeric in Numeric::ALL {
        let joined = features(&both, numeric, &[&audio, &motion]);
        let mel = features(&parts[0], numeric, &[&audio]);
        let raw = features(&parts[1], numeric, &[&motion]);
        let (mel_len, raw_len) = (mel.rows * mel.row_len, raw.rows * raw.row_len);
        assert_eq!(joined.row_len, mel_len + raw_len);
        assert_eq!(joined.windows, 7);
        let swapped = features(&swapped, numeric, &[&audio, &motion]);
        let (all, other) = (joined.values.to_f64(), swapped.values.to_f64());
        for window in 0..7 {
            let all = &all[window * joined.row_len..][..joined.row_len];
            assert_eq!(
                all[..mel_len],
                mel.values.to_f64()[window * mel_len..][..mel_len]
            );
            assert_eq!(
                all[mel_len..],
                raw.values.to_f64()[window * raw_len..][..raw_len]
            );
            let other = &other[window * joined.row_len..][..joined.row_len];
            assert!(other[raw_len..] == all[..mel_len], "{numeric:?}");
            assert!(other[..raw_len] == all[mel_len..], "{numeric:?}");
        }
    }
}

#[test]
fn any_chunking_of_any_input_gives_the_same_bits() {
    let (audio, motion) = (samples(12000, 0.31), samples(3 * 78, 0.05));
    let graph = two(&format!("{MEL}{RAW}input = \"motion\"\n{MFCC}"));
    let plans = [
        lower_f32(graph.graph(), None).expect("lowers"),
        lower_fixed(graph.graph(), None, Precision::Full).expect("lowers"),
    ];
    for plan in plans {
        let mut seen: Option<Vec<Vec<u8>>> = None;
        for (audio_chunk, motion_chunk) in [(12000, 234), (1, 1), (977, 7), (160, 234), (4001, 2)] {
            let plan = Plan::from_bytes(&plan, all_ops()).expect("a plan");
            let mut arena = vec![0u64; plan.arena_len() / 8];
            let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).expect("fits");
            let mut rest = [audio.as_slice(), motion.as_slice()];
            let mut events = Vec::new();
            loop {
                let before = rest.map(<[i16]>::len);
                for (input, chunk) in [audio_chunk, motion_chunk].into_iter().enumerate() {
                    let now = &rest[input][..chunk.min(rest[input].len())];
                    let pushed = runner.push_i16_to(input, now).expect("runs");
                    rest[input] = &rest[input][pushed.consumed..];
                    if pushed.event == Some(Event::Features) {
                        events.push(runner.features_bytes().expect("features").1.to_vec());
                    }
                }
                if rest.map(<[i16]>::len) == before {
                    break;
                }
            }
            assert_eq!(
                events.len(),
                5,
                "chunks of {audio_chunk} and {motion_chunk}"
            );
            let first = seen.get_or_insert_with(|| events.clone());
            assert!(
                *first == events,
                "chunks of {audio_chunk} and {motion_chunk}"
            );
        }
    }
}

#[test]
fn an_input_that_is_ahead_waits() {
    let (audio, motion) = (samples(16000, 0.31), samples(3 * 104, 0.05));
    let graph = two(&format!("{MEL}{RAW}input = \"motion\"\n"));
    let plan = lower_f32(graph.graph(), None).expect("lowers");
    let plan = Plan::from_bytes(&plan, all_ops()).expect("a plan");
    let mut arena = vec![0u64; plan.arena_len() / 8];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).expect("fits");
    let first = runner.push_i16(&audio).expect("runs");
    // One window is done, the next one is full.
    assert_eq!((first.consumed, first.event), (6000, None));
    assert_eq!(runner.push_i16(&audio).expect("runs").consumed, 0);
    let second = runner.push_i16_to(1, &motion).expect("runs");
    assert_eq!(second.consumed, 3 * 26);
    assert_eq!(second.event, Some(Event::Features));
    assert_eq!(
        runner.push_i16_to(2, &motion),
        Err(otolith_dsp_nostd::Fault::NoInput)
    );
}

#[test]
fn what_cannot_be_joined_is_refused() {
    let refused = |text: &str, part: &str| {
        let text = format!("[pipeline]\nname = \"x\"\n{text}");
        let error = Pipeline::from_toml(&text, ".".as_ref(), &[]).expect_err("refused");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(
        &format!("[input]\nrate_hz = 16000\n{MEL}{MFCC}"),
        "window by window",
    );
    let other = MOTION.replace("window_ms = 250", "window_ms = 500");
    let inputs = |motion: &str| {
        format!("[[input]]\nid = \"audio\"\n{AUDIO}[[input]]\nid = \"motion\"\n{motion}")
    };
    refused(
        &format!("{}{MEL}{RAW}input = \"motion\"\n", inputs(&other)),
        "motion.window_ms",
    );
    refused(&format!("{}{MEL}", inputs(MOTION)), "no block listens");
    refused(
        &format!("{}{MEL}{RAW}input = \"imu\"\n", inputs(MOTION)),
        "audio, motion",
    );
    let both = two(&format!("{MEL}{RAW}input = \"motion\"\n"));
    let mut engine = Engine::new(both.graph(), Numeric::Host, false).expect("sound");
    assert!(matches!(
        engine.features([0i16; 9].as_slice()),
        Err(EngineError::Inputs { found: 1, need: 2 })
    ));
}
