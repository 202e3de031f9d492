//! Features as CSV, `.npy` and `.npz`.

use crate::failure::Failure;
use npyz::{AutoSerialize, DType, Serialize, WriterBuilder};
use otolith_dsp_core::engine::{Features, Values};
use otolith_dsp_core::graph::{Graph, Mode};
use std::io::{self, Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The features of one recording.
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) label: Option<String>,
    pub(crate) features: Features,
}

/// When rows are, and what their values are called.
pub(crate) struct Layout {
    /// Names of the values of a row.
    pub(crate) names: Vec<String>,
    /// Seconds between windows; 0 where a recording is one window.
    window_s: f64,
    /// Seconds from a window's start to the middle of its first frame.
    first_s: f64,
    /// Seconds between rows.
    row_s: f64,
    /// Whether each window is an example of its own, or each recording.
    by_window: bool,
}

impl Layout {
    pub(crate) fn new(graph: &Graph) -> Self {
        let rate = graph.first().source.rate_hz;
        let framing = &graph.first().framing;
        let (window_s, by_window) = match graph.first().source.mode {
            Mode::Window { hop, .. } => (hop as f64 / rate, true),
            Mode::Stream | Mode::Clip => (0.0, false),
        };
        Self {
            names: graph.names(),
            window_s,
            first_s: (framing.start as f64 + framing.frame_len as f64 / 2.0) / rate,
            row_s: framing.hop as f64 / rate,
            by_window,
        }
    }

    /// Middle of the frame of a row, in seconds from the start of the recording.
    fn row_time_s(&self, window: usize, row: usize) -> f64 {
        window as f64 * self.window_s + self.first_s + row as f64 * self.row_s
    }
}

/// One line per row.
pub(crate) struct CsvRows<W: Write> {
    writer: csv::Writer<W>,
}

impl<W: Write> CsvRows<W> {
    /// Writes the header.
    pub(crate) fn new(out: W, layout: &Layout, labelled: bool) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(out);
        for column in ["file", "window", "row", "time_s"] {
            writer.write_field(column)?;
        }
        if labelled {
            writer.write_field("label")?;
        }
        writer.write_record(&layout.names)?;
        Ok(Self { writer })
    }

    pub(crate) fn write(&mut self, layout: &Layout, entry: &Entry) -> csv::Result<()> {
        let Features {
            windows,
            rows,
            row_len,
            values,
        } = &entry.features;
        let mut at = 0;
        for window in 0..*windows {
            for row in 0..*rows {
                let time = layout.row_time_s(window, row);
                self.writer.write_field(&entry.file)?;
                self.writer.write_field(window.to_string())?;
                self.writer.write_field(row.to_string())?;
                self.writer.write_field(format!("{time:.6}"))?;
                if let Some(label) = &entry.label {
                    self.writer.write_field(label)?;
                }
                // The shortest text that reads back to the same bits.
                for i in at..at + row_len {
                    self.writer.write_field(match values {
                        Values::F32(values) => format!("{:?}", values[i]),
                        Values::F64(values) => format!("{:?}", values[i]),
                        Values::I16 { values, scale } => {
                            format!("{:?}", f64::from(values[i]) * scale[i % scale.len()])
                        }
                        Values::I32 { values, scale } => {
                            format!("{:?}", f64::from(values[i]) * scale[i % scale.len()])
                        }
                    })?;
                }
                self.writer.write_record(None::<&[u8]>)?;
                at += row_len;
            }
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Shape of all features together, and where recordings start when they are ragged.
pub(crate) struct Stack {
    pub(crate) shape: Vec<u64>,
    /// First row of each recording, and the number of rows of all.
    pub(crate) starts: Option<Vec<i64>>,
}

impl Stack {
    /// Stacks recordings to `[n, rows, row_len]`, or with `ragged` to `[rows of all, row_len]`.
    pub(crate) fn new(entries: &[Entry], ragged: bool) -> Result<Self, Failure> {
        let row_len = entries.first().map_or(0, |e| e.features.row_len) as u64;
        let scale = |entry: &Entry| match &entry.features.values {
            Values::I16 { scale, .. } | Values::I32 { scale, .. } => Some(scale.clone()),
            _ => None,
        };
        if let Some([a, b]) = entries.array_windows().find(|[a, b]| scale(a) != scale(b)) {
            return Err(Failure::usage(format!(
                "{} and {} have integer features of different scales",
                a.file, b.file
            ))
            .help("Write CSV, which has real numbers, or an array for each recording"));
        }
        if ragged {
            let mut starts = vec![0];
            let mut total = 0;
            for entry in entries {
                total += (entry.features.windows * entry.features.rows) as i64;
                starts.push(total);
            }
            return Ok(Self {
                shape: vec![total as u64, row_len],
                starts: Some(starts),
            });
        }
        let least = entries.iter().min_by_key(|e| e.features.rows);
        let most = entries.iter().max_by_key(|e| e.features.rows);
        if let (Some(least), Some(most)) = (least, most)
            && least.features.rows != most.features.rows
        {
            return Err(Failure::usage(format!(
                "recordings have different numbers of rows: {} has {}, {} has {}",
                least.file, least.features.rows, most.file, most.features.rows
            ))
            .help(
                "Add --ragged to get all rows in one array, with the array `starts` (.npz); or write CSV; or set \
                 mode = \"window\" in [input], so that every example has the same length",
            ));
        }
        let n: usize = entries.iter().map(|e| e.features.windows).sum();
        let rows = least.map_or(0, |e| e.features.rows);
        Ok(Self {
            shape: vec![n as u64, rows as u64, row_len],
            starts: None,
        })
    }
}

/// Writes the stacked features as one array.
pub(crate) fn write_npy(out: &mut impl Write, entries: &[Entry], stack: &Stack) -> io::Result<()> {
    fn all<'a, T: AutoSerialize + 'a>(
        out: &mut impl Write,
        shape: &[u64],
        parts: impl Iterator<Item = &'a [T]>,
    ) -> io::Result<()> {
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(out)
            .begin_nd()?;
        for part in parts {
            writer.extend(part)?;
        }
        writer.finish()
    }
    // All entries are of one numeric.
    macro_rules! all_of {
        ($values:pat => $found:expr) => {
            all(
                out,
                &stack.shape,
                entries.iter().filter_map(|e| match &e.features.values {
                    $values => Some($found.as_slice()),
                    _ => None,
                }),
            )
        };
    }
    match entries.first().map(|e| &e.features.values) {
        Some(Values::F64(_)) => all_of!(Values::F64(v) => v),
        Some(Values::I16 { .. }) => all_of!(Values::I16 { values, .. } => values),
        Some(Values::I32 { .. }) => all_of!(Values::I32 { values, .. } => values),
        _ => all_of!(Values::F32(v) => v),
    }
}

/// Writes features, labels and names as arrays of one archive.
pub(crate) fn write_npz(
    out: &mut (impl Write + Seek),
    entries: &[Entry],
    layout: &Layout,
    stack: &Stack,
) -> io::Result<()> {
    let mut zip = Archive(ZipWriter::new(out));
    let bytes: u64 = stack.shape.iter().product::<u64>() * 8;
    zip.start("X", bytes)?;
    write_npy(&mut zip.0, entries, stack)?;
    // One example per window, or per recording where it is one window or rows are ragged.
    let mut examples: Vec<(&Entry, f64)> = Vec::new();
    for entry in entries {
        let windows = match layout.by_window && stack.starts.is_none() {
            true => entry.features.windows,
            false => 1,
        };
        examples.extend((0..windows).map(|w| (entry, w as f64 * layout.window_s)));
    }
    if entries.iter().all(|e| e.label.is_some()) {
        let mut names: Vec<&str> = entries.iter().filter_map(|e| e.label.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        let index = |(entry, _): &(&Entry, f64)| {
            let label = entry.label.as_deref().unwrap_or_default();
            names.partition_point(|name| *name < label) as i64
        };
        zip.numbers("y", &examples.iter().map(index).collect::<Vec<i64>>())?;
        zip.texts("labels", &names)?;
    }
    let files: Vec<&str> = examples.iter().map(|(e, _)| e.file.as_str()).collect();
    zip.texts("files", &files)?;
    let times: Vec<f64> = examples.iter().map(|(_, time)| *time).collect();
    zip.numbers("time_s", &times)?;
    let names: Vec<&str> = layout.names.iter().map(String::as_str).collect();
    zip.texts("names", &names)?;
    if let Some(Values::I16 { scale, .. } | Values::I32 { scale, .. }) =
        entries.first().map(|e| &e.features.values)
    {
        let scale: Vec<f32> = scale.iter().map(|&s| s as f32).collect();
        zip.numbers("scale", &scale)?;
    }
    if let Some(starts) = &stack.starts {
        zip.numbers("starts", starts)?;
    }
    zip.0.finish().map_err(io::Error::other)?;
    Ok(())
}

/// An `.npz` file that is being written.
struct Archive<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> Archive<W> {
    fn start(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        // Without the time of day, so that the same features give the same file.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(bytes >= u64::from(u32::MAX) / 2);
        self.0
            .start_file(format!("{name}.npy"), options)
            .map_err(io::Error::other)
    }

    fn numbers<T: AutoSerialize>(&mut self, name: &str, values: &[T]) -> io::Result<()> {
        self.array(name, T::default_dtype(), values)
    }

    fn texts(&mut self, name: &str, values: &[&str]) -> io::Result<()> {
        let longest = values.iter().map(|v| v.chars().count()).max().unwrap_or(0);
        let kind = format!("<U{}", longest.max(1))
            .parse()
            .map_err(io::Error::other)?;
        self.array(name, DType::new_scalar(kind), values)
    }

    fn array<T: Serialize>(&mut self, name: &str, dtype: DType, values: &[T]) -> io::Result<()> {
        self.start(name, 0)?;
        let mut writer = npyz::WriteOptions::new()
            .dtype(dtype)
            .shape(&[values.len() as u64])
            .writer(&mut self.0)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    }
}
