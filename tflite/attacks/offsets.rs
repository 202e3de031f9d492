//! Offsets, counts and lists of fields that lead out of the file or around in it.

use crate::build::{I8, quant, small, tensor};
use crate::refused;
use otolith_tflite::Model;

/// tensorflow#115308: the root offset points past the end.
#[test]
fn root_offset_past_the_end() {
    refused(b"\x18\0\0\0TFL3", "root offset");
    refused(b"\xff\xff\xff\xffTFL3", "root offset");
    refused(b"\0\0\0\0TFL3", "root offset");
}

#[test]
fn not_a_model() {
    refused(b"", "TFL3");
    refused(b"TFL", "TFL3");
    refused(b"RIFF\0\0\0\0WAVE", "TFL3");
}

/// LiteRT#10080: every truncation is refused, none is read past its end.
#[test]
fn truncated_anywhere() {
    let bytes = small().file();
    for len in 0..bytes.len() {
        refused(&bytes[..len], if len < 8 { "TFL3" } else { "truncated" });
    }
}

/// tensorflow#121217: vectors at odd offsets. This reader takes bytes, so the
/// same model must be read at any alignment within the file and in memory.
#[test]
fn vectors_at_odd_offsets_are_read() {
    let mut parts = small();
    // A name of odd length moves everything that is written after it.
    parts.tensors[0] = tensor("odd", &[1, 4, 4, 1], I8, 0, quant(&[0.5], &[3], 0));
    let bytes = parts.file();
    for shift in 0..16 {
        let mut moved = vec![0xAA; shift];
        moved.extend_from_slice(&bytes);
        assert_eq!(Model::from_bytes(&moved[shift..]).unwrap().tensors.len(), 8);
    }
}

/// Many tables that share one long vector: memory must stay bounded.
#[test]
fn one_vector_named_by_many_tables() {
    let mut parts = small();
    parts.tensors.push(tensor(
        &"n".repeat(20_000),
        &[1],
        I8,
        0,
        quant(&[0.5], &[3], 0),
    ));
    let shared = tensor("x", &[1], I8, 0, quant(&[0.5], &[3], 0));
    parts.tensors.extend(std::iter::repeat_n(shared, 5_000));
    let mut bytes = parts.file();
    // Let the offsets of all later tensors lead to the tensor with the long name.
    let model = Model::from_bytes(&bytes).unwrap();
    let target = model.tensors[8].at;
    drop(model);
    let vector = tensors_vector(&bytes);
    for i in 9..5_009 {
        let place = vector + 4 + 4 * i;
        let offset = (target as u32).wrapping_sub(place as u32);
        if (target as u64) > place as u64 {
            bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        }
    }
    refused(&bytes, "repeats data");
}

/// Place of field `i` of the table at `table`, found the way the format defines it.
fn field(bytes: &[u8], table: usize, i: usize) -> usize {
    let back = i32::from_le_bytes(bytes[table..table + 4].try_into().unwrap());
    let vtable = usize::try_from(table as i64 - i64::from(back)).unwrap();
    let slot = vtable + 4 + 2 * i;
    table
        + usize::from(u16::from_le_bytes(
            bytes[slot..slot + 2].try_into().unwrap(),
        ))
}

/// Place of the vector of tensors.
fn tensors_vector(bytes: &[u8]) -> usize {
    let graphs = follow(bytes, field(bytes, follow(bytes, 0), 2));
    let graph = follow(bytes, graphs + 4);
    follow(bytes, field(bytes, graph, 0))
}

/// Where an offset that is stored at `at` leads to.
fn follow(bytes: &[u8], at: usize) -> usize {
    at + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// tensorflow#121217: the count of a vector, in its header, says more than the file holds.
#[test]
fn vector_headers_that_count_past_the_end() {
    let good = small().file();
    let vector = tensors_vector(&good);
    for count in [9999, 0x4000_0000, 0x7fff_ffff, 0x8000_0001, u32::MAX] {
        let mut bytes = good.clone();
        bytes[vector..vector + 4].copy_from_slice(&count.to_le_bytes());
        refused(&bytes, "truncated");
    }
    // The offset to a vector, and so its header, outside the file.
    for offset in [0, 1 << 20, u32::MAX] {
        let mut bytes = good.clone();
        let place = field(&good, follow(&good, 0), 4);
        bytes[place..place + 4].copy_from_slice(&offset.to_le_bytes());
        refused(&bytes, "buffers");
    }
}

/// The list of a table's fields: of odd or no length, outside the file, with a field outside the
/// table.
#[test]
fn vtables_that_lie() {
    let good = small().file();
    let root = follow(&good, 0);
    let back = i32::from_le_bytes(good[root..root + 4].try_into().unwrap());
    let vtable = usize::try_from(root as i64 - i64::from(back)).unwrap();
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for len in [0u16, 2, 3, 5, 13] {
        refused(
            &with(vtable, &len.to_le_bytes()),
            "an even vtable length of at least 4",
        );
    }
    refused(&with(vtable, &0xfffeu16.to_le_bytes()), "truncated");
    refused(&with(vtable + 2, &0xffffu16.to_le_bytes()), "truncated");
    for back in [i32::MIN, -1 << 20, 1 << 20, i32::MAX] {
        refused(&with(root, &back.to_le_bytes()), "truncated");
    }
    for offset in [1u16, 3, 0xffff] {
        let slot = vtable + 4 + 2 * 4;
        refused(
            &with(slot, &offset.to_le_bytes()),
            "an offset within the table",
        );
    }
}
