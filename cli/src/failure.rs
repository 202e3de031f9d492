//! What went wrong, in a form that both people and programs can be shown.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use otolith_dsp_core::{ConfigError, LowerError};
use std::fmt::{self, Display};
use std::io;
use std::path::Path;

/// How a command ended; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// All went well.
    Ok = 0,
    /// A check failed.
    CheckFailed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A bad input file.
    BadInput = 3,
}

/// Why a command, or its work on one file, failed.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

/// What is known about a failure.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) status: Status,
    /// Kind of failure for programs, such as `config`.
    pub(crate) kind: &'static str,
    /// One sentence: what was found.
    pub(crate) message: String,
    /// What is allowed, and what to do.
    pub(crate) help: Option<String>,
    /// The file that it is about.
    pub(crate) file: Option<String>,
    /// The pipeline's field that it is about, and its value.
    pub(crate) field: Option<(String, String)>,
    /// Text of the file, and the place in it.
    place: Option<Place>,
    closed_pipe: bool,
}

#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl Failure {
    fn new(status: Status, kind: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            status,
            kind,
            message: message.into(),
            help: None,
            file: None,
            field: None,
            place: None,
            closed_pipe: false,
        }))
    }

    /// Wrong arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, "usage", message)
    }

    /// A file that cannot be used as input.
    pub(crate) fn input(file: &str, message: impl Display) -> Self {
        let mut failure = Self::new(Status::BadInput, "input", format!("{file}: {message}"));
        failure.0.file = Some(file.into());
        failure
    }

    /// A file that cannot be read or written.
    pub(crate) fn io(status: Status, file: &Path, error: &io::Error) -> Self {
        let file = file.display().to_string();
        let mut failure = Self::new(status, "io", format!("{file}: {error}"));
        failure.0.file = Some(file);
        failure.0.closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        failure
    }

    /// A write to stdout that failed.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        Self::io(Status::Usage, Path::new("stdout"), error)
    }

    /// A pipeline file that does not say what can be built.
    pub(crate) fn config(error: &ConfigError, file: &str, text: &str) -> Self {
        let found = match &error.source_of_value {
            Some(source) => format!("found {} (from {source})", error.value),
            None => format!("found {}", error.value),
        };
        let field = (!error.path.is_empty()).then(|| (error.path.clone(), error.value.clone()));
        let about = match field {
            Some(_) => &error.path,
            None => file,
        };
        let mut failure = Self::new(Status::Usage, "config", format!("{about}: {found}"))
            .help(sentence(&error.allowed));
        failure.0.file = Some(file.into());
        failure.0.field = field;
        failure.0.place = error.span.clone().map(|span| {
            let end = span.end.min(text.len());
            let start = span.start.min(end);
            Place {
                source: NamedSource::new(file, text.to_owned()),
                label: LabeledSpan::at(start..end, "here"),
            }
        });
        failure
    }

    /// A pipeline that has no plan.
    pub(crate) fn lower(error: &LowerError, file: &str) -> Self {
        let message = format!("{file}: {} cannot run on the device", error.stage);
        let mut failure = Self::new(Status::Usage, "lower", message).help(sentence(&error.why));
        failure.0.file = Some(file.into());
        failure.0.field = Some((error.stage.clone(), String::new()));
        failure
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Whether an input file is at fault, so that work on others can go on.
    pub(crate) fn is_about_input(&self) -> bool {
        self.status == Status::BadInput
    }

    /// Whether the reader of stdout went away, which is no failure.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    /// Line and column, both from 1.
    pub(crate) fn position(&self) -> Option<(usize, usize)> {
        let place = self.place.as_ref()?;
        let before = place.source.inner().get(..place.label.offset())?;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Some((
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ))
    }
}

impl std::ops::Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// With a capital letter, unless it starts with a name in code.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.place.as_ref()?.label.clone();
        Some(Box::new(std::iter::once(label)))
    }
}
