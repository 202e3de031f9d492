//! Recordings of three axes, in every form that is read.

use super::Place;
use std::fmt::Write;

/// Statistics of three axes, a window each half second.
pub(crate) const STATISTICS: &str = r#"[pipeline]
name = "motion"
[input]
kind = "sensor"
rate_hz = 100
axes = ["ax", "ay", "az"]
full_scale = 39.24
unit = "m/s2"
mode = "window"
window_ms = 500
tail = "drop"
[[block]]
id = "stats"
type = "flatten"
"#;

pub(crate) fn place() -> Place {
    let place = Place::new();
    place.write("p.toml", STATISTICS);
    place
}

/// Any generator does; this one is Knuth's 64-bit multiplier.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

/// Moments of three axes in m/s2, with four digits behind the point.
pub(crate) fn motion(n: usize) -> Vec<[f64; 3]> {
    let axis = |i: usize, hz: f64| (i as f64 / 100.0 * std::f64::consts::TAU * hz).sin();
    (0..n)
        .map(|i| [3.0 * axis(i, 1.3), -2.0 * axis(i, 2.1), 9.81 + axis(i, 0.7)])
        .map(|moment| moment.map(|x| (x * 1e4).round() / 1e4))
        .collect()
}

/// The file as plain as it gets: numbers alone, in the order of the axes.
pub(crate) fn plain(moments: &[[f64; 3]]) -> String {
    moments.iter().fold(String::new(), |mut text, [x, y, z]| {
        let _ = writeln!(text, "{x},{y},{z}");
        text
    })
}

pub(crate) fn json(moments: &[[f64; 3]], units: &str) -> String {
    serde_json::json!({
        "protected": {"ver": "v1", "alg": "none", "iat": 1564128599},
        "signature": "00",
        "payload": {
            "device_type": "TEST", "interval_ms": 10,
            "sensors": (["ax", "ay", "az"].map(|name| serde_json::json!({"name": name, "units": units}))),
            "values": moments,
        }
    })
    .to_string()
}

/// The file with its payload alone, so that the values are the last entry: keys are sorted.
pub(crate) fn alone(text: &str) -> String {
    let mut file: serde_json::Value = serde_json::from_str(text).expect("JSON");
    serde_json::json!({"payload": file["payload"].take()}).to_string()
}

/// Where the value of a key begins.
pub(crate) fn key(cbor: &[u8], name: &str) -> usize {
    let is_key = |w: &[u8]| w == name.as_bytes();
    let at = cbor.windows(name.len()).position(is_key);
    at.expect("the key") + name.len()
}

pub(crate) fn cbor(text: &str) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let mut out = Vec::new();
    ciborium::into_writer(&value, &mut out).expect("memory takes all");
    out
}
