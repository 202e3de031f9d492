//! `digests PACK`: runs the plans of a pack over all signals, on this machine, and prints what a
//! device prints: one line for each plan and signal.

use otolith_conformance::{OPS, pack, report, signal};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("digests PACK")?;
    let bytes = std::fs::read(file)?;
    let mut aligned = vec![0u64; bytes.len().div_ceil(pack::ALIGN)];
    let bytes_mut: &mut [u8] = bytemuck::cast_slice_mut(&mut aligned);
    bytes_mut[..bytes.len()].copy_from_slice(&bytes);
    let mut arena = vec![0u64; report::ARENA_LEN / 8];
    let arena: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
    let mut buffer = [0; signal::MAX_LEN];
    report::all(
        &bytemuck::cast_slice(&aligned)[..bytes.len()],
        &OPS,
        arena,
        &mut buffer,
        |line| println!("{line}"),
    )
    .map_err(|(plan, why)| format!("{plan}: {why}"))?;
    Ok(())
}
