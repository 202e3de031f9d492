//! For the tests: one step of a plan, without the plan around it.

extern crate std;

use crate::format::{Element, Place, TensorRecord};
use crate::{Fault, Io, Op, Step};
use std::vec::Vec;

/// Tensors, and the memories in which they live.
#[derive(Default)]
pub(crate) struct Probe {
    records: Vec<TensorRecord>,
    data: Vec<u64>,
    arena: Vec<u64>,
    /// Index of the frame that a step works on.
    pub(crate) frame: u32,
}

impl Probe {
    /// No tensors, at frame `frame` of a window.
    pub(crate) fn at_frame(frame: u32) -> Self {
        Self {
            frame,
            ..Self::default()
        }
    }

    /// Adds a tensor in the arena; returns its number.
    pub(crate) fn tensor<T: Element>(&mut self, values: &[T]) -> u32 {
        self.add(Place::Arena, values)
    }

    /// Adds a table.
    pub(crate) fn table<T: Element>(&mut self, values: &[T]) -> u32 {
        self.add(Place::Data, values)
    }

    fn add<T: Element>(&mut self, place: Place, values: &[T]) -> u32 {
        let memory = match place {
            Place::Data => &mut self.data,
            _ => &mut self.arena,
        };
        let offset = memory.len() * 8;
        let bytes: &[u8] = bytemuck::cast_slice(values);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            memory.push(u64::from_ne_bytes(word));
        }
        self.records.push(TensorRecord {
            elem: T::ELEM as u8,
            place: place as u8,
            reserved: 0,
            offset: offset as u32,
            count: values.len() as u32,
        });
        self.records.len() as u32 - 1
    }

    /// What a tensor of the arena holds.
    pub(crate) fn get<T: Element>(&self, id: u32) -> Vec<T> {
        let record = self.records[id as usize];
        let bytes: &[u8] = bytemuck::cast_slice(&self.arena);
        let from = record.offset as usize;
        let len = record.count as usize * size_of::<T>();
        bytemuck::cast_slice(&bytes[from..from + len]).to_vec()
    }

    /// Overwrites a tensor of the arena.
    pub(crate) fn set<T: Element>(&mut self, id: u32, values: &[T]) {
        let from = self.records[id as usize].offset as usize;
        let arena: &mut [u8] = bytemuck::cast_slice_mut(&mut self.arena);
        let bytes: &[u8] = bytemuck::cast_slice(values);
        arena[from..from + bytes.len()].copy_from_slice(bytes);
    }

    /// The operator's check of the step.
    pub(crate) fn check(&self, op: &Op, operands: &[u32], params: &[u32]) -> Result<(), Fault> {
        (op.check)(&Step {
            tensors: &self.records,
            data: bytemuck::cast_slice(&self.data),
            operands,
            params,
        })
    }

    /// Checks the step and runs it.
    pub(crate) fn run(&mut self, op: &Op, operands: &[u32], params: &[u32]) -> Result<(), Fault> {
        self.check(op, operands, params)?;
        (op.run)(&mut Io {
            step: Step {
                tensors: &self.records,
                data: bytemuck::cast_slice(&self.data),
                operands,
                params,
            },
            arena: bytemuck::cast_slice_mut(&mut self.arena),
            row_offset: 0,
            frame: self.frame,
        })
    }
}
