//! Integer features of signals that nobody speaks.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::{Engine, Numeric, Values, all_ops, feature_scale};
use otolith_dsp_core::graph::Graph;
use otolith_dsp_core::lower::lower_fixed;
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_core::{Override, Pipeline};
use otolith_dsp_nostd::{Plan, Runner};

/// Half a second.
const N: usize = 8000;

const TEXT: &str = r#"[pipeline]
name = "hostile"
[input]
rate_hz = 16000
sample_type = "i16"
[[block]]
id = "features"
type = "TYPE"
frame_samples = 400
hop_samples = 160
"#;

const WINDOW: &[(&str, &str)] = &[
    ("input.mode", "window"),
    ("input.window_ms", "250"),
    ("input.window_hop_ms", "125"),
];

/// A pipeline with a block of `kind`.
fn pipeline(kind: &str, fields: &[(&str, &str)]) -> Pipeline {
    let overrides: Vec<_> = fields
        .iter()
        .map(|(field, value)| Override::new(*field, *value))
        .collect();
    Pipeline::from_toml(&TEXT.replace("TYPE", kind), ".".as_ref(), &overrides)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// Pipelines that reach all kinds of operators, by name.
fn pipelines() -> Vec<(&'static str, Pipeline)> {
    let windowed = |more: &[(&str, &str)]| pipeline("mfcc", &[WINDOW, more].concat());
    vec![
        ("log-mel", pipeline("mel", &[])),
        ("mfcc", pipeline("mfcc", &[])),
        (
            "magnitude",
            pipeline(
                "mel",
                &[
                    ("features.spectrum", "magnitude"),
                    ("features.log_floor", "max"),
                ],
            ),
        ),
        (
            "kaldi",
            pipeline(
                "mfcc",
                &[
                    ("features.dc_removal", "frame"),
                    ("features.pre_emphasis", "frame"),
                    ("features.window", "povey"),
                    ("features.window_symmetry", "symmetric"),
                    ("features.log_floor", "max"),
                    ("features.log_epsilon", "1e-7"),
                    ("features.lifter", "htk"),
                ],
            ),
        ),
        ("dB", pipeline("mel", &[("features.log", "db_power")])),
        ("peak", windowed(&[("input.normalise", "peak")])),
        ("cmvn", windowed(&[("features.cmvn", "mean_variance")])),
        ("deltas", windowed(&[("features.deltas", "2")])),
    ]
}

/// Signals of [`N`] samples, by name.
fn signals() -> Vec<(&'static str, Vec<i16>)> {
    let of = |f: &dyn Fn(usize) -> i16| (0..N).map(f).collect::<Vec<_>>();
    let mut noise = 1u32;
    let mut signs = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if noise >> 31 == 0 { i16::MIN } else { i16::MAX }
    };
    let random: Vec<i16> = (0..N).map(|_| signs()).collect();
    vec![
        ("silence", of(&|_| 0)),
        ("largest constant", of(&|_| i16::MAX)),
        ("smallest constant", of(&|_| i16::MIN)),
        ("1", of(&|_| 1)),
        ("-1", of(&|_| -1)),
        (
            "square",
            of(&|n| if n / 40 % 2 == 0 { i16::MAX } else { i16::MIN }),
        ),
        (
            "extremes in turn",
            of(&|n| if n % 2 == 0 { i16::MAX } else { i16::MIN }),
        ),
        (
            "impulses",
            of(&|n| if n % 1000 == 500 { i16::MIN } else { 0 }),
        ),
        ("one impulse of 1", of(&|n| i16::from(n == N / 2))),
        ("1 and -1 in turn", of(&|n| if n % 2 == 0 { 1 } else { -1 })),
        (
            "silence, then full scale",
            of(&|n| if n < N / 2 { 0 } else { i16::MIN }),
        ),
        ("random extremes", random),
    ]
}

fn engine(pipeline: &Pipeline, numeric: Numeric) -> Engine {
    Engine::new(pipeline.graph(), numeric, false).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn features_stay_in_the_range_of_their_format() {
    for (name, pipeline) in pipelines() {
        for precision in [Precision::Full, Precision::Light] {
            let mut fixed = engine(&pipeline, Numeric::Fixed(precision));
            let mut reference = engine(&pipeline, Numeric::Reference);
            for (signal, samples) in signals() {
                let found = fixed.features(&samples).expect("long enough").values;
                let truth = reference.features(&samples).expect("long enough");
                let Values::I16 { values, scale } = &found else {
                    panic!("{found:?}");
                };
                assert_eq!(values.len(), truth.values.len(), "{name} of {signal}");
                let wild = |i: usize, x: f64| {
                    // Wherever the truth fits the format, the integer is not at its end.
                    let limit = 32000.0 * scale[i % scale.len()];
                    truth.values.to_f64()[i].abs() < limit && x.abs() >= limit * 32767.0 / 32000.0
                };
                let real = found.to_f64();
                let at = real.iter().enumerate().find(|&(i, &x)| wild(i, x));
                assert_eq!(at, None, "{name} of {signal} in {}", precision.name());
            }
        }
    }
}

#[test]
fn silence_is_the_floor() {
    // Log-mel: ln(1e-6); and the mean of 40 of them in coefficient 0 of an orthonormal DCT.
    let floor = libm::log(1e-6);
    for (kind, expected) in [
        ("mel", vec![floor; 40]),
        (
            "mfcc",
            [vec![floor * libm::sqrt(40.0)], vec![0.0; 12]].concat(),
        ),
    ] {
        let mut fixed = engine(&pipeline(kind, &[]), Numeric::Fixed(Precision::Full));
        let values = fixed.features(&[0i16; N][..]).expect("long enough").values;
        let real = values.to_f64();
        for (found, expected) in real.iter().zip(expected.iter().cycle()) {
            assert!((found - expected).abs() < 0.01, "{found} {expected}");
        }
    }
}

#[test]
fn louder_is_never_less() {
    // Multiples of one signal: every log-mel energy grows with the factor.
    let signal = |factor: i16| -> Vec<i16> {
        (0..N as i32)
            .map(|n| ((n * n / 7 + 31 * n) % 37 - 18) as i16 * factor)
            .collect()
    };
    for fields in [
        vec![],
        vec![("features.spectrum", "magnitude")],
        vec![("features.log", "db_power"), ("features.log_floor", "max")],
    ] {
        let mut fixed = engine(&pipeline("mel", &fields), Numeric::Fixed(Precision::Full));
        let mut before: Option<Vec<f64>> = None;
        for factor in [1, 2, 3, 5, 8, 15, 31, 60, 120, 250, 500, 1000, 1820] {
            let values = fixed.features(&signal(factor)).expect("long enough").values;
            let Values::I16 { scale, .. } = &values else {
                panic!("{values:?}");
            };
            let (now, unit) = (values.to_f64(), scale[0]);
            if let Some(before) = before {
                for (x, y) in before.iter().zip(&now) {
                    // Quiet spectra carry the rounding of the transform: a unit of it.
                    assert!(y >= &(x - unit), "{fields:?}: {x} falls to {y} at {factor}");
                }
            }
            before = Some(now);
        }
    }
}

/// All features that come of pushing `samples` in pieces.
fn pushed(runner: &mut Runner<'_>, samples: &[i16], pieces: &[usize]) -> Vec<i16> {
    let mut features = Vec::new();
    let (mut rest, mut sizes) = (samples, pieces.iter().cycle());
    while !rest.is_empty() {
        let (mut piece, behind) = rest.split_at(rest.len().min(*sizes.next().expect("a size")));
        rest = behind;
        loop {
            let done = runner.push_i16(piece).expect("runs");
            piece = &piece[done.consumed..];
            match done.event {
                Some(_) => features.extend_from_slice(runner.features::<i16>().expect("i16")),
                None => break,
            }
        }
    }
    features
}

fn plan(graph: &Graph) -> PlanBytes {
    lower_fixed(graph, None, Precision::Full).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn chunks_and_resets_change_nothing() {
    for (name, pipeline) in pipelines() {
        let bytes = plan(pipeline.graph());
        let plan = Plan::from_bytes(&bytes, all_ops()).expect("sound");
        let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
        let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)).expect("arena");
        for (signal, samples) in signals() {
            runner.reset();
            let whole = pushed(&mut runner, &samples, &[N]);
            assert!(!whole.is_empty(), "{name}");
            // A recording that ended in the middle of a window is forgotten.
            pushed(&mut runner, &[i16::MIN; 777], &[777]);
            for pieces in [&[1][..], &[160], &[7, 399, 3], &[401, 1, 1, 5000]] {
                runner.reset();
                let found = pushed(&mut runner, &samples, pieces);
                assert_eq!(found, whole, "{name} of {signal} in pieces of {pieces:?}");
            }
        }
    }
}

#[test]
fn every_column_has_a_scale() {
    for (name, pipeline) in pipelines() {
        let scale = feature_scale(&plan(pipeline.graph())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(scale.len(), pipeline.graph().row_len(), "{name}");
        assert!(
            scale.iter().all(|s| s.is_finite() && *s > 0.0),
            "{name}: {scale:?}"
        );
    }
}
