//! Kernels of int16 activations and of layers with a memory against their textbook formulas, through
//! a step of a plan: each law stated a second time and differently.

use otolith_classifier::ALL;
use otolith_classifier::ops::{batch_matmul, general_conv, lstm, svdf};
use otolith_classifier::requant::mbqm;
use otolith_dsp_core::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{Elem, Element, Numeric, Section};
use otolith_dsp_nostd::{Event, Op, Plan, Runner};

/// A generator of numbers (a linear congruence of Knuth's).
struct Draws(u64);

impl Draws {
    /// A number from `low` to `high`.
    fn of(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + ((self.0 >> 33) as i64) % (high - low + 1)
    }

    fn many<T: TryFrom<i64>>(&mut self, n: usize, low: i64, high: i64) -> Vec<T> {
        let mut one = || T::try_from(self.of(low, high)).ok().unwrap();
        (0..n).map(|_| one()).collect()
    }
}

/// Runs a plan of one step on each input in turn. `operands` gets the builder, the source and the
/// output, and gives the step's operands.
fn run<X: Element, Y: Element>(
    op: &'static Op,
    params: &[u32],
    n_out: usize,
    inputs: &[Vec<X>],
    operands: impl Fn(&mut PlanBuilder, TensorId, TensorId) -> Vec<TensorId>,
) -> Vec<Vec<Y>> {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let n = inputs[0].len();
    let x = plan.source(X::ELEM, n, n, 0);
    let y = plan.tensor("output", Y::ELEM, &[n_out]);
    let tensors = operands(&mut plan, x, y);
    plan.step(Section::Decision, op, "step", &tensors, params);
    plan.features(y, &[n_out]);
    let bytes = plan.finish().unwrap();
    let plan = Plan::from_bytes(&bytes, ALL).unwrap();
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let outputs = inputs.iter().map(|input| {
        let bytes: &[u8] = bytemuck::cast_slice(input);
        let pushed = match X::ELEM {
            Elem::I8 => runner.push_i8(bytemuck::cast_slice(bytes)),
            _ => runner.push_i16(bytemuck::cast_slice(bytes)),
        };
        assert_eq!(pushed.unwrap().event, Some(Event::Features));
        runner.features::<Y>().unwrap().to_vec()
    });
    outputs.collect()
}

fn geometry(draws: &mut Draws) -> general_conv::Params {
    let mut draw = |low, high| draws.of(low, high) as i32;
    let (in_h, in_w) = (draw(1, 5), draw(1, 5));
    let (kernel_h, kernel_w) = (draw(1, 4), draw(1, 4));
    general_conv::Params {
        batch: draw(1, 2),
        in_h,
        in_w,
        in_c: draw(1, 3),
        out_h: draw(1, 6),
        out_w: draw(1, 6),
        out_c: draw(1, 3),
        kernel_h,
        kernel_w,
        stride_h: 1,
        stride_w: 1,
        dilation_h: 1,
        dilation_w: 1,
        pad_top: draw(0, kernel_h as i64 - 1),
        pad_left: draw(0, kernel_w as i64 - 1),
        upsample_h: draw(1, 3),
        upsample_w: draw(1, 3),
        groups: 1,
        input_zero_point: 0,
        output_zero_point: 0,
        min: -128,
        max: 127,
    }
}

/// A transposed convolution scatters each input over the outputs.
#[test]
fn transposed_convolution_scatters() {
    let mut draws = Draws(1);
    for _ in 0..60 {
        let mut p = geometry(&mut draws);
        p.input_zero_point = draws.of(-128, 127) as i32;
        p.output_zero_point = draws.of(-20, 20) as i32;
        let size = |dims: [i32; 4]| dims.iter().product::<i32>() as usize;
        let x: Vec<i8> = draws.many(size([p.batch, p.in_h, p.in_w, p.in_c]), -128, 127);
        let taps = (p.kernel_h * p.kernel_w) as usize;
        let w: Vec<i8> = draws.many(size([p.out_c, p.kernel_h, p.kernel_w, p.in_c]), -127, 127);
        let bias: Vec<i32> = draws.many(p.out_c as usize, -900, 900);
        let (q, s) = (draws.of(1 << 30, i64::from(i32::MAX)) as i32, -7);
        let mut sums = vec![0i64; size([p.batch, p.out_h, p.out_w, p.out_c])];
        for (i, &x) in x.iter().enumerate() {
            let i = i as i32;
            let (c, at) = (i % p.in_c, i / p.in_c);
            let (ix, at) = (at % p.in_w, at / p.in_w);
            let (iy, b) = (at % p.in_h, at / p.in_h);
            for (j, &w) in w.iter().enumerate() {
                let j = j as i32;
                if j % p.in_c != c {
                    continue;
                }
                let tap = j / p.in_c;
                let (kx, ky) = (tap % p.kernel_w, tap / p.kernel_w % p.kernel_h);
                let o = tap / p.kernel_w / p.kernel_h;
                let oy = iy * p.upsample_h - (p.kernel_h - 1 - p.pad_top) + ky;
                let ox = ix * p.upsample_w - (p.kernel_w - 1 - p.pad_left) + kx;
                if (0..p.out_h).contains(&oy) && (0..p.out_w).contains(&ox) {
                    let to = ((b * p.out_h + oy) * p.out_w + ox) * p.out_c + o;
                    sums[to as usize] +=
                        i64::from(i32::from(x) - p.input_zero_point) * i64::from(w);
                }
            }
        }
        let turned: Vec<i8> = w
            .chunks(p.in_c as usize)
            .collect::<Vec<_>>()
            .chunks(taps)
            .flat_map(|filter| filter.iter().rev().flat_map(|cell| cell.iter().copied()))
            .collect();
        let want: Vec<i8> = sums
            .iter()
            .enumerate()
            .map(|(i, &sum)| {
                let acc = sum as i32 + bias[i % p.out_c as usize];
                (mbqm(acc, q, s) + p.output_zero_point).clamp(-128, 127) as i8
            })
            .collect();
        let op = &general_conv::TRANSPOSE_CONV_I8;
        let got = run::<i8, i8>(op, &p.encode(), want.len(), &[x], |plan, x, y| {
            let w = plan.table("weights", &[turned.len()], &turned);
            let bias = plan.table("bias", &[bias.len()], &bias);
            let q = plan.table("multipliers", &[1], &[q]);
            let s = plan.table("shifts", &[1], &[s as i8]);
            vec![x, w, bias, q, s, y]
        });
        assert_eq!(got[0], want, "{p:?}");
    }
}

/// int16: sums of 64 bits, one rounding.
#[test]
fn convolution_of_int16_rounds_once() {
    let mut draws = Draws(2);
    for _ in 0..60 {
        let mut p = geometry(&mut draws);
        (p.upsample_h, p.upsample_w) = (1, 1);
        (p.stride_h, p.stride_w) = (draws.of(1, 2) as i32, draws.of(1, 2) as i32);
        (p.min, p.max) = (-32768, 32767);
        let groups = draws.of(1, 2) as i32;
        (p.in_c, p.out_c, p.groups) = (p.in_c * groups, p.out_c * groups, groups);
        let group_c = p.in_c / groups;
        let size = |dims: [i32; 4]| dims.iter().product::<i32>() as usize;
        let n_in = size([p.batch, p.in_h, p.in_w, p.in_c]);
        let x: Vec<i16> = draws.many(n_in, -32768, 32767);
        let w: Vec<i8> = draws.many(size([p.out_c, p.kernel_h, p.kernel_w, group_c]), -127, 127);
        let bias: Vec<i64> = draws.many(p.out_c as usize, -1 << 40, 1 << 40);
        let q: Vec<i32> = draws.many(p.out_c as usize, 1 << 14, 0x7fff);
        let s: Vec<i8> = draws.many(p.out_c as usize, -28, -6);
        let mut want = Vec::new();
        for b in 0..p.batch {
            for oy in 0..p.out_h {
                for ox in 0..p.out_w {
                    for o in 0..p.out_c {
                        let c = o as usize;
                        let mut sum = i128::from(bias[c]);
                        for ky in 0..p.kernel_h {
                            for kx in 0..p.kernel_w {
                                let (y, x_at) = (
                                    oy * p.stride_h - p.pad_top + ky,
                                    ox * p.stride_w - p.pad_left + kx,
                                );
                                if !(0..p.in_h).contains(&y) || !(0..p.in_w).contains(&x_at) {
                                    continue;
                                }
                                for i in 0..group_c {
                                    let from = ((b * p.in_h + y) * p.in_w + x_at) * p.in_c
                                        + o / (p.out_c / groups) * group_c
                                        + i;
                                    let at =
                                        ((o * p.kernel_h + ky) * p.kernel_w + kx) * group_c + i;
                                    sum +=
                                        i128::from(x[from as usize]) * i128::from(w[at as usize]);
                                }
                            }
                        }
                        let total = 15 - i32::from(s[c]);
                        let y = (sum * i128::from(q[c]) + (1i128 << (total - 1))) >> total;
                        want.push((y as i32).clamp(-32768, 32767) as i16);
                    }
                }
            }
        }
        let op = &general_conv::CONV_2D_I16;
        let got = run::<i16, i16>(op, &p.encode(), want.len(), &[x], |plan, x, y| {
            let w = plan.table("weights", &[w.len()], &w);
            let bias = plan.table("bias", &[bias.len()], &bias);
            let q = plan.table("multipliers", &[q.len()], &q);
            let s = plan.table("shifts", &[s.len()], &s);
            vec![x, w, bias, q, s, y]
        });
        assert_eq!(got[0], want, "{p:?}");
    }
}

/// SVDF from the whole history of inputs, for both types of state.
#[test]
fn svdf_sees_its_newest_inputs() {
    let mut draws = Draws(3);
    for round in 0..40 {
        let int8 = round % 2 == 0;
        let mut draw = |low, high| draws.of(low, high) as i32;
        let rank = draw(1, 3);
        let p = svdf::Params {
            batch: draw(1, 2),
            n_in: draw(1, 6),
            filters: rank * draw(1, 4),
            rank,
            memory: draw(1, 5),
            input_zero_point: draw(-128, 127),
            state_zero_point: if int8 { draw(-128, 127) } else { 0 },
            state_multiplier: draw(1 << 30, i64::from(i32::MAX)),
            state_shift: if int8 { -8 } else { -1 },
            output_multiplier: draw(1 << 30, i64::from(i32::MAX)),
            output_shift: if int8 { -8 } else { -16 },
            output_zero_point: draw(-20, 20),
        };
        let (filters, memory, n_in) = (p.filters as usize, p.memory as usize, p.n_in as usize);
        let units = filters / rank as usize;
        let features: Vec<i8> = draws.many(filters * n_in, -127, 127);
        let time_limit = if int8 { 127 } else { 3000 };
        let times: Vec<i16> = draws.many(filters * memory, -time_limit, time_limit);
        let bias: Vec<i32> = draws.many(units, -2000, 2000);
        let inputs: Vec<Vec<i8>> = (0..8)
            .map(|_| draws.many(p.batch as usize * n_in, -128, 127))
            .collect();
        let limits = if int8 { (-128, 127) } else { (-32768, 32767) };
        // What a filter makes of one input, less the zero point.
        let state = |input: &[i8], b: usize, f: usize| -> i64 {
            let x = &input[b * n_in..][..n_in];
            let w = &features[f * n_in..][..n_in];
            let sum: i32 = x
                .iter()
                .zip(w)
                .map(|(&x, &w)| (i32::from(x) - p.input_zero_point) * i32::from(w))
                .sum();
            let q = mbqm(sum, p.state_multiplier, p.state_shift) + p.state_zero_point;
            i64::from(q.clamp(limits.0, limits.1) - p.state_zero_point)
        };
        let want: Vec<Vec<i8>> = (0..inputs.len())
            .map(|now| {
                let one = |i: usize| {
                    let (b, u) = (i / units, i % units);
                    let mut sum = i64::from(bias[u]);
                    for f in u * rank as usize..(u + 1) * rank as usize {
                        for age in 0..memory.min(now + 1) {
                            let w = times[f * memory + memory - 1 - age];
                            sum += state(&inputs[now - age], b, f) * i64::from(w);
                        }
                    }
                    let y = mbqm(sum as i32, p.output_multiplier, p.output_shift);
                    (y + p.output_zero_point).clamp(-128, 127) as i8
                };
                (0..p.batch as usize * units).map(one).collect()
            })
            .collect();
        let op = if int8 {
            &svdf::SVDF_I8_STATE_I8
        } else {
            &svdf::SVDF_I8
        };
        let n_out = p.batch as usize * units;
        let got = run::<i8, i8>(op, &p.encode(), n_out, &inputs, |plan, x, y| {
            let w = plan.table("features", &[features.len()], &features);
            let narrow: Vec<i8> = times.iter().map(|&t| t as i8).collect();
            let t = match int8 {
                true => plan.table("times", &[times.len()], &narrow),
                false => plan.table("times", &[times.len()], &times),
            };
            let bias = plan.table("bias", &[bias.len()], &bias);
            let elem = if int8 { Elem::I8 } else { Elem::I16 };
            let state = plan.state("state", elem, &[p.batch as usize, filters, memory]);
            vec![x, w, t, bias, state, y]
        });
        assert_eq!(got, want, "{p:?}");
    }
}

/// An LSTM of real numbers with the same weights, within a few units of the output.
#[test]
fn lstm_follows_its_real_equations() {
    let (n_in, cells, times) = (5usize, 6usize, 9usize);
    let (x_scale, h_scale, w_scale) = (1.0 / 64.0, 1.0 / 128.0, 1.0 / 100.0);
    let mut draws = Draws(4);
    let w: Vec<i8> = draws.many(4 * cells * n_in, -127, 127);
    let r: Vec<i8> = draws.many(4 * cells * cells, -127, 127);
    let bias: Vec<i32> = draws.many(4 * cells, -3000, 3000);
    let x: Vec<i8> = draws.many(times * n_in, -128, 127);
    let (x_zero, h_zero) = (7, -9);
    let multiplier = |real: f64| {
        let (fraction, shift) = libm::frexp(real);
        (libm::round(fraction * libm::ldexp(1.0, 31)) as i32, shift)
    };
    let (iq, is) = multiplier(x_scale * w_scale * 4096.0);
    let (rq, rs) = multiplier(h_scale * w_scale * 4096.0);
    // Cells in Q4.11.
    let unit = libm::ldexp(1.0, -15);
    let (fq, fs) = multiplier(unit);
    let (cq, cs) = multiplier(unit * unit * 2048.0);
    let (oq, os) = multiplier(unit * unit / h_scale);
    let p = lstm::Params {
        batch: 1,
        times: times as i32,
        n_in: n_in as i32,
        cells: cells as i32,
        input_input_multiplier: iq,
        input_input_shift: is,
        input_forget_multiplier: iq,
        input_forget_shift: is,
        input_cell_multiplier: iq,
        input_cell_shift: is,
        input_output_multiplier: iq,
        input_output_shift: is,
        recurrent_input_multiplier: rq,
        recurrent_input_shift: rs,
        recurrent_forget_multiplier: rq,
        recurrent_forget_shift: rs,
        recurrent_cell_multiplier: rq,
        recurrent_cell_shift: rs,
        recurrent_output_multiplier: rq,
        recurrent_output_shift: rs,
        forget_multiplier: fq,
        forget_shift: fs,
        cell_multiplier: cq,
        cell_shift: cs,
        output_multiplier: oq,
        output_shift: os,
        output_zero_point: h_zero,
        cell_clip: 0,
        tanh_multiplier: 6,
        tanh_shift: 0,
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let (mut h, mut c) = (vec![0.0f64; cells], vec![0.0f64; cells]);
    let mut want = Vec::new();
    for x in x.chunks(n_in) {
        let gate = |g: usize, j: usize| {
            let at = g * cells + j;
            let from_x: f64 = (0..n_in)
                .map(|i| f64::from(i32::from(x[i]) - x_zero) * f64::from(w[at * n_in + i]))
                .sum();
            let from_h: f64 = (0..cells)
                .map(|i| h[i] * f64::from(r[at * cells + i]))
                .sum();
            (from_x + f64::from(bias[at])) * x_scale * w_scale + from_h * w_scale
        };
        let next: Vec<f64> = (0..cells)
            .map(|j| {
                c[j] = sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * libm::tanh(gate(2, j));
                sigmoid(gate(3, j)) * libm::tanh(c[j])
            })
            .collect();
        h = next;
        want.extend(h.clone());
    }
    // The operator's biases hold the zero points.
    let folded = |weights: &[i8], columns: usize, zero: i32| -> Vec<i32> {
        let rows = weights.chunks(columns);
        rows.map(|row| -zero * row.iter().map(|&w| i32::from(w)).sum::<i32>())
            .collect()
    };
    let input_bias: Vec<i32> = folded(&w, n_in, x_zero)
        .iter()
        .zip(&bias)
        .map(|(f, b)| f + b)
        .collect();
    let recurrent_bias = folded(&r, cells, h_zero);
    let table: Vec<u16> = (0..256)
        .map(|i| libm::round(65536.0 * sigmoid(f64::from(i) / 24.0)) as u16)
        .collect();
    let op = &lstm::UNIDIRECTIONAL_SEQUENCE_LSTM_I8;
    let got = run::<i8, i8>(
        op,
        &p.encode(),
        times * cells,
        std::slice::from_ref(&x),
        |plan, x, y| {
            let w = plan.table("weights", &[w.len()], &w);
            let r = plan.table("recurrent", &[r.len()], &r);
            let b = plan.table("bias", &[input_bias.len()], &input_bias);
            let rb = plan.table("recurrent bias", &[recurrent_bias.len()], &recurrent_bias);
            let table = plan.table("table", &[256], &table);
            let state = plan.state("state", Elem::I16, &[2, cells]);
            vec![x, w, r, b, rb, table, state, y]
        },
    );
    for (i, (&got, &want)) in got[0].iter().zip(&want).enumerate() {
        let real = f64::from(i32::from(got) - h_zero) * h_scale;
        assert!((real - want).abs() < 0.03, "output {i}: {real}, not {want}");
    }
}

/// Products of matrices given by strides.
#[test]
fn matrix_products() {
    let mut draws = Draws(5);
    for round in 0..32 {
        let (adj_a, adj_b) = (round & 1 != 0, round & 2 != 0);
        let mut draw = |high| draws.of(1, high) as i32;
        let (batch, rows, inner, columns) = (draw(3), draw(4), draw(5), draw(4));
        let shared = round & 4 != 0;
        let (a_row, a_inner) = if adj_a { (1, rows) } else { (inner, 1) };
        let (b_inner, b_column) = if adj_b { (1, inner) } else { (columns, 1) };
        let p = batch_matmul::Params {
            batch,
            rows,
            inner,
            columns,
            a_batch: rows * inner,
            a_row,
            a_inner,
            b_batch: if shared { 0 } else { inner * columns },
            b_inner,
            b_column,
            a_zero_point: draws.of(-128, 127) as i32,
            b_zero_point: draws.of(-128, 127) as i32,
            output_zero_point: draws.of(-20, 20) as i32,
            multiplier: draws.of(1 << 30, i64::from(i32::MAX)) as i32,
            shift: -9,
        };
        let a: Vec<i8> = draws.many((batch * rows * inner) as usize, -128, 127);
        let n_b = if shared { 1 } else { batch };
        let b: Vec<i8> = draws.many((n_b * inner * columns) as usize, -128, 127);
        let mut want: Vec<i8> = Vec::new();
        for n in 0..batch {
            for i in 0..rows {
                for j in 0..columns {
                    let sum: i32 = (0..inner)
                        .map(|k| {
                            let at_a = if adj_a { k * rows + i } else { i * inner + k };
                            let at_b = if adj_b {
                                j * inner + k
                            } else {
                                k * columns + j
                            };
                            let x = a[(n * rows * inner + at_a) as usize];
                            let w = b[((n % n_b) * inner * columns + at_b) as usize];
                            (i32::from(x) - p.a_zero_point) * (i32::from(w) - p.b_zero_point)
                        })
                        .sum();
                    let y = mbqm(sum, p.multiplier, p.shift) + p.output_zero_point;
                    want.push(y.clamp(-128, 127) as i8);
                }
            }
        }
        let op = &batch_matmul::BATCH_MATMUL_I8;
        let got = run::<i8, i8>(op, &p.encode(), want.len(), &[a], |plan, x, y| {
            let b = plan.table("b", &[b.len()], &b);
            vec![x, b, y]
        });
        assert_eq!(got[0], want, "{p:?}");
    }
}
