//! Memory for log-mel of one hour of audio: input, output and one block of frames.
#![forbid(unsafe_code)]

use std::time::Instant;

use otolith_benches::audio::{RATE_HZ, voice};
use otolith_benches::chain::log_mel;
use otolith_dsp_core::executor::Executor;
use otolith_dsp_core::graph::Mode;

fn main() {
    let samples = voice(3600 * RATE_HZ);
    let Some(before) = peak_resident_kib() else {
        println!("memory: this system has no /proc/self/status; not measured");
        return;
    };
    let mut executor =
        Executor::<f32>::new(log_mel(Mode::Clip).first()).expect("the chain is sound");
    let start = Instant::now();
    let features = executor.features(&samples);
    let elapsed = start.elapsed().as_secs_f64();
    let after = peak_resident_kib().unwrap_or(u64::MAX);

    let input = std::mem::size_of_val(&samples[..]) as u64 / 1024;
    let output = std::mem::size_of_val(&features.values[..]) as u64 / 1024;
    println!(
        "\none hour of audio, log-mel, host: {} rows in {elapsed:.3} s",
        features.rows
    );
    println!("input              {input:>8} KiB");
    println!("output             {output:>8} KiB");
    println!("peak before        {before:>8} KiB (program and input)");
    println!("peak after         {after:>8} KiB");
    println!(
        "beside both        {:>8} KiB",
        (after - before).saturating_sub(output)
    );
}

/// The most memory that this process ever had resident.
fn peak_resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
