//! Window, complex FFT of half the length, and split into the bins of the real signal.
//!
//! Everything is generic over the FFT length, so that the compiler sees constant distances: with
//! lengths known only at run time a butterfly costs half as much again. Tables come from the plan.

// Arrays have constant lengths and loops constant ends, so that the compiler removes every check
// of an index; the gates on firmware images hold it to that.
#![allow(clippy::indexing_slicing)]

use crate::q;
use otolith_dsp_arch::dsp::{self, Places};

/// A complex number: real and imaginary part.
pub(crate) type Complex = dsp::Complex;

/// Width of the window and twiddle tables.
pub(crate) trait Table: Copy {
    /// A 16-bit sample times a window value, at 30 bits: full scale is 2^30.
    fn weigh_i16(x: i16, w: Self) -> i32;
    /// A 32-bit sample times a window value, halved.
    fn weigh_i32(x: i32, w: Self) -> i32;
    /// `(re + j im) (c - j s) / 2` for a twiddle factor `[c, s]`.
    fn turn(x: Complex, w: [Self; 2]) -> Complex;
    /// The table, if it is one of 32 bits: there are routines of one processor for those.
    #[inline(always)]
    fn wide<const M: usize>(_: &[[Self; M]]) -> Option<&[[i32; M]]> {
        None
    }
}

/// Q31.
impl Table for i32 {
    #[inline(always)]
    fn weigh_i16(x: i16, w: i32) -> i32 {
        q::mul_i16(w, x)
    }

    #[inline(always)]
    fn weigh_i32(x: i32, w: i32) -> i32 {
        q::mul_q32(x, w)
    }

    #[inline(always)]
    fn turn([re, im]: Complex, [c, s]: [i32; 2]) -> Complex {
        [
            q::add(q::mul_q32(re, c), q::mul_q32(im, s)),
            q::sub(q::mul_q32(im, c), q::mul_q32(re, s)),
        ]
    }

    #[inline(always)]
    fn wide<const M: usize>(table: &[[i32; M]]) -> Option<&[[i32; M]]> {
        Some(table)
    }
}

/// Q15.
impl Table for i16 {
    #[inline(always)]
    fn weigh_i16(x: i16, w: i16) -> i32 {
        i32::from(x) * i32::from(w)
    }

    #[inline(always)]
    fn weigh_i32(x: i32, w: i16) -> i32 {
        q::mul_i16(x, w)
    }

    #[inline(always)]
    fn turn([re, im]: Complex, [c, s]: [i16; 2]) -> Complex {
        [
            q::add(q::mul_i16(re, c), q::mul_i16(im, s)),
            q::sub(q::mul_i16(im, c), q::mul_i16(re, s)),
        ]
    }
}

/// A sample type that spectra are made of.
pub(crate) trait Sample: Copy {
    /// Bits of the longest sample, without the sign: 0 for 0 and -1.
    fn bits(x: &[Self]) -> i32;
    /// The sample, shifted to the left.
    fn up(self, left: u32) -> Self;
    /// The sample times a window value, shifted to the right.
    fn weigh<T: Table>(self, w: T, right: u32) -> i32;
    /// The samples, if they are of 16 bits.
    #[inline(always)]
    fn short(_: &[Self]) -> Option<&[i16]> {
        None
    }
}

/// The block exponent as a shift of samples to the left and one of weighted samples to the right, of
/// which one is 0.
#[derive(Clone, Copy)]
pub(crate) struct Shift {
    left: u32,
    right: u32,
}

impl Shift {
    /// A shift to the right by `exponent`, to the left when it is negative.
    pub(crate) fn new(exponent: i32) -> Self {
        let (left, right) = if exponent < 0 {
            (-exponent, 0)
        } else {
            (0, exponent)
        };
        Self {
            left: left as u32 & 15,
            right: right as u32 & 31,
        }
    }
}

impl Sample for i16 {
    #[inline(always)]
    fn bits(x: &[i16]) -> i32 {
        if let Some(bits) = dsp::bits_i16(x) {
            return bits;
        }
        // Two samples in a word: a bit of v ^ (v << 1) marks where a half's sign ends.
        let pair = |a: i16, b: i16| {
            let v = u32::from(a as u16) | u32::from(b as u16) << 16;
            v ^ (v << 1)
        };
        let (blocks, rest) = x.as_chunks::<16>();
        let mut marks = 0;
        for &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] in blocks {
            marks |= pair(a, b) | pair(c, d) | pair(e, f) | pair(g, h);
            marks |= pair(i, j) | pair(k, l) | pair(m, n) | pair(o, p);
        }
        for &a in rest {
            marks |= pair(a, a);
        }
        // Bit 16 also takes bit 15 of the lower half, which is its sign: the lower half's marks
        // are bits 1 to 15, the upper half's 17 to 31, and bit 0 is the sample's own.
        let marks = (marks >> 16 | marks) & 0xffff;
        31 - (marks | 1).leading_zeros() as i32
    }

    #[inline(always)]
    fn up(self, left: u32) -> i16 {
        self << left
    }

    #[inline(always)]
    fn weigh<T: Table>(self, w: T, right: u32) -> i32 {
        T::weigh_i16(self, w) >> right
    }

    #[inline(always)]
    fn short(x: &[i16]) -> Option<&[i16]> {
        Some(x)
    }
}

impl Sample for i32 {
    #[inline(always)]
    fn bits(x: &[i32]) -> i32 {
        let marks = x.iter().fold(0, |marks, &x| marks | (x ^ (x >> 31)));
        32 - marks.leading_zeros() as i32
    }

    #[inline(always)]
    fn up(self, left: u32) -> i32 {
        self << left
    }

    #[inline(always)]
    fn weigh<T: Table>(self, w: T, right: u32) -> i32 {
        T::weigh_i32(self >> right, w)
    }
}

/// A window table: the first half of a window, and how the second half mirrors it.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a, T> {
    /// `w[0..=n_fft / 2]`, zeros behind the frame.
    pub(crate) half: &'a [T],
    /// `w[n] = w[mirror - n]` in the second half.
    pub(crate) mirror: usize,
}

/// The weighted samples of a frame.
trait Frame {
    /// Samples `n` and `n + 1` as a complex number; `n` is even.
    fn pair(&self, n: usize) -> Complex;
}

/// A frame as long as the FFT, shifted to the left (`UP`) or not. The second half of the window is
/// the first one, read backwards from `mirror - N / 2`.
struct Whole<'a, X, T, const N: usize, const H: usize, const UP: bool> {
    x: &'a [X; N],
    rise: &'a [T; H],
    fall: &'a [T; H],
    shift: Shift,
}

impl<X: Sample, T: Table, const N: usize, const H: usize, const UP: bool>
    Whole<'_, X, T, N, H, UP>
{
    #[inline(always)]
    fn point(&self, n: usize, w: T) -> i32 {
        if UP {
            self.x[n].up(self.shift.left).weigh(w, 0)
        } else {
            self.x[n].weigh(w, self.shift.right)
        }
    }
}

impl<X: Sample, T: Table, const N: usize, const H: usize, const UP: bool> Frame
    for Whole<'_, X, T, N, H, UP>
{
    #[inline(always)]
    fn pair(&self, n: usize) -> Complex {
        if n < H {
            [
                self.point(n, self.rise[n]),
                self.point(n + 1, self.rise[n + 1]),
            ]
        } else {
            [
                self.point(n, self.fall[N - 1 - n]),
                self.point(n + 1, self.fall[N - 2 - n]),
            ]
        }
    }
}

/// Any frame; zeros follow up to the FFT's `2 H` points.
struct Padded<'a, X, T, const H: usize> {
    x: &'a [X],
    window: Window<'a, T>,
    shift: Shift,
}

impl<X: Sample, T: Table, const H: usize> Padded<'_, X, T, H> {
    #[inline(always)]
    fn point(&self, n: usize) -> i32 {
        let at = if n < H {
            n
        } else {
            self.window.mirror.wrapping_sub(n)
        };
        match (self.x.get(n), self.window.half.get(at)) {
            (Some(&x), Some(&w)) => x.up(self.shift.left).weigh(w, self.shift.right),
            _ => 0,
        }
    }
}

impl<X: Sample, T: Table, const H: usize> Frame for Padded<'_, X, T, H> {
    #[inline(always)]
    fn pair(&self, n: usize) -> Complex {
        [self.point(n), self.point(n + 1)]
    }
}

/// Weighs the samples and runs the first stage of a transform of `N` real points, which are
/// `H = N / 2` complex ones: `R = H / F` butterflies of `F = 2` or 4 legs, without twiddle factors
/// and without scaling. Butterfly `i` goes to its place. Samples behind the end of `x` are 0.
#[inline(never)]
pub(crate) fn first_stage<X, T, const N: usize, const H: usize, const F: usize, const R: usize>(
    x: &[X],
    window: Window<'_, T>,
    exponent: i32,
    places: &Places<R>,
    out: &mut [Complex; H],
) where
    X: Sample,
    T: Table,
{
    let shift = Shift::new(exponent);
    if dsp::transforms(N)
        && let (Some(x), Some(half)) = (X::short(x), T::wide(window.half.as_chunks::<1>().0))
    {
        let half = half.as_flattened();
        if dsp::first_stage(x, half, window.mirror, exponent, places, out) {
            return;
        }
    } else if let Some((x, rise, fall)) = whole::<X, T, N, H>(x, window) {
        if shift.left > 0 {
            let frame = Whole::<X, T, N, H, true> {
                x,
                rise,
                fall,
                shift,
            };
            butterflies::<N, H, F, R>(&frame, places, out);
        } else {
            let frame = Whole::<X, T, N, H, false> {
                x,
                rise,
                fall,
                shift,
            };
            butterflies::<N, H, F, R>(&frame, places, out);
        }
        return;
    }
    let frame = Padded::<X, T, H> { x, window, shift };
    butterflies::<N, H, F, R>(&frame, places, out);
}

/// A frame as long as the transform, with both halves of its window.
type Halves<'a, X, T, const N: usize, const H: usize> = (&'a [X; N], &'a [T; H], &'a [T; H]);

fn whole<'a, X, T, const N: usize, const H: usize>(
    x: &'a [X],
    window: Window<'a, T>,
) -> Option<Halves<'a, X, T, N, H>> {
    let fall = window.half.get((window.mirror + 1).wrapping_sub(N)..)?;
    Some((
        x.first_chunk()?,
        window.half.first_chunk()?,
        fall.first_chunk()?,
    ))
}

#[inline(always)]
fn butterflies<const N: usize, const H: usize, const F: usize, const R: usize>(
    frame: &impl Frame,
    places: &Places<R>,
    out: &mut [Complex; H],
) {
    for (i, &to) in places.as_array().iter().enumerate() {
        // R is a power of two: the mask changes nothing and spares the check of the index.
        let (n, to) = (2 * i, usize::from(to) & (R - 1));
        if F == 4 {
            let (a, c) = (frame.pair(n), frame.pair(n + N / 2));
            let even = (add(a, c), sub(a, c));
            let (b, d) = (frame.pair(n + N / 4), frame.pair(n + 3 * (N / 4)));
            out.as_chunks_mut::<4>().0[to] = butterfly(even, (add(b, d), sub(b, d)));
        } else {
            let (a, b) = (frame.pair(n), frame.pair(n + N / 2));
            out.as_chunks_mut::<2>().0[to] = [add(a, b), sub(a, b)];
        }
    }
}

/// The 4-point transform of a, b, c, d from the sums and differences of a and c, and of b and d.
#[inline(always)]
fn butterfly((p, m): (Complex, Complex), (s, t): (Complex, Complex)) -> [Complex; 4] {
    [
        add(p, s),
        [q::add(m[0], t[1]), q::sub(m[1], t[0])],
        sub(p, s),
        [q::sub(m[0], t[1]), q::add(m[1], t[0])],
    ]
}

#[inline(always)]
fn add(a: Complex, b: Complex) -> Complex {
    [q::add(a[0], b[0]), q::add(a[1], b[1])]
}

#[inline(always)]
fn sub(a: Complex, b: Complex) -> Complex {
    [q::sub(a[0], b[0]), q::sub(a[1], b[1])]
}

#[inline(always)]
fn halve([re, im]: Complex) -> Complex {
    [q::half(re), q::half(im)]
}

/// A radix-4 stage in place, the legs of a butterfly `Q` apart, in blocks of `B = 4 Q`. Every leg
/// is halved. `twiddles[j S - 1]` holds the factors of legs 1, 2 and 3 of butterfly `j`;
/// `W = Q S - 1` of them are there.
#[inline]
pub(crate) fn stage<T, const Q: usize, const B: usize, const S: usize, const W: usize>(
    x: &mut [Complex],
    twiddles: &[[T; 6]; W],
) where
    T: Table,
{
    if let Some(twiddles) = T::wide(twiddles)
        && dsp::stage(x, twiddles, 8 * (W + 1), Q)
    {
        return;
    }
    for x in x.as_chunks_mut::<B>().0 {
        let (a, b, c, d) = (halve(x[0]), halve(x[Q]), halve(x[2 * Q]), halve(x[3 * Q]));
        let (even, odd) = ((add(a, c), sub(a, c)), (add(b, d), sub(b, d)));
        [x[0], x[Q], x[2 * Q], x[3 * Q]] = butterfly(even, odd);
        for j in 1..Q {
            let [c1, s1, c2, s2, c3, s3] = twiddles[j * S - 1];
            // In this order few enough values are alive at once for the registers of an Arm core.
            let c = T::turn(x[j + 2 * Q], [c2, s2]);
            let a = halve(x[j]);
            let even = (add(a, c), sub(a, c));
            let b = T::turn(x[j + Q], [c1, s1]);
            let d = T::turn(x[j + 3 * Q], [c3, s3]);
            let odd = (add(b, d), sub(b, d));
            [x[j], x[j + Q], x[j + 2 * Q], x[j + 3 * Q]] = butterfly(even, odd);
        }
    }
}

/// From the half-length transform to the powers of the real signal's `H + 1` bins, in place: point
/// `k` lies where power `k` will, low word first. `twiddles[k - 1]` is that of bin `k`; there are
/// `P = H / 2 - 1`. `None` when `power` has another length.
#[inline]
pub(crate) fn split_power<T: Table, const H: usize, const P: usize>(
    power: &mut [u64],
    twiddles: &[[T; 2]; P],
) -> Option<()> {
    if let Some(twiddles) = T::wide(twiddles)
        && dsp::split_power(power, twiddles)
    {
        return Some(());
    }
    let (last, x) = power.split_last_mut()?;
    let x: &mut [Complex] = bytemuck::try_cast_slice_mut(x).ok()?;
    *last = split::<T, H, P>(x.try_into().ok()?, twiddles);
    Some(())
}

/// [`split_power`] but for bin `H`, which is returned.
#[inline(never)]
fn split<T: Table, const H: usize, const P: usize>(
    x: &mut [Complex; H],
    twiddles: &[[T; 2]; P],
) -> u64 {
    let [re, im] = x[0];
    x[0] = words([q::add(re, im), 0]);
    let last = q::square_sum(q::sub(re, im), 0);
    x[H / 2] = words(x[H / 2]);
    for k in 1..H / 2 {
        let ([zr, zi], [yr, yi]) = (x[k], x[H - k]);
        // Twice the odd part, turned to its place, and twice the even part.
        let [tr, ti] = T::turn([q::add(zi, yi), q::sub(yr, zr)], twiddles[k - 1]);
        let (er, ei) = (q::add(zr, yr), q::sub(zi, yi));
        x[k] = words([q::add(q::half(er), tr), q::add(q::half(ei), ti)]);
        x[H - k] = words([q::sub(q::half(er), tr), q::sub(q::half(ei), ti)]);
    }
    last
}

/// `re^2 + im^2`, low word first.
#[inline(always)]
fn words([re, im]: Complex) -> Complex {
    let power = q::square_sum(re, im);
    [power as i32, (power >> 32) as i32]
}
