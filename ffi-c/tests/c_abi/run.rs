//! C programs against the Rust runner.

use crate::plans::{bytes, decider, keywords, keywords_dir, log_mel, write_c};
use crate::toolchain::{cc, crate_dir, cxx, link, run};
use otolith_dsp_core::engine::all_ops;
use otolith_dsp_core::plan_builder::PlanNotes;
use otolith_dsp_nostd::{Event, Plan, PlanInfo, Runner};
use std::fmt::Write;
use std::process::Command;

/// What `run_plan --events` must print: the events of the Rust runner, bit by bit.
fn expected(plan: &[u8], samples: &[i16]) -> String {
    let info = PlanInfo::from_bytes(plan).unwrap();
    let notes: PlanNotes = serde_json::from_slice(info.info()).unwrap();
    let plan = Plan::from_bytes(plan, all_ops()).unwrap();
    let rate = f64::from(plan.rate_hz());
    let mut arena = vec![0u64; plan.arena_len() / 8];
    let arena: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
    let mut runner = Runner::new(plan, arena).unwrap();
    let mut rest = samples;
    let mut lines = String::new();
    loop {
        let pushed = runner.push_i16(rest).unwrap();
        rest = &rest[pushed.consumed..];
        let (kind, decision) = match pushed.event {
            None => return lines,
            Some(Event::Decision(decision)) => (3, Some(decision)),
            Some(Event::Scores) => (2, None),
            Some(_) => (1, None),
        };
        let (elem, features) = match runner.features_bytes() {
            Some((elem, bytes)) => (
                elem as u8,
                bytes.iter().map(|b| format!("{b:02x}")).collect(),
            ),
            None => (0, String::new()),
        };
        let scores: Vec<String> = runner.scores().iter().map(i16::to_string).collect();
        writeln!(
            lines,
            "kind={kind} clock={} elem={elem} features={features} scores={}",
            runner.clock(),
            scores.join(",")
        )
        .unwrap();
        if let Some(decision) = decision {
            let time = runner.clock() as f64 / rate;
            let label = &notes.labels[usize::from(decision.label)];
            let score = f64::from(decision.score_q15) / 32768.0;
            writeln!(lines, "{time:.3}\t{label}\t{score:.3}").unwrap();
        }
    }
}

/// What `run_plan --events` prints for `plan` and `samples`, as a bare file and as a WAV file.
fn printed(plan: &[u8], samples: &[i16]) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let source = write_c(plan, "tested", folder.path());
    let program = folder.path().join("run_plan");
    link(
        cc("c99")
            .arg("-I")
            .arg(folder.path())
            .args(["-DPLAN=TESTED", "-DPLAN_HEADER=\"tested.h\""]),
        &[&crate_dir().join("tests/c/run_plan.c"), &source],
        &program,
    );
    let raw: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    // A chunk of odd length, padded, stands between the format and the samples.
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\0\0note\x03\0\0\0abc\0data".to_vec();
    wav.extend((raw.len() as u32).to_le_bytes());
    wav.extend(&raw);
    wav.extend(b"LIST\x02\0\0\0zz");
    [raw, wav].map(|bytes| {
        let file = folder.path().join("samples");
        std::fs::write(&file, bytes).unwrap();
        run(Command::new(&program).arg("--events").arg(&file))
    })
}

/// Whether the C library computes the same events as the Rust runner, bit by bit.
pub(crate) fn assert_same(plan: &[u8], samples: &[i16]) {
    let expected = expected(plan, samples);
    assert!(
        expected.lines().count() > 10,
        "too few events to mean anything"
    );
    for printed in printed(plan, samples) {
        assert_eq!(printed, expected);
    }
}

/// Noise of growing loudness.
fn noise(n: usize) -> Vec<i16> {
    let mut state = 1u32;
    (0..n)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let loudness = (i * 32767 / n) as i32;
            ((((state >> 16) as i32 - 32768) * loudness) >> 15) as i16
        })
        .collect()
}

#[test]
fn features_in_c_are_those_in_rust() {
    assert_same(&log_mel(), &noise(16000));
}

#[test]
fn decisions_in_c_are_those_in_rust() {
    let plan = decider();
    assert_same(&plan, &noise(501));
    let lines = expected(&plan, &[i16::MAX, 0, -30000, -30000, -20000, 16384]);
    let decisions: Vec<&str> = lines.lines().filter(|l| !l.starts_with("kind")).collect();
    assert_eq!(decisions, ["0.000\tyes\t0.996", "0.000\tn\"o?\t0.750"]);
}

#[test]
fn keywords_in_c_are_those_in_rust() {
    let mut reader = hound::WavReader::open(keywords_dir().join("yes-no-stop.wav")).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let plan = keywords();
    assert_same(&plan, &samples);
    let lines = expected(&plan, &samples);
    let words: Vec<&str> = lines.lines().filter_map(|l| l.split('\t').nth(1)).collect();
    assert_eq!(words, ["yes", "no", "stop"]);
}

#[test]
fn misuse_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let good = write_c(&log_mel(), "good", folder.path());
    let bytes = write_c(&bytes(), "bytes", folder.path());
    let misuse = crate_dir().join("tests/c/misuse.c");
    let mut sanitized = cc("c11");
    sanitized.args([
        "-g",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover",
    ]);
    for mut compiler in [cc("c99"), sanitized] {
        let program = folder.path().join("misuse");
        link(
            compiler.arg("-I").arg(folder.path()),
            &[&misuse, &good, &bytes],
            &program,
        );
        assert_eq!(run(&mut Command::new(&program)), "0 failures\n");
    }
}

#[test]
fn everything_compiles_as_c_and_as_cpp() {
    let folder = tempfile::tempdir().unwrap();
    write_c(&decider(), "decider", folder.path());
    let main = folder.path().join("main.cc");
    std::fs::write(
        &main,
        "#include \"decider.h\"\n\
         OTO_ALIGNED(8) static uint8_t arena[DECIDER_ARENA_LEN];\n\
         static oto_runner runner;\n\
         int main() {\n\
           return oto_runner_init(&runner, DECIDER_PLAN, DECIDER_PLAN_LEN, DECIDER_OPS,\n\
                                  DECIDER_N_OPS, arena, sizeof arena) == OTO_OK &&\n\
                  DECIDER_LABEL_YES == 0 && DECIDER_LABELS[1][0] == 'n' ? 0 : 1;\n\
         }\n",
    )
    .unwrap();
    for std in ["c99", "c11", "c17"] {
        let object = folder.path().join("decider.o");
        run(cc(std)
            .arg("-c")
            .arg(folder.path().join("decider.c"))
            .arg("-o")
            .arg(&object));
        for std in ["c++98", "c++11", "c++17"] {
            let program = folder.path().join("program");
            // C++98 has no `long long`, but every compiler does.
            let mut compiler = cxx(std);
            compiler.arg("-Wno-long-long").arg("-I").arg(folder.path());
            link(&mut compiler, &[&main, &object], &program);
            run(&mut Command::new(&program));
        }
    }
}
