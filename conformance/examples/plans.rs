//! Makes plans for the device images.
//!
//! `plans pack NUMERIC FILE` writes all conformance plans of a numeric, `f32` or `fixed`: the
//! files `NUMERIC-*.toml` in `conformance/pipelines`, and the pipeline of `examples/keywords`.
//!
//! `plans image TOML FOLDER NAME [PATH=VALUE ...]` writes one plan without its info part, with
//! changes to the pipeline: `NAME.oto`, and the operators that it needs, `NAME.codes`.
//!
//! `plans network GOLDEN NAME FILE` writes a pack with the plan of the network `GOLDEN/NAME.tflite`
//! alone, the input of its first golden case, and the output that TFLite Micro gave.

use otolith_conformance::pack;
use otolith_dsp_core::deploy::DeviceNumeric;
use otolith_dsp_core::lower::network::network_plan;
use otolith_dsp_core::lower::{lower_f32, lower_fixed};
use otolith_dsp_core::plan_builder::{PlanBytes, strip_info};
use otolith_dsp_core::{Override, Pipeline};
use otolith_dsp_nostd::PlanInfo;
use otolith_dsp_nostd::format::Elem;
use otolith_tflite::{DType, Model};
use std::error::Error;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "plans pack NUMERIC FILE | plans image TOML FOLDER NAME [PATH=VALUE ...] | \
                     plans network GOLDEN NAME FILE";
const KEYWORDS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/keywords/keywords.toml"
);

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[..] {
        ["pack", numeric, file] => write_pack(numeric, Path::new(file)),
        ["image", toml, folder, name, changes @ ..] => {
            let changes = changes
                .iter()
                .map(|change| change.split_once('=').ok_or("expected PATH=VALUE"))
                .collect::<Result<Vec<_>, _>>()?;
            let plan = plan(Path::new(toml), &changes)?;
            write_image(&plan, Path::new(folder), name)
        }
        ["network", golden, name, file] => write_network(Path::new(golden), name, Path::new(file)),
        _ => Err(USAGE.into()),
    }
}

fn write_pack(numeric: &str, file: &Path) -> Outcome<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let mut names: Vec<String> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Outcome<_>>()?;
    names.sort();
    let mut bytes = Vec::new();
    let mut add = |name: &str, plan: &PlanBytes| {
        bytes.extend(pack::entry(name, plan));
        bytes.extend_from_slice(plan);
        bytes.extend(pack::padding(plan.len()));
    };
    for name in names {
        let stem = name.trim_end_matches(".toml");
        if stem.starts_with(numeric) {
            add(stem, &plan(&folder.join(&name), &[])?);
        }
    }
    // A look every 300 ms instead of 100: emulated cores take long over a network.
    let changes = [("deploy.numeric", numeric), ("keyword.hop_rows", "15")];
    let keywords = format!("{numeric}-6-keywords");
    add(&keywords, &plan(Path::new(KEYWORDS), &changes)?);
    std::fs::write(file, bytes)?;
    Ok(())
}

/// The plan that a pipeline's `[deploy]` section asks for, without info part.
fn plan(toml: &Path, changes: &[(&str, &str)]) -> Outcome<PlanBytes> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", toml.display());
    let text = std::fs::read_to_string(toml).map_err(|e| named(&e))?;
    let changes: Vec<Override> = changes
        .iter()
        .map(|&(path, value)| Override::new(path, value))
        .collect();
    let folder = toml.parent().unwrap_or(Path::new("."));
    let pipeline = Pipeline::from_toml(&text, folder, &changes).map_err(|e| named(&e))?;
    let deploy = pipeline.deploy();
    let plan = match deploy.numeric {
        DeviceNumeric::F32 => lower_f32(pipeline.graph(), None),
        DeviceNumeric::Fixed => lower_fixed(pipeline.graph(), None, deploy.precision),
        other => return Err(format!("no lowering for {other:?}").into()),
    };
    let stripped = strip_info(&plan.map_err(|e| named(&e))?);
    Ok(stripped.map_err(|e| named(&e))?)
}

/// The golden data of a case are its inputs, then its outputs; where TFLite Micro differs, its
/// outputs are in a file of their own.
fn write_network(golden: &Path, name: &str, file: &Path) -> Outcome<()> {
    let read = |ending: &str| std::fs::read(golden.join(format!("{name}.{ending}")));
    let model = Model::from_bytes(&read("tflite")?)?;
    let plan = strip_info(&network_plan(name, &model)?)?;
    let header = PlanInfo::from_bytes(&plan).map_err(|e| e.to_string())?;
    let elem = Elem::from_code(header.header().source_elem).ok_or("an unknown input")?;
    let n_elements = |tensors: &[usize]| -> usize {
        let tensors = tensors.iter().map(|&i| &model.tensors[i]);
        tensors.map(|tensor| tensor.n_elements()).sum()
    };
    let case = read("bin")?;
    let n_in = n_elements(&model.inputs) * elem.size();
    let (input, rest) = case.split_at_checked(n_in).ok_or("no golden input")?;
    let tflm = read("tflm.bin").ok();
    let output_elem = match model.tensors[model.outputs[0]].dtype {
        DType::F32 => Elem::F32,
        DType::I16 => Elem::I16,
        _ => Elem::I8,
    };
    let n_out = n_elements(&model.outputs) * output_elem.size();
    let output = tflm.as_deref().unwrap_or(rest).get(..n_out);
    let entries = [
        ("plan", &*plan),
        ("input", input),
        ("output", output.ok_or("no golden output")?),
    ];
    let mut bytes = Vec::new();
    for (name, entry) in entries {
        bytes.extend(pack::entry(name, entry));
        bytes.extend_from_slice(entry);
        bytes.extend(pack::padding(entry.len()));
    }
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(file, bytes)?;
    Ok(())
}

fn write_image(plan: &PlanBytes, folder: &Path, name: &str) -> Outcome<()> {
    let info = PlanInfo::from_bytes(plan).map_err(|e| e.to_string())?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{name}.oto")), &**plan)?;
    let codes = format!("{:?}", info.op_codes());
    std::fs::write(folder.join(format!("{name}.codes")), codes)?;
    Ok(())
}
