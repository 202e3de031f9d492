//! `otolith verify`: the device's plan of a model against the reference interpreter.

use super::{print, print_json};
use crate::args::Verify;
use crate::failure::{Failure, Status};
use crate::report::{Console, SCHEMA};
use crate::table::Table;
use otolith_dsp_core::EngineError;
use otolith_dsp_core::network::verify::{Difference, Layer, Verdict, Verifier, VerifyError};
use otolith_tflite::{DType, Model, Tensor};
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Inputs that are run when none are named.
const RANDOM_INPUTS: usize = 10;

pub(crate) fn run(args: &Verify, console: &Console) -> Result<Status, Failure> {
    let file = args.model.display().to_string();
    let bytes = fs::read(&args.model)
        .map_err(|error| Failure::io(Status::BadInput, &args.model, &error))?;
    let model = Model::from_bytes(&bytes).map_err(|error| Failure::input(&file, error))?;
    let mut verifier = Verifier::new(&model, args.target.target().kernels(), args.loss)
        .map_err(|error| failure(&file, error))?;
    let mut inputs = Vec::new();
    if let Some(path) = &args.input {
        inputs = read_inputs(path, &model, verifier.input_len())?;
    }
    let n = args.random.unwrap_or(match args.input {
        Some(_) => 0,
        None => RANDOM_INPUTS,
    });
    let mut random = Random(args.seed);
    inputs.extend((0..n).map(|_| random.input(&model)));
    if inputs.is_empty() {
        return Err(Failure::usage(
            "no input: give --input FILE, or --random 1 or more",
        ));
    }
    for input in &inputs {
        verifier.add(input).map_err(|error| failure(&file, error))?;
    }
    let layers = verifier.layers();
    let first = layers.iter().find_map(|layer| match &layer.verdict {
        Verdict::Differs(difference) => Some((layer, difference)),
        _ => None,
    });
    if console.json {
        print_json(&json!({
            "version": SCHEMA,
            "file": file,
            "inputs": verifier.inputs(),
            "seed": args.seed,
            "target": args.target.target().name(),
            "equal": first.is_none(),
            "first_difference": first.map(|(layer, difference)| json!({
                "operator": layer.index, "op": layer.op, "tensor": layer.tensor,
                "shape": layer.shape, "input": difference.input,
                "elements": difference.elements, "index": difference.first,
                "device": difference.device, "reference": difference.reference,
            })),
            "layers": layers.iter().map(|layer| layer_json(layer, args.loss)).collect::<Vec<_>>(),
        }))?;
    } else {
        print(&text(args, &verifier, first, console))?;
    }
    Ok(match first {
        None => Status::Ok,
        Some(_) => Status::CheckFailed,
    })
}

fn failure(file: &str, error: VerifyError) -> Failure {
    match error {
        VerifyError::Engine(EngineError::Lower(error)) => Failure::lower(&error, file),
        error => Failure::input(file, error),
    }
}

fn layer_json(layer: &Layer, loss: bool) -> Value {
    let (verdict, why) = match &layer.verdict {
        Verdict::Equal => ("equal", None),
        Verdict::Differs(_) => ("differs", None),
        Verdict::NotComparable(why) => ("not comparable", Some(why)),
    };
    let mut json = json!({
        "operator": layer.index, "op": layer.op, "tensor": layer.tensor, "shape": layer.shape,
        "verdict": verdict, "why": why,
    });
    if loss {
        json["snr_db"] = json!(layer.snr_db());
    }
    json
}

fn text(
    args: &Verify,
    verifier: &Verifier<'_>,
    first: Option<(&Layer, &Difference)>,
    console: &Console,
) -> String {
    let mut text = String::new();
    let layers = verifier.layers();
    if args.loss {
        let mut table = Table::new(&[">#", "operator", "output", "shape", ">SNR dB"]);
        for layer in layers {
            table.row([
                layer.index.to_string(),
                layer.op.clone(),
                layer.tensor.clone(),
                format!("{:?}", layer.shape),
                layer.snr_db().map_or("-".into(), |db| format!("{db:.1}")),
            ]);
        }
        text += &format!("{table}\n");
    }
    // Writing to a string cannot fail.
    let hidden = layers
        .iter()
        .filter(|layer| matches!(layer.verdict, Verdict::NotComparable(_)));
    for layer in hidden {
        if let Verdict::NotComparable(why) = layer.verdict {
            let _ = writeln!(
                text,
                "not comparable: operator {} {}: {why}",
                layer.index, layer.op
            );
        }
    }
    let inputs = verifier.inputs();
    let _ = match first {
        None => {
            let compared = layers
                .iter()
                .filter(|layer| layer.verdict == Verdict::Equal);
            let summary = format!(
                "{inputs} inputs, {} layers compared, all bytes equal",
                compared.count()
            );
            writeln!(text, "{}", console.verdict(true, &summary))
        }
        Some((layer, difference)) => {
            let title = format!("operator {} {} differs", layer.index, layer.op);
            writeln!(
                text,
                "{}: tensor \"{}\" of shape {:?}, input {}: {} of {} elements, the first at {}: \
                 device {}, reference {}",
                console.verdict(false, &title),
                layer.tensor,
                layer.shape,
                difference.input,
                difference.elements,
                layer.shape.iter().product::<usize>(),
                difference.first,
                difference.device,
                difference.reference,
            )
        }
    };
    text
}

/// Inputs in a file: raw bytes, or an array of the model's input type.
fn read_inputs(path: &Path, model: &Model, len: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let file = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Failure::io(Status::BadInput, path, &error))?;
    let bytes = match path.extension().is_some_and(|e| e == "npy") {
        true => array_bytes(&bytes, model).map_err(|why| Failure::input(&file, why))?,
        false => bytes,
    };
    if bytes.is_empty() || bytes.len() % len != 0 {
        let found = bytes.len();
        let why = format!("{found} bytes of values, but one input of the model takes {len}");
        return Err(Failure::input(&file, why)
            .help("Give one or more whole inputs, one behind the other, in C order"));
    }
    Ok(bytes.chunks(len).map(<[u8]>::to_vec).collect())
}

fn array_bytes(bytes: &[u8], model: &Model) -> Result<Vec<u8>, String> {
    let array = npyz::NpyFile::new(bytes).map_err(|error| error.to_string())?;
    if array.order() != npyz::Order::C {
        return Err("the array is in Fortran order, allowed is C order".into());
    }
    let dtype = array.dtype().descr();
    let first = model
        .inputs
        .first()
        .map(|&index| model.tensors[index].dtype);
    macro_rules! elements {
        ($type:ty) => {{
            let values = array
                .into_vec::<$type>()
                .map_err(|error| error.to_string())?;
            values.into_iter().flat_map(<$type>::to_le_bytes).collect()
        }};
    }
    Ok(match first {
        Some(DType::I8) if dtype.contains("i1") => elements!(i8),
        Some(DType::U8) if dtype.contains("u1") => elements!(u8),
        Some(DType::I16) if dtype.contains("i2") => elements!(i16),
        Some(DType::F32) if dtype.contains("f4") => elements!(f32),
        Some(need) => return Err(format!("the array is {dtype}, the model takes {need}")),
        None => return Err("the model has no input".into()),
    })
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One input of the model: integers over their whole range, floats from -1 to 1.
    fn input(&mut self, model: &Model) -> Vec<u8> {
        let tensors = model.inputs.iter().map(|&index| &model.tensors[index]);
        tensors.flat_map(|tensor| self.tensor(tensor)).collect()
    }

    fn tensor(&mut self, tensor: &Tensor) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..tensor.n_elements() {
            let word = self.next();
            match tensor.dtype {
                DType::F32 => {
                    let x = (word >> 40) as f32 / (1 << 23) as f32 - 1.0;
                    bytes.extend(x.to_le_bytes());
                }
                dtype => bytes.extend(&word.to_le_bytes()[..dtype.size().unwrap_or(1)]),
            }
        }
        bytes
    }
}
