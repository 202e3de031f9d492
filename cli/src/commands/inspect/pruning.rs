//! What exact pruning removes from a model, and why no output changes.

use crate::report::Console;
use crate::table::Table;
use otolith_dsp_core::lower::network::prune::{Pruned, Reason};
use serde_json::{Value, json};
use std::fmt::Write;

const REASONS: [Reason; 3] = [Reason::ZeroPoint, Reason::Folded, Reason::Behind];

const EXACT: &str = "\
  For every input, the smallest and the largest sum of a removed channel give the same int8 value.
  zero point: that value adds nothing to the sums behind it.
  folded: what it adds to the sums behind it is a constant, which is part of their biases.
  behind: only depthwise layers read it, and what they make of it is constant and removed too.
";

/// `sizes` are multiplications and weight bytes of the model, before and after.
pub(super) fn text(pruned: &[Pruned], sizes: [(u64, usize); 2], console: &Console) -> String {
    if pruned.is_empty() {
        return String::new();
    }
    let [before, after] = sizes;
    let mut text = format!("{}\n", console.heading("exact pruning"));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  weights   {} bytes, {} after", before.1, after.1);
    let _ = writeln!(text, "  macs      {}, {} after\n", before.0, after.0);
    let columns = [
        ">#",
        "operator",
        ">channels",
        ">removed",
        ">zero point",
        ">folded",
        ">behind",
        ">MACs",
        ">after",
        ">weight bytes",
        ">after",
    ];
    let mut table = Table::new(&columns);
    for layer in pruned {
        let [zero, folded, behind] = REASONS.map(|reason| count(layer, reason).to_string());
        table.row([
            layer.index.to_string(),
            layer.name.clone(),
            layer.channels.to_string(),
            layer.removed.len().to_string(),
            zero,
            folded,
            behind,
            layer.macs[0].to_string(),
            layer.macs[1].to_string(),
            layer.weight_bytes[0].to_string(),
            layer.weight_bytes[1].to_string(),
        ]);
    }
    let _ = writeln!(text, "{table}\n{EXACT}");
    text
}

fn count(layer: &Pruned, reason: Reason) -> usize {
    let removed = layer.removed.iter();
    removed.filter(|channel| channel.reason == reason).count()
}

pub(super) fn json(pruned: &[Pruned], sizes: [(u64, usize); 2]) -> Value {
    let [before, after] = sizes;
    json!({
        "macs": [before.0, after.0],
        "weight_bytes": [before.1, after.1],
        "layers": pruned.iter().map(|layer| json!({
            "operator": layer.index,
            "op": layer.name,
            "channels": layer.channels,
            "removed": layer.removed.iter().map(|removed| json!({
                "channel": removed.channel,
                "value": removed.value,
                "reason": removed.reason.name(),
            })).collect::<Vec<_>>(),
            "macs": layer.macs,
            "weight_bytes": layer.weight_bytes,
        })).collect::<Vec<_>>(),
    })
}
