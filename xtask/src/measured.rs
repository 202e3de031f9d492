//! The plans whose size and speed are measured.

use crate::images::{self, Core, Image};
use crate::run::Report;
use std::path::PathBuf;

/// A pipeline with changes, and what is measured of it.
pub(crate) struct Measured {
    /// The name in tables.
    pub(crate) name: &'static str,
    /// The pipeline's file.
    pub(crate) pipeline: &'static str,
    /// Changes to it.
    pub(crate) changes: &'static [&'static str],
    /// Whether no float may be in its images.
    pub(crate) integer: bool,
    /// Whether one push of one hop is one frame, which can be counted.
    pub(crate) counted: bool,
}

const MFCC: &str = "conformance/pipelines/mfcc.toml";
const KEYWORDS: &str = "examples/keywords/keywords.toml";

pub(crate) const PLANS: [Measured; 6] = [
    Measured {
        name: "mfcc-fixed-full",
        pipeline: MFCC,
        changes: &["deploy.numeric=fixed", "deploy.precision=full"],
        integer: true,
        counted: true,
    },
    Measured {
        name: "mfcc-fixed-light",
        pipeline: MFCC,
        changes: &["deploy.numeric=fixed", "deploy.precision=light"],
        integer: true,
        counted: true,
    },
    Measured {
        name: "mfcc-f32",
        pipeline: MFCC,
        changes: &["deploy.numeric=f32"],
        integer: false,
        counted: true,
    },
    Measured {
        name: "log-mel-f32",
        pipeline: "conformance/pipelines/log-mel.toml",
        changes: &["deploy.numeric=f32"],
        integer: false,
        counted: false,
    },
    Measured {
        name: "keywords-fixed",
        pipeline: KEYWORDS,
        changes: &["deploy.numeric=fixed"],
        integer: true,
        counted: false,
    },
    Measured {
        name: "keywords-f32",
        pipeline: KEYWORDS,
        changes: &["deploy.numeric=f32"],
        integer: false,
        counted: false,
    },
];

impl Measured {
    /// Makes the plan; gives the path of its files without their endings.
    pub(crate) fn make(&self, report: &mut Report) -> Option<PathBuf> {
        let folder = images::folder();
        let mut words = vec!["image", self.pipeline];
        let path = folder.to_string_lossy();
        words.extend([&*path, self.name]);
        words.extend(self.changes);
        images::plans(report, &words).then(|| folder.join(self.name))
    }

    /// Builds an image with this plan, which was made at `files`.
    pub(crate) fn image(
        &self,
        report: &mut Report,
        files: &std::path::Path,
        program: &str,
        core: Core,
        profile: &str,
    ) -> Option<PathBuf> {
        let image = Image {
            program,
            target: core.target,
            profile,
            input: ("OTOLITH_PLAN", files),
            name: format!("{program}-{}-{profile}-{}", self.name, core.target),
        };
        images::build(report, &image)
    }
}
