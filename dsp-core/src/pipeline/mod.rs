//! A pipeline file, read, checked and expanded.

mod read;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::Path;

pub use read::Override;
pub(crate) use read::PIPELINE_FIELDS;

use crate::ConfigError;
use crate::blocks::classifier::{Classifier, ClassifierSpec, FeatureShape};
use crate::blocks::decide::Decide;
use crate::blocks::{BlockType, FeatureSpec};
use crate::config::{Section, Table, write_text};
use crate::deploy::Deploy;
use crate::graph::{Graph, Head, Mode};
use crate::input::{Input, InputConfig};
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
/// assert_eq!(pipeline.graph().row_len, 10);
/// # Ok::<(), otolith_dsp_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    graph: Graph,
    input: Input,
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
        let input = InputConfig::read(&document.input, "input")?
            .validate()
            .map_err(|error| under("input", error))?;
        let deploy = Deploy::read(&document.deploy)?;
        let chain = Chain::of(document)?;

        let id = &chain.features.id;
        let features =
            FeatureSpec::read(chain.features.block_type, &chain.features.table, id, &input)?;
        let framing = features.framing(&input);
        let stages = features.expand(id);
        let row_len = stages.last().map_or(0, |stage| stage.len);
        let frame_stages = stages
            .iter()
            .position(|stage| stage.kind.needs_all_rows())
            .unwrap_or(stages.len());
        let (frame, rows) = stages.split_at(frame_stages);
        let window_rows = match input.mode {
            Mode::Window { len, .. } => Some(framing.frames(len)),
            Mode::Stream | Mode::Clip => None,
        };
        if window_rows == Some(0) {
            return Err(ConfigError::new(
                "input.window_ms",
                input.config.window_ms.unwrap_or_default(),
                format!(
                    "a window is shorter than a frame and gives no row: expected at least {} ms",
                    framing.extent as f64 * 1000.0 / f64::from(input.rate_hz)
                ),
            ));
        }
        if let Some(rows) = window_rows {
            features
                .check_frames(rows)
                .map_err(|error| under(id, error))?;
        }
        let period_ms = |rows: usize| {
            match input.mode {
                Mode::Stream => Some((rows * framing.hop) as f64),
                Mode::Window { hop, .. } => Some(hop as f64),
                Mode::Clip => None,
            }
            .map(|samples| samples * 1000.0 / f64::from(input.rate_hz))
        };

        let mut head = None;
        let mut head_toml = Vec::new();
        if let Some(block) = chain.classifier {
            let shape = FeatureShape {
                mode: input.mode,
                row_len,
                window_rows,
            };
            let classifier = Classifier::read(&block.table, &block.id)?
                .validate(base_dir, shape)
                .map_err(|error| under(&block.id, error))?;
            let none = Table::default();
            let (decide_id, decide_table) = match chain.decide {
                Some(decide) => (decide.id.as_str(), &decide.table),
                None => ("decide", &none),
            };
            let decide = Decide::read(decide_table, decide_id)?;
            head_toml.push((block, classifier.config.write()));
            head_toml.extend(chain.decide.map(|block| (block, decide.write())));
            let decide = decide
                .validate(
                    decide_id,
                    &classifier.labels,
                    period_ms(classifier.hop_rows),
                )
                .map_err(|error| under(decide_id, error))?;
            let ClassifierSpec {
                model,
                rows,
                hop_rows,
                labels,
                ..
            } = classifier;
            head = Some(Head {
                name: block.id.clone(),
                model,
                rows,
                row_hop: hop_rows,
                labels,
                decide,
            });
        }

        let mut resolved = String::new();
        let name = ("name", write_text(&document.name));
        write_table(&mut resolved, "[pipeline]", &[name]);
        write_table(&mut resolved, "[input]", &input.config.write());
        write_block(&mut resolved, chain.features, features.write());
        for (block, fields) in head_toml {
            write_block(&mut resolved, block, fields);
        }
        write_table(&mut resolved, "[deploy]", &deploy.write());

        Ok(Self {
            graph: Graph {
                name: document.name.clone(),
                source: features.source(&input),
                framing,
                frame: frame.to_vec(),
                rows: rows.to_vec(),
                row_len,
                head,
            },
            input,
            deploy,
            warnings: features
                .warning()
                .map(|warning| format!("{id}: {warning}"))
                .into_iter()
                .collect(),
            resolved,
        })
    }

    /// What the pipeline computes.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What the pipeline takes, and how recordings are made to fit it.
    pub fn input(&self) -> &Input {
        &self.input
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

/// The blocks in their roles.
struct Chain<'a> {
    features: &'a BlockTable,
    classifier: Option<&'a BlockTable>,
    decide: Option<&'a BlockTable>,
}

impl<'a> Chain<'a> {
    /// Blocks must stand in the order of the chain: features, classifier, decide.
    fn of(document: &'a Document) -> Result<Self, ConfigError> {
        const ORDER: &str = "a pipeline is one block of features (mel or mfcc), then at most one \
                             classifier, then at most one decide";
        let mut blocks = document.blocks.iter();
        let misplaced = |block: &BlockTable| {
            block.origin.mark(ConfigError::new(
                block.id.clone(),
                format!("a block of type \"{}\" here", block.block_type.name()),
                ORDER,
            ))
        };
        let features = match blocks.next() {
            Some(block) if block.block_type.makes_features() => block,
            Some(block) => return Err(misplaced(block)),
            None => {
                return Err(ConfigError::new(
                    "block",
                    "no block",
                    format!("{ORDER}: start each with [[block]]"),
                ));
            }
        };
        let mut chain = Self {
            features,
            classifier: None,
            decide: None,
        };
        for block in blocks {
            match block.block_type {
                BlockType::Classifier if chain.classifier.is_none() && chain.decide.is_none() => {
                    chain.classifier = Some(block);
                }
                BlockType::Decide if chain.classifier.is_some() && chain.decide.is_none() => {
                    chain.decide = Some(block);
                }
                _ => return Err(misplaced(block)),
            }
        }
        Ok(chain)
    }
}
