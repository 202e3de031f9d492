//! Tables: printed, and compared with the committed ones under `benches/snapshots`.

use crate::run::{Report, command, output, root};
use serde_json::{Map, Value, json};

/// A table of texts and numbers. The keys of its JSON rows are the column names.
#[derive(Default)]
pub(crate) struct Table {
    /// Column names.
    pub(crate) columns: Vec<&'static str>,
    /// Rows as long as `columns`.
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Without the columns of these names.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let kept = |index: &usize| !names.contains(&self.columns[*index]);
        let kept: Vec<usize> = (0..self.columns.len()).filter(kept).collect();
        Self {
            columns: kept.iter().map(|&i| self.columns[i]).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| kept.iter().map(|&i| row[i].clone()).collect())
                .collect(),
        }
    }

    fn json(&self) -> Value {
        let row = |row: &Vec<Value>| -> Map<String, Value> {
            let cells = self.columns.iter().zip(row);
            cells
                .map(|(&key, value)| (key.to_owned(), value.clone()))
                .collect()
        };
        self.rows.iter().map(|r| Value::Object(row(r))).collect()
    }

    /// Lines with aligned columns: texts left, numbers right.
    fn text(&self) -> String {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "-".into(),
            other => other.to_string(),
        };
        let mut lines: Vec<Vec<String>> = vec![self.columns.iter().map(|&c| c.into()).collect()];
        lines.extend(self.rows.iter().map(|row| row.iter().map(shown).collect()));
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|i| lines.iter().map(|line| line[i].chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let left: Vec<bool> = (0..self.columns.len())
            .map(|i| self.rows.iter().all(|row| row[i].is_string()))
            .collect();
        let line = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths).zip(&left);
            let cells: Vec<String> = cells
                .map(|((cell, &width), &left)| {
                    if left {
                        format!("{cell:width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                })
                .collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        lines.iter().map(line).collect()
    }
}

/// Prints the tables of a verb, and compares those that are the same on every run with
/// `benches/snapshots/VERB.txt`.
pub(crate) fn show(
    report: &mut Report,
    verb: &str,
    printed: &[(&str, &Table)],
    kept: &[(&str, &Table)],
) {
    print(report, verb, printed);
    compare(report, verb, &format!("{}\n{}", rustc(), text(kept)));
}

/// Prints the tables of a verb.
pub(crate) fn print(report: &Report, verb: &str, printed: &[(&str, &Table)]) {
    let rustc = rustc();
    if report.json {
        let tables: Map<String, Value> = printed
            .iter()
            .map(|(name, table)| ((*name).to_owned(), table.json()))
            .collect();
        println!(
            "{:#}",
            json!({ "verb": verb, "rustc": rustc, "tables": tables })
        );
    } else {
        println!("\n{rustc}\n{}", text(printed));
    }
}

fn text(tables: &[(&str, &Table)]) -> String {
    tables
        .iter()
        .map(|(name, table)| format!("\n{name}\n{}", table.text()))
        .collect()
}

/// Version of the compiler.
fn rustc() -> String {
    output(&mut command(&["rustc", "--version"]))
        .map_or("rustc of unknown version".into(), |text| {
            text.trim().to_owned()
        })
}

/// Whether committed files are to be rewritten instead of compared.
pub(crate) fn updating() -> bool {
    std::env::var_os("OTOLITH_UPDATE").is_some_and(|value| value == "1")
}

fn compare(report: &mut Report, verb: &str, found: &str) {
    let path = root().join(format!("benches/snapshots/{verb}.txt"));
    let name = format!("{verb}: equal to benches/snapshots/{verb}.txt");
    if updating() {
        let written = std::fs::create_dir_all(path.parent().unwrap_or(&path))
            .and_then(|()| std::fs::write(&path, found));
        return report.count(&format!("{verb}: snapshot rewritten"), written.is_ok());
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed == found {
        return report.count(&name, true);
    }
    let first = |text: &str| text.lines().next().unwrap_or("no compiler").to_owned();
    let (theirs, ours) = (first(&committed), first(found));
    eprintln!("\n{} differs (- committed, + found):", path.display());
    for line in committed
        .lines()
        .filter(|l| !found.lines().any(|x| x == *l))
    {
        eprintln!("- {line}");
    }
    for line in found
        .lines()
        .filter(|l| !committed.lines().any(|x| x == *l))
    {
        eprintln!("+ {line}");
    }
    if theirs != ours {
        eprintln!(
            "The table was made with {theirs}; this is {ours}. Sizes and counts depend on it."
        );
    }
    eprintln!("If the change is meant, rewrite the table: OTOLITH_UPDATE=1 cargo xtask {verb}");
    report.count(&name, false);
}
