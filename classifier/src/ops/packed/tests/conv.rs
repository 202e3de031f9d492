//! The driver of packed convolutions against the formula: windows inside and outside the input, padded copies of its lines,
//! single pixels in place, kernels of 3 x 3 x 3.

extern crate std;

use super::Random;
use crate::ops::packed::Memory;
use crate::ops::packed::conv::{Params, border_len, image};
use crate::requant::mbqm;
use otolith_dsp_arch::int8::layer::Memory as _;
use otolith_dsp_arch::int8::{Packed, Sign};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const MULTIPLIER: i32 = 1_300_000_000;
const SHIFT: i32 = 8;
const ZERO_POINT: i32 = 3;

/// The pairs of taps in a window's order, as `(row, byte of the row)`; `None` for a tap of weight 0.
fn order(rows: usize, row_bytes: usize, nine: bool) -> Vec<[Option<(usize, usize)>; 2]> {
    let mut order = Vec::new();
    for row in 0..rows {
        for four in (0..row_bytes / 4 * 4).step_by(4) {
            for first in [four, four + 1] {
                order.push([Some((row, first)), Some((row, first + 2))]);
            }
        }
    }
    if nine {
        order.push([Some((0, 8)), Some((1, 8))]);
        order.push([Some((2, 8)), None]);
    }
    order
}

proptest! {
    #[test]
    fn windows_give_the_formula(
        (size, [in_c, out_c], kernel, stride) in (
            [1usize..10, 1usize..10], [1usize..7, 1usize..11], [1usize..5, 1usize..5],
            [1usize..4, 1usize..4],
        ),
        [same, padded, nine, point] in any::<[bool; 4]>(),
        (zero_point, lines, seed) in (-128i32..128, 1i32..6, 1u32..u32::MAX),
    ) {
        let (kernel, in_c) = match (nine, point) {
            (true, _) => ([3, 3], 3),
            (_, true) => ([1, 1], in_c),
            _ => (kernel, in_c),
        };
        let nine = [kernel[0], kernel[1], in_c] == [3; 3];
        let stride = if point && !nine { [1, 1] } else { stride };
        let axis = |i: usize| {
            if same {
                let out = size[i].div_ceil(stride[i]);
                (out, ((out - 1) * stride[i] + kernel[i]).saturating_sub(size[i]) / 2)
            } else {
                (size[i].saturating_sub(kernel[i]) / stride[i] + 1, 0)
            }
        };
        prop_assume!(same || size[0] >= kernel[0] && size[1] >= kernel[1]);
        let ((out_h, pad_top), (out_w, pad_left)) = (axis(0), axis(1));
        let len = kernel[1] * in_c;
        let row_bytes = match nine {
            true => 9,
            false if kernel[0] == 1 => len.next_multiple_of(4).max(8),
            false => len.next_multiple_of(4),
        };
        let order = order(kernel[0], row_bytes, nine);
        prop_assume!(order.len() >= 4);
        let word = |x: usize| x as i32;
        let p = Params {
            batch: 1,
            in_h: word(size[0]),
            in_w: word(size[1]),
            in_c: word(in_c),
            out_h: word(out_h),
            out_w: word(out_w),
            out_c: word(out_c),
            kernel_h: word(kernel[0]),
            kernel_w: word(kernel[1]),
            stride_h: word(stride[0]),
            stride_w: word(stride[1]),
            pad_top: word(pad_top),
            pad_left: word(pad_left),
            row_bytes: word(row_bytes),
            nine: i32::from(nine),
            padded: if padded { lines } else { 0 },
            input_zero_point: zero_point,
            saturates: 0,
            min: -128,
            max: 127,
        };
        let mut random = Random(seed);
        let input: Vec<i8> = (0..size[0] * size[1] * in_c).map(|_| random.byte()).collect();
        let slots = out_c.next_multiple_of(4);
        let taps = kernel[0] * len;
        let weights: Vec<i32> = (0..slots * taps).map(|_| i32::from(random.byte()) * 3 / 4).collect();
        let weight = |c: usize, tap: Option<(usize, usize)>| match tap {
            Some((row, byte)) if byte < len => weights[c * taps + row * len + byte],
            _ => 0,
        };
        let mut words = Vec::new();
        for c in (0..slots).step_by(4) {
            for [i, j] in &order {
                for c in [c, c + 2] {
                    let lane = |tap| (256 * weight(c, tap) + weight(c + 1, tap)) as u16;
                    words.push(u32::from(lane(*i)) | u32::from(lane(*j)) << 16);
                }
            }
        }
        let channels: Vec<[i32; 4]> = (0..slots)
            .map(|c| {
                let sum: i32 = weights[c * taps..(c + 1) * taps].iter().sum();
                let constant = (ZERO_POINT << SHIFT) + (1 << (SHIFT - 1));
                [-2 * zero_point * sum, MULTIPLIER, constant, SHIFT]
            })
            .collect();
        let packed = Packed { weights: &words, channels: &channels, sign: Sign::Matters };

        let mut want = Vec::new();
        for at in 0..out_h * out_w {
            for c in 0..out_c {
                let mut acc = 0;
                for (tap, &w) in weights[c * taps..(c + 1) * taps].iter().enumerate() {
                    let (row, byte) = (tap / len, tap % len);
                    let y = (at / out_w * stride[0] + row).checked_sub(pad_top);
                    let x = (at % out_w * stride[1] + byte / in_c).checked_sub(pad_left);
                    if let (Some(y), Some(x)) = (y, x)
                        && y < size[0]
                        && x < size[1]
                    {
                        let value = input[(y * size[1] + x) * in_c + byte % in_c];
                        acc += (i32::from(value) - zero_point) * w;
                    }
                }
                let y = mbqm(acc, MULTIPLIER, -SHIFT) + ZERO_POINT;
                want.push(y.clamp(-128, 127) as i8);
            }
        }
        let single = [out_h, out_w] == [1; 2] && !nine;
        let mut acts = vec![0; if single { order.len() } else { 2 * order.len() }];
        let mut border = vec![0; border_len(&p).unwrap()];
        let mut output = vec![0; want.len()];
        let mut apart = Memory::Apart(&input, &mut output);
        image(&p, &packed, 0, &mut apart, &mut acts, &mut border).unwrap();
        prop_assert_eq!(&output, &want);
        if p.is_pointwise() && !padded {
            let (input_len, output_len) = (input.len(), want.len());
            let mut bytes = input.clone();
            bytes.resize(input_len.max(output_len), 0);
            let mut together = Memory::Together {
                bytes: &mut bytes,
                input: input_len,
                output: output_len,
            };
            image(&p, &packed, 0, &mut together, &mut acts, &mut border).unwrap();
            prop_assert_eq!(&*together.output(), &*want);
        }
    }
}
