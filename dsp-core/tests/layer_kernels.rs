//! Kernels of layers without weights against plain formulas, through a step of a plan.

use otolith_classifier::ALL;
use otolith_classifier::broadcast::Geometry;
use otolith_classifier::ops::{
    extremum, gather, l2_normalization, log_softmax, lookup, mul, reduce, resize, strided_copy,
};
use otolith_dsp_core::plan_builder::PlanBuilder;
use otolith_dsp_nostd::format::{Elem, Element, Numeric, Section};
use otolith_dsp_nostd::{Op, Plan, PlanError, Runner};

/// What stands between the input and the output among a step's operands.
enum Middle<'a> {
    Nothing,
    I8(&'a [i8]),
    I32([&'a [i32]; 2]),
}

/// Runs one operator on int8 input, in an arena full of garbage.
fn run<Y: Element>(
    op: &'static Op,
    input: &[i8],
    middle: &Middle<'_>,
    n: usize,
    params: &[u32],
) -> Result<Vec<Y>, PlanError> {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let mut operands = vec![plan.source(Elem::I8, input.len(), input.len(), 0)];
    match *middle {
        Middle::Nothing => {}
        Middle::I8(table) => operands.push(plan.table("table", &[table.len()], table)),
        Middle::I32(tables) => {
            operands.extend(tables.map(|table| plan.table("table", &[table.len()], table)));
        }
    }
    let y = plan.tensor("output", Y::ELEM, &[n]);
    operands.push(y);
    plan.step(Section::Decision, op, "step", &operands, params);
    plan.features(y, &[n]);
    let bytes = plan.finish().unwrap();
    let plan = Plan::from_bytes(&bytes, ALL)?;
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    runner.push_i8(input).unwrap();
    Ok(runner.features::<Y>().unwrap().to_vec())
}

/// Values from all over the range, the same in every run.
fn noise(n: usize, mut seed: u32) -> Vec<i8> {
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as i8
    };
    std::iter::repeat_with(next).take(n).collect()
}

#[test]
fn a_lookup_takes_the_entry_of_the_value() {
    let input: Vec<i8> = (-128..=127).collect();
    let table: Vec<i8> = (0..=255u8).map(|i| (i as i8).wrapping_mul(3)).collect();
    let y = run::<i8>(&lookup::LOOKUP_I8, &input, &Middle::I8(&table), 256, &[]);
    let want: Vec<i8> = input.iter().map(|x| x.wrapping_mul(3)).collect();
    assert_eq!(y.unwrap(), want);
    let short = Middle::I8(&table[..255]);
    assert!(run::<i8>(&lookup::LOOKUP_I8, &input, &short, 256, &[]).is_err());
}

/// `[2, 3, 4]` combined with `[3, 1]`.
const GEOMETRY: Geometry = Geometry {
    d0: 1,
    d1: 1,
    d2: 2,
    d3: 3,
    d4: 4,
    a0: 0,
    a1: 0,
    a2: 12,
    a3: 4,
    a4: 1,
    b0: 0,
    b1: 0,
    b2: 0,
    b3: 1,
    b4: 0,
};

#[test]
fn two_tensors_are_combined_with_broadcasting() {
    let (a, b) = (noise(24, 1), [-100i8, 7, 90]);
    let of =
        |f: &dyn Fn(i8, i8) -> i8| -> Vec<i8> { (0..24).map(|i| f(a[i], b[i / 4 % 3])).collect() };
    let run = |op, own: &[u32]| {
        let params = [&GEOMETRY.encode()[..], own].concat();
        run::<i8>(op, &a, &Middle::I8(&b), 24, &params)
    };
    assert_eq!(run(&extremum::MAXIMUM_I8, &[]).unwrap(), of(&i8::max));
    assert_eq!(run(&extremum::MINIMUM_I8, &[]).unwrap(), of(&i8::min));
    let p = mul::Params {
        a_zero_point: 5,
        b_zero_point: -3,
        multiplier: 1 << 30,
        shift: -6,
        output_zero_point: 2,
        min: -128,
        max: 127,
    };
    // 2^30 * 2^(-6 - 31) is 1/128; both roundings together err by less than one.
    let product = |a: i8, b: i8| (f64::from(a) - 5.0) * (f64::from(b) + 3.0) / 128.0 + 2.0;
    let y = run(&mul::MUL_I8, &p.encode()).unwrap();
    for (i, &y) in y.iter().enumerate() {
        let exact = product(a[i], b[i / 4 % 3]).clamp(-128.0, 127.0);
        assert!((f64::from(y) - exact).abs() < 1.0, "{i}: {y} for {exact}");
    }
    assert!(run(&mul::MUL_I8, &[]).is_err());
    assert!(run(&extremum::MAXIMUM_I8, &[0]).is_err());
}

#[test]
fn extrema_and_their_indices() {
    let x = noise(2 * 5 * 3, 2);
    let column = |o: usize, i: usize| (0..5).map(move |k| (o * 5 + k) * 3 + i);
    let p = reduce::Params {
        keep0: 1,
        keep1: 2,
        keep2: 3,
        keep0_stride: 1,
        keep1_stride: 15,
        keep2_stride: 1,
        reduce0: 1,
        reduce1: 1,
        reduce2: 5,
        reduce0_stride: 1,
        reduce1_stride: 1,
        reduce2_stride: 3,
    };
    let none = Middle::Nothing;
    let max = run::<i8>(&reduce::REDUCE_MAX_I8, &x, &none, 6, &p.encode()).unwrap();
    let min = run::<i8>(&reduce::REDUCE_MIN_I8, &x, &none, 6, &p.encode()).unwrap();
    let p = reduce::ArgParams {
        outer: 2,
        n: 5,
        inner: 3,
    };
    let first = run::<i32>(&reduce::ARG_MAX_I8, &x, &none, 6, &p.encode()).unwrap();
    for at in 0..6 {
        let values: Vec<i8> = column(at / 3, at % 3).map(|k| x[k]).collect();
        assert_eq!(Some(&max[at]), values.iter().max());
        assert_eq!(Some(&min[at]), values.iter().min());
        assert_eq!(
            values.iter().position(|&v| v == max[at]),
            Some(first[at] as usize)
        );
    }
    // Of equal elements, the first.
    let flat = run::<i32>(&reduce::ARG_MIN_I8, &[7; 30], &none, 6, &p.encode());
    assert_eq!(flat.unwrap(), [0; 6]);
}

#[test]
fn strided_copies_transpose_reverse_and_stay_inside() {
    let x = noise(12, 3);
    // [3, 4] to [4, 3], rows reversed: element (i, j) is x[2 - j, i].
    let words = |offset: i32| -> Vec<u32> {
        let dims = [1, 1, 1, 1, 4, 3];
        let from = [offset, 0, 0, 0, 0, 1, -4];
        let to = [0, 0, 0, 0, 0, 3, 1];
        let all = [&dims[..], &from, &to].concat();
        all.iter().map(|&word| word as u32).collect()
    };
    let op = &strided_copy::STRIDED_COPY_8;
    let y = run::<i8>(op, &x, &Middle::Nothing, 12, &words(8)).unwrap();
    let want: Vec<i8> = (0..12).map(|k| x[(2 - k % 3) * 4 + k / 3]).collect();
    assert_eq!(y, want);
    for outside in [7, 9] {
        assert!(run::<i8>(op, &x, &Middle::Nothing, 12, &words(outside)).is_err());
    }
}

#[test]
fn gathers_pick_rows_and_columns() {
    let x = noise(2 * 3 * 4 * 2, 4);
    let (rows, columns) = ([2, 0], [3, 3, 1]);
    let p = gather::Params {
        outer: 2,
        in_rows: 3,
        in_columns: 4,
        run: 2,
    };
    let tables = Middle::I32([&rows, &columns]);
    let y = run::<i8>(&gather::GATHER_8, &x, &tables, 24, &p.encode()).unwrap();
    let mut want = Vec::new();
    for o in 0..2 {
        for r in rows {
            for c in columns {
                let at = ((o * 3 + r as usize) * 4 + c as usize) * 2;
                want.extend_from_slice(&x[at..at + 2]);
            }
        }
    }
    assert_eq!(y, want);
    let outside = Middle::I32([&[3, 0], &columns]);
    assert!(run::<i8>(&gather::GATHER_8, &x, &outside, 24, &p.encode()).is_err());
}

#[test]
fn bilinear_resizing_interpolates() {
    let x = noise(3 * 4, 5);
    let p = resize::Params {
        batch: 1,
        in_h: 3,
        in_w: 4,
        channels: 1,
        out_h: 6,
        out_w: 8,
        y_scale: 512,
        y_offset: 256 - 512,
        x_scale: 512,
        x_offset: 256 - 512,
    };
    let op = &resize::RESIZE_BILINEAR_I8;
    let y = run::<i8>(op, &x, &Middle::Nothing, 48, &p.encode()).unwrap();
    for (k, &y) in y.iter().enumerate() {
        let place = |i: usize, n: f64| (i as f64 * 0.5 - 0.25).clamp(0.0, n - 1.0);
        let (v, h) = (place(k / 8, 3.0), place(k % 8, 4.0));
        let at = |r: f64, c: f64| f64::from(x[r.min(2.0) as usize * 4 + c.min(3.0) as usize]);
        let row = |r: f64| at(r, h) * (1.0 - h % 1.0) + at(r, h + 1.0) * (h % 1.0);
        let exact = row(v) * (1.0 - v % 1.0) + row(v + 1.0) * (v % 1.0);
        assert!((f64::from(y) - exact).abs() <= 0.5, "{k}: {y} for {exact}");
    }
    let beyond = resize::Params { y_scale: 1024, ..p };
    assert!(run::<i8>(op, &x, &Middle::Nothing, 48, &beyond.encode()).is_err());
}

#[test]
fn rows_are_normalised() {
    let x = noise(4 * 10, 6);
    let p = l2_normalization::Params {
        rows: 4,
        n: 10,
        input_zero_point: 9,
    };
    let op = &l2_normalization::L2_NORMALIZATION_I8;
    let y = run::<i8>(op, &x, &Middle::Nothing, 40, &p.encode()).unwrap();
    for (x, y) in x.chunks(10).zip(y.chunks(10)) {
        let real: Vec<f64> = x.iter().map(|&x| f64::from(x) - 9.0).collect();
        let length = libm::sqrt(real.iter().map(|r| r * r).sum());
        for (r, &y) in real.iter().zip(y) {
            let exact = 128.0 * r / length;
            assert!((f64::from(y) - exact).abs() < 0.51, "{y} for {exact}");
        }
    }
}

#[test]
fn logarithms_of_the_softmax_are_those_of_the_formula() {
    let x = noise(4 * 10, 7);
    // Input scale 1/16: Q5.26 is the difference times 2^22, which is 2^30 * 2^(23 - 31).
    let p = log_softmax::Params {
        rows: 4,
        n: 10,
        multiplier: 1 << 30,
        shift: 23,
        reverse_multiplier: 1 << 30,
        reverse_shift: -21,
        diff_min: -248,
    };
    let op = &log_softmax::LOG_SOFTMAX_I8;
    let y = run::<i8>(op, &x, &Middle::Nothing, 40, &p.encode()).unwrap();
    for (x, y) in x.chunks(10).zip(y.chunks(10)) {
        let sum: f64 = x.iter().map(|&x| libm::exp(f64::from(x) / 16.0)).sum();
        for (&x, &y) in x.iter().zip(y) {
            let real = f64::from(x) / 16.0 - libm::log(sum);
            let exact = (16.0 * real + 127.0).max(-128.0);
            assert!((f64::from(y) - exact).abs() < 0.51, "{y} for {exact}");
        }
    }
}
