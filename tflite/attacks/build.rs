//! Builds `.tflite` files byte by byte, honest ones and damaged ones.
//!
//! The writer knows nothing of the reader: it lays out tables and vectors as
//! the FlatBuffers format defines them, so that tests have files to read
//! without any file of others.

#![allow(
    dead_code,
    reason = "each test binary uses its own part of the builder"
)]

/// A value of a FlatBuffer.
#[derive(Clone, Debug)]
pub(crate) enum V {
    U8(u8),
    I32(i32),
    U32(u32),
    U64(u64),
    F32(f32),
    Bytes(Vec<u8>),
    I32s(Vec<i32>),
    I64s(Vec<i64>),
    F32s(Vec<f32>),
    Table(Vec<(usize, V)>),
    Tables(Vec<V>),
}

pub(crate) fn text(s: &str) -> V {
    V::Bytes(s.as_bytes().to_vec())
}

/// The bytes of a file whose root is the table `root`.
pub(crate) fn file(root: &V) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend_from_slice(b"TFL3");
    let V::Table(fields) = root else {
        panic!("the root is a table")
    };
    let at = table(&mut out, fields);
    patch(&mut out, 0, at);
    out
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes at `at` the offset from there to `target`.
fn patch(out: &mut [u8], at: usize, target: usize) {
    put(out, at, &((target - at) as u32).to_le_bytes());
}

fn table(out: &mut Vec<u8>, fields: &[(usize, V)]) -> usize {
    let slots = fields.iter().map(|f| f.0 + 1).max().unwrap_or(0);
    let vtable = out.len();
    out.resize(vtable + 4 + 2 * slots, 0);
    let at = out.len();
    out.extend_from_slice(&((at - vtable) as i32).to_le_bytes());
    let mut children = Vec::new();
    for (slot, value) in fields {
        let place = out.len();
        put(
            out,
            vtable + 4 + 2 * slot,
            &((place - at) as u16).to_le_bytes(),
        );
        match value {
            V::U8(x) => out.push(*x),
            V::I32(x) => out.extend_from_slice(&x.to_le_bytes()),
            V::U32(x) => out.extend_from_slice(&x.to_le_bytes()),
            V::U64(x) => out.extend_from_slice(&x.to_le_bytes()),
            V::F32(x) => out.extend_from_slice(&x.to_le_bytes()),
            child => {
                out.extend_from_slice(&[0; 4]);
                children.push((place, child));
            }
        }
    }
    let table_len = (out.len() - at) as u16;
    put(out, vtable, &((4 + 2 * slots) as u16).to_le_bytes());
    put(out, vtable + 2, &table_len.to_le_bytes());
    for (place, child) in children {
        let target = node(out, child);
        patch(out, place, target);
    }
    at
}

fn node(out: &mut Vec<u8>, value: &V) -> usize {
    let at = out.len();
    let mut vector = |n: usize, body: Vec<u8>| {
        out.extend_from_slice(&(n as u32).to_le_bytes());
        out.extend_from_slice(&body);
        at
    };
    match value {
        V::Table(fields) => table(out, fields),
        V::Bytes(b) => vector(b.len(), b.clone()),
        V::I32s(v) => vector(v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        V::I64s(v) => vector(v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        V::F32s(v) => vector(v.len(), v.iter().flat_map(|x| x.to_le_bytes()).collect()),
        V::Tables(list) => {
            vector(list.len(), vec![0; 4 * list.len()]);
            for (i, child) in list.iter().enumerate() {
                let target = node(out, child);
                patch(out, at + 4 + 4 * i, target);
            }
            at
        }
        scalar => panic!("{scalar:?} is not reached by an offset"),
    }
}

/// The parts of a model, each open to damage before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) version: u32,
    pub(crate) codes: Vec<V>,
    pub(crate) tensors: Vec<V>,
    pub(crate) operators: Vec<V>,
    pub(crate) inputs: Vec<i32>,
    pub(crate) outputs: Vec<i32>,
    pub(crate) buffers: Vec<V>,
}

impl Parts {
    pub(crate) fn file(&self) -> Vec<u8> {
        let graph = V::Table(vec![
            (0, V::Tables(self.tensors.clone())),
            (1, V::I32s(self.inputs.clone())),
            (2, V::I32s(self.outputs.clone())),
            (3, V::Tables(self.operators.clone())),
            (4, text("main")),
        ]);
        file(&V::Table(vec![
            (0, V::U32(self.version)),
            (1, V::Tables(self.codes.clone())),
            (2, V::Tables(vec![graph])),
            (3, text("built by a test")),
            (4, V::Tables(self.buffers.clone())),
        ]))
    }
}

pub(crate) const I8: u8 = 9;
pub(crate) const I32: u8 = 2;

pub(crate) fn code(builtin: i32) -> V {
    V::Table(vec![
        (0, V::U8(builtin.min(127) as u8)),
        (2, V::I32(1)),
        (3, V::I32(builtin)),
    ])
}

pub(crate) fn quant(scales: &[f32], zero_points: &[i64], dimension: i32) -> V {
    V::Table(vec![
        (2, V::F32s(scales.to_vec())),
        (3, V::I64s(zero_points.to_vec())),
        (6, V::I32(dimension)),
    ])
}

pub(crate) fn tensor(name: &str, shape: &[i32], dtype: u8, buffer: u32, quant: V) -> V {
    V::Table(vec![
        (0, V::I32s(shape.to_vec())),
        (1, V::U8(dtype)),
        (2, V::U32(buffer)),
        (3, text(name)),
        (4, quant),
    ])
}

pub(crate) fn operator(
    code: u32,
    inputs: &[i32],
    outputs: &[i32],
    member: u8,
    options: Vec<(usize, V)>,
) -> V {
    V::Table(vec![
        (0, V::U32(code)),
        (1, V::I32s(inputs.to_vec())),
        (2, V::I32s(outputs.to_vec())),
        (3, V::U8(member)),
        (4, V::Table(options)),
    ])
}

pub(crate) fn buffer(data: &[u8]) -> V {
    V::Table(vec![(0, V::Bytes(data.to_vec()))])
}

/// A small but complete network: CONV_2D, RESHAPE, FULLY_CONNECTED, SOFTMAX.
pub(crate) fn small() -> Parts {
    let weights: Vec<u8> = (0..18u8).collect();
    let dense: Vec<u8> = (0..48u8).collect();
    let q = |s: f32| quant(&[s], &[3], 0);
    Parts {
        version: 3,
        codes: vec![code(3), code(22), code(9), code(25)],
        tensors: vec![
            tensor("input", &[1, 4, 4, 1], I8, 0, q(0.5)),
            tensor(
                "kernel",
                &[2, 3, 3, 1],
                I8,
                1,
                quant(&[0.1, 0.2], &[0, 0], 0),
            ),
            tensor("bias", &[2], I32, 2, quant(&[0.05, 0.1], &[0, 0], 0)),
            tensor("conv", &[1, 4, 4, 2], I8, 0, q(0.25)),
            tensor("flat", &[1, 32], I8, 0, q(0.25)),
            tensor("dense/kernel", &[3, 16], I8, 3, quant(&[0.1], &[0], 0)),
            tensor("dense", &[2, 3], I8, 0, q(0.3)),
            tensor("scores", &[2, 3], I8, 0, quant(&[1.0 / 256.0], &[-128], 0)),
        ],
        operators: vec![
            operator(
                0,
                &[0, 1, 2],
                &[3],
                1,
                vec![(1, V::I32(1)), (2, V::I32(1)), (3, V::U8(1))],
            ),
            operator(1, &[3], &[4], 17, vec![(0, V::I32s(vec![1, 32]))]),
            operator(2, &[4, 5, -1], &[6], 8, vec![(0, V::U8(0))]),
            operator(3, &[6], &[7], 9, vec![(0, V::F32(1.0))]),
        ],
        inputs: vec![0],
        outputs: vec![7],
        buffers: vec![
            buffer(&[]),
            buffer(&weights),
            buffer(&[0; 8]),
            buffer(&dense),
        ],
    }
}
