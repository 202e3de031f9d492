//! A plan's outputs as one number.

use otolith_dsp_nostd::{Event, Fault, Runner};

/// FNV-1a, 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes bytes in.
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What a plan made of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Over the bytes of all features, scores and decisions.
    pub digest: Digest,
    /// Number of feature values and scores.
    pub values: u32,
}

impl Outcome {
    /// Adds the outcome of a later signal.
    pub fn add(&mut self, later: Self) {
        self.digest.add(&later.digest.0.to_le_bytes());
        self.values += later.values;
    }
}

/// Runs `samples` through `runner`, which starts afresh unless its plan has a classifier: one
/// look of a classifier is longer than most signals, so those follow each other.
///
/// # Errors
/// The runner's [`Fault`].
pub fn run(runner: &mut Runner<'_>, mut samples: &[i16]) -> Result<Outcome, Fault> {
    let mut outcome = Outcome::default();
    if runner.scores().is_empty() {
        runner.reset();
    }
    loop {
        let pushed = runner.push_i16(samples)?;
        samples = samples.get(pushed.consumed..).unwrap_or_default();
        let Some(event) = pushed.event else {
            return Ok(outcome);
        };
        if let Some((elem, bytes)) = runner.features_bytes() {
            outcome.digest.add(bytes);
            outcome.values += (bytes.len() / elem.size()) as u32;
        }
        for score in runner.scores() {
            outcome.digest.add(&score.to_le_bytes());
            outcome.values += 1;
        }
        if let Event::Decision(decision) = event {
            outcome.digest.add(&decision.label.to_le_bytes());
            outcome.digest.add(&decision.score_q15.to_le_bytes());
        }
    }
}
