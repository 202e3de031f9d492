//! TensorFlow's micro-frontend: a stage whose definition is integer arithmetic.

use otolith_dsp_nostd::ops::fixed::micro::window::Peak;

/// From one frame of 16-bit samples to its features, with a noise estimate that runs from frame to
/// frame.
///
/// The steps and their number formats are those of the operators in
/// [`otolith_dsp_nostd::ops::fixed::micro`]; every numeric runs these.
#[derive(Clone, Debug, PartialEq)]
pub struct MicroFrontend {
    /// Window in Q12, as long as a frame.
    pub window: Vec<i16>,
    /// How the peak that decides the scaling is found.
    pub peak: Peak,
    /// FFT length: a power of two.
    pub n_fft: usize,
    /// Twiddle factors of the FFT.
    pub twiddles: Vec<i16>,
    /// Factors of its split into the bins of a real signal.
    pub split: Vec<i16>,
    /// First bin of the first segment of the filter bank.
    pub first_bin: usize,
    /// Bins in each segment: one more than channels.
    pub segments: Vec<u16>,
    /// Weights in Q12 of the filter that rises in each segment.
    pub rising: Vec<u16>,
    /// Weights in Q12 of the filter that falls in each segment.
    pub falling: Vec<u16>,
    /// Share in Q14 of a new value in each channel's noise estimate.
    pub smoothing: Vec<u16>,
    /// Fraction bits of the noise estimate.
    pub smoothing_bits: u32,
    /// Smallest share in Q14 of a value that stays when noise is subtracted.
    pub min_signal_remaining: u32,
    /// Per-channel amplitude normalisation.
    pub pcan: Option<Pcan>,
    /// Logarithm.
    pub log: Option<MicroLog>,
    /// What the features are.
    pub output: MicroOutput,
}

/// Per-channel amplitude normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Pcan {
    /// Gain by noise estimate, piecewise parabolic.
    pub gains: Vec<i16>,
    /// Shift of the product of amplitude and gain.
    pub shift: u32,
}

/// Logarithm of the micro-frontend.
#[derive(Clone, Debug, PartialEq)]
pub struct MicroLog {
    /// Corrections of a linear `log2`, in Q16.
    pub corrections: Vec<u16>,
    /// Powers of two that the amplitudes are multiplied with first.
    pub correction_bits: i32,
    /// Fraction bits of the logarithm.
    pub scale_shift: u32,
}

/// What the features of a micro-frontend are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MicroOutput {
    /// The integers times a factor.
    Scaled(f64),
    /// The int8 input of a model: `floor((256 x + 333) / 666) - 128`, at most 127.
    Codes,
}

impl MicroFrontend {
    /// Values in a row of features.
    pub fn channels(&self) -> usize {
        self.smoothing.len()
    }
}
