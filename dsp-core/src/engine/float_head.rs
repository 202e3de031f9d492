//! A classifier of floats and the decision behind it, in real numbers.

use super::decide::Decider;
use super::{Classification, Values};
use crate::error::{EngineError, LowerError};
use crate::executor::Real;
use crate::graph::{Graph, Head, Mode};
use crate::network::{self, Arithmetic, Interpreter};
use otolith_tflite::DType;

/// A float network that sees rows of features.
pub(super) struct FloatHead {
    head: Head,
    row_len: usize,
    /// Rows between two classifications.
    hop: usize,
}

impl FloatHead {
    /// Prepares the head of `graph`.
    ///
    /// # Errors
    /// [`LowerError`] for a network that the interpreter does not run, or that is no classifier
    /// with the head's labels.
    pub(super) fn new(graph: &Graph, head: &Head) -> Result<Self, LowerError> {
        let fault = |why: String| Err(LowerError::new(head.name.clone(), why));
        let Some(model) = head.model.network() else {
            return fault("it is no network".into());
        };
        let (&[input], &[output]) = (model.inputs.as_slice(), model.outputs.as_slice()) else {
            let (i, o) = (model.inputs.len(), model.outputs.len());
            return fault(format!(
                "the model has {i} inputs and {o} outputs, a classifier has one of each"
            ));
        };
        let [input, output] = [input, output].map(|index| &model.tensors[index]);
        let (row_len, labels) = (graph.row_len(), head.labels.len());
        if input.dtype != DType::F32 || input.n_elements() != head.rows * row_len {
            return fault(format!(
                "the model's input is {} of shape {:?}, the pipeline gives {} rows of {row_len} \
                 floats",
                input.dtype, input.shape, head.rows
            ));
        }
        if output.n_elements() != labels {
            return fault(format!(
                "the model's output has shape {:?}, but the pipeline names {labels} labels: give \
                 one label for each score",
                output.shape
            ));
        }
        let zeros = network::Values::Reals(vec![0.0f32; input.n_elements()]);
        let mut trial = Interpreter::<f32>::new(model, Arithmetic::Exact);
        if let Err(error) = trial.run_values(vec![zeros]) {
            return fault(error.to_string());
        }
        Ok(Self {
            head: head.clone(),
            row_len,
            hop: match graph.first().source.mode {
                Mode::Stream => head.row_hop,
                Mode::Window { .. } | Mode::Clip => head.rows,
            },
        })
    }

    /// What the classifier says over rows of features; `heard` gives the samples heard from the
    /// number of the classification and the rows before its end.
    ///
    /// # Errors
    /// [`EngineError::Network`] when the network does not run.
    pub(super) fn classify(
        &self,
        features: &Values,
        heard: impl Fn(usize, usize) -> u64,
    ) -> Result<Vec<Classification>, EngineError> {
        match features {
            Values::F64(values) => self.said(values, heard),
            Values::F32(values) => self.said(values, heard),
            integers => self.said(&integers.to_f64(), heard),
        }
    }

    fn said<F: Real>(
        &self,
        values: &[F],
        heard: impl Fn(usize, usize) -> u64,
    ) -> Result<Vec<Classification>, EngineError> {
        let model = self.head.model.network();
        let model = model.ok_or(EngineError::NoClassifier)?;
        let mut network = Interpreter::<F>::new(model, Arithmetic::Exact);
        let mut decider = Decider::new(&self.head);
        let window = self.head.rows * self.row_len;
        let mut said = Vec::new();
        let mut row = 0;
        while let Some(values) = values.get(row * self.row_len..)
            && let Some(values) = values.get(..window)
        {
            network.run_values(vec![network::Values::Reals(values.to_vec())])?;
            let scores = match network.output() {
                Some(network::Values::Reals(scores)) => scores.iter().map(|x| x.to_f64()).collect(),
                _ => Vec::new(),
            };
            let samples = heard(said.len(), row + self.head.rows);
            said.push(decider.decide(scores, samples));
            row += self.hop;
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::Kernels;
    use crate::graph::{Decide, HeadModel};
    use otolith_tflite::Model;
    use std::sync::Arc;

    fn head(average: usize, threshold: f64, refractory: usize) -> Head {
        let model = Model {
            description: String::new(),
            tensors: Vec::new(),
            operators: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            subgraphs: Vec::new(),
        };
        Head {
            name: "head".into(),
            model: HeadModel::Network(Arc::new(model)),
            kernels: Kernels::default(),
            codes: false,
            rows: 1,
            row_hop: 1,
            labels: vec!["a".into(), "b".into()],
            decide: Decide {
                name: "decide".into(),
                average,
                threshold,
                refractory,
                fires: vec![true, false],
            },
        }
    }

    #[test]
    fn scores_are_averaged_and_decisions_keep_their_distance() {
        let head = head(2, 0.625, 2);
        let mut decider = Decider::new(&head);
        let mut tick = |a: f64| decider.decide(vec![a, 1.0 - a], 0).decision;
        // The average of 0.5 and 0.75 is the threshold itself.
        assert_eq!(tick(0.5), None);
        assert_eq!(tick(0.75), Some((0, 0.625)));
        // Two classifications of silence.
        assert_eq!(tick(1.0), None);
        assert_eq!(tick(1.0), None);
        assert_eq!(tick(1.0), Some((0, 1.0)));
        // A label that does not fire.
        let mut decider = Decider::new(&head);
        assert_eq!(decider.decide(vec![0.0, 1.0], 0).decision, None);
    }
}
