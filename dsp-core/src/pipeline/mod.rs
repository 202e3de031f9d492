//! A pipeline file, read, checked and expanded.

mod conditioned;
mod read;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::Path;

pub use read::Override;
pub(crate) use read::{INPUT_ID_FIELD, PIPELINE_FIELDS};

use crate::ConfigError;
use crate::blocks::anomaly::Anomaly;
use crate::blocks::classifier::Classifier;
use crate::blocks::decide::Decide;
use crate::blocks::model::FeatureShape;
use crate::blocks::{BlockType, FeatureSpec, SignalSpec, normalise};
use crate::config::{Section, Table, Value, write_text};
use crate::deploy::Deploy;
use crate::estimator::ScoreKind;
use crate::graph::{Chain, Graph, Head, Mode, SampleType};
use crate::input::{Input, InputConfig};
use conditioned::Conditioned;
use read::{BlockTable, Document};

/// A pipeline: what a TOML file describes, checked and expanded to a [`Graph`].
///
/// ```
/// use otolith_dsp_core::{Override, Pipeline};
///
/// let text = r#"
///     [pipeline]
///     name = "speech"
///     [input]
///     rate_hz = 16000
///     [[block]]
///     id = "features"
///     type = "mfcc"
///     frame_ms = 25
///     hop_ms = 10
/// "#;
/// let overrides = [Override::new("features.n_coeffs", "10")];
/// let pipeline = Pipeline::from_toml(text, ".".as_ref(), &overrides)?;
/// assert_eq!(pipeline.graph().row_len(), 10);
/// # Ok::<(), otolith_dsp_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    graph: Graph,
    inputs: Vec<Input>,
    deploy: Deploy,
    warnings: Vec<String>,
    resolved: String,
}

impl Pipeline {
    /// Reads and checks the text of a pipeline file.
    ///
    /// Paths in the file are relative to `base_dir`. Each of `overrides` wins over the file, the
    /// last one over those before.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first thing that is wrong, with its place in the text.
    pub fn from_toml(
        text: &str,
        base_dir: &Path,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        let document = Document::read(text, overrides)?;
        Self::build(&document, base_dir).map_err(|error| document.place(error))
    }

    fn build(document: &Document, base_dir: &Path) -> Result<Self, ConfigError> {
        let inputs = document
            .inputs
            .iter()
            .map(|input| {
                InputConfig::read(&input.table, &input.id)?
                    .validate(&input.id)
                    .map_err(|error| under(&input.id, error))
            })
            .collect::<Result<Vec<Input>, ConfigError>>()?;
        let deploy = Deploy::read(&document.deploy)?;
        let blocks = Roles::of(document)?;

        let mut specs = Vec::with_capacity(blocks.front.len());
        let mut graph = Graph {
            name: document.name.clone(),
            chains: Vec::with_capacity(blocks.front.len()),
            head: None,
        };
        // What the samples of each input have gone through so far.
        let mut conditioned: Vec<Conditioned<'_>> = inputs.iter().map(Conditioned::new).collect();
        for block in &blocks.front {
            let index = block.input(&inputs)?;
            if block.block_type.conditions() {
                specs.push(Spec::Signal(conditioned[index].append(block)?));
                continue;
            }
            let (input, signal) = conditioned[index].heard_by(block)?;
            let spec = block.block_type.features(&block.table, &block.id, &input)?;
            graph.chains.push(Chain {
                input: index,
                signal,
                ..chain(block, &*spec, &input)?
            });
            specs.push(Spec::Features(spec));
        }
        for input in &conditioned {
            input.check_heard()?;
        }
        check_joined(&graph, &inputs)?;
        let normalise_toml = blocks
            .normalise
            .map(|block| normalise::apply(&block.table, &block.id, &mut graph.chains))
            .transpose()?;
        let input = &inputs[graph.first().input];
        let joined = graph.chains.len() > 1;
        let row_len = graph.row_len();
        let hop = graph.first().framing.hop * graph.first().decimation();
        let window_rows = if joined {
            Some(1)
        } else {
            graph.first().window_rows()
        };
        let period_ms = |rows: usize| {
            match input.mode {
                Mode::Stream => Some((rows * hop) as f64),
                Mode::Window { hop, .. } => Some(hop as f64),
                Mode::Clip => None,
            }
            .map(|samples| samples * 1000.0 / input.rate_hz)
        };

        let mut head_toml = Vec::new();
        if let Some(block) = blocks.classifier {
            let shape = FeatureShape {
                mode: input.mode,
                row_len,
                window_rows,
                names: graph.names(),
            };
            let spec = match block.block_type {
                BlockType::Anomaly => {
                    Anomaly::read(&block.table, &block.id)?.validate(base_dir, &shape)
                }
                _ => Classifier::read(&block.table, &block.id)?.validate(base_dir, &shape),
            }
            .map_err(|error| under(&block.id, error))?;
            if let (ScoreKind::Value, Some(decide)) = (spec.score_kind(), blocks.decide) {
                return Err(decide.origin.mark(ConfigError::new(
                    decide.id.clone(),
                    "a block of type \"decide\" behind a regression",
                    "its values are no scores of labels, between which it could decide: remove \
                     the block, or use another model",
                )));
            }
            let none = Table::default();
            let (decide_id, decide_table) = match blocks.decide {
                Some(decide) => (decide.id.as_str(), &decide.table),
                None => ("decide", &none),
            };
            let decide = Decide::read(decide_table, decide_id)?;
            head_toml.push((block, spec.fields.clone()));
            head_toml.extend(blocks.decide.map(|block| (block, decide.write())));
            let decide = decide
                .validate(
                    decide_id,
                    &spec.labels,
                    spec.score_kind(),
                    period_ms(spec.hop_rows),
                )
                .map_err(|error| under(decide_id, error))?;
            let codes = graph.chains.iter().all(Chain::gives_codes);
            graph.head = Some(Head {
                name: block.id.clone(),
                model: spec.model,
                kernels: deploy.target.kernels(),
                codes,
                rows: spec.rows,
                row_hop: spec.hop_rows,
                labels: spec.labels,
                decide,
            });
        }

        let mut resolved = String::new();
        let name = ("name", write_text(&document.name));
        write_table(&mut resolved, "[pipeline]", &[name]);
        for input in &inputs {
            if inputs.len() == 1 {
                write_table(&mut resolved, "[input]", &input.config.write());
            } else {
                let mut fields = vec![("id", write_text(&input.id))];
                fields.extend(input.config.write());
                write_table(&mut resolved, "[[input]]", &fields);
            }
        }
        for (block, spec) in blocks.front.iter().zip(&specs) {
            let mut fields = spec.write();
            if inputs.len() > 1 {
                let id = &inputs[block.input(&inputs)?].id;
                fields.insert(0, ("input", write_text(id)));
            }
            write_block(&mut resolved, block, fields);
        }
        if let (Some(block), Some(fields)) = (blocks.normalise, normalise_toml) {
            write_block(&mut resolved, block, fields);
        }
        for (block, fields) in head_toml {
            write_block(&mut resolved, block, fields);
        }
        write_table(&mut resolved, "[deploy]", &deploy.write());

        Ok(Self {
            graph,
            inputs,
            deploy,
            warnings: blocks
                .front
                .iter()
                .zip(&specs)
                .filter_map(|(block, spec)| Some(format!("{}: {}", block.id, spec.warning()?)))
                .collect(),
            resolved,
        })
    }

    /// What the pipeline computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the pipeline takes, and how recordings are made to fit it: the first input.
    pub fn input(&self) -> &Input {
        &self.inputs[0]
    }

    /// All inputs, at least one.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What the pipeline is to run on.
    pub fn deploy(&self) -> &Deploy {
        &self.deploy
    }

    /// What is allowed but should be known, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The pipeline as TOML with every field given: no preset, no default, lengths in samples.
    /// It reads back to an equal pipeline.
    pub fn resolved_toml(&self) -> &str {
        &self.resolved
    }

    /// The graph without classifier and decision: features only.
    pub fn without_head(&self) -> Graph {
        Graph {
            head: None,
            ..self.graph.clone()
        }
    }
}

fn under(path: &str, mut error: ConfigError) -> ConfigError {
    error.path = format!("{path}.{}", error.path);
    error
}

fn write_table(out: &mut String, header: &str, fields: &[(&str, String)]) {
    if !out.is_empty() {
        out.push('\n');
    }
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{header}");
    for (name, value) in fields {
        let _ = writeln!(out, "{name} = {value}");
    }
}

fn write_block(out: &mut String, block: &BlockTable, fields: Vec<(&'static str, String)>) {
    let mut all = vec![
        ("id", write_text(&block.id)),
        ("type", write_text(block.block_type.name())),
    ];
    all.extend(fields);
    write_table(out, "[[block]]", &all);
}

impl BlockTable {
    /// Index of the input that the block listens to.
    fn input(&self, inputs: &[Input]) -> Result<usize, ConfigError> {
        let Some(node) = self.table.get("input") else {
            return Ok(0);
        };
        let found = match &node.value {
            Value::Text(id) => inputs.iter().position(|input| &input.id == id),
            _ => None,
        };
        let ids: Vec<&str> = inputs.iter().map(|input| input.id.as_str()).collect();
        found.ok_or_else(|| {
            node.origin.mark(ConfigError::new(
                format!("{}.input", self.id),
                node.value.shown(),
                format!("expected the id of an input in quotes: {}", ids.join(", ")),
            ))
        })
    }
}

/// Several chains meet window by window: all inputs have windows that come at the same times, and
/// every input is heard.
fn check_joined(graph: &Graph, inputs: &[Input]) -> Result<(), ConfigError> {
    if let Some(unheard) = (0..inputs.len()).find(|i| graph.chains.iter().all(|c| c.input != *i)) {
        let id = &inputs[unheard].id;
        return Err(ConfigError::new(
            id.clone(),
            "an input that no block listens to",
            format!("remove it, or set `input = \"{id}\"` in a block"),
        ));
    }
    if graph.chains.len() == 1 {
        return Ok(());
    }
    for (i, input) in inputs.iter().enumerate() {
        let mut types = graph.chains.iter().filter(|chain| chain.input == i);
        let is_i16 = |chain: &Chain| chain.source.sample_type == SampleType::I16;
        if types.clone().any(is_i16) && !types.all(is_i16) {
            return Err(ConfigError::new(
                format!("{}.sample_type", input.id),
                "\"f32\"",
                "one of its blocks works on 16-bit samples: expected \"i16\"",
            ));
        }
    }
    let mut first = None;
    for input in inputs {
        let Mode::Window { len, hop } = input.mode else {
            return Err(ConfigError::new(
                format!("{}.mode", input.id),
                format!("{:?}", input.config.mode.name()),
                "several blocks of features are joined window by window: expected \"window\"",
            ));
        };
        let ms = |samples: usize| samples as f64 * 1000.0 / input.rate_hz;
        let (len, hop) = (ms(len), ms(hop));
        let (id, first_len, first_hop) = *first.get_or_insert((&input.id, len, hop));
        for (field, found, wanted) in [
            ("window_ms", len, first_len),
            ("window_hop_ms", hop, first_hop),
        ] {
            if (found - wanted).abs() > 1e-6 * wanted {
                return Err(ConfigError::new(
                    format!("{}.{field}", input.id),
                    found,
                    format!("inputs are joined window by window: expected {wanted}, as in `{id}`"),
                ));
            }
        }
    }
    Ok(())
}

/// The chain of a block of features.
fn chain(block: &BlockTable, spec: &dyn FeatureSpec, input: &Input) -> Result<Chain, ConfigError> {
    let framing = spec.framing(input);
    let stages = spec.expand(&block.id);
    let source = spec.source(input);
    let row_len = stages
        .last()
        .map_or(framing.frame_len * source.axes, |stage| stage.len);
    let frame_stages = stages
        .iter()
        .position(|stage| stage.kind.needs_all_rows())
        .unwrap_or(stages.len());
    let mut frame = stages;
    let rows = frame.split_off(frame_stages);
    let chain = Chain {
        input: 0,
        signal: None,
        source,
        framing,
        frame,
        rows,
        row_len,
        names: spec.names(),
    };
    if chain.window_rows() == Some(0) {
        return Err(ConfigError::new(
            format!("{}.window_ms", input.id),
            input.config.window_ms.unwrap_or_default(),
            format!(
                "a window is shorter than a frame and gives no row: expected at least {} ms",
                chain.framing.extent as f64 * 1000.0 / input.rate_hz
            ),
        ));
    }
    if let Some(rows) = chain.window_rows() {
        spec.check_frames(rows)
            .map_err(|error| under(&block.id, error))?;
    }
    Ok(chain)
}

/// A block before the classifier, checked.
enum Spec {
    Signal(SignalSpec),
    Features(Box<dyn FeatureSpec>),
}

impl Spec {
    /// Every field with its value, as TOML.
    fn write(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Signal(spec) => spec.fields.clone(),
            Self::Features(spec) => spec.write(),
        }
    }

    /// What is allowed but should be known.
    fn warning(&self) -> Option<String> {
        match self {
            Self::Signal(_) => None,
            Self::Features(spec) => spec.warning(),
        }
    }
}

/// The blocks in their roles.
struct Roles<'a> {
    /// Blocks of features, and those that work on the samples before them.
    front: Vec<&'a BlockTable>,
    normalise: Option<&'a BlockTable>,
    /// The block with the model: classifier or anomaly.
    classifier: Option<&'a BlockTable>,
    decide: Option<&'a BlockTable>,
}

impl<'a> Roles<'a> {
    /// Blocks must stand in this order: those of samples and features, normalise, classifier,
    /// decide.
    fn of(document: &'a Document) -> Result<Self, ConfigError> {
        const ORDER: &str = "a pipeline is one or more blocks of features (such as mel or mfcc), \
                             each with any number of filter and decimate before it, then at most \
                             one normalise, then at most one classifier or anomaly, then at most \
                             one decide";
        let mut roles = Self {
            front: Vec::new(),
            normalise: None,
            classifier: None,
            decide: None,
        };
        for block in &document.blocks {
            let headless = roles.classifier.is_none() && roles.decide.is_none();
            match block.block_type {
                BlockType::Normalise
                    if headless && roles.normalise.is_none() && roles.makes_features() =>
                {
                    roles.normalise = Some(block);
                }
                BlockType::Classifier | BlockType::Anomaly
                    if headless && roles.makes_features() =>
                {
                    roles.classifier = Some(block);
                }
                BlockType::Decide if roles.classifier.is_some() && roles.decide.is_none() => {
                    roles.decide = Some(block);
                }
                kind if (kind.makes_features() || kind.conditions())
                    && headless
                    && roles.normalise.is_none() =>
                {
                    roles.front.push(block);
                }
                _ => {
                    return Err(block.origin.mark(ConfigError::new(
                        block.id.clone(),
                        format!("a block of type \"{}\" here", block.block_type.name()),
                        ORDER,
                    )));
                }
            }
        }
        if !roles.makes_features() {
            return Err(ConfigError::new(
                "block",
                match roles.front.is_empty() {
                    true => "no block",
                    false => "no block of features",
                },
                format!("{ORDER}: start each with [[block]]"),
            ));
        }
        Ok(roles)
    }

    fn makes_features(&self) -> bool {
        self.front
            .iter()
            .any(|block| block.block_type.makes_features())
    }
}
