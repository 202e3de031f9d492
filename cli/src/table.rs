//! Aligned columns of text.

/// Rows of cells under a header.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// For each column, whether it holds numbers, which stand right.
    right: Vec<bool>,
}

impl Table {
    /// A table with these columns; a name that starts with `>` stands right.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self {
            rows: vec![
                columns
                    .iter()
                    .map(|c| c.trim_start_matches('>').to_owned())
                    .collect(),
            ],
            right: columns.iter().map(|c| c.starts_with('>')).collect(),
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Whether there is nothing but the header.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for ((cell, &width), &right) in row.iter().zip(&widths).zip(&self.right) {
                line += " ";
                line += &match right {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
