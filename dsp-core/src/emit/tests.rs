use super::*;
use crate::plan_builder::PlanBuilder;
use otolith_dsp_nostd::format::{Elem, NONE, Section};
use otolith_dsp_nostd::ops::vector;
use otolith_dsp_nostd::{Op, Plan, Runner};

/// Frames of 8 samples without their mean, and, when there are labels, the outputs of a
/// classifier that no step fills.
fn plan(labels: &[&str]) -> PlanBytes {
    let mut plan = PlanBuilder::new("a \"*/\" name", Numeric::F32);
    plan.rate_hz(16000.0);
    let source = plan.source(Elem::F32, 8, 8, 0);
    plan.step(
        Section::Decision,
        &vector::REMOVE_MEAN_F32,
        "mean",
        &[source],
        &[],
    );
    plan.features(source, &[2, 4]);
    if !labels.is_empty() {
        let scores = plan.state("scores", Elem::I16, &[labels.len()]);
        let decision = plan.state("decision", Elem::I32, &[2]);
        let labels: Vec<String> = labels.iter().map(|&label| label.into()).collect();
        plan.decision(scores, decision, &labels);
    }
    plan.finish().unwrap()
}

fn features(plan: &[u8], samples: &[f32]) -> Vec<u8> {
    const OPS: &[&Op] = &[&vector::REMOVE_MEAN_F32];
    let plan = Plan::from_bytes(plan, OPS).unwrap();
    let mut arena = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let pushed = runner.push_f32(samples).unwrap();
    assert!(pushed.event.is_some());
    runner.features_bytes().unwrap().1.to_vec()
}

#[test]
fn a_stripped_plan_runs_the_same() {
    let whole = plan(&[]);
    let stripped = strip_info(&whole).unwrap();
    assert!(stripped.len() < whole.len());
    let samples = [0.5, -0.25, 0.125, 0.0, 0.75, -1.0, 0.3, 0.1];
    assert_eq!(features(&stripped, &samples), features(&whole, &samples));

    let info = PlanInfo::from_bytes(&stripped).unwrap();
    assert!(info.info().is_empty());
    assert_ne!(
        info.header().hash,
        PlanInfo::from_bytes(&whole).unwrap().header().hash
    );
    assert_eq!(strip_info(&stripped).unwrap(), stripped);
    assert_eq!(
        strip_info(&whole[..whole.len() - 16]).unwrap_err(),
        PlanError::Truncated {
            need: whole.len(),
            got: whole.len() - 16
        }
    );
}

/// The initialiser of the plan array, parsed back.
fn emitted_bytes(source: &str) -> Vec<u8> {
    let start = source.find("= {").unwrap() + 3;
    let end = start + source[start..].find("};").unwrap();
    source[start..end]
        .split(',')
        .map(str::trim)
        .filter(|byte| !byte.is_empty())
        .map(|byte| u8::from_str_radix(byte.trim_start_matches("0x"), 16).unwrap())
        .collect()
}

#[test]
fn c_files_hold_the_stripped_plan() {
    let whole = plan(&["yes", "Yes", "n\"o?"]);
    let files = emit_c(&whole, "My Words").unwrap();
    assert_eq!(emit_c(&whole, "My Words").unwrap(), files);
    assert_eq!(files.name, "my_words");

    let stripped = strip_info(&whole).unwrap();
    assert_eq!(emitted_bytes(&files.source), *stripped);
    let header = *PlanInfo::from_bytes(&stripped).unwrap().header();
    assert_ne!(header.scores, NONE);
    for line in [
        format!("#define MY_WORDS_PLAN_LEN {}u", stripped.len()),
        format!("#define MY_WORDS_PLAN_HASH 0x{:016x}ull", header.hash),
        format!("#define MY_WORDS_ARENA_LEN {}u", header.arena_len),
        "#define MY_WORDS_RATE_HZ 16000u".into(),
        "#define MY_WORDS_SAMPLES_PER_DECISION 8u".into(),
        "#define MY_WORDS_FEATURE_COLS 4u".into(),
        "#define MY_WORDS_FEATURE_TYPE float".into(),
        "#define MY_WORDS_N_LABELS 3u".into(),
        "    MY_WORDS_LABEL_YES = 0,".into(),
        "    MY_WORDS_LABEL_YES_2 = 1,".into(),
        "    MY_WORDS_LABEL_N_O = 2".into(),
    ] {
        assert!(
            files.header.lines().any(|l| l == line),
            "{line} is not in\n{}",
            files.header
        );
    }
    assert!(files.source.contains("    &OTO_OP_REMOVE_MEAN_F32,\n"));
    assert!(files.source.contains(r#"    "n\"o\?","#));
    // The name ends no comment early.
    assert!(
        files
            .header
            .starts_with("/* The plan of the pipeline \"a ____ name\"")
    );
}

#[test]
fn integer_features_come_with_their_format() {
    let pipeline = crate::Pipeline::from_toml(
        "[pipeline]\nname = \"bits\"\n[input]\nrate_hz = 16000\n[[block]]\nid = \"features\"\n\
         type = \"mfcc\"\nframe_ms = 32\nhop_ms = 10\nn_coeffs = 13\n",
        ".".as_ref(),
        &[],
    )
    .expect("valid");
    let precision = pipeline.deploy().precision;
    let plan = crate::lower::lower_fixed(pipeline.graph(), None, precision).expect("lowers");
    let header = emit_c(&plan, "bits").unwrap().header;
    assert!(header.contains("#define BITS_NUMERIC OTO_NUMERIC_FIXED\n"));
    assert!(header.contains("#define BITS_FEATURE_TYPE int16_t\n"));
    let list = header
        .split("#define BITS_FEATURES_Q { ")
        .nth(1)
        .and_then(|rest| rest.split(" }").next())
        .expect("the fraction bits");
    let q: Vec<i32> = list.split(", ").map(|q| q.parse().unwrap()).collect();
    let scale = feature_scale(&plan).unwrap();
    assert_eq!(q.len(), 13);
    for (q, scale) in q.iter().zip(scale) {
        assert_eq!(libm::ldexp(1.0, -q), scale);
    }
    // All columns alike have a single number besides.
    let alike = q.iter().all(|&other| other == q[0]);
    assert_eq!(header.contains("#define BITS_FEATURE_Q "), alike);
}

#[test]
fn what_is_no_plan_is_refused() {
    assert!(matches!(
        emit_c(b"not a plan", "x"),
        Err(EmitError::Plan(PlanError::Truncated { .. }))
    ));
}

#[test]
fn strings_are_escaped() {
    assert_eq!(c_string("\u{e4}1\n\\"), r#""\303\2441\012\\""#);
}
