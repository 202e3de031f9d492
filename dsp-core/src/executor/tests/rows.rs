//! Stages of all rows.

use super::*;

#[test]
fn values_far_below_the_top_are_lifted() {
    let g = chain(2, 2, vec![]);
    let g = with_rows(g, 2, StageKind::TopRange { range: 3.0 });
    let got = reference(&g, &[1.0, -7.0, 5.0, 2.5]);
    assert_eq!(got.values, [2.0, 2.0, 5.0, 2.5]);
}

#[test]
fn columns_are_standardised_over_the_window() {
    let standardise = |variance, epsilon| StageKind::Standardise {
        span: Span::Window,
        variance,
        epsilon,
    };
    let x = [1.0, 5.0, 3.0, 5.0, 8.0, 5.0];
    let run = |kind| reference(&with_rows(chain(2, 2, vec![]), 2, kind), &x).values;
    assert_eq!(run(standardise(false, 0.0)), [-3., 0., -1., 0., 4., 0.]);
    // Variance (9 + 1 + 16) / 3; the second column has none, and is not divided by 0.
    let deviation = libm::sqrt(26.0 / 3.0);
    let expected = |d: f64| [-3.0 / d, 0.0, -1.0 / d, 0.0, 4.0 / d, 0.0];
    assert_eq!(run(standardise(true, 0.0)), expected(deviation));
    assert_eq!(run(standardise(true, 0.5)), expected(deviation + 0.5));
}

#[test]
fn columns_are_standardised_over_a_sliding_span() {
    // Spans shorter and longer than the recording, whose mirror images repeat.
    for (rows, span) in [(30, 5), (30, 1), (7, 7), (3, 31), (1, 3)] {
        let x = noise(2 * rows);
        let kind = StageKind::Standardise {
            span: Span::Sliding(span),
            variance: true,
            epsilon: 0.1,
        };
        let got = reference(&with_rows(chain(2, 2, vec![]), 2, kind), &x);
        let mut expected = vec![];
        for t in 0..rows {
            for column in 0..2 {
                let around: Vec<f64> = (0..span)
                    .map(|i| {
                        let mut at = (t + i) as isize - (span / 2) as isize;
                        // Mirrored until it is inside; the edge is repeated.
                        while !(0..rows as isize).contains(&at) {
                            at = if at < 0 {
                                -1 - at
                            } else {
                                2 * rows as isize - 1 - at
                            };
                        }
                        f64::from(x[2 * at as usize + column])
                    })
                    .collect();
                let mean = around.iter().sum::<f64>() / span as f64;
                let squares = around.iter().map(|x| (x - mean) * (x - mean));
                let deviation = libm::sqrt(squares.sum::<f64>() / span as f64);
                expected.push((f64::from(x[2 * t + column]) - mean) / (deviation + 0.1));
            }
        }
        assert!(error(&got.values, &expected) < 1e-13, "{rows} {span}");
    }
}

#[test]
fn deltas_are_slopes() {
    let run = |order, reach, x: &[f32]| {
        let kind = deltas(order, reach);
        let len = 1 + usize::from(order);
        reference(&with_rows(chain(1, 1, vec![]), len, kind), x).values
    };
    // A parabola: slope 2 t, curvature 2, but for the rows near the edges, which are repeated.
    let parabola: Vec<f32> = (0..20).map(|t| (t * t) as f32).collect();
    let got = run(2, 2, &parabola);
    for t in 4..16 {
        assert_eq!(got[3 * t..][..3], [(t * t) as f64, 2.0 * t as f64, 2.0]);
    }
    // d[0] = (1 (x1 - x0) + 2 (x2 - x0)) / 10, d[1] = (1 (x2 - x0) + 2 (x3 - x0)) / 10
    assert_eq!(got[1], (1.0 + 8.0) * 0.1);
    assert_eq!(got[4], (4.0 + 18.0) * 0.1);
    assert_eq!(run(1, 3, &[7.0]), [7.0, 0.0]);
    assert!(run(1, 3, &[]).is_empty());
}

#[test]
fn row_stages_may_change_the_length_of_rows() {
    let twice = Matrix {
        rows: 2,
        cols: 1,
        values: vec![1.0, 10.0],
    };
    let back = Matrix {
        rows: 1,
        cols: 2,
        values: vec![0.0, 1.0],
    };
    let g = with_rows(chain(1, 1, vec![]), 2, StageKind::Matrix(twice));
    assert_eq!(reference(&g, &[1.0, 2.0]).values, [1.0, 10.0, 2.0, 20.0]);
    let g = with_rows(g, 1, StageKind::Matrix(back));
    assert_eq!(reference(&g, &[1.0, 2.0]).values, [10.0, 20.0]);
    let none = reference(&g, &[]);
    assert_eq!((none.rows, none.row_len), (0, 1));
}
