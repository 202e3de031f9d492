//! Laws of plans and runners: any chunking gives the same bits, a reset forgets everything, the
//! arena's size is exact, and no bytes make the runner panic or hang.

use otolith_dsp_core::deploy::Precision;
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::lower::{lower_f32, lower_fixed};
use otolith_dsp_core::plan_builder::PlanBytes;
use otolith_dsp_core::{Override, Pipeline};
use otolith_dsp_nostd::format::ARENA_ALIGN;
use otolith_dsp_nostd::{Event, InitError, Plan, PlanError, PlanInfo, Runner};
use proptest::prelude::*;

/// Pipelines that between them use every section, mode and kind of padding.
const PIPELINES: [(&str, &str); 6] = [
    (
        "stream",
        r#"
            preset = "tf_signal"
            frame_ms = 25
            hop_ms = 10
        "#,
    ),
    (
        "primed stream with pre-emphasis",
        r#"
            preset = "librosa"
            frame_samples = 400
            hop_samples = 500
            n_fft = 512
            n_mels = 20
            top_range = "none"
            pre_emphasis = "signal"
        "#,
    ),
    (
        "window",
        r#"
            preset = "tf_signal"
            frame_ms = 25
            hop_ms = 10
            deltas = 2
            mode = "window"
            normalise = "max"
        "#,
    ),
    (
        "padded window",
        r#"
            preset = "librosa"
            frame_samples = 400
            hop_samples = 160
            n_fft = 512
            n_mels = 20
            padding = "reflect"
            mode = "window"
            normalise = "peak"
            sample_type = "i16"
        "#,
    ),
    (
        "stream with a noise estimate",
        r#"
            type = "micro_frontend"
            preset = "micro_wake_word"
        "#,
    ),
    (
        "window with a noise estimate",
        r#"
            type = "micro_frontend"
            n_channels = 9
            log = "off"
            mode = "window"
            sample_type = "i16"
        "#,
    ),
];

fn pipeline(fields: &str) -> Pipeline {
    let (input, block): (Vec<&str>, Vec<&str>) = fields.lines().partition(|line| {
        ["mode", "normalise", "sample_type"]
            .iter()
            .any(|key| line.trim_start().starts_with(key))
    });
    let window = if fields.contains("mode = \"window\"") {
        "window_ms = 100\nwindow_hop_ms = 70"
    } else {
        ""
    };
    let block_type = if fields.contains("type = \"micro_frontend\"") {
        ""
    } else {
        "type = \"mfcc\""
    };
    let text = format!(
        "[pipeline]\nname = \"law\"\n[input]\nrate_hz = 16000\n{window}\n{}\n[[block]]\nid = \
         \"features\"\n{block_type}\n{}\n",
        input.join("\n"),
        block.join("\n"),
    );
    let none: [Override; 0] = [];
    Pipeline::from_toml(&text, ".".as_ref(), &none).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Ways to lower a pipeline.
const NUMERICS: usize = 3;

fn plan(fields: &str, numeric: usize) -> PlanBytes {
    let pipeline = pipeline(fields);
    let graph = pipeline.graph();
    let plan = match numeric {
        0 => lower_f32(graph, None),
        1 => lower_fixed(graph, None, Precision::Full),
        _ => lower_fixed(graph, None, Precision::Light),
    };
    plan.expect("lowers")
}

/// Every pipeline in every numeric, named.
fn plans() -> impl Iterator<Item = (&'static str, PlanBytes)> {
    PIPELINES
        .iter()
        .flat_map(|&(name, fields)| (0..NUMERICS).map(move |numeric| (name, plan(fields, numeric))))
}

fn arena(plan: &Plan<'_>) -> Vec<u64> {
    // Not zero, so that a reset has something to forget.
    vec![0xa5a5_a5a5_a5a5_a5a5; plan.arena_len().div_ceil(8)]
}

/// Clock and bytes of each features event.
fn events(runner: &mut Runner<'_>, samples: &[i16]) -> Vec<(u64, Vec<u8>)> {
    let mut rest = samples;
    let mut events = Vec::new();
    loop {
        let pushed = runner.push_i16(rest).expect("no fault");
        rest = &rest[pushed.consumed..];
        match pushed.event {
            Some(event) => {
                assert_eq!(event, Event::Features);
                let (_, bytes) = runner.features_bytes().expect("features");
                events.push((runner.clock(), bytes.to_vec()));
            }
            None => {
                assert!(rest.is_empty());
                return events;
            }
        }
    }
}

/// A deterministic signal: tones, noise and silence.
fn signal(n: usize, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    (0..n)
        .map(|t| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let noise = (state >> 48) as i16 / 8;
            let tone = libm::sin(t as f64 * 0.17) * 9000.0;
            if t / 1000 % 4 == 3 {
                0
            } else {
                noise.saturating_add(tone as i16)
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_bits(
        seed: u64,
        which in 0..PIPELINES.len(),
        numeric in 0..NUMERICS,
        chunks in prop::collection::vec(0usize..1500, 1..40),
    ) {
        let bytes = plan(PIPELINES[which].1, numeric);
        let plan = Plan::from_bytes(&bytes, all_ops()).expect("valid");
        let samples = signal(8000, seed);
        let (mut a, mut b) = (arena(&plan), arena(&plan));
        let mut whole = Runner::new(plan, bytemuck::cast_slice_mut(&mut a)).expect("fits");
        let mut cut = Runner::new(plan, bytemuck::cast_slice_mut(&mut b)).expect("fits");
        let expected = events(&mut whole, &samples);
        prop_assert!(!expected.is_empty());
        let mut rest = &samples[..];
        let mut got = Vec::new();
        for len in chunks.iter().cycle().copied().chain([usize::MAX]) {
            let len = len.max(1).min(rest.len());
            got.extend(events(&mut cut, &rest[..len]));
            rest = &rest[len..];
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn a_reset_forgets_everything(
        seed: u64,
        which in 0..PIPELINES.len(),
        numeric in 0..NUMERICS,
        cut in 0usize..4000,
    ) {
        let bytes = plan(PIPELINES[which].1, numeric);
        let plan = Plan::from_bytes(&bytes, all_ops()).expect("valid");
        let mut memory = arena(&plan);
        let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)).expect("fits");
        let samples = signal(6000, seed);
        let fresh = events(&mut runner, &samples);
        runner.reset();
        events(&mut runner, &samples[cut..]);
        runner.reset();
        prop_assert_eq!(runner.clock(), 0);
        prop_assert_eq!(events(&mut runner, &samples), fresh);
    }
}

#[test]
fn float_samples_give_the_bits_of_the_integers_that_they_are() {
    for (name, bytes) in plans() {
        let plan = Plan::from_bytes(&bytes, all_ops()).expect("valid");
        let samples = signal(4000, 3);
        let (mut a, mut b) = (arena(&plan), arena(&plan));
        let mut ints = Runner::new(plan, bytemuck::cast_slice_mut(&mut a)).expect("fits");
        let mut floats = Runner::new(plan, bytemuck::cast_slice_mut(&mut b)).expect("fits");
        for chunk in samples.chunks(77) {
            let as_float: Vec<f32> = chunk.iter().map(|&x| f32::from(x) / 32768.0).collect();
            let (mut rest, mut float_rest) = (chunk, &as_float[..]);
            loop {
                let x = ints.push_i16(rest).expect("no fault");
                let y = floats.push_f32(float_rest).expect("no fault");
                assert_eq!(x, y, "{name}");
                assert_eq!(ints.features_bytes(), floats.features_bytes(), "{name}");
                rest = &rest[x.consumed..];
                float_rest = &float_rest[y.consumed..];
                if x.event.is_none() {
                    break;
                }
            }
        }
    }
}

#[test]
fn the_arena_is_exact() {
    for (name, bytes) in plans() {
        let plan = Plan::from_bytes(&bytes, all_ops()).expect("valid");
        let need = plan.arena_len();
        let mut memory = vec![0u64; need.div_ceil(8) + 1];
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        assert_eq!(
            Runner::new(plan, &mut memory[..need - 1]).err(),
            Some(InitError::ArenaTooSmall {
                need,
                got: need - 1
            }),
            "{name}"
        );
        for offset in 1..ARENA_ALIGN {
            let result = Runner::new(plan, &mut memory[offset..]);
            assert_eq!(result.err(), Some(InitError::Misaligned), "{name}");
        }
        assert!(Runner::new(plan, &mut memory[..need]).is_ok(), "{name}");
    }
}

#[test]
fn a_plan_is_refused_where_it_is_misaligned_or_cut() {
    let bytes = plan(PIPELINES[0].1, 0);
    let mut shifted = vec![0u64; bytes.len() / 8 + 4];
    let shifted: &mut [u8] = bytemuck::cast_slice_mut(&mut shifted);
    for offset in 0..16 {
        shifted[offset..offset + bytes.len()].copy_from_slice(&bytes);
        let result = Plan::from_bytes(&shifted[offset..], all_ops());
        match offset % 8 {
            0 => assert!(result.is_ok()),
            _ => assert_eq!(result.err(), Some(PlanError::Misaligned)),
        }
    }
    for len in 0..bytes.len() {
        let result = Plan::from_bytes(&bytes[..len], all_ops());
        assert!(matches!(result, Err(PlanError::Truncated { .. })), "{len}");
    }
}

#[test]
fn a_plan_says_which_operator_is_not_linked() {
    let bytes = plan(PIPELINES[0].1, 0);
    let info = PlanInfo::from_bytes(&bytes).expect("valid");
    for &code in info.op_codes() {
        let ops: Vec<_> = all_ops()
            .iter()
            .copied()
            .filter(|op| op.code != code)
            .collect();
        let result = Plan::from_bytes(&bytes, &ops);
        assert_eq!(result.err(), Some(PlanError::MissingOp { code }));
    }
}

#[test]
fn every_single_damaged_byte_is_found() {
    let bytes = plan(PIPELINES[0].1, 0);
    let mut damaged = PlanBytes::copy_from(&bytes).to_vec();
    for at in 0..damaged.len() {
        damaged[at] ^= 0x40;
        let aligned = PlanBytes::copy_from(&damaged);
        assert!(PlanInfo::from_bytes(&aligned).is_err(), "byte {at}");
        assert!(otolith_dsp_nostd::verify(&aligned).is_err(), "byte {at}");
        damaged[at] ^= 0x40;
    }
}

/// 100,000 mutated plans. Loading does not look at the hash: the ones that are accepted must run
/// without panic, in a bounded time.
#[test]
fn mutated_plans_are_refused_or_run() {
    let seeds: Vec<PlanBytes> = plans().map(|(_, plan)| plan).collect();
    let interesting = [
        0u32,
        1,
        2,
        7,
        8,
        0x7f,
        0xff,
        0x8000,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX,
    ];
    let mut state = 0x243f_6a88_85a3_08d3u64;
    let mut next = |n: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((state >> 33) as usize) % n.max(1)
    };
    let samples = signal(1700, 1);
    let (mut refused, mut ran, mut faulted) = (0, 0, 0);
    for _ in 0..100_000 {
        let seed = &seeds[next(seeds.len())];
        let mut bytes = seed.to_vec();
        let info = PlanInfo::from_bytes(seed).expect("valid");
        let structure = bytes.len() - info.data().len() - info.info().len();
        for _ in 0..=next(3) {
            // Mostly header, records and steps: tables are only numbers.
            let limit = if next(4) == 0 {
                bytes.len()
            } else {
                structure.min(bytes.len())
            };
            let at = next(limit);
            match next(5) {
                0 => bytes[at] ^= 1 << next(8),
                1 => bytes[at] = next(256) as u8,
                2 => {
                    let word = interesting[next(interesting.len())].to_le_bytes();
                    let at = at & !3;
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&word[..end - at]);
                }
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let from = next(bytes.len());
                    let len = next(24).min(bytes.len() - from.max(at.min(bytes.len())));
                    bytes.copy_within(from..from + len, at);
                }
            }
        }
        let bytes = PlanBytes::copy_from(&bytes);
        let Ok(plan) = Plan::from_bytes(&bytes, all_ops()) else {
            refused += 1;
            continue;
        };
        if plan.arena_len() > 1 << 20 {
            continue;
        }
        let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
        let Ok(mut runner) = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory)) else {
            continue;
        };
        let mut rest = &samples[..];
        ran += 1;
        for _ in 0..4 {
            match runner.push_i16(rest) {
                Ok(pushed) => rest = &rest[pushed.consumed..],
                Err(_) => {
                    faulted += 1;
                    break;
                }
            }
        }
    }
    println!("{refused} refused, {ran} ran, {faulted} of these with a fault");
    assert!(refused > 50_000 && ran > 1_000);
}
