//! Routines and their twins on random shapes.

use otolith_dsp_arch::int8::{
    self, Linear, Lines, March, Packed, Sign, TAPS_27, Taps, Window, Windows, portable,
};

mod dsp;

/// Random shapes for each routine.
pub const CASES: usize = 200;

/// Draws one case; whether both gave the same, `None` when the shape was refused.
pub type Compare = fn(&mut Random) -> Option<bool>;

/// Every routine.
pub const ALL: &[(&str, Compare)] = &[
    ("conv", conv),
    ("gather1", gather1),
    ("gemv_sums", gemv_sums),
    ("depthwise_3x3_lines", lines),
    ("depthwise_3x3_weights", weights),
    ("depthwise_3x3_march", march),
    ("depthwise_taps", taps),
    ("add", add),
    ("add_to", add_to),
    ("sums", sums),
    ("bits_i16", dsp::bits),
    ("transform", dsp::transform),
    ("triangles", dsp::triangles),
    ("logs", dsp::logs),
    ("folded", dsp::folded),
    ("move", dsp::moves),
];

/// A generator of numbers (xorshift, 32 bits).
#[derive(Debug)]
pub struct Random(u32);

impl Random {
    /// From a seed that is not 0.
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }

    fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn from(&mut self, low: usize, high: usize) -> usize {
        low + (self.word() >> 8) as usize % (high - low + 1)
    }

    fn fill<const N: usize>(&mut self) -> [u32; N] {
        core::array::from_fn(|_| self.word())
    }

    fn bytes<const N: usize>(&mut self) -> [i8; N] {
        // Every fourth array holds extremes only.
        let extremes = self.word() >> 30 == 0;
        core::array::from_fn(|_| {
            let word = self.word();
            match extremes {
                true if word >> 31 == 0 => -128,
                true => 127,
                false => (word >> 8) as i8,
            }
        })
    }

    fn channels<const N: usize>(&mut self) -> [int8::Channel; N] {
        core::array::from_fn(|_| {
            let shift = self.from(1, 22) as i32;
            let zero_point = self.from(0, 255) as i32 - 128;
            [
                (self.word() as i32) >> 8,
                (1 << 30) | (self.word() >> 2) as i32,
                (zero_point << shift) + (1 << (shift - 1)),
                shift,
            ]
        })
    }
}

fn gather1(random: &mut Random) -> Option<bool> {
    let (rows, words) = (random.from(1, 5), random.from(1, 11));
    let bytes: [i8; 700] = random.bytes();
    let window = Window {
        bytes: bytes.get(random.from(0, 200)..)?,
        stride: 4 * words + random.from(0, 50),
    };
    let (mut a, mut b) = ([0; 220], [0; 220]);
    let n = 2 * rows * words;
    int8::gather1(window, rows, words, a.get_mut(..n)?)?;
    portable::gather1(window, rows, words, b.get_mut(..n)?);
    Some(a == b)
}

/// A run of windows, beside its outputs or in their place.
fn conv(random: &mut Random) -> Option<bool> {
    let nine = random.from(0, 3) == 0;
    let in_place = !nine && random.from(0, 2) == 0;
    let (rows, row_bytes) = match (nine, in_place) {
        (true, _) => (3, 9),
        (_, true) => (1, 4 * random.from(2, 6)),
        _ => (random.from(1, 3), 4 * random.from(2, 7)),
    };
    let step = match in_place {
        true => row_bytes,
        false => random.from(1, 40),
    };
    let (mut count, channels) = (random.from(1, 7), random.from(1, 16));
    let lines = match in_place {
        true => 1,
        false => random.from(1, 3),
    };
    if lines > 1 {
        count = count.min(4);
    }
    let line_step = random.from(0, 60);
    let windows = Windows {
        from: if in_place { 0 } else { random.from(0, 50) },
        to: if in_place { 0 } else { random.from(0, 20) },
        count,
        lines,
        line_step,
        step,
        rows,
        row_bytes,
        stride: random.from(1, 60),
        channels,
        nine,
    };
    let taps = if nine { TAPS_27 } else { rows * row_bytes };
    let slots = channels.next_multiple_of(4);
    let mut weights: [u32; 400] = random.fill();
    let weights = weights.get_mut(..slots / 4 * taps)?;
    if nine {
        for group in weights.as_chunks_mut::<TAPS_27>().0 {
            let [.., a, b] = group;
            (*a, *b) = (*a & 0xffff, *b & 0xffff);
        }
    }
    let records: [int8::Channel; 16] = random.channels();
    let packed = Packed {
        weights,
        channels: records.get(..slots)?,
        sign: Sign::Matters,
    };
    let input: [i8; 700] = random.bytes();
    let mut output = if in_place { input } else { [7; 700] };
    let mut want = output;
    let mut acts: [u32; 100] = random.fill();
    for i in 0..count * lines {
        let (line, column) = (i.checked_div(count)?, i.checked_rem(count)?);
        let window = Window {
            bytes: input.get(windows.from + line * line_step + column * step..)?,
            stride: windows.stride,
        };
        let acts = acts.get_mut(..taps / 2)?;
        match nine {
            true => portable::gather1_27(window, acts.first_chunk_mut()?),
            false => portable::gather1(window, rows, row_bytes / 4, acts),
        }
        let mut all = [0; 16];
        portable::gemv(&packed, acts, &mut all);
        let to = want.get_mut(windows.to + i * channels..)?;
        to.get_mut(..channels)?
            .copy_from_slice(all.get(..channels)?);
    }
    let single = !nine && count * lines == 1 && random.from(0, 1) == 0;
    let acts = acts.get_mut(..if single { taps / 2 } else { taps })?;
    int8::conv(
        &packed,
        &windows,
        (!in_place).then_some(&input),
        acts,
        &mut output,
    )?;
    Some(output == want)
}

fn gemv_sums(random: &mut Random) -> Option<bool> {
    let pairs = 2 * random.from(2, 20);
    let weights: [u32; 80] = random.fill();
    let acts: [u32; 40] = random.fill();
    let (weights, acts) = (weights.get(..2 * pairs)?, acts.get(..pairs)?);
    let mut a = random.fill::<4>().map(|word| word as i32);
    let mut b = a;
    int8::gemv_sums(weights, acts, &mut a)?;
    portable::gemv_sums(weights, acts, &mut b);
    Some(a == b)
}

fn lines(random: &mut Random) -> Option<bool> {
    let input: [i8; 900] = random.bytes();
    let (pixels, count) = (random.from(1, 12), random.from(1, 4));
    let pixel = random.from(4, 12);
    let lead = random.word() >> 31 == 0;
    let words = usize::from(lead) + (pixels - usize::from(lead)).div_ceil(2) + random.from(0, 3);
    let at = random.from(0, 9);
    let lines = Lines {
        pixel,
        pixels,
        lead,
        words,
        padding: random.word() as i8,
        line: random.from(4, 200),
        plane: at + count * words + random.from(0, 5),
    };
    let (mut a, mut b) = ([0; 400], [0; 400]);
    int8::depthwise_3x3_lines(&lines, &input, count, &mut a, at)?;
    portable::depthwise_3x3_lines(&lines, &input, count, &mut b, at);
    Some(a == b)
}

fn weights(random: &mut Random) -> Option<bool> {
    let lines: [[u32; 3]; 4] = core::array::from_fn(|_| random.fill());
    let channels = random.channels();
    let (mut a, mut b) = ([0; 40], [0; 40]);
    int8::depthwise_3x3_weights(&lines, &channels, &mut a);
    portable::depthwise_3x3_weights(&lines, &channels, &mut b);
    Some(a == b)
}

fn march(random: &mut Random) -> Option<bool> {
    let stride = random.from(1, 2);
    let (outputs, count) = (random.from(2, 9), random.from(1, 3));
    let steps = outputs.div_ceil(2);
    let words = stride * steps + 1;
    let pixel = random.from(4, 10);
    let lines: [usize; 3] = core::array::from_fn(|_| random.from(0, 4) * words);
    let march = March {
        lines,
        words,
        plane: 4 * words + count * stride * words + random.from(0, 3),
        stride,
        outputs,
        count,
        pixel,
        line: random.from(4, 120),
        sign: Sign::Matters,
    };
    let planes: [u32; 500] = random.fill();
    let values = core::array::from_fn(|_| random.fill());
    let channels = random.channels();
    let mut record = [0; 40];
    int8::depthwise_3x3_weights(&values, &channels, &mut record);
    let (mut a, mut b) = ([0; 400], [0; 400]);
    int8::depthwise_3x3_march(&march, &planes, &record, &mut a)?;
    portable::depthwise_3x3_march(&march, &planes, &record, &mut b);
    // Where lines of outputs overlap, the order in which channels are done shows.
    let overlap = march.line < pixel * (outputs - 1) + 4;
    Some(a == b || overlap && count > 1)
}

fn taps(random: &mut Random) -> Option<bool> {
    let pairs = random.from(1, 8);
    let offsets: [u32; 16] = core::array::from_fn(|_| random.from(0, 300) as u32);
    let weights: [u32; 32] = core::array::from_fn(|_| {
        let half = |word: u32| u32::from(word as i8 as i16 as u16);
        half(random.word() >> 8) | half(random.word() >> 8) << 16
    });
    let channels = random.channels();
    let input: [i8; 700] = random.bytes();
    let taps = Taps {
        offsets: offsets.get(..2 * pairs)?,
        weights: weights.get(..4 * pairs)?,
        channels: &channels,
        step: random.from(0, 30),
        output_step: random.from(4, 20),
    };
    let count = random.from(1, 9);
    let (mut a, mut b) = ([0; 200], [0; 200]);
    int8::depthwise_taps(&taps, &input, count, &mut a)?;
    portable::depthwise_taps(&taps, &input, count, &mut b);
    Some(a == b)
}

fn linear(random: &mut Random) -> Linear {
    Linear {
        factors: [random.word() as i32 >> 8, random.word() as i32 >> 8],
        constant: random.word() as i32 >> 2,
        shift: random.from(10, 24) as i32,
    }
}

fn add(random: &mut Random) -> Option<bool> {
    let linear = linear(random);
    let (x, y): ([i8; 48], [i8; 48]) = (random.bytes(), random.bytes());
    let n = 4 * random.from(1, 12);
    let (mut a, mut b) = ([0; 48], [0; 48]);
    int8::add(&linear, x.get(..n)?, y.get(..n)?, a.get_mut(..n)?)?;
    portable::add(&linear, x.get(..n)?, y.get(..n)?, b.get_mut(..n)?);
    Some(a == b)
}

fn add_to(random: &mut Random) -> Option<bool> {
    let linear = linear(random);
    let (x, y): ([i8; 48], [i8; 48]) = (random.bytes(), random.bytes());
    let n = 4 * random.from(1, 12);
    let (mut a, mut b) = (x, x);
    int8::add_to(&linear, a.get_mut(..n)?, y.get(..n)?)?;
    portable::add_to(&linear, b.get_mut(..n)?, y.get(..n)?);
    Some(a == b)
}

fn sums(random: &mut Random) -> Option<bool> {
    let input: [i8; 4000] = random.bytes();
    let pixels = random.from(1, 255);
    let step = random.from(0, 15);
    let a = int8::sums(&input, step, pixels)?;
    Some(a == portable::sums(&input, step, pixels))
}
