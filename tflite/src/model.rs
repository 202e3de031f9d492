//! The model's tables as plain values.

use crate::flatbuffer::{Reader, Table};
use crate::options::{OpCode, Operator};
use crate::validate::{self, MAX_RANK};
use crate::{BuiltinOp, ModelError};
use std::sync::Arc;

/// A validated model. Its own fields are subgraph 0 of a `.tflite` file.
///
/// The crate's documentation lists what holds for every value of this type.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The file's own description, for example `"MLIR Converted."`.
    pub description: String,
    /// All tensors; every other field refers to them by index.
    pub tensors: Vec<Tensor>,
    /// The operators in execution order.
    pub operators: Vec<Operator>,
    /// Tensor indices of the graph's inputs.
    pub inputs: Vec<usize>,
    /// Tensor indices of the graph's outputs.
    pub outputs: Vec<usize>,
    /// The subgraphs after the first, which operators name by 1 and up.
    pub subgraphs: Vec<Subgraph>,
}

/// Another graph of the file, for example one that gives variables their first values.
#[derive(Debug, Clone, PartialEq)]
pub struct Subgraph {
    /// All tensors; every other field refers to them by index.
    pub tensors: Vec<Tensor>,
    /// The operators in execution order.
    pub operators: Vec<Operator>,
    /// Tensor indices of the graph's inputs.
    pub inputs: Vec<usize>,
    /// Tensor indices of the graph's outputs.
    pub outputs: Vec<usize>,
}

impl Subgraph {
    fn read(
        graph: &Table<'_, '_>,
        codes: &[(OpCode, i32)],
        buffers: &[Arc<[u8]>],
    ) -> Result<Self, ModelError> {
        let tensors = graph
            .tables(0, "tensors")?
            .iter()
            .enumerate()
            .map(|(index, table)| tensor(index, table, buffers))
            .collect::<Result<Vec<_>, _>>()?;
        let operators = graph
            .tables(3, "operators")?
            .iter()
            .map(|table| Operator::read(table, codes, tensors.len()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            inputs: tensor_list(graph, 1, "graph input", tensors.len())?,
            outputs: tensor_list(graph, 2, "graph output", tensors.len())?,
            tensors,
            operators,
        })
    }
}

/// A tensor of the subgraph.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Name in the file; not unique, may be empty.
    pub name: String,
    /// Dimensions; empty for a scalar. Each is at least 1 in a tensor that an
    /// operator or the graph's interface names.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Constant data, little endian in C order; `None` for an activation.
    /// Tensors with the same buffer share it.
    pub data: Option<Arc<[u8]>>,
    /// Quantisation; `None` for a tensor of floats or of plain integers.
    pub quant: Option<Quant>,
    /// True for a tensor that keeps its value from one run to the next.
    pub is_variable: bool,
    /// Byte of the file at which the tensor's table starts.
    pub at: usize,
}

impl Tensor {
    /// Number of elements: the product of the shape.
    pub fn n_elements(&self) -> usize {
        // Validation bounded the product by MAX_TENSOR_BYTES elements.
        self.shape.iter().product()
    }
}

/// Affine quantisation: `real = scale * (q - zero_point)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quant {
    /// One scale, or one per slice along `dimension`; finite and positive.
    pub scales: Vec<f32>,
    /// As many as there are scales.
    pub zero_points: Vec<i64>,
    /// The axis that the scales run along; 0 where there is one scale.
    pub dimension: usize,
}

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 single precision.
    F32,
    /// Signed 8-bit.
    I8,
    /// Unsigned 8-bit.
    U8,
    /// Signed 16-bit.
    I16,
    /// Signed 32-bit.
    I32,
    /// Unsigned 32-bit.
    U32,
    /// Signed 64-bit.
    I64,
    /// Unsigned 64-bit.
    U64,
    /// One byte, 0 or 1.
    Bool,
    /// Another type of the schema, by its code.
    Other(u8),
}

impl DType {
    fn from_code(code: u8) -> Self {
        match code {
            0 => DType::F32,
            2 => DType::I32,
            3 => DType::U8,
            4 => DType::I64,
            6 => DType::Bool,
            7 => DType::I16,
            9 => DType::I8,
            12 => DType::U64,
            15 => DType::U32,
            other => DType::Other(other),
        }
    }

    /// Bytes of one element, or `None` for types that are not whole bytes or
    /// that this reader does not know.
    pub fn size(self) -> Option<usize> {
        match self {
            DType::I8 | DType::U8 | DType::Bool => Some(1),
            DType::I16 => Some(2),
            DType::F32 | DType::I32 | DType::U32 => Some(4),
            DType::I64 | DType::U64 => Some(8),
            DType::Other(_) => None,
        }
    }
}

impl core::fmt::Display for DType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = match self {
            DType::F32 => "float32",
            DType::I8 => "int8",
            DType::U8 => "uint8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::U32 => "uint32",
            DType::I64 => "int64",
            DType::U64 => "uint64",
            DType::Bool => "bool",
            DType::Other(1) => "float16",
            DType::Other(5) => "string",
            DType::Other(10) => "float64",
            DType::Other(17) => "int4",
            DType::Other(18) => "bfloat16",
            DType::Other(code) => return write!(f, "type {code}"),
        };
        f.write_str(name)
    }
}

impl Model {
    /// Reads and validates a `.tflite` file.
    ///
    /// # Errors
    ///
    /// [`ModelError`] when the file is not a TFLite model, is damaged, or
    /// contradicts itself. No input makes this function panic, and its memory
    /// is bounded by a small multiple of the file's length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.get(4..8) != Some(b"TFL3") {
            let found = bytes
                .get(4..)
                .unwrap_or_default()
                .iter()
                .take(4)
                .copied()
                .collect();
            return Err(ModelError::Identifier {
                found,
                len: bytes.len(),
            });
        }
        let reader = Reader::new(bytes);
        let root = reader.root()?;
        let version = root.u32(0, 0, "schema version")?;
        if version != 3 {
            return Err(ModelError::Version {
                found: version,
                at: root.at(),
            });
        }
        let codes = root
            .tables(1, "operator codes")?
            .iter()
            .map(op_code)
            .collect::<Result<Vec<_>, _>>()?;
        let buffers = root
            .tables(4, "buffers")?
            .iter()
            .map(buffer)
            .collect::<Result<Vec<_>, _>>()?;
        let tables = root.tables(2, "subgraphs")?;
        let first = root.need(tables.first(), "subgraph 0")?;
        let Subgraph {
            tensors,
            operators,
            inputs,
            outputs,
        } = Subgraph::read(first, &codes, &buffers)
            .and_then(|graph| validate::validate(graph, 0, tables.len()))?;
        let others = tables.iter().enumerate().skip(1);
        let subgraphs = others
            .map(|(index, table)| {
                Subgraph::read(table, &codes, &buffers)
                    .and_then(|graph| validate::validate(graph, index, tables.len()))
                    .map_err(|error| error.in_subgraph(index))
            })
            .collect::<Result<_, _>>()?;
        Ok(Model {
            description: root.string(3, "description")?,
            tensors,
            operators,
            inputs,
            outputs,
            subgraphs,
        })
    }
}

fn op_code(table: &Table<'_, '_>) -> Result<(OpCode, i32), ModelError> {
    // Files written before code 127 was passed have only the i8 field; newer
    // ones hold the code in both, or the placeholder 127 in the old one.
    let old = table.u8(0, 0, "builtin code (8-bit)")? as i8;
    let new = table.i32(3, 0, "builtin code")?;
    let code = BuiltinOp(new.max(i32::from(old)));
    let version = table.i32(2, 1, "operator version")?;
    let code = match code {
        BuiltinOp::CUSTOM => OpCode::Custom(table.string(1, "custom operator name")?),
        code => OpCode::Builtin(code),
    };
    Ok((code, version))
}

fn buffer(table: &Table<'_, '_>) -> Result<Arc<[u8]>, ModelError> {
    let inline = table.bytes(0, "buffer data")?;
    let (offset, size) = (
        table.u64(1, 0, "buffer offset")?,
        table.u64(2, 0, "buffer size")?,
    );
    // Offsets 0 and 1 mean that the data, if any, is inline.
    if offset <= 1 {
        let data = inline.unwrap_or_default();
        table
            .reader()
            .charge(data.len(), table.at(), "buffer data")?;
        return Ok(data.into());
    }
    let what = "external buffer";
    let len = table.reader().len();
    let at = usize::try_from(offset).map_err(|_| ModelError::OutOfBounds {
        what,
        at: table.at(),
        need: offset,
        len,
    })?;
    let data = table.reader().slice(at, size, what)?;
    table.reader().charge(data.len(), table.at(), what)?;
    Ok(data.into())
}

fn tensor(
    index: usize,
    table: &Table<'_, '_>,
    buffers: &[Arc<[u8]>],
) -> Result<Tensor, ModelError> {
    let name = table.string(3, "tensor name")?;
    let fault = |why: String| ModelError::Tensor {
        index,
        name: name.clone(),
        at: table.at(),
        why,
    };
    let dims = table.i32s(0, "tensor shape")?;
    if dims.len() > MAX_RANK {
        return Err(fault(format!(
            "has {} dimensions, allowed are at most {MAX_RANK}",
            dims.len()
        )));
    }
    let shape = dims
        .iter()
        .map(|&d| usize::try_from(d).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| fault(validate::not_positive(&dims)))?;
    let dtype = DType::from_code(table.u8(1, 0, "tensor type")?);
    let buffer_index = table.u32(2, 0, "tensor buffer")?;
    let data = usize::try_from(buffer_index)
        .ok()
        .and_then(|i| buffers.get(i))
        .ok_or(ModelError::Index {
            what: "tensor buffer",
            at: table.at(),
            found: i64::from(buffer_index),
            count: buffers.len(),
        })?;
    let quant = match table.table(4, "quantization")? {
        Some(q) => quant(&q, &shape, &fault)?,
        None => None,
    };
    let is_variable = table.u8(5, 0, "is_variable")? != 0;
    let data = (!data.is_empty() && !is_variable).then(|| data.clone());
    Ok(Tensor {
        shape,
        dtype,
        data,
        quant,
        is_variable,
        at: table.at(),
        name,
    })
}

fn quant(
    table: &Table<'_, '_>,
    shape: &[usize],
    fault: &dyn Fn(String) -> ModelError,
) -> Result<Option<Quant>, ModelError> {
    let scales = table.f32s(2, "quantization scale")?;
    if scales.is_empty() {
        return Ok(None);
    }
    let mut zero_points = table.i64s(3, "quantization zero point")?;
    if zero_points.is_empty() {
        zero_points = vec![0; scales.len()];
    }
    if zero_points.len() != scales.len() {
        let (z, s) = (zero_points.len(), scales.len());
        return Err(fault(format!(
            "has {z} zero points for {s} scales, allowed is one for each"
        )));
    }
    if let Some(bad) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(fault(format!(
            "has the scale {bad}, allowed is a finite number above 0"
        )));
    }
    let declared = table.i32(6, 0, "quantized dimension")?;
    let dimension = if scales.len() == 1 || shape.len() <= 1 {
        0
    } else {
        usize::try_from(declared)
            .ok()
            .filter(|&d| d < shape.len())
            .ok_or_else(|| {
                fault(format!(
                    "has quantized dimension {declared}, allowed is 0 to {}",
                    shape.len() - 1
                ))
            })?
    };
    if scales.len() > 1 && shape.get(dimension) != Some(&scales.len()) {
        return Err(fault(format!(
            "has {} scales along dimension {dimension} of shape {shape:?}, allowed is one scale or one per slice",
            scales.len()
        )));
    }
    Ok(Some(Quant {
        scales,
        zero_points,
        dimension,
    }))
}

fn tensor_list(
    table: &Table<'_, '_>,
    index: usize,
    what: &'static str,
    n_tensors: usize,
) -> Result<Vec<usize>, ModelError> {
    table
        .i32s(index, what)?
        .into_iter()
        .map(|i| tensor_index(i, what, table.at(), n_tensors))
        .collect()
}

pub(crate) fn tensor_index(
    i: i32,
    what: &'static str,
    at: usize,
    count: usize,
) -> Result<usize, ModelError> {
    usize::try_from(i)
        .ok()
        .filter(|&i| i < count)
        .ok_or(ModelError::Index {
            what,
            at,
            found: i64::from(i),
            count,
        })
}
