//! Signals made with integers only, at 16 kHz.

/// Sample rate of all signals, in hertz.
pub const RATE_HZ: u32 = 16_000;

/// A synthetic signal: a shape, made quieter by a right shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The same value all the time.
    Constant(i16),
    /// Two values in turn, with this period in samples.
    Square {
        /// Period in samples.
        period: u32,
        /// Value in the first half of each period.
        high: i16,
        /// Value in the second half.
        low: i16,
    },
    /// A rising ramp over the whole range, with this period in samples.
    Sawtooth {
        /// Period in samples.
        period: u32,
    },
    /// Noise.
    Noise(Colour),
    /// A sine.
    Tone {
        /// Frequency in thousandths of a hertz.
        millihertz: u32,
    },
    /// A sine of linearly changing frequency.
    Chirp {
        /// Frequency at the start, in hertz.
        from_hz: u32,
        /// Frequency after one second, in hertz.
        to_hz: u32,
    },
    /// Single samples between zeros.
    Impulses {
        /// Distance in samples.
        period: u32,
        /// Their value.
        height: i16,
    },
    /// Mostly 0; one sample in `rarity` is +1 or -1.
    Dust {
        /// Mean distance of the samples that are not 0.
        rarity: u32,
    },
    /// White noise that is on for a while and off for a while.
    Bursts {
        /// Samples that are on.
        on: u32,
        /// Samples that are off.
        off: u32,
    },
    /// Glottal pulses through three formants.
    Voice {
        /// Distance of the pulses in samples.
        pitch: u32,
    },
}

/// Spectrum of a noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Flat.
    White,
    /// About 3 dB less per octave: values that are held for 1, 2, 4, ... samples.
    Pink,
    /// 6 dB less per octave: a leaky sum of white noise.
    Brown,
    /// 6 dB more per octave: differences of white noise.
    Blue,
}

/// The samples of a [`Shape`], without end.
#[derive(Clone, Debug)]
pub struct Synthesis {
    shape: Shape,
    shift: u32,
    at: u32,
    random: u32,
    phase: u32,
    /// Older values: held noise, or two values of each formant.
    past: [i32; 8],
}

/// Formants of [`Shape::Voice`]: frequency in hertz, radius of the pole in Q14.
const FORMANTS: [(u32, i64); 3] = [(650, 16_000), (1_100, 15_900), (2_450, 15_700)];

impl Synthesis {
    /// The samples of `shape`, shifted right by `shift`. Signals of different `seed` differ in
    /// their noise.
    pub fn new(shape: Shape, shift: u32, seed: u32) -> Self {
        Self {
            shape,
            shift,
            at: 0,
            random: seed.wrapping_mul(2_654_435_761).wrapping_add(1),
            phase: 0,
            past: [0; 8],
        }
    }

    /// White noise over the whole range: a linear congruential generator's upper half.
    fn white(&mut self) -> i32 {
        self.random = self
            .random
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.random as i32 >> 16
    }

    fn noise(&mut self, colour: Colour) -> i32 {
        let white = self.white();
        match colour {
            Colour::White => white,
            Colour::Pink => {
                for (octave, held) in self.past.iter_mut().enumerate() {
                    if self.at.is_multiple_of(1 << octave) {
                        self.random = self
                            .random
                            .wrapping_mul(1_664_525)
                            .wrapping_add(1_013_904_223);
                        *held = self.random as i32 >> 18;
                    }
                }
                self.past.iter().sum()
            }
            Colour::Brown => {
                self.past[0] += white / 8 - self.past[0] / 64;
                self.past[0]
            }
            Colour::Blue => {
                let step = (white - self.past[0]) / 2;
                self.past[0] = white;
                step
            }
        }
    }

    fn sine_of(&mut self, millihertz: u32) -> i32 {
        let step = (u64::from(millihertz) << 32) / (1000 * u64::from(RATE_HZ));
        self.phase = self.phase.wrapping_add(step as u32);
        sine(self.phase)
    }

    fn voice(&mut self, pitch: u32) -> i32 {
        let pulse = if self.at.is_multiple_of(pitch) {
            6000
        } else {
            0
        };
        let mut sum = 0;
        for (&(hz, radius), past) in FORMANTS.iter().zip(self.past.as_chunks_mut::<2>().0) {
            let quarter = 1 << 30;
            let angle = ((u64::from(hz) << 32) / u64::from(RATE_HZ)) as u32;
            let cosine = i64::from(sine(angle.wrapping_add(quarter)));
            let [y1, y2] = past.map(i64::from);
            // y = x + 2 r cos(a) y1 - r^2 y2, in Q14.
            let y = pulse
                + (((radius * cosine) >> 14) * y1 - ((radius * radius) >> 14) * y2) / (1 << 14);
            *past = [y as i32, past[0]];
            sum += y as i32;
        }
        sum
    }
}

impl Iterator for Synthesis {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        let at = self.at;
        let value = match self.shape {
            Shape::Constant(value) => value.into(),
            Shape::Square { period, high, low } => {
                i32::from(if at % period < period / 2 { high } else { low })
            }
            Shape::Sawtooth { period } => ((at % period) * 65_535 / period) as i32 - 32_768,
            Shape::Noise(colour) => self.noise(colour),
            Shape::Tone { millihertz } => self.sine_of(millihertz),
            Shape::Chirp { from_hz, to_hz } => {
                let passed = i64::from(at);
                let change = (i64::from(to_hz) - i64::from(from_hz)) * passed * 1000;
                let now = i64::from(from_hz) * 1000 + change / i64::from(RATE_HZ);
                self.sine_of(now as u32)
            }
            Shape::Impulses { period, height } if at.is_multiple_of(period) => height.into(),
            Shape::Impulses { .. } => 0,
            Shape::Dust { rarity } => {
                let white = self.white();
                let hit = ((white & 0x7fff) as u32).is_multiple_of(rarity);
                i32::from(hit) * if white < 0 { -1 } else { 1 }
            }
            Shape::Bursts { on, off } => {
                let white = self.white();
                if at % (on + off) < on { white } else { 0 }
            }
            Shape::Voice { pitch } => self.voice(pitch),
        };
        self.at = at.wrapping_add(1);
        let quiet = value >> self.shift;
        Some(quiet.clamp(i16::MIN.into(), i16::MAX.into()) as i16)
    }
}

/// `32767 sin(2 pi phase / 2^32)` within 5: an odd polynomial of degree 5 on the quarter wave.
fn sine(phase: u32) -> i32 {
    // The phase folded to -1..=1 quarter waves, in Q15.
    let half = phase as i32 >> 15;
    let folded = match half {
        ..-0x8000 => -0x1_0000 - half,
        0x8000.. => 0x1_0000 - half,
        _ => half,
    };
    let x = i64::from(folded);
    let square = (x * x) >> 15;
    let odd = 51_466 - ((square * (21_077 - ((square * 2_379) >> 15))) >> 15);
    ((x * odd) >> 15).clamp(-32_767, 32_767) as i32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn a_sine_is_one() {
        for k in 0..4096u32 {
            let angle = f64::from(k) / 4096.0 * core::f64::consts::TAU;
            let error = f64::from(sine(k << 20)) - 32_767.0 * angle.sin();
            assert!(error.abs() < 6.0, "{k}: {error}");
        }
    }

    #[test]
    fn a_chirp_passes_its_frequencies() {
        let chirp = Shape::Chirp {
            from_hz: 1000,
            to_hz: 3000,
        };
        let samples: std::vec::Vec<i16> = Synthesis::new(chirp, 0, 0).take(16_000).collect();
        let rising = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        assert!((1998..=2002).contains(&rising), "{rising}");
    }
}
