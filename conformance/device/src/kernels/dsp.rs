//! Integer features: the routines of the transform, filter bank, logarithm and matrix, and moves.

use super::Random;
use otolith_dsp_arch::dsp::{self, Complex, Logs, Places, memory};
use otolith_dsp_nostd::ops::fixed::fft::portable::{Plain, PlainTables};
use otolith_dsp_nostd::ops::fixed::{log, matrix, mel};

/// Words as other numbers.
fn map<T, const N: usize>(words: [u32; N], number: impl Fn(u32) -> T) -> [T; N] {
    words.map(number)
}

pub(super) fn bits(random: &mut Random) -> Option<bool> {
    let quiet = random.from(16, 31);
    let x: [i16; 90] = map(random.fill(), |w| (w as i32 >> quiet) as i16);
    let from = random.from(0, 5);
    let x = x.get(from..random.from(from, 90))?;
    // Targets without a routine have nothing to compare.
    let Some(bits) = dsp::bits_i16(x) else {
        return Some(true);
    };
    let longest = x
        .iter()
        .map(|&x| 16 - (x ^ (x >> 15)).leading_zeros() as i32);
    Some(bits == longest.max().unwrap_or(0))
}

pub(super) fn transform(random: &mut Random) -> Option<bool> {
    if !dsp::transforms(512) {
        return Some(true);
    }
    let n = [256, 512, 1024][random.from(0, 2)];
    let exponent = random.from(0, 27) as i32 - 12;
    let mirror = n - random.from(0, 1);
    let x: [i16; 1030] = map(random.fill(), |w| w as i16);
    // Frames start at any sample.
    let from = random.from(0, 5);
    let x = x.get(from..from + n)?;
    let half: [i32; 513] = map(random.fill(), |w| w as i32);
    let twiddles: [[i32; 6]; 127] = core::array::from_fn(|_| map(random.fill(), |w| w as i32));
    let split: [[i32; 2]; 255] = core::array::from_fn(|_| map(random.fill(), |w| w as i32));
    let (half, twiddles) = (half.get(..=n / 2)?, twiddles.get(..n / 8 - 1)?);
    let split_used = split.get(..n / 4 - 1)?;

    let mut points = [[0; 2]; 512];
    let points = points.get_mut(..n / 2)?;
    let first = match n {
        256 => dsp::first_stage(x, half, mirror, exponent, &Places::<64>::REVERSED, points),
        512 => dsp::first_stage(x, half, mirror, exponent, &Places::<64>::REVERSED, points),
        _ => dsp::first_stage(x, half, mirror, exponent, &Places::<256>::REVERSED, points),
    };
    let mut q = if n == 512 { 4 } else { 2 };
    let mut ran = first;
    while q < n / 4 {
        ran &= dsp::stage(points, twiddles, n, q);
        q *= 4;
    }
    let mut power = [0u64; 513];
    let power = power.get_mut(..=n / 2)?;
    let word = |[low, high]: Complex| u64::from(low as u32) | u64::from(high as u32) << 32;
    for (power, &point) in power.iter_mut().zip(points.iter()) {
        *power = word(point);
    }
    if !ran || !dsp::split_power(power, split_used) {
        return None;
    }

    let mut plain_half = [Plain(0); 513];
    for (to, &from) in plain_half.iter_mut().zip(half) {
        *to = Plain(from);
    }
    let mut plain_twiddles = [[Plain(0); 6]; 127];
    for (to, from) in plain_twiddles.iter_mut().zip(twiddles) {
        *to = from.map(Plain);
    }
    let plain_split = split.map(|factor| factor.map(Plain));
    let tables = PlainTables {
        half: plain_half.get(..=n / 2)?,
        mirror,
        twiddles: plain_twiddles.get(..n / 8 - 1)?,
        split: plain_split.get(..n / 4 - 1)?,
    };
    let mut expected = [0u64; 513];
    let expected = expected.get_mut(..=n / 2)?;
    tables.power(x, exponent, expected)?;
    Some(power == expected)
}

/// 64-bit numbers of all lengths up to `bits`.
fn long<const N: usize>(random: &mut Random, bits: usize) -> [u64; N] {
    core::array::from_fn(|_| {
        let x = u64::from(random.word()) << 32 | u64::from(random.word());
        x >> random.from(64 - bits, 63)
    })
}

pub(super) fn triangles(random: &mut Random) -> Option<bool> {
    let x: [u64; 130] = long(random, 60);
    let weights: [u16; 130] = map(random.fill(), |w| w as u16);
    let lengths: [u16; 13] = core::array::from_fn(|_| random.from(0, 9) as u16);
    let filters = random.from(1, 12);
    let (mut a, mut b) = ([0; 12], [0; 12]);
    let (a, b) = (a.get_mut(..filters)?, b.get_mut(..filters)?);
    let lengths = lengths.get(..=filters)?;
    let from = random.from(0, 3);
    let (x, weights) = (x.get(from..)?, weights.get(from..)?);
    let ran = dsp::triangles(x, lengths, weights, a);
    mel::triangles_portable(x, lengths, weights, b);
    Some(!ran || a == b)
}

pub(super) fn logs(random: &mut Random) -> Option<bool> {
    let mut e: [u64; 40] = long(random, 62);
    if let Some(first) = e.first_mut() {
        *first = 0;
    }
    let [floored, added] = long(random, 30);
    let how = Logs {
        floored: floored >> random.from(0, 30),
        added,
        floor: random.word() as i32 >> 8,
        base: random.word() as i32 >> 8,
        q: random.from(0, 16) as u32,
    };
    let e = e.get(..random.from(0, 40))?;
    let (mut a, mut b) = ([0; 40], [0; 40]);
    let ran = dsp::logs(e, &mut a, &how);
    log::logs_portable(e, &mut b, &how);
    Some(!ran || a == b)
}

pub(super) fn folded(random: &mut Random) -> Option<bool> {
    let (half, rows) = (random.from(1, 22), random.from(1, 13));
    let x: [i32; 44] = map(random.fill(), |w| w as i32);
    let m: [i16; 286] = map(random.fill(), |w| w as i16);
    let m = m.get(..half * rows)?;
    let (mut xa, mut xb, mut a, mut b) = (x, x, [0; 13], [0; 13]);
    let sum = dsp::folded(xa.get_mut(..2 * half)?, m, a.get_mut(..rows)?);
    let expected = matrix::folded_portable(xb.get_mut(..2 * half)?, m, b.get_mut(..rows)?);
    Some(sum.is_none_or(|sum| sum == expected && a == b))
}

pub(super) fn moves(random: &mut Random) -> Option<bool> {
    let x: [u32; 60] = random.fill();
    let (len, n) = (random.from(0, 60), random.from(0, 60));
    let (mut a, mut b) = (x, x);
    memory::move_down(a.get_mut(..len)?, n);
    memory::portable::move_down(b.get_mut(..len)?, n);
    let (mut c, mut d) = ([0; 50], [0; 50]);
    memory::copy(x.get(..len)?, &mut c);
    memory::portable::copy(x.get(..len)?, &mut d);
    Some(a == b && c == d)
}
