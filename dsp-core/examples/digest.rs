//! Prints one line per pipeline: a digest of all bits that its `f32` plan gives for the project's
//! recordings and for made-up signals. The lines must be those of `fixtures/digests/f32.txt` in
//! every build and on every machine.

use otolith_dsp_core::engine::{Engine, Numeric};
use otolith_dsp_core::{Override, Pipeline};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Features that [`VARIANTS`] change.
const FEATURES: &str = r#"
    [pipeline]
    name = "features"
    [input]
    rate_hz = 16000
    [[block]]
    id = "features"
    type = "mfcc"
    preset = "tf_signal"
    frame_ms = 30
    hop_ms = 20
"#;

/// Changes to [`FEATURES`] that between them use every f32 operator that mel energies and MFCC
/// lower to.
const VARIANTS: [(&str, &[(&str, &str)]); 5] = [
    (
        "librosa window",
        &[
            ("input.mode", "window"),
            ("input.window_ms", "960"),
            ("input.normalise", "peak"),
            ("features.preset", "librosa"),
            ("features.n_fft", "1024"),
            ("features.padding", "reflect"),
        ],
    ),
    (
        "power, decibels, Slaney",
        &[
            ("features.spectrum", "power"),
            ("features.log", "db_power"),
            ("features.mel_scale", "slaney"),
            ("features.filter_norm", "slaney"),
        ],
    ),
    (
        "Kaldi's frame",
        &[
            ("input.normalise", "int16_scale"),
            ("features.dc_removal", "frame"),
            ("features.pre_emphasis", "frame"),
            ("features.window", "povey"),
            ("features.energy", "raw"),
        ],
    ),
    (
        "signal pre-emphasis, long frames",
        &[
            ("features.pre_emphasis", "signal"),
            ("features.frame_ms", "100"),
            ("features.n_fft", "2048"),
            ("features.lifter", "htk"),
        ],
    ),
    (
        "mean and variance",
        &[
            ("input.mode", "window"),
            ("input.window_ms", "990"),
            ("input.normalise", "max"),
            ("features.cmvn", "mean_variance"),
        ],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/keywords");
    let text = std::fs::read_to_string(folder.join("keywords.toml"))?;
    let mut signals = recordings(&folder)?;
    signals.extend(made_up());
    let keywords = Pipeline::from_toml(&text, &folder, &[])?;
    print(&keywords, "keywords", &signals)?;
    for (name, changes) in VARIANTS {
        let overrides: Vec<Override> = changes
            .iter()
            .map(|&(path, value)| Override::new(path, value))
            .collect();
        let pipeline = Pipeline::from_toml(FEATURES, &folder, &overrides)
            .map_err(|error| format!("{name}: {error}"))?;
        print(&pipeline, name, &signals)?;
    }
    Ok(())
}

/// Features of all signals, then scores if there is a classifier.
fn print(pipeline: &Pipeline, name: &str, signals: &[Vec<i16>]) -> Result<(), Box<dyn Error>> {
    let mut engine = Engine::new(pipeline.graph(), Numeric::F32, true)?;
    let mut digest = Digest::default();
    for samples in signals {
        for value in engine.features(samples)?.values.to_f32() {
            digest.add(value.to_bits());
        }
    }
    if pipeline.graph().head.is_some() {
        for samples in signals {
            for said in engine.classify(samples)? {
                said.scores
                    .iter()
                    .for_each(|score| digest.add(score.to_bits()));
            }
        }
    }
    println!("{:016x} {:7} values  {name}", digest.hash, digest.count);
    Ok(())
}

struct Digest {
    hash: u64,
    count: usize,
}

impl Default for Digest {
    fn default() -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            count: 0,
        }
    }
}

impl Digest {
    /// FNV-1a over the word's bytes.
    fn add(&mut self, word: u32) {
        for byte in word.to_le_bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.count += 1;
    }
}

fn recordings(folder: &Path) -> Result<Vec<Vec<i16>>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "wav"));
    paths.sort();
    let read = |path: PathBuf| -> Result<Vec<i16>, Box<dyn Error>> {
        Ok(hound::WavReader::open(path)?
            .samples()
            .collect::<Result<_, _>>()?)
    };
    paths.into_iter().map(read).collect()
}

/// Two seconds each of silence, full-scale square waves, impulses, and noise at several levels.
/// Integers only: no machine's math library has a say.
fn made_up() -> Vec<Vec<i16>> {
    const N: usize = 32_000;
    let mut signals = vec![
        vec![0; N],
        (0..N)
            .map(|t| if t / 20 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect(),
        (0..N)
            .map(|t| if t % 1000 == 0 { i16::MIN } else { 0 })
            .collect(),
    ];
    for shift in [0, 5, 10, 14] {
        let mut state = 1u32;
        let noise = (0..N).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i16 >> shift
        });
        signals.push(noise.collect());
    }
    signals
}
