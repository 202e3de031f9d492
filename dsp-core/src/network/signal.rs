//! The signal operators of TensorFlow Lite Micro, by their formulas in `i64`.

use super::node::Node;
use super::{Results, Values};
use crate::executor::Real;
use otolith_tflite::{DType, Options};

/// Runs the custom operator called `kind`; `None` if it is no signal operator.
pub(super) fn signal<F: Real>(
    node: &Node<'_, F>,
    kind: &str,
) -> Option<Result<Results<F>, String>> {
    let one = |values: Result<Vec<i64>, String>| Ok(vec![(0, values?)]);
    let results = match kind {
        "SignalWindow" => one(window(node)),
        "SignalFftAutoScale" => auto_scale(node),
        "SignalRfft" => one(rfft(node)),
        "SignalEnergy" => one(energy(node)),
        "SignalFilterBank" => one(filter_bank(node)),
        "SignalFilterBankSquareRoot" => one(square_root(node)),
        "SignalFilterBankSpectralSubtraction" => spectral_subtraction(node),
        "SignalPCAN" => one(pcan(node)),
        "SignalFilterBankLog" => one(log(node)),
        _ => return None,
    };
    Some(results.and_then(|results: Vec<(usize, Vec<i64>)>| {
        let outputs = results.into_iter().map(|(which, values)| {
            let output = node.op.outputs.get(which).copied();
            let index = output.ok_or_else(|| format!("output {which} is missing"))?;
            if values.len() != node.model.tensors[index].n_elements() {
                return Err(node.shapes());
            }
            Ok((index, Values::Integers(values)))
        });
        outputs.collect()
    }))
}

fn option<F: Real>(node: &Node<'_, F>, name: &str) -> Result<i64, String> {
    let number = match &node.op.options {
        Options::Custom { numbers } => numbers.get(name).copied(),
        _ => None,
    };
    number.ok_or_else(|| format!("its option {name} is missing"))
}

/// Shifts of an integer stay within its bits.
fn shift<F: Real>(node: &Node<'_, F>, name: &str) -> Result<u32, String> {
    let bits = option(node, name)?;
    let fits = u32::try_from(bits).ok().filter(|&bits| bits < 32);
    fits.ok_or_else(|| format!("its {name} is {bits}, allowed is 0 to 31"))
}

/// Input `i` of int16; the formulas below rely on its range.
fn int16<'a, F: Real>(node: &Node<'a, F>, i: usize) -> Result<&'a [i64], String> {
    match node.input(i)?.dtype {
        DType::I16 => node.integers(i),
        other => Err(format!("input {i} is {other}, allowed is int16")),
    }
}

fn window<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let (x, window, bits) = (int16(node, 0)?, int16(node, 1)?, shift(node, "shift")?);
    Ok(x.iter().zip(window).map(|(x, w)| (x * w) >> bits).collect())
}

fn auto_scale<F: Real>(node: &Node<'_, F>) -> Result<Vec<(usize, Vec<i64>)>, String> {
    let x = int16(node, 0)?;
    let peak = x.iter().map(|x| x.abs()).max().unwrap_or(0);
    // As often as the peak, doubled, stays within 16 bits; silence as often as a unit does and once more.
    let mut bits = 0;
    while bits < 15 && peak << (bits + 1) < 1 << 15 {
        bits += 1;
    }
    let scaled = x.iter().map(|x| x << bits).collect();
    Ok(vec![(0, scaled), (1, vec![bits])])
}

/// A complex number of 16-bit parts.
type Complex = [i64; 2];

/// Sums wrap at 16 bits.
fn wrap(x: i64) -> i64 {
    i64::from(x as i16)
}

/// A product of Q15, ties upwards.
fn product(a: i64, b: i64) -> i64 {
    wrap((a * b + (1 << 14)) >> 15)
}

fn times([ar, ai]: Complex, [br, bi]: Complex) -> Complex {
    let round = |x: i64| wrap((x + (1 << 14)) >> 15);
    [round(ar * br - ai * bi), round(ar * bi + ai * br)]
}

fn plus([ar, ai]: Complex, [br, bi]: Complex) -> Complex {
    [wrap(ar + br), wrap(ai + bi)]
}

fn minus([ar, ai]: Complex, [br, bi]: Complex) -> Complex {
    [wrap(ar - br), wrap(ai - bi)]
}

/// `exp(2 pi j turns)` in Q15 of 32767.
fn rotation(turns: f64) -> Complex {
    let angle = std::f64::consts::TAU * turns;
    [libm::cos(angle), libm::sin(angle)].map(|x| libm::floor(0.5 + 32767.0 * x) as i64)
}

/// The transform of `x`, divided by its length: parts of radix 4 as long as the length has two
/// bits, each leg divided by the radix in front of its rotation.
fn transform(x: &[Complex]) -> Vec<Complex> {
    let n = x.len();
    let radix = match n {
        1 => return x.to_vec(),
        2 => 2,
        _ => 4,
    };
    let part = n / radix;
    let legs: Vec<Vec<Complex>> = (0..radix)
        .map(|leg| {
            transform(
                &x.iter()
                    .copied()
                    .skip(leg)
                    .step_by(radix)
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let mut y = vec![[0; 2]; n];
    for k in 0..part {
        let turned = |leg: usize| {
            let scaled = legs[leg][k].map(|x| product(x, 32767 / radix as i64));
            match leg {
                0 => scaled,
                _ => times(scaled, rotation(-((k * leg) as f64 / n as f64))),
            }
        };
        if radix == 2 {
            (y[k], y[k + part]) = (plus(turned(0), turned(1)), minus(turned(0), turned(1)));
            continue;
        }
        let [a, b, c, d] = [0, 1, 2, 3].map(turned);
        let (sum, difference) = (plus(a, c), minus(a, c));
        let (odd, [re, im]) = (plus(b, d), minus(b, d));
        // -j (b - d)
        let quarter = [im, -re];
        y[k] = plus(sum, odd);
        y[k + part] = plus(difference, quarter);
        y[k + 2 * part] = minus(sum, odd);
        y[k + 3 * part] = minus(difference, quarter);
    }
    y
}

/// The spectrum of a real signal of `fft_length` values, zeros behind the input, divided by it.
fn rfft<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let x = int16(node, 0)?;
    let n = option(node, "fft_length")?;
    let n = usize::try_from(n)
        .ok()
        .filter(|&n| n.is_power_of_two() && (4..=1 << 16).contains(&n));
    let n = n.filter(|&n| n >= x.len());
    let n = n.ok_or("its fft_length is no power of two, or shorter than its input")?;
    let at = |i: usize| x.get(i).copied().unwrap_or(0);
    let pairs: Vec<Complex> = (0..n / 2).map(|i| [at(2 * i), at(2 * i + 1)]).collect();
    let z = transform(&pairs);
    let half = n / 2;
    let halved = |[re, im]: Complex| [product(re, 16383), product(im, 16383)];
    let mut y = vec![[0; 2]; half + 1];
    let [re, im] = halved(z[0]);
    y[0] = [wrap(re + im), 0];
    y[half] = [wrap(re - im), 0];
    for k in 1..=half / 2 {
        let (a, [re, im]) = (halved(z[k]), z[half - k]);
        let b = halved([re, wrap(-im)]);
        let [even_re, even_im] = plus(a, b);
        let angle = -(k as f64 / half as f64 + 0.5) / 2.0;
        let [odd_re, odd_im] = times(minus(a, b), rotation(angle));
        y[k] = [(even_re + odd_re) >> 1, (even_im + odd_im) >> 1];
        y[half - k] = [(even_re - odd_re) >> 1, (odd_im - even_im) >> 1];
    }
    Ok(y.concat())
}

fn energy<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let spectrum = int16(node, 0)?;
    let range = option(node, "start_index")?..option(node, "end_index")?;
    let bins = spectrum.chunks_exact(2).zip(0..);
    let energies = bins.map(|(bin, k)| match range.contains(&k) {
        true => bin[0] * bin[0] + bin[1] * bin[1],
        false => 0,
    });
    Ok(energies.collect())
}

fn filter_bank<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let energies = node.integers(0)?;
    let [falling, rising, bins, weights, lengths] = [1, 2, 3, 4, 5].map(|i| int16(node, i));
    let (rising, falling) = (rising?, falling?);
    let runs = bins?.iter().zip(weights?).zip(lengths?);
    let sums = |table: &[i64], bin: i64, weight: i64, len: i64| -> Result<i64, String> {
        let place = |table: &[i64], i: i64| {
            let i = usize::try_from(i).ok();
            i.and_then(|i| table.get(i).copied())
                .ok_or_else(|| node.shapes())
        };
        let terms = (0..len).map(|i| Ok(place(table, weight + i)? * place(energies, bin + i)?));
        terms.sum()
    };
    let sums: Vec<(i64, i64)> = runs
        .map(|((&bin, &weight), &len)| {
            Ok((
                sums(rising, bin, weight, len)?,
                sums(falling, bin, weight, len)?,
            ))
        })
        .collect::<Result<_, String>>()?;
    // A band rises over its own run and falls over the next.
    Ok(sums.windows(2).map(|pair| pair[0].0 + pair[1].1).collect())
}

/// The integer next to the square root; at most 65535 for numbers of 32 bits.
fn root(x: u64) -> u64 {
    let mut down = 0u64;
    for bit in (0..32).rev() {
        let next = down | 1 << bit;
        if next * next <= x {
            down = next;
        }
    }
    let up = x - down * down > down;
    let most = if x >> 32 == 0 { 0xffff } else { 0xffff_ffff };
    (down + u64::from(up)).min(most)
}

fn square_root<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let bits = node.integers(1)?.first().copied().unwrap_or(0).clamp(0, 31);
    let roots = node.integers(0)?.iter();
    Ok(roots.map(|&x| (root(x as u64) >> bits) as i64).collect())
}

fn spectral_subtraction<F: Real>(node: &Node<'_, F>) -> Result<Vec<(usize, Vec<i64>)>, String> {
    let x = node.integers(0)?;
    let bits = shift(node, "smoothing_bits")?;
    let share_bits = shift(node, "spectral_subtraction_bits")?;
    let clamps = option(node, "clamping")? != 0;
    let least = option(node, "min_signal_remaining")?;
    let smoothing = [
        [
            option(node, "smoothing")?,
            option(node, "one_minus_smoothing")?,
        ],
        [
            option(node, "alternate_smoothing")?,
            option(node, "alternate_one_minus_smoothing")?,
        ],
    ];
    let mut estimate = match node.before(1) {
        Some(Values::Integers(before)) => before.clone(),
        _ => vec![0; x.len()],
    };
    let channels = x.iter().zip(&mut estimate).zip(smoothing.iter().cycle());
    let signal = channels.map(|((&x, estimate), &[new, old])| {
        let scaled = (x << bits) & 0xffff_ffff;
        *estimate = ((scaled * new + *estimate * old) >> share_bits) & 0xffff_ffff;
        let noise = scaled.min(*estimate);
        if clamps {
            *estimate = noise;
        }
        ((scaled - noise) >> bits).max((x * least) >> share_bits)
    });
    let signal = signal.collect();
    Ok(vec![(0, signal), (1, estimate)])
}

/// The gain for a noise estimate: two values, then a parabola for each power of two.
fn gain(x: i64, table: &[i64]) -> i64 {
    let at = |i: usize| table.get(i).copied().unwrap_or(0);
    if x < 2 {
        return at(x as usize);
    }
    let octave = x.ilog2();
    let first = 2 + 4 * (octave as usize - 1);
    let fraction = ((x << 10) >> octave) & 0x3ff;
    let slope = ((at(first + 2) * fraction) >> 5) + (at(first + 1) << 5);
    wrap(((slope * fraction + (1 << 14)) >> 15) + at(first))
}

fn pcan<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let (x, noise, table) = (node.integers(0)?, node.integers(1)?, int16(node, 2)?);
    let bits = shift(node, "snr_shift")?;
    let normalised = x.iter().zip(noise).map(|(&x, &noise)| {
        let ratio = ((x * gain(noise, table)) >> bits) & 0xffff_ffff;
        match ratio {
            ..8192 => (ratio * ratio) >> 20,
            _ => (ratio >> 6) - 64,
        }
    });
    Ok(normalised.collect())
}

/// `log2(1 + i / 128) - i / 128` in Q16.
fn correction(i: i64) -> i64 {
    let x = i as f64 / 128.0;
    libm::round((libm::log2(1.0 + x) - x) * 65536.0) as i64
}

fn log<F: Real>(node: &Node<'_, F>) -> Result<Vec<i64>, String> {
    let scale = option(node, "output_scale")?;
    let bits = shift(node, "input_correction_bits")?;
    let logs = node.integers(0)?.iter().map(|&x| {
        let x = (x << bits) & 0xffff_ffff;
        if x < 2 {
            return 0;
        }
        let whole = i64::from(x.ilog2());
        let fraction = ((x << 16) >> whole) & 0xffff;
        let (i, within) = (fraction >> 9, fraction & 0x1ff);
        let between = ((correction(i + 1) - correction(i)) * within) >> 16;
        let log2 = (whole << 16) + fraction + correction(i) + between;
        // ln 2 is 45426 / 65536.
        let ln = (45426 * log2 + (1 << 15)) >> 16;
        ((ln * scale + (1 << 15)) >> 16).min(32767)
    });
    Ok(logs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transform_is_the_spectrum_over_n() {
        for n in [2, 4, 8, 32, 64] {
            let x: Vec<Complex> = (0..n as i64)
                .map(|t| {
                    [
                        (t * 7919 + 31) % 8191 * 2 - 8190,
                        (t * 104_729) % 7919 - 3900,
                    ]
                })
                .collect();
            let y = transform(&x);
            for (k, &[re, im]) in y.iter().enumerate() {
                let (mut exact_re, mut exact_im) = (0.0, 0.0);
                for (t, &[a, b]) in x.iter().enumerate() {
                    let angle = -std::f64::consts::TAU * (k * t % n) as f64 / n as f64;
                    let (c, s) = (libm::cos(angle), libm::sin(angle));
                    exact_re += a as f64 * c - b as f64 * s;
                    exact_im += a as f64 * s + b as f64 * c;
                }
                let off = (re as f64 - exact_re / n as f64)
                    .abs()
                    .max((im as f64 - exact_im / n as f64).abs());
                assert!(off < 4.0, "{n} {k}: {re} {im} {exact_re} {exact_im}");
            }
        }
    }

    #[test]
    fn roots_are_the_nearest_integers() {
        for x in [
            0u64,
            1,
            2,
            3,
            6,
            7,
            12,
            13,
            99,
            0xffff_0000,
            1 << 40,
            u64::MAX,
        ] {
            let exact = libm::sqrt(x as f64);
            let most = if x >> 32 == 0 {
                65535.0
            } else {
                4_294_967_295.0
            };
            assert_eq!(root(x) as f64, libm::round(exact).min(most), "{x}");
        }
    }
}
