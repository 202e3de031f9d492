//! Synthetic recordings.

use std::f64::consts::TAU;

/// Sample rate of all recordings, in hertz.
pub const RATE_HZ: usize = 16_000;

/// A voice-like tone with harmonics that swells and fades, in noise; full scale is 1.
pub fn voice(samples: usize) -> Vec<f32> {
    let mut noise = 1u32;
    (0..samples)
        .map(|i| {
            let t = (i % (RATE_HZ * 10)) as f64 / RATE_HZ as f64;
            let pitch = TAU * 140.0 * t;
            let tone =
                libm::sin(pitch) + 0.5 * libm::sin(2.0 * pitch) + 0.3 * libm::sin(7.0 * pitch);
            let envelope = libm::fabs(libm::sin(TAU * 0.8 * t));
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hiss = f64::from(noise) / f64::from(u32::MAX) - 0.5;
            (0.3 * envelope * tone + 0.002 * hiss) as f32
        })
        .collect()
}
