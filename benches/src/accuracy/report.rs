//! Accuracy as a table and as JSON.

use super::{Accuracy, BlockAccuracy};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;

/// A table for each definition and precision.
pub fn table(measured: &[Accuracy]) -> String {
    let mut text = String::from(
        "MFCC of fixed plans against f64 of the same samples\n\
         all: 13 coefficients; c1..: without coefficient 0; rounded: f64 rounded to the same format\n",
    );
    let mut heading = None;
    for m in measured {
        if heading.replace((m.definition, m.precision)) != Some((m.definition, m.precision)) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "\n{}, {}\n{:<26}{:>7}{:>9}{:>9}{:>13}{:>13}{:>11}{:>11}{:>11}",
                m.definition,
                m.precision,
                "signal",
                "frames",
                "all dB",
                "c1.. dB",
                "rounded all",
                "rounded c1..",
                "worst c1..",
                "max error",
                "max c1..",
            );
        }
        let _ = writeln!(
            text,
            "{:<26}{:>7}{:>9.1}{:>9.1}{:>13.1}{:>13.1}{:>11.1}{:>11.4}{:>11.4}",
            m.signal,
            m.frames,
            m.all_db,
            m.rest_db,
            m.rounded_all_db,
            m.rounded_rest_db,
            m.worst_frame_db,
            m.max_error_all,
            m.max_error_rest,
        );
    }
    text
}

/// One object with all measurements; decibels to 2 places, errors to 5.
pub fn json(measured: &[Accuracy], blocks: &[BlockAccuracy]) -> Value {
    json!({ "version": 1, "measured": rows(measured), "blocks": rows(blocks) })
}

fn rows<T: Serialize>(measured: &[T]) -> Vec<Value> {
    measured
        .iter()
        .map(|m| {
            let mut row = json!(m);
            for (name, value) in row.as_object_mut().into_iter().flatten() {
                let places = if name.ends_with("_db") { 1e2 } else { 1e5 };
                if let Some(x) = value.as_f64().filter(|_| value.is_f64()) {
                    *value = json!(libm::round(x * places) / places);
                }
            }
            row
        })
        .collect()
}
