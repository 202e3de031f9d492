//! From the fields of `spectral_analysis` to stages.

use super::fields::{
    Analysis, CombineRule, Overlap, PeakAxis, PowerFloor, PowerLog, PowerNorm, SegmentMean,
    SegmentRule,
};
use super::{OfSpectrum, SpectralSpec};
use crate::blocks::flatten::Switch;
use crate::blocks::statistic_names::statistics;
use crate::blocks::window;
use crate::graph::{
    Combine, Filter, FilterBank, Log, LogFloor, Segments, SpectralShape, Stage, StageKind,
    Statistic,
};
use crate::tables::filter_design::{Band, Prototype, design};

/// What a spectrum is for.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    Bins,
    Peaks,
    Edges,
}

impl SpectralSpec {
    pub(super) fn stages(&self, id: &str) -> Vec<Stage> {
        let low = self.config.extra_low_frequency == Switch::On;
        if !low {
            return vec![window::each_axis(id, &self.input, |_, name| {
                let mut stages = self.prepared(name);
                stages.push(self.features(name, self.len, self.rate_hz));
                stages
            })];
        }
        // All axes' features come before those of the low frequencies, and both need the axes
        // behind the filter.
        let mut axes = window::each_axis(id, &self.input, |_, name| self.prepared(name));
        axes.name = format!("{id}.filtered");
        let names = self.input.axis_names();
        let axis = |i: usize, name: &str| Stage {
            name: name.to_owned(),
            len: self.len,
            kind: StageKind::Select {
                first: i * self.len,
                step: 1,
            },
        };
        let mut branches = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let name = format!("{id}.features.{name}");
            branches.push(vec![
                axis(i, &name),
                self.features(&name, self.len, self.rate_hz),
            ]);
        }
        for (i, name) in names.iter().enumerate() {
            let name = format!("{id}.low.{name}");
            let mut branch = vec![axis(i, &name)];
            decimate(&mut branch, &name, self.len, 10);
            branch.push(stage(&name, "mean", self.low_len(), StageKind::RemoveMean));
            branch.push(self.features(&name, self.low_len(), self.rate_hz / 10.0));
            branches.push(branch);
        }
        vec![axes, fork(id, branches)]
    }

    /// An axis behind scale, decimation and filter, without its mean.
    fn prepared(&self, name: &str) -> Vec<Stage> {
        let config = &self.config;
        let mut len = self.framing.frame_len;
        let mut stages = Vec::new();
        if config.scale_axes != 1.0 {
            stages.push(window::scale(name, len, config.scale_axes));
        }
        for &factor in config.decimation.factors() {
            len = decimate(&mut stages, name, len, factor);
        }
        if !self.sections.is_empty() {
            let filter = StageKind::Sos {
                sections: self.sections.clone(),
                steady: false,
            };
            stages.push(stage(name, "filter", len, filter));
        }
        stages.push(stage(name, "mean", len, StageKind::RemoveMean));
        stages
    }

    /// The features of an axis of `len` values.
    fn features(&self, name: &str, len: usize, rate_hz: f64) -> Stage {
        let config = &self.config;
        let mut branches = Vec::new();
        let list = statistics("statistics", &config.statistics, len).unwrap_or_default();
        if !list.is_empty() {
            branches.push(vec![statistics_stage(name, list)]);
        }
        match config.analysis {
            Analysis::Fft => {
                branches.extend(self.spectrum(name, len, rate_hz));
                if config.peaks_count > 0 {
                    branches.push(self.peaks(name, len, rate_hz));
                }
                if !config.power_edges_hz.is_empty() {
                    branches.push(self.edges(name, len, rate_hz));
                }
            }
            Analysis::Wavelet => {
                branches.push(self.decomposition(name, len, config.wavelet_level));
            }
        }
        fork(name, branches)
    }

    /// The combined spectrum of `len` values.
    fn power(&self, name: &str, len: usize, rate_hz: f64, purpose: Purpose) -> Stage {
        let config = &self.config;
        let n_fft = config.n_fft;
        let segment = if purpose == Purpose::Edges {
            len.min(n_fft)
        } else {
            n_fft
        };
        let hop = match config.overlap {
            Overlap::None => n_fft,
            Overlap::Half => n_fft / 2,
        };
        let count = match config.segments {
            SegmentRule::Covering => len.div_ceil(hop),
            SegmentRule::Inside => 1 + len.saturating_sub(n_fft) / hop,
            SegmentRule::First => 1,
        };
        let window = crate::tables::window::window(config.window, config.window_symmetry, segment);
        let density = purpose == Purpose::Edges
            || purpose == Purpose::Bins && config.spectrum_norm == PowerNorm::Density;
        let n = n_fft as f64;
        let scale = if density {
            1.0 / (rate_hz * window.iter().map(|w| w * w).sum::<f64>())
        } else if purpose == Purpose::Peaks {
            let amplitude = 2.0 / window.iter().sum::<f64>();
            amplitude * amplitude
        } else if config.spectrum_norm == PowerNorm::NFft {
            1.0 / n
        } else {
            1.0
        };
        let kind = StageKind::SegmentPower {
            n_fft,
            segments: Segments {
                len: segment as u32,
                hop: hop as u32,
                count: count as u32,
                combine: match config.combine {
                    CombineRule::MaxHold => Combine::Maximum,
                    CombineRule::Mean => Combine::Mean,
                },
                remove_mean: match purpose {
                    Purpose::Edges => true,
                    Purpose::Peaks => false,
                    Purpose::Bins => config.segment_mean == SegmentMean::Remove,
                },
                one_sided: density,
            },
            window,
            scale,
        };
        let what = match purpose {
            Purpose::Bins => "power",
            Purpose::Peaks => "amplitude",
            Purpose::Edges => "density",
        };
        stage(name, what, n_fft / 2 + 1, kind)
    }

    /// What describes the spectrum, and its bins.
    fn spectrum(&self, name: &str, len: usize, rate_hz: f64) -> Option<Vec<Stage>> {
        let config = &self.config;
        let step_hz = rate_hz / config.n_fft as f64;
        let mut branches = Vec::new();
        // Neighbours of one kind share a stage.
        let mut described: Vec<OfSpectrum> = self.of_spectrum().unwrap_or_default();
        described.reverse();
        while let Some(next) = described.pop() {
            match next {
                OfSpectrum::Statistic(statistic) => {
                    let mut list: Vec<Statistic> = vec![statistic];
                    while let Some(&OfSpectrum::Statistic(statistic)) = described.last() {
                        list.push(statistic);
                        described.pop();
                    }
                    branches.push(vec![statistics_stage(&format!("{name}.power"), list)]);
                }
                OfSpectrum::Shape(shape) => {
                    let mut shapes: Vec<SpectralShape> = vec![shape];
                    while let Some(&OfSpectrum::Shape(shape)) = described.last() {
                        shapes.push(shape);
                        described.pop();
                    }
                    let len = shapes.len();
                    let kind = StageKind::SpectralShape {
                        first_hz: step_hz,
                        step_hz,
                        shapes,
                    };
                    branches.push(vec![
                        select(name, 1, config.n_fft / 2),
                        stage(name, "shape", len, kind),
                    ]);
                }
            }
        }
        if config.bins == Switch::On {
            let bins = self.bins(rate_hz);
            let mut branch = vec![select(name, bins.start, bins.len())];
            branch.extend(self.log(name, bins.len()));
            branches.push(branch);
        }
        let mut stages = vec![self.power(name, len, rate_hz, Purpose::Bins)];
        if branches.len() == 1 {
            stages.extend(branches.pop()?);
        } else if branches.is_empty() {
            return None;
        } else {
            stages.push(fork(&format!("{name}.power"), branches));
        }
        Some(stages)
    }

    fn log(&self, name: &str, len: usize) -> Option<Stage> {
        let config = &self.config;
        let ln_10 = std::f64::consts::LN_10;
        let scale = match config.log {
            PowerLog::None => return None,
            PowerLog::Ln => 1.0,
            PowerLog::Log10 => 1.0 / ln_10,
            PowerLog::Db => 10.0 / ln_10,
        };
        let floor = match config.log_floor {
            PowerFloor::Max => LogFloor::Max(config.log_epsilon),
            PowerFloor::ReplaceZero => LogFloor::ReplaceZero(config.log_epsilon),
        };
        Some(stage(
            name,
            "log",
            len,
            StageKind::Log(Log { floor, scale }),
        ))
    }

    fn peaks(&self, name: &str, len: usize, rate_hz: f64) -> Vec<Stage> {
        let config = &self.config;
        let half = config.n_fft / 2;
        let (values, step_hz) = match config.peaks_axis {
            PeakAxis::Bins => (half + 1, rate_hz / config.n_fft as f64),
            PeakAxis::Stretched => (half, rate_hz / 2.0 / (half - 1) as f64),
        };
        let kind = StageKind::Peaks {
            first_hz: 0.0,
            step_hz,
            threshold: config.peaks_threshold,
        };
        vec![
            self.power(name, len, rate_hz, Purpose::Peaks),
            select(&format!("{name}.amplitude"), 0, values),
            stage(name, "peaks", 2 * config.peaks_count, kind),
        ]
    }

    fn edges(&self, name: &str, len: usize, rate_hz: f64) -> Vec<Stage> {
        let config = &self.config;
        let bins = config.n_fft / 2 + 1;
        let hz = |k: usize| k as f64 * rate_hz / config.n_fft as f64;
        let filters: Vec<Filter> = config
            .power_edges_hz
            .windows(2)
            .map(|edges| {
                let inside = |k: &usize| hz(*k) >= edges[0] && hz(*k) < edges[1];
                let n = (0..bins).filter(inside).count();
                let weight = config.power_edges_scale / n.max(1) as f64;
                Filter {
                    first: (0..bins).find(inside).unwrap_or(0),
                    weights: vec![weight; n],
                }
            })
            .collect();
        let len_out = filters.len();
        vec![
            self.power(name, len, rate_hz, Purpose::Edges),
            stage(
                name,
                "bands",
                len_out,
                StageKind::Mel(FilterBank { filters }),
            ),
        ]
    }

    /// Statistics of the approximation behind `level` levels and of every detail on the way, the
    /// coarsest first.
    fn decomposition(&self, name: &str, len: usize, level: usize) -> Vec<Stage> {
        let described = |name: &str, len: usize| {
            let list = statistics("wavelet_statistics", &self.config.wavelet_statistics, len);
            statistics_stage(name, list.unwrap_or_default())
        };
        if level == 0 {
            return vec![described(name, len)];
        }
        let filters = self.config.wavelet.filters();
        let half = (len + filters.low.len() - 1) / 2;
        let mut coarse = vec![stage(name, "low", half, StageKind::Wavelet(filters.low))];
        coarse.extend(self.decomposition(&format!("{name}.low"), half, level - 1));
        let detail = vec![
            stage(name, "high", half, StageKind::Wavelet(filters.high)),
            described(&format!("{name}.high"), half),
        ];
        vec![fork(name, vec![coarse, detail])]
    }

    pub(super) fn feature_names(&self) -> Vec<String> {
        let axes = self.input.axis_names();
        let of = |suffix: &str, rate_hz: f64| -> Vec<String> {
            let names = self.names_of_axis(rate_hz);
            axes.iter()
                .flat_map(|axis| names.iter().map(move |name| format!("{axis}_{name}")))
                .map(|name| format!("{name}{suffix}"))
                .collect()
        };
        let mut names = of("", self.rate_hz);
        if self.config.extra_low_frequency == Switch::On {
            names.extend(of("_low", self.rate_hz / 10.0));
        }
        names
    }

    /// Number of features of an axis.
    pub(super) fn values(&self) -> usize {
        self.names_of_axis(self.rate_hz).len()
    }

    fn names_of_axis(&self, rate_hz: f64) -> Vec<String> {
        let config = &self.config;
        let mut names = config.statistics.clone();
        if config.analysis == Analysis::Wavelet {
            for level in 0..=config.wavelet_level {
                let part = format!("level{level}");
                let list = &config.wavelet_statistics;
                names.extend(list.iter().map(|name| format!("{part}_{name}")));
            }
            return names;
        }
        let described = &config.spectrum_statistics;
        names.extend(described.iter().map(|name| format!("spectrum_{name}")));
        if config.bins == Switch::On {
            let step = rate_hz / config.n_fft as f64;
            let hz = |k: usize| libm::round(k as f64 * step * 100.0) / 100.0;
            names.extend(self.bins(rate_hz).map(|k| format!("power_{}hz", hz(k))));
        }
        for i in 1..=config.peaks_count {
            names.push(format!("peak{i}_hz"));
            names.push(format!("peak{i}_height"));
        }
        for edges in config.power_edges_hz.windows(2) {
            names.push(format!("power_{}_to_{}hz", edges[0], edges[1]));
        }
        names
    }
}

fn stage(name: &str, what: &str, len: usize, kind: StageKind) -> Stage {
    Stage {
        name: format!("{name}.{what}"),
        len,
        kind,
    }
}

fn select(name: &str, first: usize, len: usize) -> Stage {
    stage(name, "bins", len, StageKind::Select { first, step: 1 })
}

fn statistics_stage(name: &str, list: Vec<Statistic>) -> Stage {
    stage(name, "statistics", list.len(), StageKind::Statistics(list))
}

fn fork(name: &str, branches: Vec<Vec<Stage>>) -> Stage {
    let lens = branches.iter().filter_map(|branch| branch.last());
    let len = lens.map(|stage| stage.len).sum();
    stage(name, "features", len, StageKind::Fork(branches))
}

/// Adds the stages that keep one of `factor` values; gives the number that is left.
fn decimate(stages: &mut Vec<Stage>, name: &str, len: usize, factor: usize) -> usize {
    let prototype = Prototype::Chebyshev { ripple_db: 0.05 };
    // Of a rate of 2, half of which is 1.
    let sections = design(prototype, 8, Band::Low(0.8 / factor as f64), 2.0);
    let kind = StageKind::Sos {
        sections,
        steady: true,
    };
    stages.push(stage(name, "antialias", len, kind));
    let left = len.div_ceil(factor);
    let kind = StageKind::Select {
        first: 0,
        step: factor,
    };
    stages.push(stage(name, "decimated", left, kind));
    left
}
