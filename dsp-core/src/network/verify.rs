//! The device's plan of a model against the reference interpreter, layer by layer.

use super::{Arithmetic, Interpreter, NetworkError, Values};
use crate::deploy::Kernels;
use crate::engine::all_ops;
use crate::error::{EngineError, LowerError};
use crate::lower::network::network_plan_for;
use crate::plan_builder::{PlanBytes, PlanNotes};
use otolith_dsp_nostd::format::{Elem, Element, parse_step_word};
use otolith_dsp_nostd::{Plan, PlanInfo, Pushed, Runner, Tensors};
use otolith_tflite::Model;
use thiserror::Error;

/// Why a model cannot be verified.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The interpreter does not run the model, or not on this input.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// There is no plan of the model, or it does not run.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// How an operator of the model compares.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every byte of every input's run was equal.
    Equal,
    /// A byte differs.
    Differs(Difference),
    /// The plan has no tensor for it, or one of another form.
    NotComparable(&'static str),
}

/// The first run in which a layer's bytes differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Number of the input.
    pub input: usize,
    /// How many elements differ.
    pub elements: usize,
    /// Place of the first of them.
    pub first: usize,
    /// What the device's plan computed there.
    pub device: f64,
    /// What the interpreter computed there.
    pub reference: f64,
}

/// One operator of the model after all inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Index of the operator in the model.
    pub index: usize,
    /// Its name.
    pub op: String,
    /// Name of its first output.
    pub tensor: String,
    /// Shape of that output.
    pub shape: Vec<usize>,
    /// Whether plan and interpreter agree.
    pub verdict: Verdict,
    /// Energy of the layer over all inputs in real arithmetic, and of the difference that
    /// quantisation makes.
    energy: (f64, f64),
}

impl Layer {
    /// Signal to quantisation error in dB, `10 log10(sum r^2 / sum (q - r)^2)` for values `r` in
    /// real arithmetic and `q` of the quantised network. `None` when there is no error, or no
    /// signal.
    pub fn snr_db(&self) -> Option<f64> {
        let (signal, error) = self.energy;
        (signal > 0.0 && error > 0.0).then(|| 10.0 * libm::log10(signal / error))
    }
}

/// Where the plan holds a layer's output: after which step, and in which tensor.
#[derive(Clone, Copy)]
struct Spot {
    step: usize,
    tensor: usize,
}

/// Runs a model both ways and keeps account of every layer.
pub struct Verifier<'m> {
    model: &'m Model,
    plan: PlanBytes,
    spots: Vec<Option<Spot>>,
    exact: Interpreter<'m, f32>,
    real: Option<Interpreter<'m, f64>>,
    layers: Vec<Layer>,
    inputs: usize,
}

impl<'m> Verifier<'m> {
    /// Prepares the comparison with a plan whose weights have the form of `kernels`. With `loss`,
    /// real arithmetic runs too, for [`Layer::snr_db`].
    ///
    /// # Errors
    /// [`VerifyError::Engine`] when the device cannot run the model.
    pub fn new(model: &'m Model, kernels: Kernels, loss: bool) -> Result<Self, VerifyError> {
        let plan = network_plan_for("model", model, kernels).map_err(EngineError::from)?;
        Self::with_plan(model, plan, loss)
    }

    fn with_plan(model: &'m Model, plan: PlanBytes, loss: bool) -> Result<Self, VerifyError> {
        let spots = spots(model, &plan)?;
        let layers = model.operators.iter().zip(&spots).enumerate();
        let layers = layers.map(|(index, (op, spot))| {
            let output = op.outputs.first().map(|&output| &model.tensors[output]);
            Layer {
                index,
                op: op.code.to_string(),
                tensor: output.map_or(String::new(), |output| output.name.clone()),
                shape: output.map_or(Vec::new(), |output| output.shape.clone()),
                verdict: match (output, spot) {
                    (None, _) => Verdict::NotComparable("it has no output"),
                    (_, Some(_)) => Verdict::Equal,
                    (_, None) => Verdict::NotComparable("no tensor of the plan holds its output"),
                },
                energy: (0.0, 0.0),
            }
        });
        Ok(Self {
            layers: layers.collect(),
            plan,
            spots,
            exact: Interpreter::new(model, Arithmetic::Exact),
            real: loss.then(|| Interpreter::new(model, Arithmetic::Dequantised)),
            inputs: 0,
            model,
        })
    }

    /// Bytes of one input: the graph's inputs, one behind the other.
    pub fn input_len(&self) -> usize {
        let inputs = self.model.inputs.iter();
        inputs.map(|&index| input_bytes(self.model, index)).sum()
    }

    /// Compares on one input, all state forgotten before it: the bytes of the graph's inputs,
    /// little endian, one behind the other.
    ///
    /// # Errors
    /// [`VerifyError`] for an input of another size, or an operator that the interpreter does
    /// not run.
    pub fn add(&mut self, input: &[u8]) -> Result<(), VerifyError> {
        let need = self.input_len();
        if input.len() != need {
            let found = input.len();
            return Err(NetworkError::Inputs { found, need }.into());
        }
        let mut rest = input;
        let mut parts = Vec::new();
        for &index in &self.model.inputs {
            let (part, tail) = rest.split_at(input_bytes(self.model, index));
            parts.push(part);
            rest = tail;
        }
        // The runner of each input is new, so variables start anew here too.
        self.exact.reset();
        self.exact.run(&parts)?;
        let spots = &self.spots;
        let mut found: Vec<Option<Vec<u8>>> = vec![None; spots.len()];
        observe(&self.plan, input, |step, tensors| {
            for (spot, found) in spots.iter().zip(&mut found) {
                if let Some(spot) = spot
                    && spot.step == step
                {
                    *found = tensors.bytes(spot.tensor).map(<[u8]>::to_vec);
                }
            }
        })?;
        for (layer, found) in self.layers.iter_mut().zip(&found) {
            compare(
                self.model,
                &self.exact,
                layer,
                found.as_deref(),
                self.inputs,
            );
        }
        if let Some(real) = &mut self.real {
            real.reset();
            real.run(&parts)?;
            for layer in &mut self.layers {
                account(self.model, &self.exact, real, layer);
            }
        }
        self.inputs += 1;
        Ok(())
    }

    /// Inputs so far.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The model's operators in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

fn input_bytes(model: &Model, index: usize) -> usize {
    let tensor = &model.tensors[index];
    tensor.n_elements() * tensor.dtype.size().unwrap_or(1)
}

/// For each operator of the model, where the plan holds its first output: the last step made of
/// the operator that names a tensor with the output's name and number of elements.
fn spots(model: &Model, plan: &PlanBytes) -> Result<Vec<Option<Spot>>, VerifyError> {
    let info = PlanInfo::from_bytes(plan).map_err(EngineError::from)?;
    let notes: PlanNotes = serde_json::from_slice(info.info()).map_err(|error| {
        let why = format!("its notes cannot be read: {error}");
        EngineError::from(LowerError::new("plan", why))
    })?;
    let mut spots = vec![None; model.operators.len()];
    let mut words = info.step_words();
    for (step, name) in notes.steps.iter().enumerate() {
        let Some((&word, rest)) = words.split_first() else {
            break;
        };
        let (_, n_operands, n_params) = parse_step_word(word);
        let Some((operands, rest)) = rest.split_at_checked(n_operands) else {
            break;
        };
        words = rest.get(n_params..).unwrap_or_default();
        // Steps of a network are called `model.INDEX.OPERATOR`.
        let mut parts = name.split('.').skip(1);
        let index: Option<usize> = parts.next().and_then(|part| part.parse().ok());
        let Some((index, op)) = index.and_then(|i| model.operators.get(i).map(|op| (i, op))) else {
            continue;
        };
        let Some(output) = op.outputs.first().map(|&output| &model.tensors[output]) else {
            continue;
        };
        let holds = |tensor: usize| {
            let found = notes.tensors.get(tensor);
            found.is_some_and(|(name, shape)| {
                *name == output.name && shape.iter().product::<usize>() == output.n_elements()
            })
        };
        let operands = operands.iter().map(|&word| word as usize);
        if let Some(tensor) = operands.rev().find(|&tensor| holds(tensor)) {
            spots[index] = Some(Spot { step, tensor });
        }
    }
    Ok(spots)
}

/// Runs `plan` on one input and shows every step.
fn observe(
    plan: &PlanBytes,
    input: &[u8],
    mut look: impl FnMut(usize, &Tensors<'_>),
) -> Result<(), EngineError> {
    fn values<T: Element>(bytes: &[u8]) -> Vec<T> {
        let elements = bytes.chunks_exact(size_of::<T>());
        elements.map(bytemuck::pod_read_unaligned).collect()
    }
    let source = PlanInfo::from_bytes(plan)?.header().source_elem;
    let plan = Plan::from_bytes(plan, all_ops())?;
    let mut memory = vec![0u64; plan.arena_len().div_ceil(8)];
    let mut runner = Runner::new(plan, bytemuck::cast_slice_mut(&mut memory))?;
    let _: Pushed = match Elem::from_code(source) {
        Some(Elem::I8) => runner.push_i8_observed(&values(input), &mut look)?,
        Some(Elem::I16) => runner.push_i16_observed(&values(input), &mut look)?,
        _ => runner.push_f32_observed(&values(input), &mut look)?,
    };
    Ok(())
}

fn compare(
    model: &Model,
    exact: &Interpreter<'_, f32>,
    layer: &mut Layer,
    found: Option<&[u8]>,
    input: usize,
) {
    let Some(&output) = model.operators[layer.index].outputs.first() else {
        return;
    };
    let tensor = &model.tensors[output];
    let (Verdict::Equal, Some(found), Some(want)) = (&layer.verdict, found, exact.tensor(output))
    else {
        return;
    };
    let bytes = want.to_bytes(tensor.dtype);
    if bytes.len() != found.len() {
        layer.verdict = Verdict::NotComparable("the plan holds it in another type");
        return;
    }
    if bytes == found {
        return;
    }
    let Some(device) = Values::<f32>::from_bytes(tensor.dtype, found) else {
        return;
    };
    let plain = |values: &Values<f32>| -> Vec<f64> {
        match values {
            Values::Integers(integers) => integers.iter().map(|&x| x as f64).collect(),
            Values::Reals(reals) => reals.iter().map(|&x| x.into()).collect(),
        }
    };
    let (device, reference) = (plain(&device), plain(want));
    let differ = |i: &usize| device[*i].to_bits() != reference[*i].to_bits();
    let different: Vec<usize> = (0..device.len()).filter(differ).collect();
    let first = different.first().copied().unwrap_or(0);
    layer.verdict = Verdict::Differs(Difference {
        input,
        elements: different.len(),
        first,
        device: device[first],
        reference: reference[first],
    });
}

/// Adds the layer's signal and quantisation error of one run.
fn account(
    model: &Model,
    exact: &Interpreter<'_, f32>,
    real: &Interpreter<'_, f64>,
    layer: &mut Layer,
) {
    let Some(&output) = model.operators[layer.index].outputs.first() else {
        return;
    };
    let tensor = &model.tensors[output];
    if let (Some(quantised), Some(real)) = (exact.tensor(output), real.tensor(output)) {
        let (quantised, real) = (quantised.to_f64(tensor), real.to_f64(tensor));
        for (q, r) in quantised.iter().zip(&real) {
            layer.energy.0 += r * r;
            layer.energy.1 += (q - r) * (q - r);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords() -> Model {
        let path = otolith_fixtures::root().join("examples/keywords/keywords.tflite");
        let bytes = std::fs::read(path).expect("the example's model");
        Model::from_bytes(&bytes).expect("valid")
    }

    fn ramp(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 37) as u8).collect()
    }

    #[test]
    fn the_plan_of_a_model_equals_the_interpreter() {
        let model = keywords();
        for kernels in [Kernels::Plain, Kernels::Packed] {
            let mut verifier = Verifier::new(&model, kernels, true).expect("a plan");
            every_layer_is_equal(&mut verifier);
        }
    }

    fn every_layer_is_equal(verifier: &mut Verifier<'_>) {
        let input = ramp(verifier.input_len());
        verifier.add(&input).expect("it runs");
        let layers = verifier.layers();
        let differ = |layer: &&Layer| matches!(layer.verdict, Verdict::Differs(_));
        assert_eq!(layers.iter().find(differ), None);
        let equal = layers
            .iter()
            .filter(|layer| layer.verdict == Verdict::Equal);
        assert!(equal.count() >= 5, "{layers:?}");
        // Quantisation costs something, but leaves a signal.
        let snr = layers[0].snr_db().expect("an error");
        assert!((20.0..70.0).contains(&snr), "{snr}");
        assert!(verifier.add(&input[1..]).is_err());
    }

    /// CALL_ONCE and ASSIGN_VARIABLE have no output.
    #[test]
    fn operators_without_output_are_layers_that_cannot_be_compared() {
        let path = otolith_fixtures::root().join("fixtures/golden/variables/sum.tflite");
        let bytes = std::fs::read(path).expect("the model with a variable");
        let model = Model::from_bytes(&bytes).expect("valid");
        let verifier = Verifier::new(&model, Kernels::Packed, false).expect("a plan");
        let verdict = &verifier.layers()[0].verdict;
        assert_eq!(*verdict, Verdict::NotComparable("it has no output"));
        let mut interpreter = Interpreter::<f32>::new(&model, Arithmetic::Exact);
        let input = ramp(verifier.input_len());
        let error = interpreter.run(&[&input]).expect_err("variables");
        let text = error.to_string();
        assert!(text.starts_with("operator 0 CALL_ONCE []"), "{text}");
    }

    #[test]
    fn the_first_layer_that_differs_is_found() {
        let model = keywords();
        let mut other = model.clone();
        // A layer in the middle with another bias.
        let convolutions = model.operators.iter().enumerate();
        let mut convolutions = convolutions.filter(|(_, op)| op.code.to_string() == "CONV_2D");
        let (index, op) = convolutions.nth(1).expect("a second convolution");
        let bias = &mut other.tensors[op.inputs[2].expect("a bias")];
        let mut bytes = bias.data.clone().expect("a constant").to_vec();
        for value in bytes.chunks_mut(4) {
            value[1] ^= 0x40;
        }
        bias.data = Some(bytes.into());
        let plan = network_plan_for("model", &other, Kernels::Plain).expect("a plan");
        let mut verifier = Verifier::with_plan(&model, plan, false).expect("a plan");
        verifier.add(&ramp(verifier.input_len())).expect("it runs");
        let differs = |layer: &&Layer| matches!(layer.verdict, Verdict::Differs(_));
        let first = verifier
            .layers()
            .iter()
            .find(differs)
            .expect("a difference");
        assert_eq!(first.index, index);
        let Verdict::Differs(difference) = &first.verdict else {
            unreachable!("it was found as one that differs");
        };
        assert_eq!(difference.input, 0);
        assert_ne!(difference.device, difference.reference);
    }
}
