//! The operators of estimators against their formulas, through a step of a plan, and what their
//! checks refuse.

use otolith_classifier::ops::{anomaly, linear, tree};
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::PlanBuilder;
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use otolith_dsp_nostd::{Op, Plan, Runner};
use proptest::prelude::*;

/// A table of an operator.
enum Table {
    I8(Vec<i8>),
    I16(Vec<i16>),
    U16(Vec<u16>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    I64(Vec<i64>),
}

/// Runs `op` on `n` values whose 32-bit words are `input`, its tables, then an output of `out`
/// values of 32 bits, or pairs of words for 64.
fn run(
    op: &'static Op,
    (words, elem): (&[u32], Elem),
    tables: &[Table],
    (out, out_elem): (usize, Elem),
    params: &[u32],
) -> Option<Vec<i32>> {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let source = plan.source(Elem::F32, words.len(), words.len(), 0);
    let n = words.len() * 4 / elem.size();
    let mut operands = vec![plan.view("x", source, 0, elem, &[n])];
    for table in tables {
        operands.push(match table {
            Table::I8(t) => plan.table("table", &[t.len()], t),
            Table::I16(t) => plan.table("table", &[t.len()], t),
            Table::U16(t) => plan.table("table", &[t.len()], t),
            Table::I32(t) => plan.table("table", &[t.len()], t),
            Table::U32(t) => plan.table("table", &[t.len()], t),
            Table::I64(t) => plan.table("table", &[t.len()], t),
        });
    }
    let y = plan.tensor("y", out_elem, &[out]);
    operands.push(y);
    plan.step(Section::Decision, op, "step", &operands, params);
    let seen = out * out_elem.size() / 4;
    let words_out = plan.view("words", y, 0, Elem::I32, &[seen]);
    plan.features(words_out, &[seen]);
    let bytes = plan.finish().expect("a plan");
    let plan = Plan::from_bytes(&bytes, all_ops()).ok()?;
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).expect("an arena");
    let samples: Vec<f32> = words.iter().map(|&w| f32::from_bits(w)).collect();
    let pushed = runner.push_f32(&samples).expect("no fault");
    assert!(pushed.event.is_some());
    Some(runner.features::<i32>().expect("features").to_vec())
}

fn words(x: &[i32]) -> Vec<u32> {
    x.iter().map(|&x| x as u32).collect()
}

fn words64(x: &[i64]) -> Vec<u32> {
    let halves = x.iter().flat_map(|&x| [x as u32, (x as u64 >> 32) as u32]);
    halves.collect()
}

fn q16(x: i32) -> f64 {
    f64::from(x) / 65536.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn softmax_is_its_formula(x in prop::collection::vec(-800_000i32..800_000, 1..9)) {
        let n = x.len();
        let y = run(&linear::SOFTMAX_I32, (&words(&x), Elem::I32), &[], (n, Elem::I32), &[]);
        let sum: f64 = x.iter().map(|&x| libm::exp(q16(x))).sum();
        for (y, &x) in y.expect("runs").iter().zip(&x) {
            let exact = libm::exp(q16(x)) / sum * 32768.0;
            prop_assert!((f64::from(*y) - exact).abs() <= 1.1, "{y} {exact}");
        }
    }

    #[test]
    fn logistic_is_its_formula(x in prop::collection::vec(-500_000i32..500_000, 2..9)) {
        let sigmoid = |x: i32| 1.0 / (1.0 + libm::exp(-q16(x)));
        let n = x.len();
        let y = run(&linear::LOGISTIC_I32, (&words(&x), Elem::I32), &[], (n, Elem::I32), &[]);
        let sum: f64 = x.iter().map(|&x| sigmoid(x)).sum();
        for (y, &x) in y.expect("runs").iter().zip(&x) {
            let exact = sigmoid(x) / sum * 32768.0;
            prop_assert!((f64::from(*y) - exact).abs() <= 1.6, "{y} {exact}");
        }
        let one = run(&linear::LOGISTIC_I32, (&words(&x[..1]), Elem::I32), &[], (2, Elem::I32), &[]);
        let one = one.expect("runs");
        let exact = sigmoid(x[0]) * 32768.0;
        prop_assert!((f64::from(one[1]) - exact).abs() <= 1.1, "{one:?} {exact}");
        prop_assert!((one[0] + one[1] - 32768).abs() <= 1, "{one:?}");
    }

    #[test]
    fn linear_is_its_formula(
        x in prop::collection::vec(any::<i32>(), 3),
        mul in prop::collection::vec(any::<i32>(), 6),
        shift in prop::collection::vec(30i8..=62, 6),
        bias in prop::collection::vec(-1i64 << 33..1i64 << 33, 2),
    ) {
        let tables = [Table::I32(mul.clone()), Table::I8(shift.clone()), Table::I64(bias.clone())];
        let y = run(&linear::LINEAR_I32, (&words(&x), Elem::I32), &tables, (2, Elem::I32), &[]);
        for (r, y) in y.expect("runs").into_iter().enumerate() {
            let term = |k: usize| {
                let product = i128::from(x[k]) * i128::from(mul[3 * r + k]);
                let half = 1i128 << (shift[3 * r + k] - 1);
                (product + half) >> shift[3 * r + k]
            };
            let sum = i128::from(bias[r]) + (0..3).map(term).sum::<i128>();
            prop_assert_eq!(i128::from(y), sum.clamp(i32::MIN.into(), i32::MAX.into()));
        }
    }

    #[test]
    fn distances_are_their_formula(
        x in prop::collection::vec(any::<i32>(), 3),
        centre in prop::collection::vec(any::<i32>(), 6),
        mul in prop::collection::vec(any::<i32>(), 12),
        shift in prop::collection::vec(30i8..=62, 12),
        full: bool,
    ) {
        let per = if full { 6 } else { 3 };
        let tables = [
            Table::I32(centre.clone()),
            Table::I32(mul[..2 * per].to_vec()),
            Table::I8(shift[..2 * per].to_vec()),
        ];
        let op = &anomaly::SQUARED_DISTANCES_I32;
        let y = run(op, (&words(&x), Elem::I32), &tables, (2, Elem::I64), &[u32::from(full)]);
        let y = y.expect("runs");
        let narrow = |x: i128| x.clamp(i32::MIN.into(), i32::MAX.into());
        for c in 0..2 {
            let mut weights = (c * per..).map(|i| (i128::from(mul[i]), shift[i]));
            let mut sum = 0i128;
            for j in 0..3 {
                let mut z = 0;
                for i in if full { 0 } else { j }..=j {
                    let d = narrow(i128::from(x[i]) - i128::from(centre[3 * c + i]));
                    let (mul, shift) = weights.next().expect("a weight");
                    z += (d * mul + (1 << (shift - 1))) >> shift;
                }
                sum += narrow(z) * narrow(z);
            }
            let found = i64::from(y[2 * c] as u32) | i64::from(y[2 * c + 1]) << 32;
            prop_assert_eq!(i128::from(found), sum.min(i64::MAX.into()));
        }
    }

    #[test]
    fn scores_are_their_formulas(
        x in prop::collection::vec((0i64..i64::MAX, 0u32..60), 1..6),
        weight in prop::collection::vec(-600_000i32..=0, 5),
    ) {
        let x: Vec<i64> = x.into_iter().map(|(x, shift)| x >> shift).collect();
        let squared = |x: i64| x as f64 / 4_294_967_296.0;
        let input = words64(&x);
        let y = run(&anomaly::NEAREST_I64, (&input, Elem::I64), &[], (1, Elem::I32), &[]);
        let least = x.iter().copied().min().expect("a value");
        let exact = (squared(least).sqrt() * 256.0).min(32767.0);
        prop_assert!((f64::from(y.expect("runs")[0]) - exact).abs() <= 0.51);

        let tables = [Table::I32(weight[..x.len()].to_vec())];
        let y = run(&anomaly::MIXTURE_I64, (&input, Elem::I64), &tables, (1, Elem::I32), &[]);
        let terms: Vec<f64> =
            x.iter().zip(&weight).map(|(&x, &w)| q16(w) - squared(x) / 2.0).collect();
        let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log = most + libm::log(terms.iter().map(|t| libm::exp(t - most)).sum::<f64>());
        let exact = (-log * 256.0).clamp(0.0, 32767.0);
        let found = f64::from(y.expect("runs")[0]);
        prop_assert!((found - exact).abs() <= 0.6, "{found} {exact}");
    }
}

/// Two trees over two features with three labels: the parts of a good plan, one of them replaced.
fn trees(change: impl Fn(&mut [Table; 5])) -> Option<Vec<i32>> {
    let mut tables = [
        Table::I16(vec![1, -1, -1, -1]),
        Table::I32(vec![5, 0, 0, 0]),
        Table::U16(vec![2, 0, 1, 1]),
        Table::U32(vec![0, 3]),
        Table::U16(vec![32768, 0, 0, 0, 16384, 16384]),
    ];
    change(&mut tables);
    let x = words(&[0, 5]);
    run(
        &tree::TREES_I32,
        (&x, Elem::I32),
        &tables,
        (3, Elem::I32),
        &[3],
    )
}

#[test]
fn trees_that_could_lead_astray_are_refused() {
    // The first tree ends in leaf 0, the second is leaf 1.
    assert_eq!(trees(|_| ()), Some(vec![16384, 8192, 8192]));
    let wrong: [(usize, Table); 12] = [
        (0, Table::I16(vec![2, -1, -1, -1])),
        (0, Table::I16(vec![-2, -1, -1, -1])),
        (0, Table::I16(vec![1, -1, -1])),
        (0, Table::I16(vec![1, -1, 1, -1])),
        (1, Table::I32(vec![5, 0, 0])),
        (2, Table::U16(vec![0, 0, 1, 1])),
        (2, Table::U16(vec![3, 0, 1, 1])),
        (2, Table::U16(vec![2, 2, 1, 1])),
        (3, Table::U32(vec![0, 4])),
        (3, Table::U32(vec![1, 3])),
        (4, Table::U16(vec![32769, 0, 0, 0, 16384, 16384])),
        (4, Table::U16(vec![32768, 0, 0, 0, 16384])),
    ];
    for (i, (place, table)) in wrong.into_iter().enumerate() {
        let table = std::cell::Cell::new(Some(table));
        let found = trees(|tables| tables[place] = table.take().expect("once"));
        assert_eq!(found, None, "{i}");
    }
}
