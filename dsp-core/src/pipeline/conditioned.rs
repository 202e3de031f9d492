//! The samples of an input on their way through filters and decimations.

use super::read::BlockTable;
use crate::ConfigError;
use crate::blocks::{BlockType, SignalSpec};
use crate::graph::{Conditioning, SignalKind, SignalStage};
use crate::input::Input;

/// An input, and the blocks so far that work on its running samples.
pub(super) struct Conditioned<'a> {
    input: &'a Input,
    conditioning: Conditioning,
    /// Id of the last block, while no block of features has heard it.
    unheard: Option<&'a BlockTable>,
}

impl<'a> Conditioned<'a> {
    pub(super) fn new(input: &'a Input) -> Self {
        Self {
            input,
            conditioning: Conditioning {
                rate_hz: input.rate_hz,
                sample_type: input.sample_type,
                factor: 1,
                stages: Vec::new(),
            },
            unheard: None,
        }
    }

    /// Reads, checks and adds a block.
    pub(super) fn append(&mut self, block: &'a BlockTable) -> Result<SignalSpec, ConfigError> {
        let conditioning = &mut self.conditioning;
        let rate_hz = self.input.rate_hz / conditioning.factor as f64;
        let spec = block.block_type.signal(&block.table, &block.id, rate_hz)?;
        if let SignalKind::Decimate { factor, .. } = spec.kind {
            conditioning.factor *= factor;
            if self.input.conditioned(conditioning.factor).is_none() {
                return Err(ConfigError::new(
                    format!("{}.factor", block.id),
                    factor,
                    format!(
                        "windows of `{}` and their hops must be whole numbers of decimated \
                         samples: expected lengths that are multiples of {} samples",
                        self.input.id, conditioning.factor
                    ),
                ));
            }
        }
        conditioning.stages.push(SignalStage {
            name: block.id.clone(),
            kind: spec.kind.clone(),
        });
        self.unheard = Some(block);
        Ok(spec)
    }

    /// What a block of features hears here.
    pub(super) fn heard_by(
        &mut self,
        block: &BlockTable,
    ) -> Result<(Input, Option<Conditioning>), ConfigError> {
        if self.conditioning.stages.is_empty() {
            return Ok((self.input.clone(), None));
        }
        if block.block_type == BlockType::MicroFrontend {
            return Err(ConfigError::new(
                format!("{}.type", block.id),
                "\"micro_frontend\" behind a filter",
                "its integers are defined for 16-bit samples as they come: move it before the \
                 filters, or give it an input of its own",
            ));
        }
        self.unheard = None;
        let factor = self.conditioning.factor;
        let input = self.input.conditioned(factor);
        // Every decimation was checked when it was added.
        let input = input.unwrap_or_else(|| self.input.clone());
        Ok((input, Some(self.conditioning.clone())))
    }

    /// Fails if the last block works for nobody.
    pub(super) fn check_heard(&self) -> Result<(), ConfigError> {
        match self.unheard {
            None => Ok(()),
            Some(block) => Err(block.origin.mark(ConfigError::new(
                block.id.clone(),
                format!(
                    "a block of type \"{}\" that no block of features hears",
                    block.block_type.name()
                ),
                "move it before the block of features that shall hear it, or remove it",
            ))),
        }
    }
}
