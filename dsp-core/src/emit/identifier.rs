//! Names of people as identifiers of C.

use std::collections::BTreeSet;

/// Identifiers of one scope: each is given once.
#[derive(Default)]
pub(super) struct Identifiers {
    used: BTreeSet<String>,
}

impl Identifiers {
    /// `name`, the `index`-th one, as the rest of an upper-case identifier: `_` for everything
    /// but ASCII letters and digits, its index when nothing else is left, and the first free of
    /// `_2`, `_3`, … behind it when it is taken.
    pub(super) fn upper(&mut self, name: &str, index: usize) -> String {
        let plain = replaced(name).to_ascii_uppercase();
        let plain = if plain.is_empty() {
            index.to_string()
        } else {
            plain
        };
        let mut free = plain.clone();
        let mut number = 2;
        while !self.used.insert(free.clone()) {
            free = format!("{plain}_{number}");
            number += 1;
        }
        free
    }
}

/// `name` as a whole lower-case identifier: `plan` when nothing is left of it, `plan_` before a
/// digit.
pub(super) fn lower_identifier(name: &str) -> String {
    let plain = replaced(name).to_ascii_lowercase();
    match plain.chars().next() {
        None => "plan".into(),
        Some('0'..='9') => format!("plan_{plain}"),
        Some(_) => plain,
    }
}

/// ASCII letters and digits of `name`, with one `_` for each run of others between them.
fn replaced(name: &str) -> String {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_different_identifiers() {
        let mut used = Identifiers::default();
        let names = [
            "yes",
            "Yes",
            "yes 2",
            "YES",
            "?!",
            "ja \u{e4}",
            "_silence_",
            "",
        ];
        let given: Vec<String> = (0..)
            .zip(names)
            .map(|(i, name)| used.upper(name, i))
            .collect();
        assert_eq!(
            given,
            [
                "YES", "YES_2", "YES_2_2", "YES_3", "4", "JA", "SILENCE", "7"
            ]
        );
    }

    #[test]
    fn pipelines_get_identifiers() {
        for (name, identifier) in [
            ("kws", "kws"),
            ("My Words", "my_words"),
            ("3 axes", "plan_3_axes"),
            ("\u{8a9e}", "plan"),
        ] {
            assert_eq!(lower_identifier(name), identifier);
        }
    }
}
