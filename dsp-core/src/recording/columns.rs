//! Which column of a file is an axis, and which one is the time.

use super::{RecordingError, Sensor, TimeUnit, quoted};

/// The column with time stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeColumn {
    /// The first column whose name says so, such as `time`, `timestamp_ms` or `Time (s)`.
    Auto,
    /// None: moments follow one another at the pipeline's rate.
    None,
    /// The column of this name.
    Named(String),
}

/// The columns to read, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Time stamps.
    pub time: Option<usize>,
    /// Their unit, where the column's name says it.
    pub time_unit: Option<TimeUnit>,
    /// The axes in the pipeline's order.
    pub axes: Vec<usize>,
}

impl Sensor {
    /// The columns to read of a file with these `names`. Without names the file has `count`
    /// columns, named `"0"`, `"1"`, …
    ///
    /// Columns are found by the names in `columns`, else by the names of the axes, else, if there
    /// are as many columns as axes (the time apart), in their order. Names match exactly, or else
    /// whatever the case of their letters.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] when a column is not there or cannot be matched.
    pub fn choose(&self, names: &[String], count: usize) -> Result<Chosen, RecordingError> {
        let numbers: Vec<String>;
        let header = !names.is_empty();
        let names = if header {
            names
        } else {
            numbers = (0..count).map(|i| i.to_string()).collect();
            &numbers
        };
        let missing = |field, wanted: &str| RecordingError::NoColumn {
            field,
            wanted: wanted.to_owned(),
            found: quoted(names),
        };
        let wanted = if self.columns.is_empty() {
            &self.axes
        } else {
            &self.columns
        };
        let by_name = wanted
            .iter()
            .map(|name| find(names, name))
            .collect::<Result<Vec<_>, _>>()?;
        let time = match &self.time_column {
            TimeColumn::None => None,
            TimeColumn::Named(name) => {
                Some(find(names, name)?.ok_or_else(|| missing("time_column", name))?)
            }
            TimeColumn::Auto => names.iter().enumerate().position(|(index, name)| {
                header && time_name(name).is_some() && !by_name.contains(&Some(index))
            }),
        };
        let chosen = |axes| Chosen {
            time,
            time_unit: time.and_then(|index| time_name(&names[index])).flatten(),
            axes,
        };
        if let Some(axes) = by_name.iter().copied().collect::<Option<Vec<_>>>() {
            return Ok(chosen(axes));
        }
        if let Some(at) = by_name
            .iter()
            .position(|column| column.is_none() && !self.columns.is_empty())
        {
            return Err(missing("columns", &self.columns[at]));
        }
        let rest: Vec<usize> = (0..names.len()).filter(|i| Some(*i) != time).collect();
        if rest.len() == self.axes.len() {
            return Ok(chosen(rest));
        }
        let hint = if !header && time.is_none() && rest.len() == self.axes.len() + 1 {
            "if the first column is the time, set `time_column = \"0\"` in [input]"
        } else if header {
            "set `columns` in [input] to the names of the axes' columns, in the order of the axes"
        } else {
            "set `columns` in [input] to their numbers, such as `columns = [\"1\", \"2\"]`, and \
             `time_column` to the number of the time's"
        };
        Err(RecordingError::Columns {
            found: if header {
                format!("the file has the columns {}", quoted(names))
            } else {
                format!("the file has {count} columns without names")
            },
            axes: quoted(&self.axes),
            hint: hint.to_owned(),
        })
    }
}

/// The column of that name.
fn find(names: &[String], wanted: &str) -> Result<Option<usize>, RecordingError> {
    let exact = |name: &String| name == wanted;
    let folded = |name: &String| name.to_lowercase() == wanted.to_lowercase();
    let all = |fits: &dyn Fn(&String) -> bool| -> Vec<usize> {
        (0..names.len()).filter(|&i| fits(&names[i])).collect()
    };
    let mut found = all(&exact);
    if found.is_empty() {
        found = all(&folded);
    }
    match found[..] {
        [] => Ok(None),
        [index] => Ok(Some(index)),
        _ => Err(RecordingError::TwoColumns {
            wanted: wanted.to_owned(),
        }),
    }
}

/// Whether a name is that of a column of time stamps, and their unit where it says one.
///
/// Its words are `time`, `timestamp`, `t`, `ts` or `elapsed`, and perhaps a unit; or a unit written
/// out, such as `millis`.
fn time_name(name: &str) -> Option<Option<TimeUnit>> {
    let name = name.to_lowercase();
    let words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let (mut is_time, mut unit) = (false, None);
    for word in words {
        if matches!(word, "time" | "timestamp" | "t" | "ts" | "elapsed") {
            is_time = true;
            continue;
        }
        let (found, written_out) = match word {
            "s" | "sec" => (TimeUnit::Seconds, false),
            "seconds" => (TimeUnit::Seconds, true),
            "ms" => (TimeUnit::Milliseconds, false),
            "millis" | "milliseconds" => (TimeUnit::Milliseconds, true),
            "us" | "µs" | "μs" => (TimeUnit::Microseconds, false),
            "micros" | "microseconds" => (TimeUnit::Microseconds, true),
            "ns" => (TimeUnit::Nanoseconds, false),
            "nanos" | "nanoseconds" => (TimeUnit::Nanoseconds, true),
            _ => return None,
        };
        is_time |= written_out;
        unit = Some(found);
    }
    is_time.then_some(unit)
}
