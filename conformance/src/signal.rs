//! The catalogue of signals.

use crate::recording;
use crate::synthesis::{Colour, Shape, Synthesis};

/// Samples of the longest signal.
pub const MAX_LEN: usize = RECORDED_LEN;

/// Samples of a part of a recording: 0.6 s.
const RECORDED_LEN: usize = 9600;
/// Samples of a synthetic signal: 0.3 s.
const SYNTHETIC_LEN: usize = 4800;
/// Parts that are taken from each recording, evenly spread.
const PARTS: usize = 4;

const RECORDED: usize = recording::COUNT * PARTS;
const CONSTANTS: [i16; 9] = [0, 1, -1, 100, -100, 8192, -8192, i16::MAX, i16::MIN];
const SQUARE_PERIODS: [u32; 12] = [2, 3, 5, 8, 10, 16, 25, 40, 73, 160, 320, 1000];
const SQUARE_LEVELS: [(i16, i16); 3] = [(i16::MAX, i16::MIN), (500, -500), (1, -1)];
const SAWTOOTH_PERIODS: [u32; 6] = [7, 32, 100, 163, 512, 4001];
const COLOURS: [Colour; 4] = [Colour::White, Colour::Pink, Colour::Brown, Colour::Blue];
const NOISE_LEVELS: usize = 12;
/// In thousandths of a hertz; 1,000 and 2,500 Hz are bins of a 512-point FFT, 1,015.625 lies
/// between two.
const TONES: [u32; 16] = [
    31_000, 100_000, 250_000, 440_000, 523_251, 1_000_000, 1_015_625, 1_250_000, 2_000_000,
    2_500_000, 3_333_000, 4_000_000, 5_000_000, 6_000_000, 7_000_000, 7_969_000,
];
const TONE_SHIFTS: [u32; 3] = [0, 5, 10];
const CHIRPS: [(u32, u32); 2] = [(50, 24_000), (7_900, 100)];
const CHIRP_SHIFTS: [u32; 4] = [0, 3, 7, 11];
/// The first gives a single impulse.
const IMPULSE_PERIODS: [u32; 4] = [1 << 20, 1000, 160, 37];
const IMPULSE_HEIGHTS: [i16; 3] = [i16::MIN, 1000, 1];
const DUST: [u32; 4] = [2, 8, 64, 512];
const BURSTS: [(u32, u32); 2] = [(800, 800), (50, 1500)];
const BURST_SHIFTS: [u32; 4] = [0, 4, 8, 12];
const PITCHES: [u32; 6] = [40, 64, 89, 107, 160, 200];
const VOICE_SHIFTS: [u32; 4] = [0, 2, 5, 9];

/// Sizes of the families, in the order of [`shape`].
const FAMILIES: [usize; 10] = [
    CONSTANTS.len(),
    SQUARE_PERIODS.len() * SQUARE_LEVELS.len(),
    SAWTOOTH_PERIODS.len(),
    COLOURS.len() * NOISE_LEVELS,
    TONES.len() * TONE_SHIFTS.len(),
    CHIRPS.len() * CHIRP_SHIFTS.len(),
    IMPULSE_PERIODS.len() * IMPULSE_HEIGHTS.len(),
    DUST.len(),
    BURSTS.len() * BURST_SHIFTS.len(),
    PITCHES.len() * VOICE_SHIFTS.len(),
];

/// Number of signals.
pub const COUNT: usize = {
    let mut count = RECORDED;
    let mut i = 0;
    while i < FAMILIES.len() {
        count += FAMILIES[i];
        i += 1;
    }
    count
};

/// Writes signal `index` to the front of `buffer` and gives that part; empty when there is no
/// such signal.
pub fn write(index: usize, buffer: &mut [i16; MAX_LEN]) -> &[i16] {
    if index < RECORDED {
        return recorded(index, buffer);
    }
    let Some((shape, shift)) = shape(index - RECORDED) else {
        return &[];
    };
    let part = &mut buffer[..SYNTHETIC_LEN];
    for (to, from) in part
        .iter_mut()
        .zip(Synthesis::new(shape, shift, index as u32))
    {
        *to = from;
    }
    part
}

fn recorded(index: usize, buffer: &mut [i16; MAX_LEN]) -> &[i16] {
    let (samples, _) = recording::pcm(index / PARTS).as_chunks::<2>();
    let start = samples.len() / PARTS * (index % PARTS);
    let part = &samples[start..][..RECORDED_LEN];
    for (to, &from) in buffer.iter_mut().zip(part) {
        *to = i16::from_le_bytes(from);
    }
    buffer
}

/// Shape and shift of synthetic signal `index`.
fn shape(mut index: usize) -> Option<(Shape, u32)> {
    let mut family = 0;
    while index >= *FAMILIES.get(family)? {
        index -= FAMILIES[family];
        family += 1;
    }
    Some(match family {
        0 => (Shape::Constant(CONSTANTS[index]), 0),
        1 => {
            let (period, (high, low)) = pair(&SQUARE_PERIODS, &SQUARE_LEVELS, index);
            (Shape::Square { period, high, low }, 0)
        }
        2 => {
            let period = SAWTOOTH_PERIODS[index];
            (Shape::Sawtooth { period }, index as u32)
        }
        3 => {
            let colour = COLOURS[index / NOISE_LEVELS];
            (Shape::Noise(colour), (index % NOISE_LEVELS) as u32)
        }
        4 => {
            let (millihertz, shift) = pair(&TONES, &TONE_SHIFTS, index);
            (Shape::Tone { millihertz }, shift)
        }
        5 => {
            let ((from_hz, to_hz), shift) = pair(&CHIRPS, &CHIRP_SHIFTS, index);
            (Shape::Chirp { from_hz, to_hz }, shift)
        }
        6 => {
            let (period, height) = pair(&IMPULSE_PERIODS, &IMPULSE_HEIGHTS, index);
            (Shape::Impulses { period, height }, 0)
        }
        7 => {
            let rarity = DUST[index];
            (Shape::Dust { rarity }, 0)
        }
        8 => {
            let ((on, off), shift) = pair(&BURSTS, &BURST_SHIFTS, index);
            (Shape::Bursts { on, off }, shift)
        }
        _ => {
            let (pitch, shift) = pair(&PITCHES, &VOICE_SHIFTS, index);
            (Shape::Voice { pitch }, shift)
        }
    })
}

/// Combination `index` of two lists.
fn pair<A: Copy, B: Copy>(a: &[A], b: &[B], index: usize) -> (A, B) {
    (a[index / b.len()], b[index % b.len()])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn all_signals_are_there_and_differ() {
        const { assert!(COUNT >= 200) };
        let mut buffer = [0; MAX_LEN];
        let mut seen = HashSet::new();
        for index in 0..COUNT {
            let samples = write(index, &mut buffer);
            assert!(samples.len() >= SYNTHETIC_LEN, "{index}");
            assert!(seen.insert(samples.to_vec()), "{index} is there twice");
        }
        assert!(write(COUNT, &mut buffer).is_empty());
    }

    #[test]
    fn voices_sound_and_do_not_clip() {
        let mut buffer = [0; MAX_LEN];
        let loudest = COUNT - PITCHES.len() * VOICE_SHIFTS.len();
        let samples = write(loudest, &mut buffer);
        let peak = samples.iter().map(|x| x.unsigned_abs()).max().unwrap();
        assert!((8_000..32_767).contains(&peak), "{peak}");
    }
}
