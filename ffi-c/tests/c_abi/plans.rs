//! Plans for the tests, and their C files.

use crate::toolchain::crate_dir;
use otolith_classifier::ops::{decide, quantize, strided_copy};
use otolith_dsp_core::Pipeline;
use otolith_dsp_core::emit::emit_c;
use otolith_dsp_core::graph::{
    Chain, Filter, FilterBank, FrameCount, Framing, Gain, Graph, Log, LogFloor, Mode, Padding,
    SampleType, Source, Stage, StageKind,
};
use otolith_dsp_core::lower::lower_f32;
use otolith_dsp_core::plan_builder::{PlanBuilder, PlanBytes};
use otolith_dsp_nostd::format::{Elem, Numeric, Section};
use std::f64::consts::PI;
use std::path::{Path, PathBuf};

/// Log-mel of 25 ms every 10 ms at 16 kHz, 40 filters.
pub(crate) fn log_mel() -> PlanBytes {
    let stage = |name: &str, len, kind| Stage {
        name: format!("features.{name}"),
        len,
        kind,
    };
    let window = (0..400).map(|n| 0.5 - 0.5 * (2.0 * PI * f64::from(n) / 400.0).cos());
    // Triangles that stand evenly on the bins: what they mean does not matter here.
    let filters = (0..40)
        .map(|m| Filter {
            first: 4 + 6 * m,
            weights: (1..12)
                .map(|i| 1.0 - (f64::from(i) - 6.0).abs() / 6.0)
                .collect(),
        })
        .collect();
    let graph = Graph {
        name: "log mel".into(),
        chains: vec![Chain {
            input: 0,
            signal: None,
            source: Source {
                rate_hz: 16000.0,
                axes: 1,
                sample_type: SampleType::I16,
                mode: Mode::Stream,
                gain: Gain::Constant(1.0),
            },
            framing: Framing {
                frame_len: 400,
                extent: 400,
                hop: 160,
                start: 0,
                count: FrameCount::Inside,
                padding: Padding::Zero,
                pre_emphasis: None,
            },
            frame: vec![
                stage("window", 400, StageKind::Window(window.collect())),
                stage("rfft", 257, StageKind::Rfft { n_fft: 512 }),
                stage("power", 257, StageKind::Power { scale: 1.0 }),
                stage("mel", 40, StageKind::Mel(FilterBank { filters })),
                stage(
                    "log",
                    40,
                    StageKind::Log(Log {
                        floor: LogFloor::Add(1e-6),
                        scale: 1.0,
                    }),
                ),
            ],
            rows: vec![],
            row_len: 40,
            names: vec![],
        }],
        head: None,
    };
    lower_f32(&graph, None).unwrap()
}

/// The keyword example's folder.
pub(crate) fn keywords_dir() -> PathBuf {
    crate_dir().join("../examples/keywords")
}

/// The keyword example.
pub(crate) fn keywords() -> PlanBytes {
    let folder = keywords_dir();
    let text = std::fs::read_to_string(folder.join("keywords.toml")).unwrap();
    let pipeline = Pipeline::from_toml(&text, &folder, &[]).unwrap();
    lower_f32(pipeline.graph(), None).unwrap()
}

/// Copies 8 bytes; its input is bytes.
pub(crate) fn bytes() -> PlanBytes {
    let mut plan = PlanBuilder::new("bytes", Numeric::Fixed);
    let source = plan.source(Elem::I8, 8, 8, 0);
    let copy = plan.tensor("copy", Elem::I8, &[8]);
    plan.step(
        Section::Decision,
        &strided_copy::STRIDED_COPY_8,
        "copy",
        &[source, copy],
        &[1, 1, 1, 1, 1, 8, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1],
    );
    plan.features(copy, &[8]);
    plan.finish().unwrap()
}

/// Decides for the larger of every two samples, when it is above -1/2 of full scale.
pub(crate) fn decider() -> PlanBytes {
    let mut plan = PlanBuilder::new("decider", Numeric::Fixed);
    plan.rate_hz(16000.0);
    let source = plan.source(Elem::I16, 2, 2, 0);
    let input = plan.tensor("input", Elem::I8, &[2]);
    let half = 1 << 30;
    let high_byte = quantize::Params {
        input_zero_point: 0,
        output_zero_point: 0,
        multiplier: half,
        shift: -7,
    };
    plan.step(
        Section::Decision,
        &quantize::QUANTIZE_I16_I8,
        "quantize",
        &[source, input],
        &high_byte.encode(),
    );
    let fires = plan.table("fires", &[2], &[1i8, 1]);
    let ring = plan.state("ring", Elem::I8, &[1, 2]);
    let counters = plan.state("counters", Elem::I32, &[4]);
    let scores = plan.tensor("scores", Elem::I16, &[2]);
    let decision = plan.tensor("decision", Elem::I32, &[2]);
    let params = decide::Params {
        labels: 2,
        average: 1,
        zero_point: -128,
        multiplier: half,
        shift: 8,
        threshold: 8192,
        refractory: 0,
    };
    plan.step(
        Section::Decision,
        &decide::DECIDE_I8,
        "decide",
        &[input, fires, ring, counters, scores, decision],
        &params.encode(),
    );
    plan.decision(scores, decision, &["yes".into(), "n\"o?".into()]);
    plan.finish().unwrap()
}

/// Writes `plan` as `NAME.h` and `NAME.c` into `folder`; returns the source's path.
pub(crate) fn write_c(plan: &[u8], name: &str, folder: &Path) -> PathBuf {
    let files = emit_c(plan, name).unwrap();
    let source = folder.join(format!("{}.c", files.name));
    std::fs::write(folder.join(format!("{}.h", files.name)), files.header).unwrap();
    std::fs::write(&source, files.source).unwrap();
    source
}
