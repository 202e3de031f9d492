//! Every kernel against its textbook formula in 64-bit integers, on random shapes, through a
//! step of a plan: the law of each operator, stated a second time and differently.

use otolith_classifier::ALL;
use otolith_classifier::ops::{add, conv, decide, depthwise, fully_connected, mean, pool, softmax};
use otolith_classifier::requant::mbqm;
use otolith_dsp_core::plan_builder::{PlanBuilder, PlanBytes};
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_dsp_nostd::{Event, Op, Plan, PlanError, Runner};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// An operand of the operator under test, in its order.
enum Part<'a> {
    Source(usize),
    I8(&'a [i8]),
    I32(&'a [i32]),
    ScratchI16(usize),
    Output(usize),
}

fn plan_of(op: &'static Op, parts: &[Part<'_>], params: &[u32]) -> PlanBytes {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let mut output = None;
    let operands: Vec<_> = parts
        .iter()
        .map(|part| match *part {
            Part::Source(n) => plan.source(Elem::I8, n, n, 0),
            Part::I8(values) => plan.table("table", &[values.len()], values),
            Part::I32(values) => plan.table("table", &[values.len()], values),
            Part::ScratchI16(n) => plan.tensor("scratch", Elem::I16, &[n]),
            Part::Output(n) => {
                let id = plan.tensor("output", Elem::I8, &[n]);
                output = Some((id, n));
                id
            }
        })
        .collect();
    plan.step(Section::Decision, op, "step", &operands, params);
    let (id, n) = output.expect("an output");
    plan.features(id, &[n]);
    plan.finish().unwrap()
}

/// Runs one operator on `input`, in an arena full of garbage.
fn run(
    op: &'static Op,
    parts: &[Part<'_>],
    params: &[u32],
    input: &[i8],
) -> Result<Vec<i8>, PlanError> {
    let bytes = plan_of(op, parts, params);
    let plan = Plan::from_bytes(&bytes, ALL)?;
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let pushed = runner.push_i8(input).unwrap();
    assert_eq!(pushed.event, Some(Event::Features));
    Ok(runner.features::<i8>().unwrap().to_vec())
}

/// Draws of a strategy whose size depends on other draws.
struct Draws(TestRunner);

impl Draws {
    fn new(seed: u64) -> Self {
        let bytes: Vec<u8> = (0..4).flat_map(|i| (seed ^ i).to_le_bytes()).collect();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self(TestRunner::new_with_rng(ProptestConfig::default(), rng))
    }

    fn draw<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

/// All index tuples of `dims` in C order.
fn indices<const N: usize>(dims: [i32; N]) -> impl Iterator<Item = [i32; N]> {
    let n: i32 = dims.iter().product();
    (0..n).map(move |flat| {
        let mut rest = flat;
        let mut at = [0; N];
        for i in (0..N).rev() {
            at[i] = rest % dims[i];
            rest /= dims[i];
        }
        at
    })
}

/// The reference's requantisation, from the formulas of `requant`.
fn requantise(sum: i64, q: i32, shift: i8, zero_point: i32, (min, max): (i32, i32)) -> i8 {
    let y = i64::from(mbqm(sum as i32, q, i32::from(shift))) + i64::from(zero_point);
    y.clamp(i64::from(min), i64::from(max)) as i8
}

fn int8s(n: usize) -> impl Strategy<Value = Vec<i8>> {
    // Half of the draws at the limits, where accumulators and clamps are stressed.
    let value = prop_oneof![any::<i8>(), Just(i8::MIN), Just(i8::MAX)];
    prop::collection::vec(value, n)
}

/// Bias, multiplier and shift for `n` channels.
fn channels(n: usize) -> impl Strategy<Value = (Vec<i32>, Vec<i32>, Vec<i8>)> {
    (
        prop::collection::vec(-100_000i32..100_000, n),
        prop::collection::vec(1 << 30..=i32::MAX, n),
        prop::collection::vec(-16i8..=1, n),
    )
}

fn clamp() -> impl Strategy<Value = (i32, i32)> {
    prop_oneof![Just((-128, 127)), (-128i32..0, 0i32..128)]
}

/// A window along one axis: input, kernel, stride, dilation, pad, output.
#[derive(Clone, Copy, Debug)]
struct Along {
    input: i32,
    kernel: i32,
    stride: i32,
    dilation: i32,
    pad: i32,
    output: i32,
}

fn along(max_dilation: i32) -> impl Strategy<Value = Along> {
    (1i32..9, 1i32..5, 1i32..4, 1..=max_dilation, any::<bool>()).prop_map(
        |(input, kernel, stride, dilation, same)| {
            let reach = (kernel - 1) * dilation + 1;
            if same || reach > input {
                let output = (input + stride - 1) / stride;
                let pad = ((output - 1) * stride + reach - input).max(0) / 2;
                Along {
                    input,
                    kernel,
                    stride,
                    dilation,
                    pad,
                    output,
                }
            } else {
                let output = (input - reach) / stride + 1;
                Along {
                    input,
                    kernel,
                    stride,
                    dilation,
                    pad: 0,
                    output,
                }
            }
        },
    )
}

impl Along {
    fn at(&self, out: i32, tap: i32) -> Option<usize> {
        let at = out * self.stride - self.pad + tap * self.dilation;
        (0..self.input).contains(&at).then_some(at as usize)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn conv_2d_is_its_formula(
        (y, x, batch, groups, group_in, group_out, windows) in
            (along(3), along(3), 1i32..3, 1i32..4, 1i32..6, 1i32..7, 1usize..9),
        input_zero_point in -128i32..128,
        output_zero_point in -128i32..128,
        (min, max) in clamp(),
        seed in any::<u64>(),
    ) {
        let (in_c, out_c) = (groups * group_in, groups * group_out);
        let n_in = (batch * y.input * x.input * in_c) as usize;
        let window = (y.kernel * x.kernel * group_in) as usize;
        let mut draws = Draws::new(seed);
        let input = draws.draw(int8s(n_in));
        let weights = draws.draw(int8s(out_c as usize * window));
        let (bias, q, shifts) = draws.draw(channels(out_c as usize));
        let p = conv::Params {
            batch, in_h: y.input, in_w: x.input, in_c, out_h: y.output, out_w: x.output, out_c,
            kernel_h: y.kernel, kernel_w: x.kernel, stride_h: y.stride, stride_w: x.stride,
            dilation_h: y.dilation, dilation_w: x.dilation, pad_top: y.pad, pad_left: x.pad,
            groups, input_zero_point, output_zero_point, min, max,
        };
        let mut want = Vec::new();
        for [b, oy, ox, o] in indices([batch, y.output, x.output, out_c]) {
            let mut sum = i64::from(bias[o as usize]);
            let group = o / group_out;
            for [ky, kx, i] in indices([y.kernel, x.kernel, group_in]) {
                let (Some(iy), Some(ix)) = (y.at(oy, ky), x.at(ox, kx)) else { continue };
                let c = (group * group_in + i) as usize;
                let at = ((b as usize * y.input as usize + iy) * x.input as usize + ix)
                    * in_c as usize + c;
                let w = ((o * y.kernel + ky) * x.kernel + kx) * group_in + i;
                sum += (i64::from(input[at]) - i64::from(input_zero_point))
                    * i64::from(weights[w as usize]);
            }
            let o = o as usize;
            want.push(requantise(sum, q[o], shifts[o], output_zero_point, (min, max)));
        }
        let parts = [
            Part::Source(n_in), Part::I8(&weights), Part::I32(&bias), Part::I32(&q),
            Part::I8(&shifts), Part::ScratchI16(windows * window), Part::Output(want.len()),
        ];
        prop_assert_eq!(run(&conv::CONV_2D_I8, &parts, &p.encode(), &input).unwrap(), want);
    }

    #[test]
    fn depthwise_conv_2d_is_its_formula(
        (y, x, batch, in_c, multiplier) in (along(3), along(3), 1i32..3, 1i32..40, 1i32..4),
        input_zero_point in -128i32..128,
        output_zero_point in -128i32..128,
        (min, max) in clamp(),
        seed in any::<u64>(),
    ) {
        let out_c = in_c * multiplier;
        let n_in = (batch * y.input * x.input * in_c) as usize;
        let mut draws = Draws::new(seed);
        let input = draws.draw(int8s(n_in));
        let weights = draws.draw(int8s((y.kernel * x.kernel * out_c) as usize));
        let (bias, q, shifts) = draws.draw(channels(out_c as usize));
        let p = depthwise::Params {
            batch, in_h: y.input, in_w: x.input, in_c, out_h: y.output, out_w: x.output,
            multiplier, kernel_h: y.kernel, kernel_w: x.kernel, stride_h: y.stride,
            stride_w: x.stride, dilation_h: y.dilation, dilation_w: x.dilation, pad_top: y.pad,
            pad_left: x.pad, input_zero_point, output_zero_point, min, max,
        };
        let mut want = Vec::new();
        for [b, oy, ox, o] in indices([batch, y.output, x.output, out_c]) {
            let mut sum = i64::from(bias[o as usize]);
            for [ky, kx, _] in indices([y.kernel, x.kernel, 1]) {
                let (Some(iy), Some(ix)) = (y.at(oy, ky), x.at(ox, kx)) else { continue };
                let at = ((b as usize * y.input as usize + iy) * x.input as usize + ix)
                    * in_c as usize + (o / multiplier) as usize;
                let w = (ky * x.kernel + kx) * out_c + o;
                sum += (i64::from(input[at]) - i64::from(input_zero_point))
                    * i64::from(weights[w as usize]);
            }
            let o = o as usize;
            want.push(requantise(sum, q[o], shifts[o], output_zero_point, (min, max)));
        }
        let parts = [
            Part::Source(n_in), Part::I8(&weights), Part::I32(&bias), Part::I32(&q),
            Part::I8(&shifts), Part::Output(want.len()),
        ];
        let op = &depthwise::DEPTHWISE_CONV_2D_I8;
        prop_assert_eq!(run(op, &parts, &p.encode(), &input).unwrap(), want);
    }

    #[test]
    fn fully_connected_is_its_formula(
        (rows, n_in, n_out, per_channel) in (1i32..4, 1i32..70, 1i32..40, any::<bool>()),
        input_zero_point in -128i32..128,
        weights_zero_point in -128i32..128,
        output_zero_point in -128i32..128,
        (min, max) in clamp(),
        seed in any::<u64>(),
    ) {
        let mut draws = Draws::new(seed);
        let input = draws.draw(int8s((rows * n_in) as usize));
        let weights = draws.draw(int8s((n_out * n_in) as usize));
        let (bias, mut q, mut shifts) = draws.draw(channels(n_out as usize));
        if !per_channel {
            q.truncate(1);
            shifts.truncate(1);
        }
        let p = fully_connected::Params {
            rows, n_in, n_out, input_zero_point, weights_zero_point, output_zero_point, min, max,
        };
        let mut want = Vec::new();
        for [row, o, _] in indices([rows, n_out, 1]) {
            let sum: i64 = (0..n_in).map(|i| {
                (i64::from(input[(row * n_in + i) as usize]) - i64::from(input_zero_point))
                    * (i64::from(weights[(o * n_in + i) as usize]) - i64::from(weights_zero_point))
            }).sum();
            let c = if per_channel { o as usize } else { 0 };
            let sum = sum + i64::from(bias[o as usize]);
            want.push(requantise(sum, q[c], shifts[c], output_zero_point, (min, max)));
        }
        let parts = [
            Part::Source(input.len()), Part::I8(&weights), Part::I32(&bias), Part::I32(&q),
            Part::I8(&shifts), Part::Output(want.len()),
        ];
        let op = &fully_connected::FULLY_CONNECTED_I8;
        prop_assert_eq!(run(op, &parts, &p.encode(), &input).unwrap(), want);
    }

    #[test]
    fn pools_are_their_formulas(
        (y, x, batch, channels) in (along(1), along(1), 1i32..3, 1i32..40),
        (min, max) in clamp(),
        seed in any::<u64>(),
    ) {
        let n_in = (batch * y.input * x.input * channels) as usize;
        let input = Draws::new(seed).draw(int8s(n_in));
        let p = pool::Params {
            batch, in_h: y.input, in_w: x.input, channels, out_h: y.output, out_w: x.output,
            kernel_h: y.kernel, kernel_w: x.kernel, stride_h: y.stride, stride_w: x.stride,
            pad_top: y.pad, pad_left: x.pad, min, max,
        };
        let (mut averages, mut maxima) = (Vec::new(), Vec::new());
        for [b, oy, ox, c] in indices([batch, y.output, x.output, channels]) {
            let mut seen = Vec::new();
            for [ky, kx, _] in indices([y.kernel, x.kernel, 1]) {
                let (Some(iy), Some(ix)) = (y.at(oy, ky), x.at(ox, kx)) else { continue };
                let at = ((b as usize * y.input as usize + iy) * x.input as usize + ix)
                    * channels as usize + c as usize;
                seen.push(i64::from(input[at]));
            }
            let (sum, n) = (seen.iter().sum::<i64>(), seen.len() as i64);
            // Nearest, ties away from zero.
            let magnitude = (2 * sum.abs() + n) / (2 * n);
            let average = if sum < 0 { -magnitude } else { magnitude };
            averages.push(average.clamp(i64::from(min), i64::from(max)) as i8);
            let largest = *seen.iter().max().unwrap();
            maxima.push(largest.clamp(i64::from(min), i64::from(max)) as i8);
        }
        let parts = [Part::Source(n_in), Part::Output(averages.len())];
        let got = run(&pool::AVERAGE_POOL_2D_I8, &parts, &p.encode(), &input).unwrap();
        prop_assert_eq!(got, averages);
        let got = run(&pool::MAX_POOL_2D_I8, &parts, &p.encode(), &input).unwrap();
        prop_assert_eq!(got, maxima);
    }

    #[test]
    fn add_is_its_formula_with_any_broadcast(
        dims in prop::array::uniform5(1i32..4),
        keep in prop::array::uniform5(any::<bool>()),
        zeros in prop::array::uniform3(-128i32..128),
        factors in prop::array::uniform3(1 << 30..=i32::MAX),
        shifts in (-8i32..=0, -8i32..=0, -20i32..=-12),
        (min, max) in clamp(),
        seed in any::<u64>(),
    ) {
        // b is broadcast along the axes that it does not keep.
        let strides = |keep: [bool; 5]| {
            let mut stride = 1;
            let mut out = [0; 5];
            for i in (0..5).rev() {
                if keep[i] && dims[i] > 1 {
                    out[i] = stride;
                    stride *= dims[i];
                }
            }
            (out, stride as usize)
        };
        let ((a_strides, n), (b_strides, n_b)) = (strides([true; 5]), strides(keep));
        let mut draws = Draws::new(seed);
        let (a, b) = (draws.draw(int8s(n)), draws.draw(int8s(n_b)));
        let p = add::Params {
            d0: dims[0], d1: dims[1], d2: dims[2], d3: dims[3], d4: dims[4],
            a0: a_strides[0], a1: a_strides[1], a2: a_strides[2], a3: a_strides[3],
            a4: a_strides[4],
            b0: b_strides[0], b1: b_strides[1], b2: b_strides[2], b3: b_strides[3],
            b4: b_strides[4],
            a_zero_point: zeros[0], a_multiplier: factors[0], a_shift: shifts.0,
            b_zero_point: zeros[1], b_multiplier: factors[1], b_shift: shifts.1,
            output_multiplier: factors[2], output_shift: shifts.2, output_zero_point: zeros[2],
            min, max,
        };
        let mut want = Vec::new();
        for (i, at) in indices(dims).enumerate() {
            let b_at: i32 = at.iter().zip(b_strides).map(|(i, s)| i * s).sum();
            let scale = |x: i8, z: i32, q: i32, s: i32| {
                mbqm((i32::from(x) - z) * (1 << add::LEFT_SHIFT), q, s)
            };
            let sum = i64::from(scale(a[i], zeros[0], factors[0], shifts.0))
                + i64::from(scale(b[b_at as usize], zeros[1], factors[1], shifts.1));
            want.push(requantise(sum, factors[2], shifts.2 as i8, zeros[2], (min, max)));
        }
        let parts = [Part::Source(n), Part::I8(&b), Part::Output(n)];
        prop_assert_eq!(run(&add::ADD_I8, &parts, &p.encode(), &a).unwrap(), want);
    }

    #[test]
    fn mean_is_its_formula(
        dims in prop::array::uniform5(1i32..5),
        input_zero_point in -128i32..128,
        output_zero_point in -128i32..128,
        multiplier in 1 << 29..=i32::MAX,
        shift in -10i32..=0,
        seed in any::<u64>(),
    ) {
        // Axes 1 and 3 are reduced.
        let [d0, d1, d2, d3, d4] = dims;
        let n: i32 = dims.iter().product();
        let input = Draws::new(seed).draw(int8s(n as usize));
        let p = mean::Params {
            keep0: d0, keep1: d2, keep2: d4,
            keep0_stride: d1 * d2 * d3 * d4, keep1_stride: d3 * d4, keep2_stride: 1,
            reduce0: 1, reduce1: d1, reduce2: d3,
            reduce0_stride: 1, reduce1_stride: d2 * d3 * d4, reduce2_stride: d4,
            input_zero_point, output_zero_point, multiplier, shift,
        };
        let mut want = Vec::new();
        for [i0, i2, i4] in indices([d0, d2, d4]) {
            let mut sum = 0i64;
            for [i1, i3, _] in indices([d1, d3, 1]) {
                let at = (((i0 * d1 + i1) * d2 + i2) * d3 + i3) * d4 + i4;
                sum += i64::from(input[at as usize]) - i64::from(input_zero_point);
            }
            let limits = (-128, 127);
            want.push(requantise(sum, multiplier, shift as i8, output_zero_point, limits));
        }
        let parts = [Part::Source(n as usize), Part::Output(want.len())];
        prop_assert_eq!(run(&mean::MEAN_I8, &parts, &p.encode(), &input).unwrap(), want);
    }

    #[test]
    fn softmax_is_within_one_unit_of_the_real_one(
        (rows, n) in (1usize..4, 1usize..40),
        scale_bits in 0i32..9,
        seed in any::<u64>(),
    ) {
        // The scale 2^-scale_bits as QuantizeMultiplier gives it for scale * 2^26.
        let shift = 27 - scale_bits;
        let input = Draws::new(seed).draw(int8s(rows * n));
        let p = softmax::Params {
            rows: rows as i32, n: n as i32, multiplier: 1 << 30, shift,
            diff_min: -((31i64 << 26) >> shift).min(255) as i32,
        };
        let parts = [Part::Source(rows * n), Part::Output(rows * n)];
        let got = run(&softmax::SOFTMAX_I8, &parts, &p.encode(), &input).unwrap();
        let scale = 1.0 / f64::from(1 << scale_bits);
        for (x, y) in input.chunks(n).zip(got.chunks(n)) {
            let max = f64::from(*x.iter().max().unwrap());
            let e: Vec<f64> = x.iter().map(|&x| libm::exp((f64::from(x) - max) * scale)).collect();
            let sum: f64 = e.iter().sum();
            for (e, &y) in e.iter().zip(y) {
                let real = (256.0 * e / sum - 128.0).min(127.0);
                prop_assert!((f64::from(y) - real).abs() <= 1.0, "{y} for {real}");
            }
        }
    }
}

/// Labels decided for, tick by tick, by the law of `DECIDE_I8` written in 64-bit integers.
fn decide_by_law(p: &decide::Params, fires: &[i8], ticks: &[Vec<i8>]) -> Vec<(i32, i32)> {
    let mut silent_until = 0;
    let mut out = Vec::new();
    for t in 0..ticks.len() {
        let first = (t + 1).saturating_sub(p.average as usize);
        let k = (t + 1 - first) as i64;
        let averages: Vec<i64> = (0..fires.len())
            .map(|label| {
                let history = ticks[first..=t].iter();
                let sum: i64 = history
                    .map(|q| i64::from(q[label]) - i64::from(p.zero_point))
                    .sum();
                let total = i64::from(mbqm(sum as i32, p.multiplier, p.shift));
                let magnitude = (2 * total.abs() + k) / (2 * k);
                (magnitude * total.signum()).clamp(0, 32768)
            })
            .collect();
        let best = *averages.iter().max().unwrap();
        let label = averages.iter().position(|&a| a == best).unwrap();
        let fired = fires[label] == 1 && best >= i64::from(p.threshold) && t >= silent_until;
        if fired {
            silent_until = t + 1 + p.refractory as usize;
        }
        out.push((if fired { label as i32 } else { -1 }, best as i32));
    }
    out
}

proptest! {
    #[test]
    fn decide_follows_its_law(
        (labels, average, refractory) in (1usize..6, 1i32..6, 0i32..4),
        threshold in 0i32..=32768,
        seed in any::<u64>(),
    ) {
        let mut draws = Draws::new(seed);
        let ticks: Vec<Vec<i8>> = (0..20).map(|_| draws.draw(int8s(labels))).collect();
        let fires = draws.draw(prop::collection::vec(0i8..=1, labels));
        // Probabilities of scale 1/256: a factor of 128.
        let p = decide::Params {
            labels: labels as i32, average, zero_point: -128, multiplier: 1 << 30, shift: 8,
            threshold, refractory,
        };
        let want = decide_by_law(&p, &fires, &ticks);
        let n = labels;
        let mut builder = PlanBuilder::new("test", Numeric::Fixed);
        let input = builder.source(Elem::I8, n, n, 0);
        let table = builder.table("fires", &[n], &fires);
        let ring = builder.state("ring", Elem::I8, &[average as usize, n]);
        let counters = builder.state("counters", Elem::I32, &[4]);
        let scores = builder.tensor("scores", Elem::I16, &[n]);
        let decision = builder.tensor("decision", Elem::I32, &[2]);
        let operands = [input, table, ring, counters, scores, decision];
        builder.step(Section::Decision, &decide::DECIDE_I8, "decide", &operands, &p.encode());
        let names: Vec<String> = (0..n).map(|i| i.to_string()).collect();
        builder.decision(scores, decision, &names);
        let bytes = builder.finish().unwrap();
        let plan = Plan::from_bytes(&bytes, ALL).unwrap();
        let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
        let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
        for reset in [false, true] {
            if reset {
                runner.reset();
            }
            for (t, (q, &(label, score))) in ticks.iter().zip(&want).enumerate() {
                let event = runner.push_i8(q).unwrap().event;
                let got = match event {
                    Some(Event::Decision(d)) => (i32::from(d.label), i32::from(d.score_q15)),
                    Some(Event::Scores) => (-1, score),
                    other => panic!("{other:?}"),
                };
                prop_assert_eq!(got, (label, score), "tick {}", t);
                let best = runner.scores().iter().copied().max().unwrap();
                prop_assert_eq!(i32::from(best), score.min(32767));
            }
        }
    }
}

#[test]
fn steps_whose_operands_do_not_fit_are_refused() {
    let p = fully_connected::Params {
        rows: 1,
        n_in: 4,
        n_out: 2,
        input_zero_point: 0,
        weights_zero_point: 0,
        output_zero_point: 0,
        min: -128,
        max: 127,
    };
    let op = &fully_connected::FULLY_CONNECTED_I8;
    let (weights, bias, q, shifts) = ([1i8; 8], [0i32; 2], [1i32 << 30], [0i8]);
    let with =
        |weights: &[i8], bias: &[i32], q: &[i32], shifts: &[i8], n_in, n_out, params: &[u32]| {
            let parts = [
                Part::Source(n_in),
                Part::I8(weights),
                Part::I32(bias),
                Part::I32(q),
                Part::I8(shifts),
                Part::Output(n_out),
            ];
            let bytes = plan_of(op, &parts, params);
            Plan::from_bytes(&bytes, ALL).map(|_| ())
        };
    let good = p.encode();
    assert!(with(&weights, &bias, &q, &shifts, 4, 2, &good).is_ok());
    assert!(with(&weights[1..], &bias, &q, &shifts, 4, 2, &good).is_err());
    assert!(with(&weights, &bias[1..], &q, &shifts, 4, 2, &good).is_err());
    assert!(with(&weights, &bias, &[1, 2, 3], &shifts, 4, 2, &good).is_err());
    assert!(with(&weights, &bias, &[-1], &shifts, 4, 2, &good).is_err());
    assert!(with(&weights, &bias, &q, &[31], 4, 2, &good).is_err());
    assert!(with(&weights, &bias, &q, &[-32], 4, 2, &good).is_err());
    assert!(with(&weights, &bias, &q, &shifts, 5, 2, &good).is_err());
    assert!(with(&weights, &bias, &q, &shifts, 4, 3, &good).is_err());
    assert!(with(&weights, &bias, &q, &shifts, 4, 2, &good[1..]).is_err());
    for (field, value) in [
        (0, 0),
        (1, i32::MAX),
        (2, -1),
        (3, 128),
        (5, -129),
        (6, 200),
    ] {
        let mut bad = good;
        bad[field] = value as u32;
        assert!(
            with(&weights, &bias, &q, &shifts, 4, 2, &bad).is_err(),
            "field {field}"
        );
    }
}
