//! Whole layers against windows that are gathered one by one, and against plain sums.

use crate::int8::layer::{self, Conv, Depthwise3x3, Memory};
use crate::int8::tests::{byte, channel, pack};
use crate::int8::{Channel, Packed, Sign, TAPS_27, Taps, Window, portable};
use proptest::prelude::*;
use std::vec::Vec;

/// Input and output in one buffer or in two.
struct Buffers {
    together: bool,
    input: Vec<i8>,
    output: Vec<i8>,
    input_len: usize,
    output_len: usize,
}

impl Buffers {
    fn new(input: &[i8], output_len: usize, together: bool) -> Self {
        let mut shared = input.to_vec();
        shared.resize(input.len().max(output_len), 55);
        Self {
            together,
            input: if together { Vec::new() } else { input.to_vec() },
            output: if together {
                shared
            } else {
                std::vec![55; output_len]
            },
            input_len: input.len(),
            output_len,
        }
    }
}

impl Memory for Buffers {
    fn input(&self) -> &[i8] {
        let from = if self.together {
            &self.output
        } else {
            &self.input
        };
        &from[..self.input_len]
    }

    fn output(&mut self) -> &mut [i8] {
        &mut self.output[..self.output_len]
    }
}

/// The layer by windows with padding, one at a time.
fn by_windows(conv: &Conv<'_>, input: &[i8]) -> Vec<i8> {
    let [in_h, in_w, in_c] = conv.input;
    let [out_h, out_w, out_c] = conv.output;
    let [kernel_h, kernel_w] = conv.kernel;
    let row_bytes = conv.row_bytes;
    let mut output = Vec::new();
    for pixel in 0..out_h * out_w {
        let (oy, ox) = (pixel / out_w, pixel % out_w);
        let mut patch = std::vec![conv.padding; kernel_h * row_bytes + 8];
        for ky in 0..kernel_h {
            for kx in 0..kernel_w {
                let y = (oy * conv.stride[0] + ky).wrapping_sub(conv.pad[0]);
                let x = (ox * conv.stride[1] + kx).wrapping_sub(conv.pad[1]);
                if y < in_h && x < in_w {
                    let from = &input[(y * in_w + x) * in_c..][..in_c];
                    patch[ky * row_bytes + kx * in_c..][..in_c].copy_from_slice(from);
                }
            }
        }
        let window = Window {
            bytes: &patch,
            stride: row_bytes,
        };
        let mut acts = std::vec![0; kernel_h * row_bytes];
        if conv.nine {
            acts.resize(TAPS_27, 0);
            portable::gather2_27([window; 2], acts.first_chunk_mut().unwrap());
        } else {
            portable::gather2([window; 2], kernel_h, row_bytes / 4, &mut acts);
        }
        let mut out = [(); 2].map(|()| std::vec![0i8; conv.packed.channels.len()]);
        let [a, b] = &mut out;
        if out_h * out_w == 1 {
            let acts: Vec<u32> = acts.chunks(2).map(|both| both[0]).collect();
            portable::gemv(&conv.packed, &acts, a);
        } else {
            portable::gemm2(&conv.packed, &acts, [a, b]);
        }
        output.extend_from_slice(&a[..out_c]);
    }
    output
}

/// Taps that meet no value have weights of 0.
fn without(mut weights: Vec<i8>, taps: usize, zero: impl Fn(usize) -> bool) -> Vec<i8> {
    for (i, w) in weights.iter_mut().enumerate() {
        if zero(i % taps) {
            *w = 0;
        }
    }
    weights
}

#[derive(Debug)]
struct Case {
    shape: Conv<'static>,
    input: Vec<i8>,
    weights: Vec<u32>,
    channels: Vec<Channel>,
    sign: Sign,
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (1usize..8, 1usize..9, 1usize..20, 1usize..40);
    let kernel = prop_oneof![Just([1, 1]), [1usize..4, 1usize..4]];
    let more = (
        [1usize..3, 1usize..3],
        [0usize..2, 0usize..2],
        any::<bool>(),
        any::<bool>(),
    );
    (sizes, kernel, more, byte()).prop_flat_map(
        |((out_h, out_w, in_c, out_c), kernel, (stride, pad, nine, matters), padding)| {
            let (kernel, in_c) = if nine { ([3, 3], 3) } else { (kernel, in_c) };
            let pad = [pad[0].min(kernel[0] - 1), pad[1].min(kernel[1] - 1)];
            let axis = |i: usize, out: usize| (out - 1) * stride[i] + kernel[i];
            let (in_h, in_w) = (
                (axis(0, out_h) - pad[0]).max(1),
                (axis(1, out_w) - pad[1]).saturating_sub(1).max(1),
            );
            let row_bytes = match nine {
                true => 9,
                false => (kernel[1] * in_c).next_multiple_of(4),
            };
            let taps = if nine { TAPS_27 } else { kernel[0] * row_bytes };
            let slots = out_c.next_multiple_of(4);
            let sign = if matters {
                Sign::Matters
            } else {
                Sign::Saturates
            };
            let parts = (
                prop::collection::vec(byte(), in_h * in_w * in_c),
                prop::collection::vec(byte(), taps * slots),
                prop::collection::vec(channel(), slots),
            );
            let row = kernel[1] * in_c;
            let zero = move |tap: usize| match nine {
                true => tap == 27,
                false => tap % row_bytes >= row,
            };
            parts.prop_map(move |(input, weights, channels)| Case {
                shape: Conv {
                    packed: Packed {
                        weights: &[],
                        channels: &[],
                        sign,
                    },
                    input: [in_h, in_w, in_c],
                    output: [out_h, out_w, out_c],
                    kernel,
                    stride,
                    pad,
                    row_bytes,
                    nine,
                    padding,
                },
                input,
                weights: pack(&without(weights, taps, zero), slots, taps),
                channels,
                sign,
            })
        },
    )
}

proptest! {
    #[test]
    fn convolution(case in case()) {
        let packed = Packed { weights: &case.weights, channels: &case.channels, sign: case.sign };
        let conv = Conv { packed, ..case.shape };
        let [out_h, out_w, out_c] = conv.output;
        let [in_h, in_w, in_c] = conv.input;
        let twin = by_windows(&conv, &case.input);
        let mut memory = Buffers::new(&case.input, twin.len(), false);
        let done = layer::conv(&conv, 0, &mut memory);
        if super::available() {
            prop_assert_eq!(done, Some(()));
            prop_assert_eq!(memory.output(), &twin);
        }
        let pointwise = conv.kernel == [1, 1] && conv.stride == [1, 1];
        if pointwise && [in_h, in_w] == [out_h, out_w] && in_c > 0 && out_c > 0 {
            let mut memory = Buffers::new(&case.input, twin.len(), true);
            if layer::conv(&conv, 0, &mut memory).is_some() {
                prop_assert_eq!(memory.output(), &twin);
            }
        }
    }
}

/// Compares a layer of random numbers with its windows one by one, apart and, where that is allowed, in
/// place. The kernel is a square, padded so that input and output have the same sides.
fn compare(
    side: usize,
    kernel: usize,
    [in_c, out_c]: [usize; 2],
    padding: i8,
    seed: u64,
) -> Result<(), TestCaseError> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as i32
    };
    let (slots, row) = (out_c.next_multiple_of(4), kernel * in_c);
    let row_bytes = row.next_multiple_of(4);
    let taps = kernel * row_bytes;
    let input: Vec<i8> = (0..side * side * in_c).map(|_| next() as i8).collect();
    let weights = (0..taps * slots).map(|_| (next() as i8).max(-127));
    let weights = without(weights.collect(), taps, |tap| tap % row_bytes >= row);
    let weights = pack(&weights, slots, taps);
    let channels: Vec<Channel> = (0..slots)
        .map(|_| [next() >> 12, 1 << 30 | next() >> 2, 1 << 9, 10])
        .collect();
    let conv = Conv {
        packed: Packed {
            weights: &weights,
            channels: &channels,
            sign: Sign::Matters,
        },
        input: [side, side, in_c],
        output: [side, side, out_c],
        kernel: [kernel; 2],
        stride: [1; 2],
        pad: [kernel / 2; 2],
        row_bytes,
        nine: false,
        padding,
    };
    let twin = by_windows(&conv, &input);
    let ways: &[bool] = if kernel == 1 {
        &[false, true]
    } else {
        &[false]
    };
    for &together in ways {
        let mut memory = Buffers::new(&input, twin.len(), together);
        let done = layer::conv(&conv, 0, &mut memory);
        if super::available() {
            prop_assert_eq!(done, Some(()));
            prop_assert_eq!(memory.output(), &twin);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn large_layers_take_several_tiles(
        sizes in [60usize..80, 1usize..40], padding in byte(), seed: u64,
    ) {
        compare(20, 1, sizes, padding, seed)?;
    }

    /// Some are widened as a whole, some are too large for that.
    #[test]
    fn large_layers_with_padding(
        (fours, out_c) in (15usize..19, 1usize..20), padding in byte(), seed: u64,
    ) {
        compare(20, 3, [4 * fours, out_c], padding, seed)?;
    }

    #[test]
    fn single_windows(sizes in [8usize..2305, 1usize..70], padding in byte(), seed: u64) {
        compare(1, 1, sizes, padding, seed)?;
    }
}

proptest! {
    #[test]
    fn taps_of_any_kernel(
        (pairs, step, output_step) in (1usize..20, 1usize..9, 4usize..9),
        offsets in prop::collection::vec(0u32..60, 38),
        weights in prop::collection::vec([byte(), byte()], 76),
        input in prop::collection::vec(byte(), 60 + 4 + 8 * 8),
        channels in prop::array::uniform4(channel()),
        count in 1usize..9,
    ) {
        let halves = |pair: &[i8; 2]| pair.map(|w| u32::from(i16::from(w) as u16));
        let weights: Vec<u32> = weights.iter().map(halves).map(|[t, u]| t | u << 16).collect();
        let taps = Taps {
            offsets: &offsets[..2 * pairs], weights: &weights[..4 * pairs], channels: &channels,
            step, output_step,
        };
        let mut found = std::vec![99; 9 * 8];
        let mut twin = found.clone();
        let done = crate::int8::depthwise_taps(&taps, &input, count, &mut found);
        prop_assert_eq!(done, Some(()));
        portable::depthwise_taps(&taps, &input, count, &mut twin);
        prop_assert_eq!(found, twin);
    }

    #[test]
    fn sums_of_channels(
        input in prop::collection::vec(byte(), 8 + 254 * 9),
        step in 0usize..10,
        pixels in 1usize..256,
    ) {
        let found = crate::int8::sums(&input, step, pixels);
        prop_assert_eq!(found, Some(portable::sums(&input, step, pixels)));
    }
}

proptest! {
    #[test]
    fn depthwise(
        (in_h, in_w, groups) in (1usize..7, 1usize..9, 1usize..7),
        (stride, pad, transposed) in (1usize..3, [0usize..2, 0usize..2], any::<bool>()),
        bytes in prop::collection::vec(byte(), 6 * 8 * 24 + 36 * 6),
        channels in prop::collection::vec(channel(), 24),
        padding in byte(),
        matters: bool,
    ) {
        let n = 4 * groups;
        let [out_h, out_w] = [0, 1].map(|i| {
            let input = [in_h, in_w][i] + pad[i];
            input.saturating_sub(2).max(1).div_ceil(stride)
        });
        let (input, rest) = bytes.split_at(in_h * in_w * n);
        let weight = |channel: usize, tap: usize| rest[9 * channel + tap];
        let sign = if matters { Sign::Matters } else { Sign::Saturates };
        let mut packed = std::vec![[[0u32; 3]; 4]; groups];
        for (channel, lines) in packed.as_flattened_mut().iter_mut().enumerate() {
            for (i, line) in lines.iter_mut().enumerate() {
                let tap = |j: usize| if transposed { 3 * j + i } else { 3 * i + j };
                let [a, b, c] = [0, 1, 2].map(|j| weight(channel, tap(j)) as u8);
                *line = u32::from_le_bytes([a, b, b, c]);
            }
        }
        let channels = &channels.as_chunks::<4>().0[..groups];
        let layer = Depthwise3x3 {
            weights: &packed, channels, transposed, input: [in_h, in_w], output: [out_h, out_w],
            stride, pad, padding, sign,
        };
        let mut expected = Vec::new();
        for (oy, ox) in (0..out_h).flat_map(|oy| (0..out_w).map(move |ox| (oy, ox))) {
            for (c, parameters) in channels.as_flattened().iter().enumerate() {
                let mut acc = parameters[0];
                for tap in 0..9 {
                    let y = (oy * stride + tap / 3).wrapping_sub(pad[0]);
                    let x = (ox * stride + tap % 3).wrapping_sub(pad[1]);
                    let inside = y < in_h && x < in_w;
                    let value = if inside { input[(y * in_w + x) * n + c] } else { padding };
                    acc += 2 * i32::from(value) * i32::from(weight(c, tap));
                }
                expected.push(portable::requantise(acc, parameters, sign));
            }
        }
        for together in [false, true] {
            let mut memory = Buffers::new(input, expected.len(), together);
            let done = layer::depthwise_3x3(&layer, &mut memory);
            if super::available() {
                prop_assert_eq!(done, Some(()));
                prop_assert_eq!(memory.output(), &expected);
            }
        }
    }
}
