//! The signal operators in front of a network against their formulas, through steps of a plan.

use libm::{floor, round, sqrt};
use otolith_classifier::ops::signal::{bank, frame};
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{Elem, Element, Numeric, Section};
use otolith_dsp_nostd::{Event, Op, Plan, PlanError, Runner};
use proptest::prelude::*;

/// Operator, operands and parameters of a step.
type Stage = (&'static Op, Vec<TensorId>, Vec<u32>);

/// Runs a plan on `x`. `stages` gets the builder and the source, and gives the steps and the output.
fn run<Y: Element>(
    x: &[i16],
    stages: impl Fn(&mut PlanBuilder, TensorId) -> (Vec<Stage>, TensorId),
) -> Result<Vec<Y>, PlanError> {
    let mut plan = PlanBuilder::new("test", Numeric::Fixed);
    let source = plan.source(Elem::I16, x.len(), x.len(), 0);
    let (stages, y) = stages(&mut plan, source);
    for (op, operands, params) in stages {
        plan.step(Section::Decision, op, "step", &operands, &params);
    }
    let shape = plan.shape(y).to_vec();
    plan.features(y, &shape);
    let bytes = plan.finish().unwrap();
    let plan = Plan::from_bytes(&bytes, all_ops())?;
    let mut arena = vec![u64::MAX / 3; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let pushed = runner.push_i16(x).unwrap();
    assert_eq!(pushed.event, Some(Event::Features));
    Ok(runner.features::<Y>().unwrap().to_vec())
}

/// Bins, runs of a bank over them, and its weights.
#[derive(Clone, Debug)]
struct Filters {
    starts: Vec<i16>,
    rising: Vec<i16>,
    falling: Vec<i16>,
}

fn filters(bins: usize) -> impl Strategy<Value = Filters> {
    let weights = || prop::collection::vec(0i16..=4096, 30);
    let run = (0..bins as i16 - 5, 0i16..25, 0i16..=5);
    (prop::collection::vec(run, 2..7), weights(), weights()).prop_map(|(runs, rising, falling)| {
        let bins = runs.iter().map(|run| run.0);
        let weights = runs.iter().map(|run| run.1);
        let lengths = runs.iter().map(|run| run.2);
        let starts = bins.chain(weights).chain(lengths).collect();
        Filters {
            starts,
            rising,
            falling,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn frames_are_weighed(
        (x, window) in (1usize..40).prop_flat_map(|n| {
            (prop::collection::vec(any::<i16>(), n), prop::collection::vec(0i16..=4096, n))
        }),
    ) {
        let y: Vec<i16> = run(&x, |plan, x| {
            let y = plan.tensor("y", Elem::I16, &[window.len()]);
            let window = plan.table("window", &[window.len()], &window);
            (vec![(&frame::SIGNAL_WINDOW_I16, vec![x, window, y], vec![12])], y)
        }).unwrap();
        for ((&x, &w), &y) in x.iter().zip(&window).zip(&y) {
            prop_assert_eq!(f64::from(y), floor(f64::from(x) * f64::from(w) / 4096.0));
        }
    }

    #[test]
    fn frames_are_scaled_to_the_top(x in prop::collection::vec(any::<i16>(), 1..40), quiet in 0u32..16) {
        let x: Vec<i16> = x.iter().map(|x| x.checked_shr(quiet).unwrap_or(0)).collect();
        let both = |output: usize| run::<i16>(&x, |plan, source| {
            let y = plan.tensor("y", Elem::I16, &[x.len()]);
            let s = plan.tensor("s", Elem::I32, &[1]);
            let words = plan.view("words", s, 0, Elem::I16, &[2]);
            let step = (&frame::SIGNAL_AUTO_SCALE_I16, vec![source, y, s], vec![]);
            (vec![step], [y, words][output])
        }).unwrap();
        let (y, s) = (both(0), both(1)[0]);
        prop_assert!((0..16).contains(&s));
        for (&x, &y) in x.iter().zip(&y) {
            prop_assert_eq!(i32::from(y), i32::from(x) << s);
        }
        let peak = y.iter().map(|y| y.unsigned_abs()).max().unwrap();
        prop_assert!(peak >= 1 << 14 || peak == 0 && s == 15);
    }

    #[test]
    fn amplitudes_are_roots_of_weighted_energies(
        spectrum in prop::collection::vec(any::<i16>(), 40),
        bank in filters(20),
        first in 0u32..10,
        s in 0i32..16,
    ) {
        let bands = bank.starts.len() / 3 - 1;
        let y: Vec<u32> = run(&spectrum, |plan, x| {
            let energies = plan.tensor("energies", Elem::U32, &[20]);
            let sums = plan.tensor("sums", Elem::U64, &[bands]);
            let y = plan.tensor("y", Elem::U32, &[bands]);
            let rising = plan.table("rising", &[30], &bank.rising);
            let falling = plan.table("falling", &[30], &bank.falling);
            let starts = plan.table("starts", &[bank.starts.len()], &bank.starts);
            let s = plan.table("s", &[1], &[s]);
            let stages: Vec<Stage> = vec![
                (&bank::SIGNAL_ENERGY_U32, vec![x, energies], vec![first, 18]),
                (&bank::SIGNAL_FILTER_BANK_U64, vec![energies, rising, falling, starts, sums], vec![]),
                (&bank::SIGNAL_SQUARE_ROOT_U32, vec![sums, s, y], vec![]),
            ];
            (stages, y)
        }).unwrap();
        let energy = |k: usize| match (first as usize..18).contains(&k) {
            true => {
                let [re, im] = [0, 1].map(|part| f64::from(spectrum[2 * k + part]));
                re * re + im * im
            }
            false => 0.0,
        };
        let sum = |run: usize, weights: &[i16]| -> f64 {
            let part = |part: usize| bank.starts[part * (bands + 1) + run] as usize;
            let terms = 0..part(2);
            terms.map(|i| f64::from(weights[part(1) + i]) * energy(part(0) + i)).sum()
        };
        for (band, &y) in y.iter().enumerate() {
            // The sums are below 2^53, so f64 has them exactly.
            let sum = sum(band, &bank.rising) + sum(band + 1, &bank.falling);
            let most = if sum < 4_294_967_296.0 { 65535 } else { u32::MAX };
            prop_assert_eq!(y, (round(sqrt(sum)) as u32).min(most) >> s);
        }
    }
}

/// A table of runs that leaves the spectrum or the weights is refused when the plan is loaded.
#[test]
fn runs_outside_are_refused() {
    let with = |starts: &[i16]| {
        run::<u32>(&[0; 40], |plan, x| {
            let energies = plan.view("energies", x, 0, Elem::U32, &[20]);
            let sums = plan.tensor("sums", Elem::U64, &[1]);
            let words = plan.view("words", sums, 0, Elem::U32, &[2]);
            let weights = plan.table("weights", &[8], &[1i16; 8]);
            let starts = plan.table("starts", &[6], starts);
            let operands = vec![energies, weights, weights, starts, sums];
            (
                vec![(&bank::SIGNAL_FILTER_BANK_U64, operands, vec![])],
                words,
            )
        })
    };
    assert!(with(&[16, 0, 0, 0, 4, 8]).is_ok());
    for bad in [
        [17, 0, 0, 0, 4, 8],
        [0, 0, 5, 0, 4, 8],
        [0, 0, 0, 1, 4, 8],
        [-1, 0, 0, 0, 4, 8],
        [0, 0, 0, 0, -4, 8],
    ] {
        assert!(with(&bad).is_err(), "{bad:?}");
    }
}
