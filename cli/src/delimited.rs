//! Delimited text in the dialects that loggers and spreadsheets write.
//!
//! | what | rule |
//! |---|---|
//! | encoding | UTF-8, with or without a byte order mark |
//! | delimiter | `;` if the first line has one outside quotes, else a tab, else `,` |
//! | decimal mark | `.`; with `;` or tabs also `,` |
//! | header | the first line, when one of its cells is neither a number nor empty |
//! | line ends | LF, CRLF or CR; blank lines are skipped |
//! | a delimiter behind the last cell | is ignored |
//! | a missing value | an empty cell, `nan`, `na`, `n/a`, `null` or `none`, in any case |

use csv::ByteRecord;
use thiserror::Error;

/// Why a text is not a table of numbers.
#[derive(Debug, Error)]
pub(crate) enum CsvError {
    #[error(
        "line {line} has {found} columns, {first} of them in the first line: every line has one cell for each column"
    )]
    Columns {
        line: u64,
        found: usize,
        first: usize,
    },
    #[error("line {line}{column}: {found} is not a number; only the first line may be a header")]
    NotANumber {
        line: u64,
        /// The column's name, as `, column "ax"`, where there are several.
        column: String,
        found: String,
    },
    #[error("line {line}{column}: {found} is not a finite number")]
    NotFinite {
        line: u64,
        column: String,
        found: String,
    },
    #[error(
        "line {line}{column}: {found} is not a time stamp; expected numbers of s, ms, us or ns, at every line (dates \
         have to be converted)"
    )]
    Stamp {
        line: u64,
        column: String,
        found: String,
    },
    #[error("the text is in {0}: save it as CSV in UTF-8")]
    Encoding(&'static str),
    #[error("the file is {0}: save the table as CSV")]
    NotText(&'static str),
    #[error("no samples")]
    Empty,
    #[error("{0}")]
    Syntax(#[from] csv::Error),
}

/// A table of numbers, read line by line.
pub(crate) struct Delimited<'a> {
    reader: csv::Reader<&'a [u8]>,
    lines: Lines<'a>,
    /// Names of the columns; empty without a header.
    pub(crate) names: Vec<String>,
    /// Number of columns.
    pub(crate) columns: usize,
    decimal_comma: bool,
    record: ByteRecord,
    /// The first line is in `record` and has not been handed out.
    pending: bool,
}

impl<'a> Delimited<'a> {
    /// Opens a table and reads its header, if it has one.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, CsvError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(CsvError::Encoding("UTF-16")),
            [b'P', b'K', 3, 4, ..] => {
                return Err(CsvError::NotText("a spreadsheet or zip archive"));
            }
            _ => {}
        }
        let delimiter = delimiter(bytes);
        let reader = reader(bytes, delimiter);
        let mut table = Self {
            reader,
            lines: Lines {
                bytes,
                at: 0,
                line: 1,
            },
            names: Vec::new(),
            columns: 0,
            decimal_comma: delimiter != b',',
            record: ByteRecord::new(),
            pending: false,
        };
        if table.advance()?.is_none() {
            return Err(CsvError::Empty);
        }
        let is_text = |cell: &[u8]| matches!(number(cell, table.decimal_comma), Cell::Text);
        if table.record.iter().any(is_text) {
            let names = table.record.iter();
            table.names = names
                .map(|c| String::from_utf8_lossy(c).into_owned())
                .collect();
        } else {
            table.pending = true;
        }
        table.columns = table.record.len();
        if table.columns > 1 && trailing(bytes, delimiter, table.pending)? {
            table.columns -= 1;
            table.names.truncate(table.columns);
        }
        Ok(table)
    }

    /// The next line with values: its number from 1.
    pub(crate) fn next_line(&mut self) -> Result<Option<u64>, CsvError> {
        let line = if self.pending {
            Some(self.lines.line)
        } else {
            self.advance()?
        };
        self.pending = false;
        let Some(line) = line else { return Ok(None) };
        let found = self.record.len();
        let trailing = found == self.columns + 1 && self.record[self.columns].is_empty();
        if found != self.columns && !trailing {
            let first = self.columns;
            return Err(CsvError::Columns { line, found, first });
        }
        Ok(Some(line))
    }

    /// The number in a column of the current line; NaN where it is missing.
    pub(crate) fn number(&self, column: usize) -> Result<f64, CsvError> {
        let cell = self.record.get(column).unwrap_or_default();
        let line = self.lines.line;
        match number(cell, self.decimal_comma) {
            Cell::Number(x) => Ok(x),
            Cell::Missing => Ok(f64::NAN),
            Cell::Infinite => Err(CsvError::NotFinite {
                line,
                column: self.place(column),
                found: shown(cell),
            }),
            Cell::Text => Err(CsvError::NotANumber {
                line,
                column: self.place(column),
                found: shown(cell),
            }),
        }
    }

    /// The number in a column of the current line, which may not be missing.
    pub(crate) fn present(&self, column: usize) -> Result<f64, CsvError> {
        let x = self.number(column)?;
        if x.is_nan() {
            return Err(CsvError::NotANumber {
                line: self.lines.line,
                column: self.place(column),
                found: self.text(column),
            });
        }
        Ok(x)
    }

    /// The time stamp in a column of the current line.
    pub(crate) fn stamp(&self, column: usize) -> Result<f64, CsvError> {
        match self.number(column) {
            Ok(x) if x.is_finite() => Ok(x),
            _ => Err(CsvError::Stamp {
                line: self.lines.line,
                column: self.place(column),
                found: self.text(column),
            }),
        }
    }

    /// The text in a column of the current line, in quotes and not too long.
    fn text(&self, column: usize) -> String {
        shown(self.record.get(column).unwrap_or_default())
    }

    /// A column for messages, empty when there is but one.
    fn place(&self, column: usize) -> String {
        match self.columns {
            1 => String::new(),
            _ => match self.names.get(column) {
                Some(name) => format!(", column {}", shown(name.as_bytes())),
                None => format!(", column {column} (from 0)"),
            },
        }
    }

    /// Reads a line that is not blank.
    fn advance(&mut self) -> Result<Option<u64>, CsvError> {
        loop {
            if !self.reader.read_byte_record(&mut self.record)? {
                return Ok(None);
            }
            let start = self.record.position().map_or(0, csv::Position::byte);
            self.lines.seek(start as usize);
            if self.record.iter().any(|cell| !cell.is_empty()) || self.record.len() > 1 {
                return Ok(Some(self.lines.line));
            }
        }
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter)
        .from_reader(bytes)
}

/// Whether a delimiter stands behind the last cell: the last name of the header is empty, or, without
/// a header, the last cells of the first two lines are; in one alone a value may be missing.
fn trailing(bytes: &[u8], delimiter: u8, headless: bool) -> Result<bool, CsvError> {
    let mut reader = reader(bytes, delimiter);
    let lines = if headless { 2 } else { 1 };
    let filled = |record: &ByteRecord| record.iter().any(|cell| !cell.is_empty());
    let mut seen = 0;
    for record in reader.byte_records() {
        let record = record?;
        if !filled(&record) {
            continue;
        }
        seen += 1;
        if !record.iter().next_back().is_some_and(<[u8]>::is_empty) {
            return Ok(false);
        }
        if seen == lines {
            break;
        }
    }
    Ok(true)
}

/// Counts lines, since the reader's own count stands still at blank ones.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// Moves to the first byte from `start` on that ends no line.
    fn seek(&mut self, start: usize) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let ends = byte == b'\n' || byte == b'\r';
            if self.at >= start && !ends {
                break;
            }
            let crlf = byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
            self.line += u64::from(ends && !crlf);
            self.at += 1;
        }
    }
}

/// The delimiter of a table, from its first line that is not blank.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut quoted = false;
    let (mut tab, mut blank) = (false, true);
    for &byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => return b';',
            b'\t' if !quoted => tab = true,
            b'\n' | b'\r' if !quoted && !blank => break,
            _ => {}
        }
        blank &= byte.is_ascii_whitespace();
    }
    if tab { b'\t' } else { b',' }
}

/// What stands in a cell.
enum Cell {
    Number(f64),
    Missing,
    Infinite,
    Text,
}

fn number(cell: &[u8], decimal_comma: bool) -> Cell {
    let Ok(text) = str::from_utf8(cell) else {
        return Cell::Text;
    };
    let names = ["", "nan", "na", "n/a", "null", "none"];
    if names.iter().any(|name| text.eq_ignore_ascii_case(name)) {
        return Cell::Missing;
    }
    let parsed = if decimal_comma && text.contains(',') && !text.contains('.') {
        text.replacen(',', ".", 1).parse::<f64>()
    } else {
        text.parse::<f64>()
    };
    match parsed {
        Ok(x) if x.is_finite() => Cell::Number(x),
        Ok(x) if x.is_nan() => Cell::Missing,
        Ok(_) => Cell::Infinite,
        Err(_) => Cell::Text,
    }
}

/// A cell in quotes, cut where it is long.
fn shown(cell: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = String::from_utf8_lossy(cell);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}
