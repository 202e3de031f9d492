//! Integer plans never leave the range of their formats on real recordings.
//!
//! `cargo test -p otolith-dsp-core --features checked --test saturations`

use otolith_dsp_core::Pipeline;
use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric, all_ops};
use otolith_dsp_core::plan_builder::PlanBuilder;
use otolith_dsp_nostd::format::{Elem, Numeric as Format, Section};
use otolith_dsp_nostd::ops::fixed::scale::{SCALE_I16_I16, ScaleParams};
use otolith_dsp_nostd::q::{reset_saturations, saturations};
use otolith_dsp_nostd::{Plan, Runner};
use otolith_fixtures::{root, shared_dir};
use std::path::{Path, PathBuf};

const INPUT: &str = "[pipeline]\nname = \"checked\"\n[input]\nrate_hz = 16000\nmode = \"clip\"\n\
                     sample_type = \"i16\"\n[[block]]\nid = \"features\"\n";
const BLOCKS: [&str; 3] = [
    "type = \"mel\"\nframe_samples = 400\nhop_samples = 160\n",
    "type = \"mfcc\"\nframe_samples = 512\nhop_samples = 160\nlog_epsilon = 1e-10\n",
    "type = \"mfcc\"\nframe_samples = 400\nhop_samples = 160\ndc_removal = \"frame\"\n\
     pre_emphasis = \"frame\"\nwindow = \"povey\"\nwindow_symmetry = \"symmetric\"\n\
     framing = \"rounded\"\npadding = \"symmetric\"\nlifter = \"htk\"\ndeltas = 2\n",
];

/// The first channel of every WAV file below `folder`.
fn recordings(folder: &Path) -> Vec<(PathBuf, Vec<i16>)> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wav") {
                let wav = hound::WavReader::open(&path).expect("a WAV file");
                let channels = usize::from(wav.spec().channels);
                let samples = wav
                    .into_samples::<i16>()
                    .step_by(channels)
                    .map(|sample| sample.expect("16 bits"));
                let samples = samples.collect();
                found.push((path, samples));
            }
        }
    }
    found
}

/// A recording with its peak at `level` of full scale.
fn at_level(samples: &[i16], level: f64) -> Vec<i16> {
    let peak = samples.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
    let gain = level * 32768.0 / f64::from(peak.max(1));
    // A cast from float to integer saturates.
    samples
        .iter()
        .map(|&x| libm::round(f64::from(x) * gain) as i16)
        .collect()
}

/// Samples that are quadrupled in 16 bits: those above 8191 or below -8192 saturate.
fn quadrupled(samples: &[i16]) {
    let mut plan = PlanBuilder::new("quadrupled", Format::Fixed);
    let source = plan.source(Elem::I16, samples.len(), samples.len(), 0);
    let mul = plan.table::<i32>("mul", &[1], &[4]);
    let add = plan.table::<i64>("add", &[1], &[0]);
    let out = plan.state("out", Elem::I16, &[samples.len()]);
    let params = ScaleParams {
        shift: 0,
        min: i32::MIN,
        max: i32::MAX,
    };
    plan.step(
        Section::Decision,
        &SCALE_I16_I16,
        "scale",
        &[source, mul, add, out],
        &params.encode(),
    );
    plan.features(out, &[1, samples.len()]);
    let bytes = plan.finish().expect("sound");
    let plan = Plan::from_bytes(&bytes, all_ops()).expect("sound");
    let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)).expect("arena");
    runner.push_i16(samples).expect("runs");
}

/// Runs every block over every recording at four levels, and counts the frames.
fn frames_of_all(recordings: &[(PathBuf, Vec<i16>)], precision: Precision) -> usize {
    let mut frames = 0;
    for block in BLOCKS {
        let text = format!("{INPUT}{block}");
        let pipeline = Pipeline::from_toml(&text, ".".as_ref(), &[]).expect("valid");
        let numeric = Numeric::Fixed(precision);
        let mut engine = Engine::new(pipeline.graph(), numeric, true).expect("lowers");
        for (path, samples) in recordings {
            for level in [1.0, 0.1, 0.01, 0.001] {
                let loud = at_level(samples, level);
                frames += engine.features(&loud).expect("long enough").rows;
                // Of the whole process: this plan's, or that of the other precision.
                let n = saturations();
                assert_eq!(
                    n,
                    0,
                    "{} at {level}, {precision:?}: {block}",
                    path.display()
                );
            }
        }
    }
    frames
}

/// One test, since the counter belongs to the process.
#[test]
fn recordings_saturate_nowhere_and_the_counter_counts() {
    reset_saturations();
    quadrupled(&[8191, -8192, 0, 1]);
    assert_eq!(saturations(), 0);
    quadrupled(&[8192, -8193, 32767, 1]);
    assert_eq!(saturations(), 3);

    let folder = match shared_dir() {
        Some(shared) => shared.join("data"),
        None => root().join("examples/keywords"),
    };
    let recordings = recordings(&folder);
    assert!(recordings.len() >= 3, "{}", folder.display());
    reset_saturations();
    let frames: usize = std::thread::scope(|scope| {
        let recordings = &recordings;
        let plans = [Precision::Full, Precision::Light]
            .map(|precision| scope.spawn(move || frames_of_all(recordings, precision)));
        plans
            .map(|plan| plan.join().expect("no saturation"))
            .iter()
            .sum()
    });
    println!("{} recordings, {frames} frames: none", recordings.len());
}
