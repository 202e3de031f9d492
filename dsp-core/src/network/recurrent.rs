//! LSTM over a sequence and SVDF, in real numbers.

use super::node::Node;
use super::rescale::activate;
use super::{Results, Values};
use crate::executor::Real;
use otolith_tflite::{Activation, Options};

/// Inputs of the operator by their places in the schema.
const INPUT_WEIGHTS: [usize; 4] = [1, 2, 3, 4];
const RECURRENT_WEIGHTS: [usize; 4] = [5, 6, 7, 8];
const PEEPHOLES: [Option<usize>; 4] = [Some(9), Some(10), None, Some(11)];
const BIASES: [usize; 4] = [12, 13, 14, 15];
const PROJECTION: usize = 16;
const OUTPUT_STATE: usize = 18;
const CELL_STATE: usize = 19;
const NORMALISATIONS: [usize; 4] = [20, 21, 22, 23];

/// A gate's weights; the gates are those of input, forgetting, cell and output.
struct Gate<F> {
    input: Vec<F>,
    recurrent: Vec<F>,
    peephole: Vec<F>,
    bias: Vec<F>,
}

impl<F: Real> Gate<F> {
    /// `W x + R h + b + p c` of cell `i`.
    fn sum(&self, i: usize, x: &[F], h: &[F], cell: F) -> F {
        let dot = |weights: &[F], values: &[F]| {
            let row = weights.iter().skip(i * values.len());
            let products = row.zip(values).map(|(&w, &x)| w * x);
            products.fold(F::default(), |sum, product| sum + product)
        };
        let part = |values: &[F]| values.get(i).copied().unwrap_or_default();
        dot(&self.input, x)
            + dot(&self.recurrent, h)
            + part(&self.bias)
            + part(&self.peephole) * cell
    }
}

fn sigmoid<F: Real>(x: F) -> F {
    F::of(1.0 / (1.0 + libm::exp(-x.to_f64())))
}

/// `x`, limited to a magnitude unless that is 0.
fn clip<F: Real>(x: F, magnitude: f32) -> F {
    let limit = F::from_sample(magnitude);
    if magnitude <= 0.0 {
        x
    } else if x > limit {
        limit
    } else if x < -limit {
        -limit
    } else {
        x
    }
}

/// The outputs over the sequence; output state and cells are kept for the next run.
pub(super) fn lstm<F: Real>(node: &Node<'_, F>) -> Result<Results<F>, String> {
    let &Options::UnidirectionalSequenceLstm {
        activation,
        cell_clip,
        time_major,
        ..
    } = &node.op.options
    else {
        return Err("its options are missing".into());
    };
    // 4 is tanh in the schema, which only recurrent layers fuse.
    let function: fn(F) -> F = match activation {
        Activation::Other(4) => |x| F::of(libm::tanh(x.to_f64())),
        Activation::Relu => |x| if x > F::default() { x } else { F::default() },
        other => {
            return Err(format!(
                "the activation {other:?} is not run, allowed is tanh"
            ));
        }
    };
    if !node.is_real() {
        return Err("the reference interpreter runs it in real numbers only".into());
    }
    let mut refused = [PROJECTION].into_iter().chain(NORMALISATIONS);
    if refused.any(|i| node.index(i).is_some()) {
        return Err("projection and layer normalisation are not run".into());
    }
    let &[first, second, n_in] = node.input(0)?.shape.as_slice() else {
        return Err(node.shapes());
    };
    let (batches, steps) = if time_major {
        (second, first)
    } else {
        (first, second)
    };
    let optional = |i: usize| match node.index(i) {
        Some(_) => node.reals(i),
        None => Ok(Vec::new()),
    };
    let gate = |which: usize| -> Result<Gate<F>, String> {
        Ok(Gate {
            input: optional(INPUT_WEIGHTS[which])?,
            recurrent: optional(RECURRENT_WEIGHTS[which])?,
            peephole: PEEPHOLES[which].map_or(Ok(Vec::new()), optional)?,
            bias: optional(BIASES[which])?,
        })
    };
    let [input, forget, candidate, output] = [gate(0)?, gate(1)?, gate(2)?, gate(3)?];
    let x = node.reals(0)?;
    let (mut hidden, mut cells) = (node.reals(OUTPUT_STATE)?, node.reals(CELL_STATE)?);
    let n = cells.len() / batches;
    let fits = |gate: &Gate<F>| gate.input.len() == n * n_in && gate.recurrent.len() == n * n;
    let coupled = input.input.is_empty();
    if hidden.len() != cells.len()
        || node.output().n_elements() != batches * steps * n
        || ![&forget, &candidate, &output].into_iter().all(fits)
        || !(coupled || fits(&input))
    {
        return Err(node.shapes());
    }
    let mut outputs = vec![F::default(); batches * steps * n];
    for step in 0..steps {
        for batch in 0..batches {
            let row = if time_major {
                step * batches + batch
            } else {
                batch * steps + step
            };
            let x = &x[row * n_in..][..n_in];
            let before = hidden[batch * n..][..n].to_vec();
            for i in 0..n {
                let cell = cells[batch * n + i];
                let keep = sigmoid(forget.sum(i, x, &before, cell));
                let take = match coupled {
                    true => F::of(1.0) - keep,
                    false => sigmoid(input.sum(i, x, &before, cell)),
                };
                let new = function(candidate.sum(i, x, &before, F::default()));
                let cell = clip(keep * cell + take * new, cell_clip);
                cells[batch * n + i] = cell;
                let open = sigmoid(output.sum(i, x, &before, cell));
                hidden[batch * n + i] = open * function(cell);
            }
            outputs[row * n..][..n].copy_from_slice(&hidden[batch * n..][..n]);
        }
    }
    let mut results = vec![(node.op.outputs[0], Values::Reals(outputs))];
    let states = [(OUTPUT_STATE, hidden), (CELL_STATE, cells)];
    results.extend(
        states
            .into_iter()
            .filter_map(|(i, values)| node.index(i).map(|index| (index, Values::Reals(values)))),
    );
    Ok(results)
}

/// Sizes of an SVDF.
struct Filters {
    /// Elements of one input.
    n_in: usize,
    /// Outputs of the first filters that the second ones see.
    memory: usize,
    /// Filters that make up one output.
    rank: usize,
}

impl Filters {
    /// Brings `state` one step on and gives the sums of each output. `state` has a row of the
    /// last outputs for each filter of each batch.
    fn run<T: Real>(&self, x: &[T], [features, time]: [&[T]; 2], state: &mut [T]) -> Vec<T> {
        let dot = |a: &[T], b: &[T]| {
            let products = a.iter().zip(b).map(|(&a, &b)| a * b);
            products.fold(T::default(), |sum, product| sum + product)
        };
        let filters = time.len() / self.memory;
        let mut sums = Vec::new();
        for (x, rows) in x
            .chunks(self.n_in)
            .zip(state.chunks_mut(filters * self.memory))
        {
            for row in rows.chunks_mut(self.memory) {
                row.rotate_left(1);
            }
            for (row, features) in rows.chunks_mut(self.memory).zip(features.chunks(self.n_in)) {
                row[self.memory - 1] = dot(features, x);
            }
            let rows = rows.chunks(self.memory).zip(time.chunks(self.memory));
            let filtered: Vec<T> = rows.map(|(row, time)| dot(row, time)).collect();
            let add = |sum: T, &x: &T| sum + x;
            sums.extend(
                filtered
                    .chunks(self.rank)
                    .map(|unit| unit.iter().fold(T::default(), add)),
            );
        }
        sums
    }
}

/// Two filters in turn: over the features of an input, then over the last results of the first.
pub(super) fn svdf<F: Real>(node: &Node<'_, F>) -> Result<Results<F>, String> {
    let &Options::Svdf { rank, activation } = &node.op.options else {
        return Err("its options are missing".into());
    };
    let (&[batches, n_in], &[filters, memory]) = (
        node.input(0)?.shape.as_slice(),
        node.input(2)?.shape.as_slice(),
    ) else {
        return Err(node.shapes());
    };
    let state = node.index(4).ok_or("its state is missing")?;
    let output = node.output();
    if node.input(1)?.shape != [filters, n_in]
        || node.input(4)?.n_elements() != batches * filters * memory
        || filters % rank != 0
        || output.n_elements() != batches * filters / rank
    {
        return Err(node.shapes());
    }
    let sizes = Filters { n_in, memory, rank };
    if !node.is_real() {
        return Err("the reference interpreter runs it in real numbers only".into());
    }
    let mut values = node.reals(4)?;
    let weights = [node.reals(1)?, node.reals(2)?];
    let weights = weights.each_ref().map(Vec::as_slice);
    let sums = sizes.run(&node.reals(0)?, weights, &mut values);
    let bias = match node.index(3) {
        Some(_) => node.reals(3)?,
        None => vec![F::default()],
    };
    let sums = sums.into_iter().zip(bias.iter().cycle());
    let outputs: Result<Vec<F>, String> = sums
        .map(|(sum, &bias)| activate(activation, sum + bias))
        .collect();
    Ok(vec![
        (node.op.outputs[0], Values::Reals(outputs?)),
        (state, Values::Reals(values)),
    ])
}
