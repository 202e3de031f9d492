//! The executor against the formulas in the doc comments of [`crate::chain`], evaluated naively
//! in f64.

mod frames;
mod rows;

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::graph::{
    DeltaEdges, DeltaMethod, Filter, FilterBank, FrameCount, Log, LogFloor, Matrix, SampleType,
    Span, StageKind,
};

pub(super) fn stage(name: &str, len: usize, kind: StageKind) -> Stage {
    Stage {
        name: name.to_owned(),
        len,
        kind,
    }
}

/// A clip of float samples, framed without padding.
fn chain(frame_len: usize, hop: usize, frame: Vec<Stage>) -> Chain {
    let row_len = frame.last().map_or(frame_len, |stage| stage.len);
    Chain {
        input: 0,
        signal: None,
        source: Source {
            rate_hz: 16000.0,
            axes: 1,
            sample_type: SampleType::F32,
            mode: Mode::Clip,
            gain: Gain::Constant(1.0),
        },
        framing: Framing {
            frame_len,
            hop,
            start: 0,
            extent: frame_len,
            count: FrameCount::Inside,
            padding: Padding::Zero,
            pre_emphasis: None,
        },
        frame,
        rows: vec![],
        row_len,
        names: vec![],
    }
}

fn deltas(order: u8, reach: usize) -> StageKind {
    StageKind::Deltas {
        order,
        reach,
        method: DeltaMethod::Repeated,
        edges: DeltaEdges::Nearest,
    }
}

/// Adds a row stage.
fn with_rows(mut chain: Chain, len: usize, kind: StageKind) -> Chain {
    chain.rows.push(stage("rows", len, kind));
    chain.row_len = len;
    chain
}

fn reference(chain: &Chain, samples: &[f32]) -> Features<f64> {
    Executor::new(chain).unwrap().features(samples)
}

/// Deterministic noise in `[-1, 1)`.
fn noise(n: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        })
        .collect()
}

/// Something like a voice: harmonics under an envelope, over a noise floor at -80 dB.
fn voice(n: usize) -> Vec<f32> {
    let noise = noise(n);
    (0..n)
        .map(|i| {
            let t = i as f64 / 16000.0;
            let pitch = TAU * (120.0 * t + 3.0 * libm::sin(TAU * 2.0 * t));
            let tone: f64 = (1..30)
                .map(|k| libm::sin(f64::from(k) * pitch) / f64::from(k * k))
                .sum();
            let envelope = libm::pow(libm::sin(TAU * 1.5 * t), 2.0);
            (0.3 * envelope * tone) as f32 + 1e-4 * noise[i]
        })
        .collect()
}

fn hann(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| 0.5 - 0.5 * libm::cos(TAU * i as f64 / n as f64))
        .collect()
}

/// Triangles that overlap by half, over all bins.
fn triangles(n: usize, bins: usize) -> FilterBank {
    let width = (bins as f64 - 1.0) / (n as f64 + 1.0);
    let filters = (0..n).map(|m| {
        let centre = (m as f64 + 1.0) * width;
        let weight = |k: usize| (1.0 - (k as f64 - centre).abs() / width).max(0.0);
        let used: Vec<usize> = (0..bins).filter(|&k| weight(k) > 0.0).collect();
        Filter {
            first: used.first().copied().unwrap_or(0),
            weights: used.iter().map(|&k| weight(k)).collect(),
        }
    });
    FilterBank {
        filters: filters.collect(),
    }
}

fn dct(rows: usize, cols: usize) -> Matrix {
    let values = (0..rows * cols).map(|i| {
        let (k, n) = ((i / cols) as f64, (i % cols) as f64 + 0.5);
        libm::sqrt(2.0 / cols as f64) * libm::cos(TAU / 2.0 * k * n / cols as f64)
    });
    Matrix {
        rows,
        cols,
        values: values.collect(),
    }
}

fn spectrum_stages(frame_len: usize, n_fft: usize, after: StageKind) -> Vec<Stage> {
    vec![
        stage("window", frame_len, StageKind::Window(hann(frame_len))),
        stage("rfft", n_fft / 2 + 1, StageKind::Rfft { n_fft }),
        stage("power", n_fft / 2 + 1, after),
    ]
}

const LN: Log = Log {
    floor: LogFloor::Add(1e-6),
    scale: 1.0,
};

/// The usual log-mel chain, with a DCT when `coeffs` is not 0.
fn mfcc(frame_len: usize, hop: usize, n_fft: usize, mels: usize, coeffs: usize) -> Chain {
    let mut stages = spectrum_stages(frame_len, n_fft, StageKind::Power { scale: 1.0 });
    let bank = triangles(mels, n_fft / 2 + 1);
    stages.push(stage("mel", mels, StageKind::Mel(bank)));
    stages.push(stage("log", mels, StageKind::Log(LN)));
    if coeffs > 0 {
        let dct = StageKind::Matrix(dct(coeffs, mels));
        stages.push(stage("dct", coeffs, dct));
    }
    chain(frame_len, hop, stages)
}

/// `|sum_n x[n] w[n] exp(-2 pi i k n / n_fft)|^2` for each `k`.
fn direct_power(x: &[f32], n_fft: usize) -> Vec<f64> {
    let window = hann(x.len());
    (0..=n_fft / 2)
        .map(|k| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, (&x, w)) in x.iter().zip(&window).enumerate() {
                let angle = TAU * ((k * n) % n_fft) as f64 / n_fft as f64;
                re += f64::from(x) * w * libm::cos(angle);
                im -= f64::from(x) * w * libm::sin(angle);
            }
            re * re + im * im
        })
        .collect()
}

/// Largest error as a part of the largest value.
fn error<A: Real, B: Real>(got: &[A], expected: &[B]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected
        .iter()
        .fold(0.0, |m: f64, x| m.max(x.to_f64().abs()));
    let error = got.iter().zip(expected).fold(0.0, |m: f64, (a, b)| {
        let e = (a.to_f64() - b.to_f64()).abs();
        assert!(!e.is_nan());
        m.max(e)
    });
    if error == 0.0 { 0.0 } else { error / largest }
}

#[test]
fn log_mel_and_mfcc_are_the_naive_formulas() {
    // Odd and prime FFT lengths, more frames than a block, fewer, none that fill one exactly.
    for (frame_len, hop, n_fft, mels, coeffs, n) in [
        (400, 160, 512, 40, 13, 4000),
        (25, 10, 31, 6, 6, 500),
        (7, 9, 7, 2, 1, 300),
        (30, 30, 30, 5, 3, 30 * 16),
        (1, 1, 2, 1, 1, 40),
        (48, 5, 60, 8, 8, 48),
    ] {
        let samples = noise(n);
        let chain = mfcc(frame_len, hop, n_fft, mels, coeffs);
        let got = reference(&chain, &samples);
        let bank = triangles(mels, n_fft / 2 + 1);
        let dct = dct(coeffs, mels);
        let mut expected = vec![];
        for frame in samples.windows(frame_len).step_by(hop) {
            let power = direct_power(frame, n_fft);
            let log: Vec<f64> = bank
                .filters
                .iter()
                .map(|filter| {
                    let bins = &power[filter.first..];
                    let sum: f64 = filter.weights.iter().zip(bins).map(|(w, x)| w * x).sum();
                    libm::log(sum + 1e-6)
                })
                .collect();
            for row in dct.values.chunks(mels) {
                expected.push(row.iter().zip(&log).map(|(c, x)| c * x).sum::<f64>());
            }
        }
        assert_eq!(got.rows, 1 + (n - frame_len) / hop);
        assert_eq!(got.row_len, coeffs);
        assert!(error(&got.values, &expected) < 1e-12);
    }
}

#[test]
fn host_agrees_with_reference_on_a_voice() {
    // What an f32 FFT loses is relative to the strongest bin of the frame, so the log of bands that
    // hold only the noise floor is the worst case; scipy's f32 FFT has the same error there.
    let samples = voice(3 * 16000);
    for (coeffs, allowed) in [(0, 1e-4), (13, 1e-5)] {
        let chain = mfcc(400, 160, 512, 40, coeffs);
        let host = Executor::<f32>::new(&chain).unwrap().features(&samples);
        let reference = reference(&chain, &samples);
        let error = error(&host.values, &reference.values);
        assert!(error < allowed, "{coeffs} coefficients: {error:e}");
    }
}

#[test]
fn power_and_magnitude_have_their_factor() {
    let samples = noise(50);
    let power = |kind| {
        let stages = spectrum_stages(20, 24, kind);
        reference(&chain(20, 10, stages), &samples)
    };
    let direct: Vec<f64> = samples
        .windows(20)
        .step_by(10)
        .flat_map(|frame| direct_power(frame, 24))
        .collect();
    let scaled: Vec<f64> = direct.iter().map(|x| 0.25 * x).collect();
    let got = power(StageKind::Power { scale: 0.25 });
    assert!(error(&got.values, &scaled) < 1e-13);
    let roots: Vec<f64> = direct.iter().map(|x| 3.0 * x.sqrt()).collect();
    let got = power(StageKind::Magnitude { scale: 3.0 });
    assert!(error(&got.values, &roots) < 1e-13);
}

/// Rows of a chain of stages without FFT on frames that do not overlap.
fn outputs(frame_len: usize, stages: Vec<Stage>, samples: &[f32]) -> Vec<Vec<f64>> {
    let features = reference(&chain(frame_len, frame_len, stages), samples);
    features.iter().map(<[f64]>::to_vec).collect()
}

#[test]
fn stages_of_a_frame_are_their_formulas() {
    let x = [1.0, 2.0, 6.0, -1.0, 0.0, 4.0];
    let one = |len, kind| outputs(3, vec![stage("s", len, kind)], &x);
    assert_eq!(
        one(3, StageKind::RemoveMean),
        [[-2.0, -1.0, 3.0], [-2.0, -1.0, 3.0]]
    );
    assert_eq!(
        one(3, StageKind::PreEmphasis(0.5)),
        [[0.5, 1.5, 5.0], [-0.5, 0.5, 4.0]]
    );
    assert_eq!(
        one(3, StageKind::Window(vec![1.0, 0.5, -1.0])),
        [[1.0, 1.0, -6.0], [-1.0, 0.0, -4.0]]
    );
    let affine = StageKind::Affine {
        add: 1.0,
        mul: 2.0,
        min: 1.0,
        max: 8.0,
    };
    assert_eq!(one(3, affine), [[4.0, 6.0, 8.0], [1.0, 2.0, 8.0]]);
    let matrix = StageKind::Matrix(Matrix {
        rows: 2,
        cols: 3,
        values: vec![1.0, 2.0, 3.0, 0.0, -1.0, 1.0],
    });
    assert_eq!(one(2, matrix), [[23.0, 4.0], [11.0, 4.0]]);
    let bank = StageKind::Mel(FilterBank {
        filters: vec![
            Filter {
                first: 1,
                weights: vec![2.0, 1.0],
            },
            Filter {
                first: 0,
                weights: vec![],
            },
            Filter {
                first: 0,
                weights: vec![1.0],
            },
        ],
    });
    assert_eq!(one(3, bank), [[10.0, 0.0, 1.0], [4.0, 0.0, -1.0]]);
}

#[test]
fn logarithms_keep_away_from_zero_as_told() {
    let x = [0.0, 1.0, 4.0];
    let log = |floor, scale| {
        let kind = StageKind::Log(Log { floor, scale });
        outputs(3, vec![stage("log", 3, kind)], &x).concat()
    };
    let ln = libm::log;
    assert_eq!(log(LogFloor::Add(0.5), 1.0), [ln(0.5), ln(1.5), ln(4.5)]);
    assert_eq!(log(LogFloor::Max(2.0), 1.0), [ln(2.0), ln(2.0), ln(4.0)]);
    assert_eq!(
        log(LogFloor::ReplaceZero(2.0), 3.0),
        [3.0 * ln(2.0), 0.0, 3.0 * ln(4.0)]
    );
}

#[test]
fn log_energy_takes_the_place_of_the_first_value() {
    // More frames than a block, so that each keeps its own; and one silent frame at the floor.
    let mut samples = noise(5 * 40);
    samples[10..15].fill(0.0);
    let mut stages = vec![stage("energy", 5, StageKind::LogEnergy { floor: 0.01 })];
    let expected: Vec<f64> = samples
        .chunks(5)
        .map(|x| x.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>())
        .map(|sum| libm::log(sum.max(0.01)))
        .collect();
    let first = |rows: Vec<Vec<f64>>| rows.iter().map(|row| row[0]).collect::<Vec<_>>();

    stages.extend(spectrum_stages(5, 8, StageKind::Power { scale: 1.0 }));
    let plain = outputs(5, stages.clone(), &samples);
    stages.push(stage("first", 5, StageKind::ReplaceFirst));
    let replaced = outputs(5, stages, &samples);
    assert!(error(&first(replaced.clone()), &expected) < 1e-14);
    for (plain, replaced) in plain.iter().zip(&replaced) {
        assert_eq!(plain[1..], replaced[1..]);
    }

    // Without an FFT between them.
    let stages = vec![
        stage("energy", 5, StageKind::LogEnergy { floor: 0.01 }),
        stage("first", 5, StageKind::ReplaceFirst),
    ];
    assert!(error(&first(outputs(5, stages, &samples)), &expected) < 1e-14);
}

#[test]
fn the_log_sum_of_all_bins_takes_the_place_of_the_first_value() {
    // The filter looks at bin 0 alone; the sum is that of all bins, of each frame its own.
    let mut samples = noise(5 * 40);
    samples[10..15].fill(0.0);
    let mut stages = spectrum_stages(5, 8, StageKind::Power { scale: 1.0 });
    let bank = FilterBank {
        filters: vec![Filter {
            first: 0,
            weights: vec![1.0],
        }],
    };
    stages.push(stage("sum", 5, StageKind::LogSum { floor: 0.2 }));
    stages.push(stage("mel", 1, StageKind::Mel(bank)));
    stages.push(stage("first", 1, StageKind::ReplaceFirst));
    let sums: Vec<f64> = samples
        .chunks(5)
        .map(|frame| direct_power(frame, 8).iter().sum())
        .collect();
    let expected: Vec<f64> = sums.iter().map(|sum| libm::log(sum.max(0.2))).collect();
    assert!(error(&outputs(5, stages, &samples).concat(), &expected) < 1e-13);
}

#[test]
fn the_trace_holds_every_stage() {
    let samples = noise(400);
    let mut g = mfcc(32, 10, 32, 5, 3);
    g.frame.insert(0, stage("mean", 32, StageKind::RemoveMean));
    let g = with_rows(g, 6, deltas(1, 2));
    let mut executor = Executor::<f64>::new(&g).unwrap();
    let features = executor.features(&samples);
    let trace = executor.trace(&samples);
    let lens: Vec<_> = trace.iter().map(|(n, v)| (n.as_str(), v.len())).collect();
    let n = features.rows;
    assert_eq!(
        lens,
        [
            ("mean", 32 * n),
            ("window", 32 * n),
            ("rfft", 34 * n),
            ("power", 17 * n),
            ("mel", 5 * n),
            ("log", 5 * n),
            ("dct", 3 * n),
            ("rows", 6 * n)
        ]
    );
    let of = |name: &str| &trace.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(of("rows"), &features.values);
    for (bin, power) in of("rfft").chunks(2).zip(of("power")) {
        assert!((bin[0] * bin[0] + bin[1] * bin[1] - power).abs() <= 1e-15 * power);
    }
    let window = hann(32);
    for (mean, windowed) in of("mean").chunks(32).zip(of("window").chunks(32)) {
        for i in 0..32 {
            assert_eq!(mean[i] * window[i], windowed[i]);
        }
    }
    // The frames of the DCT are the first columns of the rows with deltas.
    for (dct, row) in of("dct").chunks(3).zip(features.iter()) {
        assert_eq!(dct, &row[..3]);
    }
}

#[test]
fn graphs_that_contradict_themselves_are_refused() {
    let refused = |g: &Chain, why: &str| {
        let error = Executor::<f32>::new(g).err().expect("refused").to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(&chain(0, 1, vec![]), "both start at 1");
    let one = |len, kind| chain(4, 4, vec![stage("s", len, kind)]);
    refused(&one(4, StageKind::Rfft { n_fft: 3 }), "at least as long");
    refused(&one(3, StageKind::Rfft { n_fft: 4 }), "followed by");
    refused(&one(4, StageKind::ReplaceFirst), "no log energy");
    refused(&one(4, StageKind::Window(vec![1.0])), "a window of 1");
    refused(&one(3, StageKind::RemoveMean), "gives 4 values");
    refused(&one(4, StageKind::Power { scale: 1.0 }), "single frame");
    refused(&one(2, StageKind::Matrix(dct(2, 3))), "a matrix of 2 x 3");
    refused(&one(2, StageKind::Mel(triangles(2, 9))), "filter");
    let rows = |len, kind| with_rows(chain(4, 4, vec![]), len, kind);
    refused(&rows(4, StageKind::ReplaceFirst), "not a stage of rows");
    refused(&rows(4, deltas(1, 2)), "gives 8");
    let even = StageKind::Standardise {
        span: Span::Sliding(4),
        variance: true,
        epsilon: 0.0,
    };
    refused(&rows(4, even), "odd");
    let mut wrong = chain(4, 4, vec![]);
    wrong.row_len = 5;
    refused(&wrong, "row_len: is 5");
    let mut stream = chain(4, 4, vec![]);
    stream.source.mode = Mode::Stream;
    stream.source.gain = Gain::PeakMaximum;
    refused(&stream, "no peak");
    stream.framing.padding = Padding::Edge;
    refused(&stream, "no end to mirror");
    stream.source.mode = Mode::Window { len: 4, hop: 0 };
    refused(&stream, "windows of 4 samples every 0");
}

proptest! {
    #[test]
    fn a_frame_does_not_depend_on_its_place_in_the_block(
        frames in 1usize..70, first in 0usize..40, hop in 1usize..24
    ) {
        let samples = noise(16 + (frames + first) * hop);
        let g = mfcc(16, hop, 20, 4, 3);
        let mut executor = Executor::<f32>::new(&g).unwrap();
        let all = executor.features(&samples);
        let part = executor.features(&samples[first * hop..]);
        prop_assert_eq!(&all.values[first * 3..], &part.values[..]);
        let whole: Vec<i16> = samples.iter().map(|x| (x * 32768.0) as i16).collect();
        let float: Vec<f32> = whole.iter().map(|&x| f32::from(x) / 32768.0).collect();
        prop_assert_eq!(executor.features(&whole), executor.features(&float));
    }
}
