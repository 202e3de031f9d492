//! 100,000 damaged models: none may panic, hang or be read out of range.
//!
//! The seeds are a model built by the tests, the project's example model, and
//! real models from the shared golden folder where it is present.

#[path = "../attacks/build.rs"]
mod build;

use otolith_tflite::Model;
use std::path::PathBuf;

const MUTATIONS: usize = 100_000;

/// SplitMix64: the same damage on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn shared() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let dir =
        std::env::var_os("OTOLITH_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    dir.join("golden/tflite").is_dir().then_some(dir)
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![build::small().file()];
    let example =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/keywords/keywords.tflite");
    if example.is_file() {
        seeds.push(std::fs::read(example).unwrap());
    }
    match shared() {
        Some(dir) => {
            for name in [
                "conv_3x3_same",
                "add_bcast_both",
                "mean_hw",
                "softmax_10",
                "k_sepconv1d",
                "kws_ref_model",
            ] {
                let path = dir
                    .join("golden/tflite")
                    .join(name)
                    .with_extension("tflite");
                seeds.push(std::fs::read(path).unwrap());
            }
        }
        None => {
            assert!(
                std::env::var_os("CI").is_none(),
                "the shared golden folder is needed in CI"
            );
            println!("shared golden folder absent: mutating the project's own models only");
        }
    }
    seeds
}

const EXTREMES: [u32; 14] = [
    0,
    1,
    3,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x3fff_ffff,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let len = bytes.len();
    // Tables cluster at both ends of a file and the weights lie between, so
    // half of the damage goes where the structure is dense.
    let place = |rng: &mut Rng| match rng.below(4) {
        0 => rng.below(len.min(512)),
        1 => len - 1 - rng.below(len.min(2048)),
        _ => rng.below(len),
    };
    match rng.below(6) {
        0 | 1 => {
            let at = place(rng);
            bytes[at] ^= 1 << rng.below(8);
        }
        2 => {
            let at = place(rng).min(len.saturating_sub(4));
            let value = EXTREMES[rng.below(EXTREMES.len())];
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        3 => {
            let at = place(rng).min(len.saturating_sub(4));
            let value = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let value = value.wrapping_add((rng.below(33) as u32).wrapping_sub(16));
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        4 => bytes.truncate(1 + rng.below(len)),
        _ => {
            let n = rng.below(64).min(len);
            let (from, to) = (rng.below(len - n + 1), rng.below(len - n + 1));
            bytes.copy_within(from..from + n, to);
        }
    }
}

#[test]
fn damaged_models_are_answered_not_crashed_on() {
    let seeds = seeds();
    let mut rng = Rng(0x070_1174);
    let (mut accepted, mut refused) = (0, 0);
    let mut bytes = Vec::new();
    for i in 0..MUTATIONS {
        bytes.clone_from(&seeds[i % seeds.len()]);
        for _ in 0..1 + rng.below(4) {
            if bytes.len() > 8 {
                mutate(&mut bytes, &mut rng);
            }
        }
        match Model::from_bytes(&bytes) {
            Ok(model) => {
                accepted += 1;
                // What the reader promises of every accepted model.
                for tensor in &model.tensors {
                    let n = tensor.n_elements();
                    if let (Some(data), Some(size)) = (&tensor.data, tensor.dtype.size()) {
                        assert_eq!(data.len(), n * size);
                    }
                }
                assert!(
                    model
                        .inputs
                        .iter()
                        .chain(&model.outputs)
                        .all(|&i| i < model.tensors.len())
                );
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!(
        "{MUTATIONS} mutations of {} models: {accepted} accepted, {refused} refused",
        seeds.len()
    );
    assert!(
        accepted > 0 && refused > MUTATIONS / 4,
        "the damage no longer reaches the reader"
    );
}

/// The real models themselves are all readable.
#[test]
fn golden_models_are_read() {
    let Some(dir) = shared() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "the shared golden folder is needed in CI"
        );
        println!("shared golden folder absent: no golden models read");
        return;
    };
    let mut n = 0;
    for folder in ["golden/tflite", "models"] {
        for entry in std::fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "tflite") {
                let bytes = std::fs::read(&path).unwrap();
                if let Err(error) = Model::from_bytes(&bytes) {
                    panic!("{}: {error}", path.display());
                }
                n += 1;
            }
        }
    }
    println!("{n} models read");
    assert!(n > 150);
}
