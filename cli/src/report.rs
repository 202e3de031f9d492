//! How messages and failures are shown.

use crate::args::{Color, Global};
use crate::failure::Failure;
use clap::builder::styling::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::json;
use std::io::{IsTerminal, stderr, stdout};

/// Version of the JSON schemas.
pub(crate) const SCHEMA: u32 = 1;

/// Where messages go, and in what form.
pub(crate) struct Console {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    verbose: bool,
    stdout_terminal: bool,
    stderr_terminal: bool,
    stdout_color: bool,
    stderr_color: bool,
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        let (stdout_terminal, stderr_terminal) = (stdout().is_terminal(), stderr().is_terminal());
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colored = |terminal| match global.color {
            Color::Auto => terminal && !unwanted,
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            stdout_terminal,
            stderr_terminal,
            stdout_color: colored(stdout_terminal),
            stderr_color: colored(stderr_terminal),
        }
    }

    /// Whether results are read by a person: aligned columns instead of tabs.
    pub(crate) fn pretty(&self) -> bool {
        self.stdout_terminal && !self.json
    }

    /// Whether messages are read by a person.
    pub(crate) fn interactive(&self) -> bool {
        self.stderr_terminal && !self.quiet && !self.json
    }

    /// Says something about a file or the work as a whole.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say("note", text);
        }
    }

    /// Says something that only the curious want to know.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.say("info", text);
        }
    }

    fn say(&self, kind: &str, text: &str) {
        if self.json {
            eprintln!("{}", json!({ kind: text }));
        } else {
            let style = match self.stderr_color {
                true => Style::new().dimmed(),
                false => Style::new(),
            };
            eprintln!("{style}{kind}: {text}{style:#}");
        }
    }

    /// Shows a failure.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let mut error = json!({ "kind": failure.kind, "message": failure.message });
            let mut put = |key: &str, value: Option<serde_json::Value>| {
                if let Some(value) = value {
                    error[key] = value;
                }
            };
            put("help", failure.help.as_ref().map(|x| json!(x)));
            put("file", failure.file.as_ref().map(|x| json!(x)));
            if let Some((path, value)) = &failure.field {
                put("field", Some(json!(path)));
                put("found", (!value.is_empty()).then(|| json!(value)));
            }
            if let Some((line, column)) = failure.position() {
                put("line", Some(json!(line)));
                put("column", Some(json!(column)));
            }
            eprintln!("{}", json!({ "version": SCHEMA, "error": error }));
            return;
        }
        let theme = match self.stderr_color {
            true => GraphicalTheme::unicode(),
            false => GraphicalTheme::unicode_nocolor(),
        };
        // Wide enough that file names and fields are not broken when nobody looks at them.
        let width = match self.stderr_terminal {
            true => 100,
            false => 400,
        };
        let mut text = String::new();
        let shown = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_break_words(false)
            .without_syntax_highlighting()
            .render_report(&mut text, failure);
        match shown {
            Ok(()) => eprintln!("{}", text.trim_end()),
            Err(_) => eprintln!("{}", failure.message),
        }
    }

    /// A style for results, plain without colour.
    pub(crate) fn style(&self, style: Style) -> Style {
        match self.stdout_color {
            true => style,
            false => Style::new(),
        }
    }

    /// A heading in a result.
    pub(crate) fn heading(&self, text: &str) -> String {
        let style = self.style(Style::new().bold());
        format!("{style}{text}{style:#}")
    }

    /// Good or bad in a result.
    pub(crate) fn verdict(&self, good: bool, text: &str) -> String {
        let color = match good {
            true => AnsiColor::Green,
            false => AnsiColor::Red,
        };
        let style = self.style(Style::new().bold().fg_color(Some(color.into())));
        format!("{style}{text}{style:#}")
    }

    /// A progress bar over `n` files; hidden unless a person looks at stderr and nothing else is
    /// written to the terminal.
    pub(crate) fn progress(&self, n: usize, stdout_is_used: bool) -> ProgressBar {
        let shown = self.interactive() && n > 1 && !(stdout_is_used && self.stdout_terminal);
        let target = match shown {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(n as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {eta} left") {
            bar.set_style(style);
        }
        bar
    }
}
