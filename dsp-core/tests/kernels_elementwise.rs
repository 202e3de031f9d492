//! Kernels that combine two tensors, and those of int16 and int32, against their formulas in real
//! numbers or in 64-bit integers, through a step of a plan.

use libm::{exp, floor, frexp, ldexp, round, tanh};
use otolith_classifier::broadcast::Geometry;
use otolith_classifier::ops::wide::{elementwise, leaky_relu, sigmoid, softmax};
use otolith_classifier::ops::{compare, difference, div, integer, mul};
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{Elem, Element, Numeric, Section};
use otolith_dsp_nostd::{Event, Op, Plan, Runner};
use proptest::prelude::*;

/// Runs a plan of one step on `input`. `operands` gets the builder, the source and the output, and
/// gives the step's operands.
fn run<X: Element, Y: Element>(
    op: &'static Op,
    params: &[u32],
    n_out: usize,
    input: &[X],
    operands: impl Fn(&mut PlanBuilder, TensorId, TensorId) -> Vec<TensorId>,
) -> Vec<Y> {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let x = plan.source(X::ELEM, input.len(), input.len(), 0);
    let y = plan.tensor("output", Y::ELEM, &[n_out]);
    let tensors = operands(&mut plan, x, y);
    plan.step(Section::Decision, op, "step", &tensors, params);
    plan.features(y, &[n_out]);
    let bytes = plan.finish().unwrap();
    let plan = Plan::from_bytes(&bytes, all_ops()).unwrap();
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let bytes: &[u8] = bytemuck::cast_slice(input);
    let pushed = match X::ELEM {
        Elem::I8 => runner.push_i8(bytemuck::cast_slice(bytes)),
        Elem::I16 => runner.push_i16(bytemuck::cast_slice(bytes)),
        _ => runner.push_i32(bytemuck::cast_slice(bytes)),
    };
    assert_eq!(pushed.unwrap().event, Some(Event::Features));
    runner.features::<Y>().unwrap().to_vec()
}

/// [`run`] on two inputs of one type, which are halves of the source.
fn pairs<T: Element + bytemuck::NoUninit>(
    op: &'static Op,
    params: &[u32],
    a: &[T],
    b: &[T],
) -> Vec<T> {
    let both = [a, b].concat();
    run(op, params, a.len().max(b.len()), &both, |plan, x, y| {
        let at = size_of_val(a);
        let a = plan.view("a", x, 0, T::ELEM, &[a.len()]);
        let b = plan.view("b", x, at, T::ELEM, &[b.len()]);
        vec![a, b, y]
    })
}

/// Multiplier and shift of a real factor.
fn quantised(real: f64) -> (i32, i32) {
    let (fraction, shift) = frexp(real);
    match round(ldexp(fraction, 31)) as i64 {
        q if q == 1 << 31 => (1 << 30, shift + 1),
        q => (q as i32, shift),
    }
}

/// What the two roundings of a product with this factor may be off.
fn half(shift: i32) -> f64 {
    0.5 + ldexp(0.5, shift.min(0)) + 1e-3
}

/// Two rows of one length, or one element against a row.
fn geometry(a: usize, b: usize) -> Geometry {
    let step = |n: usize| i32::from(n > 1);
    #[rustfmt::skip]
    let geometry = Geometry {
        d0: 1, d1: 1, d2: 1, d3: 1, d4: a.max(b) as i32,
        a0: 0, a1: 0, a2: 0, a3: 0, a4: step(a),
        b0: 0, b1: 0, b2: 0, b3: 0, b4: step(b),
    };
    geometry
}

/// Rows of the same length, or one of them of a single element.
fn rows<T: Arbitrary + Clone>() -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    (2usize..40, 0..3).prop_flat_map(|(n, single)| {
        let [a, b] = match single {
            0 => [n, n],
            1 => [1, n],
            _ => [n, 1],
        };
        (
            prop::collection::vec(any::<T>(), a),
            prop::collection::vec(any::<T>(), b),
        )
    })
}

fn at<T: Copy>(row: &[T], i: usize) -> T {
    row[i % row.len()]
}

fn scale() -> impl Strategy<Value = f64> {
    (-7.0..-1.0f64).prop_map(exp)
}

/// Fails unless `found` is the clamped `real` but for `tolerance`.
fn near(
    found: i64,
    real: f64,
    (low, high): (f64, f64),
    tolerance: f64,
) -> Result<(), TestCaseError> {
    let real = real.clamp(low, high);
    prop_assert!(
        (found as f64 - real).abs() <= tolerance,
        "{found} for {real}"
    );
    Ok(())
}

const INT8: (f64, f64) = (-128.0, 127.0);
const INT16: (f64, f64) = (-32768.0, 32767.0);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn differences((a, b) in rows::<i8>(), za: i8, zb: i8, zy: i8, sa in scale(), sb in scale(), factor in 0.3..4.0f64) {
        let sy = sa.max(sb) * factor;
        let twice = 2.0 * sa.max(sb);
        let [(aq, ash), (bq, bsh)] = [sa, sb].map(|s| quantised(s / twice));
        let (q, shift) = quantised(twice / (ldexp(1.0, 20) * sy));
        let params = difference::Params {
            a_zero_point: za.into(), a_multiplier: aq, a_shift: ash,
            b_zero_point: zb.into(), b_multiplier: bq, b_shift: bsh,
            output_multiplier: q, output_shift: shift, output_zero_point: zy.into(),
            min: -128, max: 127,
        };
        let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
        let y = pairs(&difference::SUB_I8, &words, &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let [a, b] = [(at(&a, i), za), (at(&b, i), zb)].map(|(x, z)| f64::from(x) - f64::from(z));
            near(y.into(), (sa * a - sb * b) / sy + f64::from(zy), INT8, 0.501)?;
        }
    }

    #[test]
    fn squared_differences((a, b) in rows::<i8>(), za: i8, zb: i8, zy: i8, sa in scale(), sb in scale(), factor in 10.0..300.0f64) {
        let twice = 2.0 * sa.max(sb);
        let sy = twice * twice * factor;
        let [(aq, ash), (bq, bsh)] = [sa, sb].map(|s| quantised(s / twice));
        // Both terms carry seven more bits, their square twice as many.
        let unit = twice * twice / (ldexp(1.0, 14) * sy);
        let (q, shift) = quantised(unit);
        let params = difference::Params {
            a_zero_point: za.into(), a_multiplier: aq, a_shift: ash,
            b_zero_point: zb.into(), b_multiplier: bq, b_shift: bsh,
            output_multiplier: q, output_shift: shift, output_zero_point: zy.into(),
            min: -128, max: 127,
        };
        let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
        let y = pairs(&difference::SQUARED_DIFFERENCE_I8, &words, &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let [a, b] = [(at(&a, i), za), (at(&b, i), zb)].map(|(x, z)| f64::from(x) - f64::from(z));
            let difference = sa * a - sb * b;
            // Each term is off by less than a unit and a half of 2^-7 of `twice`.
            let terms = (difference / twice * 128.0).abs();
            let tolerance = half(shift) + unit * (3.0 * terms + 4.0);
            near(y.into(), difference * difference / sy + f64::from(zy), INT8, tolerance)?;
        }
    }

    #[test]
    fn products((a, b) in rows::<i8>(), za: i8, zb: i8, zy: i8, factor in (-9.0..-1.0f64).prop_map(exp)) {
        let (multiplier, shift) = quantised(factor);
        let params = mul::Params {
            a_zero_point: za.into(), b_zero_point: zb.into(), multiplier, shift,
            output_zero_point: zy.into(), min: -128, max: 127,
        };
        let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
        let y = pairs(&mul::MUL_I8, &words, &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let [a, b] = [(at(&a, i), za), (at(&b, i), zb)].map(|(x, z)| f64::from(x) - f64::from(z));
            near(y.into(), factor * a * b + f64::from(zy), INT8, half(shift))?;
        }
    }

    #[test]
    fn rectifiers_with_slopes((a, b) in rows::<i8>(), za: i8, zb: i8, zy: i8, positive in 0.2..3.0f64, slope in (-7.0..-2.0f64).prop_map(exp)) {
        let [(pq, ps), (q, shift)] = [positive, slope].map(quantised);
        let params = mul::PreluParams {
            a_zero_point: za.into(), b_zero_point: zb.into(),
            positive_multiplier: pq, positive_shift: ps, multiplier: q, shift,
            output_zero_point: zy.into(),
        };
        let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
        let y = pairs(&mul::PRELU_I8, &words, &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let [a, b] = [(at(&a, i), za), (at(&b, i), zb)].map(|(x, z)| f64::from(x) - f64::from(z));
            let (real, shift) = if a >= 0.0 { (positive * a, ps) } else { (slope * a * b, shift) };
            near(y.into(), real + f64::from(zy), INT8, half(shift))?;
        }
    }

    #[test]
    fn quotients((a, b) in rows::<i8>(), za: i8, zb: i8, zy: i8, factor in (-3.0..6.0f64).prop_map(exp)) {
        let (multiplier, shift) = quantised(factor);
        let params = div::Params {
            a_zero_point: za.into(), b_zero_point: zb.into(), multiplier, shift,
            output_zero_point: zy.into(), min: -128, max: 127,
        };
        let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
        let y = pairs(&div::DIV_I8, &words, &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let [a, b] = [(at(&a, i), za), (at(&b, i), zb)].map(|(x, z)| f64::from(x) - f64::from(z));
            let real = if b == 0.0 { 0.0 } else { factor * a / b };
            near(y.into(), real + f64::from(zy), INT8, 0.502)?;
        }
    }

    #[test]
    fn comparisons((a, b) in rows::<i8>(), za: i8, zb: i8, sa in scale(), equal_scales in prop::bool::ANY) {
        let (sb, zb) = if equal_scales { (sa, za) } else { (sa * 0.731, zb) };
        let [(aq, ash), (bq, bsh)] = [sa, sb].map(quantised);
        for relation in 0..6 {
            let params = compare::Params {
                a_zero_point: za.into(), a_multiplier: aq, a_shift: ash,
                b_zero_point: zb.into(), b_multiplier: bq, b_shift: bsh, relation,
            };
            let words = [&geometry(a.len(), b.len()).encode()[..], &params.encode()].concat();
            let y = pairs(&compare::COMPARE_I8, &words, &a, &b);
            for (i, &y) in y.iter().enumerate() {
                let a = sa * (f64::from(at(&a, i)) - f64::from(za));
                let b = sb * (f64::from(at(&b, i)) - f64::from(zb));
                // Sides that are less than a unit of 2^-8 apart may count as equal.
                if (a - b).abs() < 1.001 / 256.0 && a != b {
                    continue;
                }
                let want = [a == b, a != b, a > b, a >= b, a < b, a <= b][relation as usize];
                prop_assert_eq!(y, i8::from(want), "{} {} {}", a, b, relation);
            }
        }
    }

    #[test]
    fn masks_choose(x in prop::collection::vec(any::<i8>(), 1..30)) {
        let n = x.len();
        let a: Vec<i8> = x.iter().map(|x| x.wrapping_mul(3)).collect();
        let mask: Vec<i8> = x.iter().map(|x| i8::from(x % 3 == 0)).collect();
        // The source is y itself, so it is copied first.
        let y: Vec<i8> = run(&integer::CAST, &[], n, &x, |plan, x, y| {
            plan.step(Section::Decision, &integer::CAST, "copy", &[x, y], &[]);
            let (mask, a) = (plan.table("mask", &[n], &mask), plan.table("a", &[n], &a));
            plan.step(Section::Decision, &compare::SELECT_8, "select", &[mask, a, y], &[]);
            let z = plan.tensor("z", Elem::I8, &[n]);
            vec![y, z]
        });
        for (i, &y) in y.iter().enumerate() {
            prop_assert_eq!(y, if mask[i] != 0 { a[i] } else { x[i] });
        }
    }

    #[test]
    fn plain_integers((a, b) in rows::<i32>(), small in prop::bool::ANY) {
        let narrow = |row: Vec<i32>| -> Vec<i32> {
            row.into_iter().map(|x| if small { x % 300 } else { x }).collect()
        };
        let (a, b) = (narrow(a), narrow(b));
        let words = geometry(a.len(), b.len()).encode();
        type Law = fn(i64, i64) -> i64;
        let laws: [(&'static Op, Law); 6] = [
            (&integer::ADD_I32, |a, b| a + b),
            (&integer::SUB_I32, |a, b| a - b),
            (&integer::MUL_I32, |a, b| a * b),
            (&integer::DIV_I32, |a, b| if b == 0 { 0 } else { a / b }),
            (&integer::MAXIMUM_I32, |a, b| a.max(b)),
            (&integer::MINIMUM_I32, |a, b| a.min(b)),
        ];
        for (op, law) in laws {
            let want: Vec<i32> = (0..a.len().max(b.len()))
                .map(|i| law(at(&a, i).into(), at(&b, i).into()) as i32)
                .collect();
            prop_assert_eq!(&pairs(op, &words, &a, &b), &want, "{}", op.name);
        }
    }

    #[test]
    fn casts_keep_the_low_bits(x in prop::collection::vec(any::<i32>(), 1..20)) {
        let n = x.len();
        let low8: Vec<i8> = run(&integer::CAST, &[], n, &x, |_, x, y| vec![x, y]);
        let low16: Vec<i16> = run(&integer::CAST, &[], n, &x, |_, x, y| vec![x, y]);
        for ((&x, low8), low16) in x.iter().zip(&low8).zip(&low16) {
            prop_assert_eq!((x - i32::from(*low8)) % 256, 0);
            prop_assert_eq!((i64::from(x) - i64::from(*low16)) % 65536, 0);
        }
        let wide: Vec<i32> = run(&integer::CAST, &[], n, &low16, |_, x, y| vec![x, y]);
        prop_assert!(wide.iter().zip(&low16).all(|(&a, &b)| a == i32::from(b)));
        let wide: Vec<i16> = run(&integer::CAST, &[], n, &low8, |_, x, y| vec![x, y]);
        prop_assert!(wide.iter().zip(&low8).all(|(&a, &b)| a == i16::from(b)));
    }

    #[test]
    fn sums_and_products_of_int16((a, b) in rows::<i16>(), sa in scale(), sb in scale(), factor in 0.3..4.0f64) {
        let sy = sa.max(sb) * factor;
        let twice = 2.0 * sa.max(sb);
        let [(aq, ash), (bq, bsh)] = [sa, sb].map(|s| quantised(s / twice));
        let (q, shift) = quantised(twice / (ldexp(1.0, 15) * sy));
        let g = geometry(a.len(), b.len());
        let mut params = elementwise::Params {
            d0: 1, d1: 1, d2: 1, d3: 1, d4: g.d4,
            a0: 0, a1: 0, a2: 0, a3: 0, a4: g.a4,
            b0: 0, b1: 0, b2: 0, b3: 0, b4: g.b4,
            a_multiplier: aq, a_shift: ash, b_multiplier: bq, b_shift: bsh,
            output_multiplier: q, output_shift: shift, min: -32768, max: 32767,
        };
        for (op, sign) in [(&elementwise::ADD_I16, 1.0), (&elementwise::SUB_I16, -1.0)] {
            let y = pairs(op, &params.encode(), &a, &b);
            for (i, &y) in y.iter().enumerate() {
                let real = (sa * f64::from(at(&a, i)) + sign * sb * f64::from(at(&b, i))) / sy;
                near(y.into(), real, INT16, 0.502)?;
            }
        }
        let product = factor / 32768.0;
        (params.output_multiplier, params.output_shift) = quantised(product);
        let y = pairs(&elementwise::MUL_I16, &params.encode(), &a, &b);
        for (i, &y) in y.iter().enumerate() {
            let real = product * f64::from(at(&a, i)) * f64::from(at(&b, i));
            near(y.into(), real, INT16, 0.502)?;
        }
    }

    #[test]
    fn rectifiers_of_int16(x in prop::collection::vec(any::<i16>(), 1..40), positive in 0.2..3.0f64, negative in 0.01..2.0f64, down in prop::bool::ANY) {
        let [(pq, ps), (nq, ns)] = [positive, negative].map(quantised);
        let params = leaky_relu::Params {
            positive_multiplier: pq, positive_shift: ps,
            negative_multiplier: if down { -nq } else { nq }, negative_shift: ns,
            min: -32768, max: 32767,
        };
        let words = params.encode();
        let y: Vec<i16> = run(&leaky_relu::LEAKY_RELU_I16, &words, x.len(), &x, |_, x, y| vec![x, y]);
        for (&x, &y) in x.iter().zip(&y) {
            let slope = if down { -negative } else { negative };
            let (slope, shift) = if x > 0 { (positive, ps) } else { (slope, ns) };
            near(y.into(), slope * f64::from(x), INT16, half(shift))?;
        }
    }

    #[test]
    fn sigmoids_of_int16(x in prop::collection::vec(any::<i16>(), 1..40)) {
        // The table has 24 steps per unit, and a step of the input is 1/4096: 3 units of 1/12288.
        let exact = |x: f64| 65536.0 / (1.0 + exp(-x / 24.0));
        let table: Vec<u16> = (0..sigmoid::TABLE)
            .map(|i| floor(exact(i as f64) + 0.5).min(65535.0) as u16)
            .collect();
        let words = sigmoid::Params { multiplier: 3, shift: 0 }.encode();
        let through = |op: &'static Op| -> Vec<i16> {
            run(op, &words, x.len(), &x, |plan, x, y| {
                let table = plan.table("table", &[table.len()], &table);
                vec![x, table, y]
            })
        };
        let (logistic, hyperbolic) = (through(&sigmoid::LOGISTIC_I16), through(&sigmoid::TANH_I16));
        for ((&x, &logistic), &hyperbolic) in x.iter().zip(&logistic).zip(&hyperbolic) {
            let real = f64::from(x) / 4096.0;
            near(logistic.into(), 32768.0 / (1.0 + exp(-real)), INT16, 4.0)?;
            near(hyperbolic.into(), 32768.0 * tanh(real), INT16, 12.0)?;
        }
    }

    #[test]
    fn softmax_of_int16(x in prop::collection::vec(any::<i16>(), 1..20), scale in (-9.0..-6.0f64).prop_map(exp)) {
        let (multiplier, shift) = quantised(scale / (10.0 / 65535.0));
        let n = x.len();
        let table = |f: fn(f64) -> f64| -> Vec<i16> {
            let values = (0..softmax::TABLE).map(|i| f(i as f64 / 512.0));
            values.map(|y| (32768.0 * y + 0.5).min(32767.0) as i16).collect()
        };
        let exponentials = table(|x| exp(10.0 * x - 10.0));
        let reciprocals = table(|x| 1.0 / (1.0 + x));
        let words = softmax::Params { rows: 1, n: n as i32, multiplier, shift }.encode();
        let y: Vec<i16> = run(&softmax::SOFTMAX_I16, &words, n, &x, |plan, x, y| {
            let exponentials = plan.table("exp", &[softmax::TABLE], &exponentials);
            let reciprocals = plan.table("reciprocal", &[softmax::TABLE], &reciprocals);
            vec![x, exponentials, reciprocals, y]
        });
        let most = x.iter().copied().max().map_or(0.0, f64::from);
        let powers: Vec<f64> = x.iter().map(|&x| exp(scale * (f64::from(x) - most))).collect();
        let sum: f64 = powers.iter().sum();
        for (&y, power) in y.iter().zip(powers) {
            // Interpolated exponentials are off by up to 5e-5, the reciprocal by as much.
            near(y.into(), 32768.0 * power / sum, INT16, 24.0)?;
        }
    }
}
