//! How samples become frames, and what stands outside a window.

/// How samples become frames. Lengths in samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Framing {
    /// Samples in a frame (before zero padding to the FFT length).
    pub frame_len: usize,
    /// Samples between the starts of two frames.
    pub hop: usize,
    /// Where frame 0 starts, relative to the first sample; negative: it starts in the padding.
    ///
    /// A frame that is centred inside a longer FFT is moved to the FFT's start, and `start`
    /// absorbs the difference: power and magnitude spectra do not see a circular shift.
    pub start: isize,
    /// Samples that a frame occupies when frames are counted: `frame_len`, or the FFT length for
    /// frames that are centred inside the FFT.
    pub extent: usize,
    /// Number of frames in a recording or window. A stream has the frames whose last sample has
    /// arrived, whatever this says.
    pub count: FrameCount,
    /// What stands outside the recording or window. A stream has only [`Padding::Zero`].
    pub padding: Padding,
    /// Pre-emphasis over the signal, before framing and padding.
    pub pre_emphasis: Option<SignalPreEmphasis>,
}

/// Pre-emphasis over a signal: `y[n] = x[n] - coefficient x[n - shift]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalPreEmphasis {
    /// Factor of the earlier sample.
    pub coefficient: f64,
    /// Distance of the earlier sample, at least 1.
    pub shift: usize,
    /// What stands before the first sample: zeros, or the window's own end.
    pub circular: bool,
}

/// How many frames `n` samples give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameCount {
    /// Frames that lie wholly inside: `1 + (n - extent) / hop`, none when `n < extent`.
    Inside,
    /// `(n - extent) / hop`: frames that a whole hop follows, none when `n < extent`.
    InsideHops,
    /// `1 + n / hop` (centred frames, as librosa with `center=True`).
    Centred,
    /// `n / hop` (centred frames without the last one, as Whisper).
    CentredHops,
    /// `1 + ceil((n - extent) / hop)`, at least 1: the last frame is padded at its end.
    Covering,
    /// `(n + hop / 2) / hop` (Kaldi with `snip_edges=false`).
    Rounded,
}

/// What stands outside a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros.
    Zero,
    /// The signal mirrored about its first and last sample, which are not repeated
    /// (numpy's `reflect`).
    Reflect,
    /// The signal mirrored about its edges, the first and last sample repeated (numpy's
    /// `symmetric`, Kaldi's rule).
    Symmetric,
    /// The first and last sample repeated (numpy's `edge`).
    Edge,
}

impl Framing {
    /// Number of frames in `n` samples.
    pub fn frames(&self, n: usize) -> usize {
        match self.count {
            FrameCount::Inside if n < self.extent => 0,
            FrameCount::Inside => 1 + (n - self.extent) / self.hop,
            FrameCount::InsideHops => n.saturating_sub(self.extent) / self.hop,
            FrameCount::Centred => 1 + n / self.hop,
            FrameCount::CentredHops => n / self.hop,
            FrameCount::Covering if n <= self.extent => 1,
            FrameCount::Covering => 1 + (n - self.extent).div_ceil(self.hop),
            FrameCount::Rounded => (n + self.hop / 2) / self.hop,
        }
    }
}

impl Padding {
    /// Index of the sample that stands at position `at` of a signal of `n` samples; `None` for a
    /// zero.
    pub fn index(self, at: isize, n: usize) -> Option<usize> {
        let len = n as isize;
        if (0..len).contains(&at) {
            return Some(at as usize);
        }
        if n == 0 {
            return None;
        }
        match self {
            Self::Zero => None,
            Self::Edge => Some(at.clamp(0, len - 1) as usize),
            Self::Reflect if n == 1 => Some(0),
            Self::Reflect => {
                let period = 2 * (len - 1);
                let folded = at.rem_euclid(period);
                Some(folded.min(period - folded) as usize)
            }
            Self::Symmetric => {
                let period = 2 * len;
                let folded = at.rem_euclid(period);
                Some(folded.min(period - 1 - folded) as usize)
            }
        }
    }
}
