//! The routines in plain Rust against their twins, on random shapes and values.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// Weights of a layer with `channels` output channels (a multiple of 4) of `taps` (of 4) each.
pub(crate) fn pack(weights: &[i8], channels: usize, taps: usize) -> Vec<u32> {
    let at = |channel: usize, tap: usize| weights[channel * taps + tap];
    let half = |even: i8, odd: i8| {
        // -256 * 128 - 1 does not fit: such a layer is not packed.
        let even = if odd < 0 { even.max(-127) } else { even };
        (256 * i32::from(even) + i32::from(odd)) as u16
    };
    let mut words = Vec::new();
    for group in (0..channels).step_by(4) {
        for four in (0..taps).step_by(4) {
            for (i, j) in [(four, four + 2), (four + 1, four + 3)] {
                for c in [group, group + 2] {
                    let [low, high] = [i, j].map(|tap| half(at(c, tap), at(c + 1, tap)));
                    words.push(u32::from(low) | u32::from(high) << 16);
                }
            }
        }
    }
    words
}

pub(crate) fn byte() -> impl Strategy<Value = i8> {
    prop_oneof![8 => any::<i8>(), 1 => Just(-128i8), 1 => Just(127i8)]
}

fn bytes(len: usize) -> impl Strategy<Value = Vec<i8>> {
    let random = prop::collection::vec(byte(), len);
    prop_oneof![
        4 => random,
        1 => Just(std::vec![-128i8; len]),
        1 => Just(std::vec![127i8; len]),
    ]
}

pub(crate) fn channel() -> impl Strategy<Value = Channel> {
    (
        -200_000i32..200_000,
        1i32 << 30..=i32::MAX,
        -128i32..128,
        1i32..=22,
    )
        .prop_map(|(bias, multiplier, zero_point, shift)| {
            let constant = (zero_point << shift).wrapping_add(1 << (shift - 1));
            [2 * bias, multiplier, constant, shift]
        })
}

fn sign() -> impl Strategy<Value = Sign> {
    prop_oneof![Just(Sign::Matters), Just(Sign::Saturates)]
}

#[derive(Debug)]
struct Layer {
    rows: usize,
    words: usize,
    stride: usize,
    x: Vec<i8>,
    y: Vec<i8>,
    weights: Vec<u32>,
    channels: Vec<Channel>,
    sign: Sign,
}

impl Layer {
    fn windows(&self) -> [Window<'_>; 2] {
        [&self.x, &self.y].map(|bytes| Window {
            bytes,
            stride: self.stride,
        })
    }

    fn packed(&self) -> Packed<'_> {
        Packed {
            weights: &self.weights,
            channels: &self.channels,
            sign: self.sign,
        }
    }
}

fn layer() -> impl Strategy<Value = Layer> {
    (1usize..4, 1usize..12, 0usize..5, 1usize..4, sign()).prop_flat_map(
        |(rows, words, gap, groups, sign)| {
            let stride = 4 * words + gap;
            let (taps, channels) = (4 * words * rows, 4 * groups);
            let len = stride * rows;
            let parameters = prop::collection::vec(channel(), channels);
            (bytes(len), bytes(len), bytes(taps * channels), parameters).prop_map(
                move |(x, y, weights, parameters)| Layer {
                    rows,
                    words,
                    stride,
                    x,
                    y,
                    weights: pack(&weights, channels, taps),
                    channels: parameters,
                    sign,
                },
            )
        },
    )
}

/// Outputs of both windows.
macro_rules! gemm2 {
    ($kernels:ident, $layer:expr) => {{
        let layer: &Layer = $layer;
        let mut acts = std::vec![0; 4 * layer.rows * layer.words];
        $kernels::gather2(layer.windows(), layer.rows, layer.words, &mut acts);
        let mut outputs = [(); 2].map(|()| std::vec![0i8; layer.channels.len()]);
        let [x, y] = &mut outputs;
        $kernels::gemm2(&layer.packed(), &acts, [x, y]);
        outputs
    }};
}

macro_rules! gemv {
    ($kernels:ident, $layer:expr) => {{
        let layer: &Layer = $layer;
        let mut acts = std::vec![0; 2 * layer.rows * layer.words];
        let [window, _] = layer.windows();
        $kernels::gather1(window, layer.rows, layer.words, &mut acts);
        let mut output = std::vec![0i8; layer.channels.len()];
        $kernels::gemv(&layer.packed(), &acts, &mut output);
        output
    }};
}

/// Sums of the first group of channels.
macro_rules! gemv_sums {
    ($kernels:ident, $layer:expr) => {{
        let layer: &Layer = $layer;
        let mut acts = std::vec![0; 2 * layer.rows * layer.words];
        let [window, _] = layer.windows();
        $kernels::gather1(window, layer.rows, layer.words, &mut acts);
        let mut sums = [1, -2, 3, -4];
        $kernels::gemv_sums(&layer.weights[..2 * acts.len()], &acts, &mut sums);
        sums
    }};
}

macro_rules! gemm2_27 {
    ($kernels:ident, $layer:expr) => {{
        let layer: &Layer = $layer;
        let mut words = [0; TAPS_27];
        $kernels::gather2_27(layer.windows(), &mut words);
        let mut outputs = [(); 2].map(|()| std::vec![0i8; layer.channels.len()]);
        let [x, y] = &mut outputs;
        $kernels::gemm2(&layer.packed(), &words, [x, y]);
        outputs
    }};
}

macro_rules! gemv_27 {
    ($kernels:ident, $layer:expr) => {{
        let layer: &Layer = $layer;
        let mut words = [0; TAPS_27 / 2];
        let [window, _] = layer.windows();
        $kernels::gather1_27(window, &mut words);
        let mut output = std::vec![0i8; layer.channels.len()];
        $kernels::gemv(&layer.packed(), &words, &mut output);
        output
    }};
}

proptest! {
    #[test]
    fn two_windows(layer in layer()) {
        let twin = gemm2!(portable, &layer);
        prop_assert_eq!(&gemm2!(scalar, &layer), &twin);
        prop_assert_eq!(&gemm2!(lanes, &layer), &twin);
    }

    #[test]
    fn one_window(layer in layer()) {
        let twin = gemv!(portable, &layer);
        prop_assert_eq!(&gemv!(scalar, &layer), &twin);
        prop_assert_eq!(&gemv!(lanes, &layer), &twin);
        prop_assert_eq!(&gemv!(target, &layer), &twin);
        let twin = gemv_sums!(portable, &layer);
        prop_assert_eq!(gemv_sums!(scalar, &layer), twin);
        prop_assert_eq!(gemv_sums!(lanes, &layer), twin);
        prop_assert_eq!(gemv_sums!(target, &layer), twin);
    }

    #[test]
    fn windows_of_27(
        x in bytes(33),
        y in bytes(33),
        weights in bytes(28 * 8),
        channels in prop::collection::vec(channel(), 8),
        sign in sign(),
    ) {
        let mut weights = weights;
        // The last tap of each channel meets no value.
        weights.chunks_mut(28).for_each(|channel| channel[27] = 0);
        let layer = Layer {
            rows: 3, words: 3, stride: 12, x, y, weights: pack(&weights, 8, 28), channels, sign,
        };
        let twin = gemm2_27!(portable, &layer);
        prop_assert_eq!(&gemm2_27!(scalar, &layer), &twin);
        prop_assert_eq!(&gemm2_27!(lanes, &layer), &twin);
        let twin = gemv_27!(portable, &layer);
        prop_assert_eq!(&gemv_27!(scalar, &layer), &twin);
        prop_assert_eq!(&gemv_27!(lanes, &layer), &twin);
    }

    #[test]
    fn depthwise(
        (height, width, stride) in (3usize..7, 4usize..9, 1usize..=2),
        lead: bool,
        weights in bytes(36),
        input in bytes(7 * 9 * 5),
        channels in prop::array::uniform4(channel()),
        padding in byte(),
        sign in sign(),
    ) {
        let pixels = width;
        let padded = pixels + usize::from(lead) + 1;
        let outputs = (padded - 3) / stride + 1;
        prop_assume!(outputs >= 2);
        let steps = outputs.div_ceil(2);
        let words = if stride == 1 { steps + 1 } else { 2 * steps + 1 };
        prop_assume!(2 * words >= pixels + usize::from(lead));
        let count = (height - 3) / stride + 1;
        let lines = Lines {
            pixel: 5, pixels, lead, words, padding, line: 5 * width, plane: words * height,
        };
        let march = March {
            lines: [0, words, 2 * words], words, plane: words * height, stride, outputs, count,
            pixel: 4, line: 4 * outputs, sign,
        };
        let mut four = [[0; 3]; 4];
        for (i, w) in four.as_flattened_mut().iter_mut().enumerate() {
            let [a, b, c] = [0, 1, 2].map(|k| weights[3 * i + k]);
            *w = u32::from_le_bytes([a, b, b, c].map(|w| w as u8));
        }
        macro_rules! run {
            ($kernels:ident) => {{
                let mut planes = std::vec![0x5555_5555u32; 4 * words * height];
                $kernels::depthwise_3x3_lines(&lines, &input, height, &mut planes, 0);
                let mut record = [0; DEPTHWISE_3X3_RECORD];
                $kernels::depthwise_3x3_weights(&four, &channels, &mut record);
                let mut output = std::vec![0i8; 4 * outputs * count];
                $kernels::depthwise_3x3_march(&march, &planes, &record, &mut output);
                output
            }};
        }
        let twin = run!(portable);
        prop_assert_eq!(&run!(scalar), &twin);
        prop_assert_eq!(&run!(lanes), &twin);
    }
}
