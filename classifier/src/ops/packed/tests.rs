//! Drivers of packed depthwise layers against the formula, on shapes where lines go through the ring and
//! outputs lie over inputs.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

extern crate std;

mod conv;

use super::Memory;
use super::depthwise::{Params, depthwise, may_share, scratch_len};
use crate::requant::mbqm;
use otolith_dsp_arch::int8::layer::Memory as _;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const CHANNELS: usize = 8;
const MULTIPLIER: i32 = 1_500_000_000;

/// `in_h, in_w, stride, same, along, ring`, an input zero point, and a seed for the values.
fn shapes() -> impl Strategy<Value = ([usize; 3], [bool; 3], i32, u32)> {
    (
        [3usize..20, 3usize..20, 1usize..3],
        any::<[bool; 3]>(),
        -128i32..128,
        1u32..u32::MAX,
    )
}

struct Random(u32);

impl Random {
    fn byte(&mut self) -> i8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 11) as i8
    }
}

proptest! {
    #[test]
    fn lines_in_a_ring_and_in_place_give_the_formula(
        ([in_h, in_w, stride], [same, along, ring], zero_point, seed) in shapes(),
    ) {
        let (out, pad) = if same {
            let axis = |n: usize| {
                let out = n.div_ceil(stride);
                (out, ((out - 1) * stride + 3).saturating_sub(n) / 2)
            };
            let ((h, top), (w, left)) = (axis(in_h), axis(in_w));
            ([h, w], [top, left])
        } else {
            ([(in_h - 3) / stride + 1, (in_w - 3) / stride + 1], [0, 0])
        };
        prop_assume!(out[usize::from(!along)] >= 2);
        let mut random = Random(seed);
        let input: Vec<i8> = (0..in_h * in_w * CHANNELS).map(|_| random.byte()).collect();
        let weights: Vec<[i8; 9]> = (0..CHANNELS).map(|_| [0; 9].map(|_: i8| random.byte())).collect();
        let shift = 9;
        let p = Params {
            in_h: in_h as i32,
            in_w: in_w as i32,
            channels: CHANNELS as i32,
            out_h: out[0] as i32,
            out_w: out[1] as i32,
            stride: stride as i32,
            pad_top: pad[0] as i32,
            pad_left: pad[1] as i32,
            along: i32::from(along),
            ring: i32::from(ring),
            input_zero_point: zero_point,
            saturates: 0,
            min: -128,
            max: 127,
        };
        let words: Vec<[u32; 3]> = weights
            .iter()
            .map(|w| {
                [0, 1, 2].map(|line| {
                    let tap = |i: usize| if along { w[3 * i + line] } else { w[3 * line + i] };
                    u32::from_le_bytes([0, 1, 1, 2].map(|i| tap(i) as u8))
                })
            })
            .collect();
        let channels: Vec<[i32; 4]> = weights
            .iter()
            .map(|w| {
                let sum: i32 = w.iter().map(|&w| i32::from(w)).sum();
                [-2 * zero_point * sum, MULTIPLIER, (5 << shift) + (1 << (shift - 1)), shift]
            })
            .collect();
        let mut want = Vec::new();
        for y in 0..out[0] {
            for x in 0..out[1] {
                for c in 0..CHANNELS {
                    let mut acc = 0;
                    for (tap, &w) in weights[c].iter().enumerate() {
                        let (iy, ix) = (y * stride + tap / 3, x * stride + tap % 3);
                        let (Some(iy), Some(ix)) = (iy.checked_sub(pad[0]), ix.checked_sub(pad[1])) else {
                            continue;
                        };
                        if iy < in_h && ix < in_w {
                            let value = input[(iy * in_w + ix) * CHANNELS + c];
                            acc += (i32::from(value) - zero_point) * i32::from(w);
                        }
                    }
                    want.push((mbqm(acc, MULTIPLIER, -shift) + 5).clamp(-128, 127) as i8);
                }
            }
        }
        let weights = words.as_chunks::<4>().0;
        let channels = channels.as_chunks::<4>().0;
        let mut scratch = vec![0; scratch_len(&p)];
        let mut output = vec![0; want.len()];
        let mut apart = Memory::Apart(&input, &mut output);
        depthwise(&p, weights, channels, &mut apart, &mut scratch).unwrap();
        prop_assert_eq!(&output, &want);
        if may_share(&p) {
            let mut bytes = input.clone();
            let (input, output) = (input.len(), want.len());
            let mut together = Memory::Together { bytes: &mut bytes, input, output };
            depthwise(&p, weights, channels, &mut together, &mut scratch).unwrap();
            prop_assert_eq!(&*together.output(), &*want);
        }
    }
}
