//! Presets: values for fields, under the name of the software whose features they give.
//!
//! A preset only fills fields: what the pipeline file says wins. Each is a TOML file beside this
//! one. Keys at its top are for `mel`, `mfcc` and `spectrogram`, which take those of their own
//! fields; keys in a table such as `[mfcc]` are for blocks of that type alone.

use crate::ConfigError;
use crate::blocks::BlockType;
use crate::config::{
    Choice, Entry, Field, FieldValue, Kind, Mismatch, Node, Table, Value, read_choice,
};

/// Values for the fields of the blocks that make features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The values, as TOML.
    pub(crate) fields: &'static str,
}

/// Every preset.
pub(crate) const ALL: &[Preset] = &[
    Preset {
        name: "tf_signal",
        about: " TensorFlow's `tf.signal.stft`, `linear_to_mel_weight_matrix` and \
                `mfccs_from_log_mel_spectrograms`, put together as its own example does: periodic \
                Hann, magnitudes, HTK mel with triangles straight in mel, `ln(x + 1e-6)`, its own \
                DCT scale. Frame and hop are yours to give.",
        fields: include_str!("tf_signal.toml"),
    },
    Preset {
        name: "librosa",
        about: " librosa's `feature.mfcc` and `power_to_db(feature.melspectrogram)`: centred \
                frames, periodic Hann, power, Slaney mel and norm, decibels with `top_db = 80`, \
                orthonormal DCT; `n_fft` 2048, hop 512.",
        fields: include_str!("librosa.toml"),
    },
    Preset {
        name: "torchaudio",
        about: " torchaudio's `MFCC`, and `MelSpectrogram` or `Spectrogram` with `AmplitudeToDB`: \
                centred frames with reflected edges, periodic Hann, power, HTK mel with triangles \
                straight in hertz; `n_fft` 400, hop 200. For `torchaudio.compliance.kaldi` use \
                `kaldi`.",
        fields: include_str!("torchaudio.toml"),
    },
    Preset {
        name: "kaldi",
        about: " Kaldi's `compute-fbank-feats` and `compute-mfcc-feats` without dither, and what \
                follows them: kaldi-native-fbank, `torchaudio.compliance.kaldi`. Samples are \
                integers there: `normalise = \"int16_scale\"`.",
        fields: include_str!("kaldi.toml"),
    },
    Preset {
        name: "python_speech_features",
        about: " `python_speech_features.mfcc` and `logfbank`: no window, power over `n_fft`, mel \
                corners rounded to bins, energy in place of coefficient 0. Samples are integers \
                there: `normalise = \"int16_scale\"`.",
        fields: include_str!("python_speech_features.toml"),
    },
    Preset {
        name: "whisper",
        about: " `whisper.log_mel_spectrogram` of OpenAI's Whisper at 16 kHz: 80 Slaney bands (128 \
                for large-v3: `n_mels = 128`), decimal logarithm, 8 below the largest value, \
                `(x + 4) / 4`, the last frame dropped.",
        fields: include_str!("whisper.toml"),
    },
    Preset {
        name: "htk",
        about: " HTK's `HCopy` to MFCC_0: magnitudes, 20 bands, 12 coefficients and then \
                coefficient 0, lifter 22. Samples are integers there: \
                `normalise = \"int16_scale\"`.",
        fields: include_str!("htk.toml"),
    },
    Preset {
        name: "cmsis",
        about: " CMSIS-DSP's `arm_mfcc_f32` with the tables of its own script: frames as long as \
                the FFT, periodic Hamming, magnitudes, `ln(x + 1e-6)`. `n_fft` and hop are yours \
                to give.",
        fields: include_str!("cmsis.toml"),
    },
    Preset {
        name: "edge_impulse_v1",
        about: " Edge Impulse's MFCC (`mfcc`), MFE (`mel`), spectrogram and spectral analysis \
                blocks, implementation version 1: as version 2, and the last frame is lost where it \
                ends with the window. Samples are integers there: `normalise = \"int16_scale\"`.",
        fields: include_str!("edge_impulse_v1.toml"),
    },
    Preset {
        name: "edge_impulse_v2",
        about: " Edge Impulse's MFCC (`mfcc`), MFE (`mel`), spectrogram and spectral analysis \
                blocks, implementation version 2: the mel bank lies in the lower half of the \
                spectrum; MFE and spectrogram are linear, mapped to 0..1 by the window's smallest and largest value. Samples are \
                integers there: `normalise = \"int16_scale\"`.",
        fields: include_str!("edge_impulse_v2.toml"),
    },
    Preset {
        name: "edge_impulse_v3",
        about: " Edge Impulse's MFCC (`mfcc`), MFE (`mel`), spectrogram and spectral analysis \
                blocks, implementation version 3: MFE and spectrogram in decibels above a noise \
                floor; the mel bank still lies in the lower half of the spectrum. Samples are integers there: \
                `normalise = \"int16_scale\"`.",
        fields: include_str!("edge_impulse_v3.toml"),
    },
    Preset {
        name: "edge_impulse_v4",
        about: " Edge Impulse's MFCC (`mfcc`), MFE (`mel`), spectrogram and spectral analysis \
                blocks, implementation version 4, the current one. Samples are integers there: \
                `normalise = \"int16_scale\"`.",
        fields: include_str!("edge_impulse_v4.toml"),
    },
    Preset {
        name: "micro_speech",
        about: " The block `micro_frontend` as TensorFlow's micro_speech was trained with it: \
                frames of 30 ms every 20 ms, the int8 input of its model.",
        fields: include_str!("micro_speech.toml"),
    },
    Preset {
        name: "micro_wake_word",
        about: " The block `micro_frontend` as microWakeWord is trained (pymicro-features) and as \
                ESPHome runs it: frames of 30 ms every 10 ms, the int8 input of its models.",
        fields: include_str!("micro_wake_word.toml"),
    },
];

const CHOICES: &[Choice] = &{
    let mut choices = [Choice { name: "", doc: "" }; ALL.len()];
    let mut i = 0;
    while i < choices.len() {
        choices[i] = Choice {
            name: ALL[i].name,
            doc: ALL[i].about,
        };
        i += 1;
    }
    choices
};

/// Blocks that share the keys at the top of a preset.
pub(crate) const SPECTRA: [BlockType; 3] =
    [BlockType::Mel, BlockType::Mfcc, BlockType::Spectrogram];

impl Preset {
    /// The values for a type of block, also those of fields that it does not have; none if the
    /// preset is for other blocks.
    pub(crate) fn values(&self, block: BlockType) -> Result<Vec<Entry>, ConfigError> {
        let mut values = Vec::new();
        for entry in Table::parse(self.fields)?.entries {
            match entry.node.value {
                Value::Table(table) if entry.key == block.name() => values.extend(table.entries),
                Value::Table(_) => {}
                _ if SPECTRA.contains(&block) => values.push(entry),
                _ => {}
            }
        }
        Ok(values)
    }

    /// The types of blocks that the preset has values for.
    pub(crate) fn blocks(&self) -> Vec<BlockType> {
        let has_values = |block: &BlockType| self.values(*block).is_ok_and(|v| !v.is_empty());
        BlockType::ALL.iter().copied().filter(has_values).collect()
    }
}

impl FieldValue for Preset {
    const KIND: Kind = Kind::Choice(CHOICES);

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        read_choice(node, CHOICES).map(|index| ALL[index])
    }

    fn write(&self) -> Option<String> {
        Some(format!("{:?}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pipeline;

    /// A pipeline of one block with a preset; `more` are fields that the preset leaves open.
    fn pipeline(preset: &str, block: BlockType, more: &str) -> Result<Pipeline, ConfigError> {
        let text = format!(
            "[pipeline]\nname = \"preset\"\n[input]\nrate_hz = 16000\nmode = \"window\"\n\
             window_ms = 2000\n[[block]]\ntype = \"{}\"\npreset = \"{preset}\"\n{more}",
            block.name()
        );
        Pipeline::from_toml(&text, ".".as_ref(), &[])
    }

    /// Fields that a preset leaves open, and what its origin refuses otherwise.
    fn open_fields(preset: &str, block: BlockType) -> &'static str {
        let has_filters = [BlockType::Mel, BlockType::Mfcc].contains(&block);
        match preset {
            "tf_signal" => "frame_ms = 30\nhop_ms = 20\n",
            "cmsis" => "n_fft = 512\nhop_samples = 320\n",
            // At 16 kHz the origin refuses its own filters from 0 Hz.
            "edge_impulse_v1" | "edge_impulse_v2" | "edge_impulse_v3" if has_filters => {
                "f_min_hz = 300\n"
            }
            _ => "",
        }
    }

    #[test]
    fn every_preset_builds_and_its_resolved_file_needs_no_preset() {
        for preset in ALL {
            assert!(!preset.blocks().is_empty(), "{}", preset.name);
            for block in preset.blocks() {
                let open = open_fields(preset.name, block);
                let name = format!("{} in {}", preset.name, block.name());
                let built = pipeline(preset.name, block, open)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let resolved = built.resolved_toml();
                assert!(!resolved.contains("preset ="), "{name}");
                let again = Pipeline::from_toml(resolved, ".".as_ref(), &[])
                    .unwrap_or_else(|error| panic!("{name}: {error}\n{resolved}"));
                assert_eq!(built.graph(), again.graph(), "{name}");
            }
        }
    }

    #[test]
    fn every_preset_has_a_plan_or_an_error_that_names_the_stage() {
        use crate::deploy::Precision;
        use crate::lower::{lower_f32, lower_fixed};
        for preset in ALL {
            for block in preset.blocks() {
                let open = open_fields(preset.name, block);
                let built = pipeline(preset.name, block, open).unwrap();
                for (numeric, plan) in [
                    ("f32", lower_f32(built.graph(), None)),
                    ("fixed", lower_fixed(built.graph(), None, Precision::Full)),
                ] {
                    let what = format!("{} {} {numeric}", preset.name, block.name());
                    match plan {
                        Ok(_) => println!("{what}: a plan"),
                        Err(error) => {
                            println!("{what}: {error}");
                            let place = error.stage.split('.').next().unwrap_or_default();
                            assert!([block.name(), "input"].contains(&place), "{what}: {error}");
                            assert!(error.why.len() > 20, "{what}: {error}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_preset_for_other_blocks_is_refused() {
        let error = pipeline("whisper", BlockType::Flatten, "").unwrap_err();
        assert_eq!(error.path, "flatten.preset");
        assert!(error.allowed.contains("mel, mfcc, spectrogram"), "{error}");
    }
}
