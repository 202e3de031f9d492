//! Presets: values for fields, under the name of the software whose features they give.
//!
//! A preset only fills fields: what the pipeline file says wins.

use crate::config::{Choice, Field, FieldValue, Kind, Mismatch, Node, read_choice};

/// Values for the fields of the blocks that make features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The values, as TOML. A block takes those of its own fields.
    pub(crate) fields: &'static str,
}

/// Every preset.
pub(crate) const ALL: &[Preset] = &[TF_SIGNAL, LIBROSA, MICRO_SPEECH, MICRO_WAKE_WORD];

const CHOICES: &[Choice] = &[
    Choice {
        name: TF_SIGNAL.name,
        doc: TF_SIGNAL.about,
    },
    Choice {
        name: LIBROSA.name,
        doc: LIBROSA.about,
    },
    Choice {
        name: MICRO_SPEECH.name,
        doc: MICRO_SPEECH.about,
    },
    Choice {
        name: MICRO_WAKE_WORD.name,
        doc: MICRO_WAKE_WORD.about,
    },
];

/// `tf.signal.stft`, `linear_to_mel_weight_matrix` and `mfccs_from_log_mel_spectrograms`, put
/// together as TensorFlow's own example does.
const TF_SIGNAL: Preset = Preset {
    name: "tf_signal",
    about: " TensorFlow's `tf.signal`: periodic Hann, magnitudes, HTK mel with triangles straight \
            in mel, `ln(x + 1e-6)`, its own DCT scale. Frame and hop are yours to give.",
    fields: r#"
framing = "inside"
fft_position = "start"
dc_removal = "none"
pre_emphasis = "none"
window = "hann"
window_symmetry = "periodic"
spectrum = "magnitude"
spectrum_norm = "none"
mel_scale = "htk"
filter_shape = "mel"
filter_norm = "none"
empty_filters = "allow"
log = "ln"
log_floor = "add"
log_epsilon = 1e-6
top_range = "none"
rescale = "none"
dct_type = 2
dct_norm = "tf"
lifter = "none"
energy = "none"
cmvn = "none"
deltas = 0
"#,
};

/// `librosa.feature.melspectrogram`, `power_to_db` and `librosa.feature.mfcc` of librosa 0.11.
const LIBROSA: Preset = Preset {
    name: "librosa",
    about: " librosa's `feature.mfcc` and `power_to_db(feature.melspectrogram)`: centred frames, \
            periodic Hann, power, Slaney mel and norm, decibels with `top_db = 80`, orthonormal \
            DCT; `n_fft` 2048, hop 512.",
    fields: r#"
frame_samples = "n_fft"
hop_samples = 512
framing = "centred"
padding = "zero"
fft_position = "centre"
dc_removal = "none"
pre_emphasis = "none"
window = "hann"
window_symmetry = "periodic"
n_fft = 2048
spectrum = "power"
spectrum_norm = "none"
mel_scale = "slaney"
n_mels = 128
f_min_hz = 0.0
filter_shape = "hz"
filter_norm = "slaney"
empty_filters = "allow"
log = "db_power"
log_floor = "max"
log_epsilon = 1e-10
top_range = 80.0
rescale = "none"
n_coeffs = 20
dct_type = 2
dct_norm = "ortho"
lifter = "none"
energy = "none"
cmvn = "none"
deltas = 0
"#,
};

/// The block `micro_frontend` as micro_speech was trained with it.
const MICRO_SPEECH: Preset = Preset {
    name: "micro_speech",
    about: " The block `micro_frontend` as TensorFlow's micro_speech was trained with it: frames \
            of 30 ms every 20 ms, the int8 input of its model.",
    fields: include_str!("presets/micro_speech.toml"),
};

/// The block `micro_frontend` as microWakeWord is trained and ESPHome runs it.
const MICRO_WAKE_WORD: Preset = Preset {
    name: "micro_wake_word",
    about: " The block `micro_frontend` as microWakeWord is trained (pymicro-features) and as \
            ESPHome runs it: frames of 30 ms every 10 ms, the int8 input of its models.",
    fields: include_str!("presets/micro_wake_word.toml"),
};

impl FieldValue for Preset {
    const KIND: Kind = Kind::Choice(CHOICES);

    fn read(node: &Node, _field: &Field) -> Result<Self, Mismatch> {
        read_choice(node, CHOICES).map(|index| ALL[index])
    }

    fn write(&self) -> Option<String> {
        Some(format!("{:?}", self.name))
    }
}
