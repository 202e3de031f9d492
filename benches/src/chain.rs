//! The chains under test: 16 kHz, frames of 400 every 160 samples, Hann window, FFT of 512, power,
//! 40 mel filters over 0 to 8 kHz, natural logarithm; and for MFCC a DCT to 13 coefficients.

use std::f64::consts::{PI, TAU};

use otolith_dsp_core::graph::{
    Chain, Filter, FilterBank, FrameCount, Framing, Gain, Graph, Log, LogFloor, Matrix, Mode,
    Padding, SampleType, Source, Stage, StageKind,
};

/// Samples in a frame.
pub const FRAME: usize = 400;
/// Samples between frames.
pub const HOP: usize = 160;
/// Length of the FFT.
pub const N_FFT: usize = 512;
/// Mel filters.
pub const MELS: usize = 40;
/// Cepstral coefficients.
pub const COEFFS: usize = 13;

/// Log-mel energies of the frames that lie inside a recording.
pub fn log_mel(mode: Mode) -> Graph {
    let bins = N_FFT / 2 + 1;
    let hann = |i: usize| 0.5 - 0.5 * libm::cos(TAU * i as f64 / FRAME as f64);
    let log = Log {
        floor: LogFloor::Add(1e-6),
        scale: 1.0,
    };
    let frame = vec![
        stage(
            "window",
            FRAME,
            StageKind::Window((0..FRAME).map(hann).collect()),
        ),
        stage("rfft", bins, StageKind::Rfft { n_fft: N_FFT }),
        stage("power", bins, StageKind::Power { scale: 1.0 }),
        stage("mel", MELS, StageKind::Mel(mel_filters())),
        stage("log", MELS, StageKind::Log(log)),
    ];
    Graph {
        name: "log_mel".to_owned(),
        chains: vec![Chain {
            input: 0,
            signal: None,
            source: Source {
                rate_hz: 16_000.0,
                axes: 1,
                sample_type: SampleType::F32,
                mode,
                gain: Gain::Constant(1.0),
            },
            framing: Framing {
                frame_len: FRAME,
                hop: HOP,
                start: 0,
                extent: FRAME,
                count: FrameCount::Inside,
                padding: Padding::Zero,
                pre_emphasis: None,
            },
            frame,
            rows: vec![],
            row_len: MELS,
            names: vec![],
        }],
        head: None,
    }
}

/// MFCC: [`log_mel`] and an orthonormal DCT of type 2.
pub fn mfcc(mode: Mode) -> Graph {
    let mut graph = log_mel(mode);
    let values = (0..COEFFS * MELS).map(|i| {
        let (k, n) = ((i / MELS) as f64, (i % MELS) as f64);
        let norm = if k == 0.0 { 1.0 } else { 2.0 } / MELS as f64;
        libm::sqrt(norm) * libm::cos(PI * k * (n + 0.5) / MELS as f64)
    });
    let dct = Matrix {
        rows: COEFFS,
        cols: MELS,
        values: values.collect(),
    };
    graph.name = "mfcc".to_owned();
    graph.chains[0]
        .frame
        .push(stage("dct", COEFFS, StageKind::Matrix(dct)));
    graph.chains[0].row_len = COEFFS;
    graph
}

fn stage(name: &str, len: usize, kind: StageKind) -> Stage {
    Stage {
        name: name.to_owned(),
        len,
        kind,
    }
}

/// Triangles that are evenly spaced on the mel scale `2595 log10(1 + f / 700)`.
fn mel_filters() -> FilterBank {
    let mel = |hz: f64| 2595.0 * libm::log10(1.0 + hz / 700.0);
    let hz = |mel: f64| 700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0);
    let corner = |i: usize| hz(mel(8000.0) * i as f64 / (MELS + 1) as f64);
    let filters = (0..MELS).map(|m| {
        let (low, centre, high) = (corner(m), corner(m + 1), corner(m + 2));
        let weight = |k: usize| {
            let f = k as f64 * 16_000.0 / N_FFT as f64;
            ((f - low) / (centre - low)).min((high - f) / (high - centre))
        };
        let used: Vec<usize> = (0..=N_FFT / 2).filter(|&k| weight(k) > 0.0).collect();
        Filter {
            first: used.first().copied().unwrap_or(0),
            weights: used.into_iter().map(weight).collect(),
        }
    });
    FilterBank {
        filters: filters.collect(),
    }
}
