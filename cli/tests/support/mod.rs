//! A folder for one test, and the binary to run in it.
#![allow(dead_code, reason = "every test file uses a part")]

pub(crate) mod motion;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Features without a model.
pub(crate) const MFCC: &str = r#"[pipeline]
name = "speech"

[input]
rate_hz = 16000

[[block]]
id = "features"
type = "mfcc"
frame_ms = 25
hop_ms = 10
n_mels = 40
n_coeffs = 13
"#;

/// One-second windows.
pub(crate) const WINDOWS: &str = r#"[pipeline]
name = "windows"

[input]
rate_hz = 16000
mode = "window"
window_ms = 1000
window_hop_ms = 500
channels = "mix"
resample = "convert"

[[block]]
id = "spectrum"
type = "mel"
frame_ms = 32
hop_ms = 16
n_mels = 24
"#;

/// A folder that is removed after the test, and `otolith` running in it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(&path, contents).expect("a file can be written");
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).expect("the file is there")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_otolith"))
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .expect("the binary runs");
        Ran {
            code: status.code().expect("no signal"),
            stdout: String::from_utf8(stdout).expect("UTF-8"),
            stderr: String::from_utf8(stderr).expect("UTF-8"),
        }
    }

    /// Runs and expects success.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }
}

/// The project's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace")
}

/// A `fmt ` chunk's contents.
pub(crate) fn format(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let block = channels * bits.div_ceil(8);
    let mut out = Vec::new();
    out.extend(tag.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(block)).to_le_bytes());
    out.extend(block.to_le_bytes());
    out.extend(bits.to_le_bytes());
    out
}

/// A RIFF chunk whose declared length is right.
pub(crate) fn chunk(id: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    lying_chunk(id, contents.len() as u32, contents)
}

/// A RIFF chunk that declares any length; no padding is added.
pub(crate) fn lying_chunk(id: &[u8; 4], declared: u32, contents: &[u8]) -> Vec<u8> {
    [id.as_slice(), &declared.to_le_bytes(), contents].concat()
}

/// A WAV file of these chunks.
pub(crate) fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let len = body.len() as u32 + 4;
    [b"RIFF".as_slice(), &len.to_le_bytes(), b"WAVE", &body].concat()
}

/// A 16-bit WAV file; channels interleaved.
pub(crate) fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    riff(&[
        chunk(b"fmt ", &format(1, channels, rate, 16)),
        chunk(b"data", &data),
    ])
}

/// A chirp with some harmonics, `seconds` at `rate`, different for each `seed`.
pub(crate) fn chirp(rate: u32, seconds: f64, seed: u32) -> Vec<i16> {
    let n = (f64::from(rate) * seconds) as usize;
    let base = 200.0 + 137.0 * f64::from(seed % 13);
    (0..n)
        .map(|i| {
            let t = i as f64 / f64::from(rate);
            let phase = std::f64::consts::TAU * t * (base + 300.0 * t);
            let wave = phase.sin() + 0.5 * (2.0 * phase).sin() + 0.25 * (5.0 * phase).sin();
            (wave * 9000.0) as i16
        })
        .collect()
}
