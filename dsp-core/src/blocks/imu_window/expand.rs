//! The network of stages: one branch for each signal, one for each triad.

use std::f64::consts::PI;

use super::channels::Channel;
use super::{Feature, Group, ImuWindowSpec};
use crate::graph::{
    Combine, Filter, FilterBank, GroupStatistic, Segments, SpectralShape, Stage, StageKind,
    Statistic,
};
use crate::tables::window::{WindowSymmetry, window};

/// A stage, named by the branch it stands in.
fn stage(branch: &str, what: &str, len: usize, kind: StageKind) -> Stage {
    Stage {
        name: format!("{branch}.{what}"),
        len,
        kind,
    }
}

/// The branches side by side; a single one needs no fork.
fn fork(name: &str, what: &str, mut branches: Vec<Vec<Stage>>) -> Vec<Stage> {
    if branches.len() == 1 {
        return branches.remove(0);
    }
    let ends = branches.iter().filter_map(|branch| branch.last());
    let len = ends.map(|stage| stage.len).sum();
    vec![stage(name, what, len, StageKind::Fork(branches))]
}

impl ImuWindowSpec {
    /// All of the block: a window's interleaved samples in, the row out.
    pub(super) fn stage(&self, id: &str) -> Stage {
        let mut branches = Vec::new();
        for &channel in &self.channels {
            if channel.is_of_triads() {
                for triad in &self.triads {
                    let name = format!("{id}.{}", channel.of(&triad.name));
                    let mut branch = self.planes(&name, triad.axes, channel);
                    let len = branch.last().map_or(0, |stage| stage.len) / 3;
                    branch.push(stage(&name, "norm", len, StageKind::Norm { parts: 3 }));
                    branch.extend(self.features(&name, len));
                    branches.push(branch);
                }
            } else {
                for (axis, axis_name) in self.axes.iter().enumerate() {
                    let name = format!("{id}.{}", channel.of(axis_name));
                    let mut branch = self.signal(&name, axis, channel);
                    let len = branch.last().map_or(0, |stage| stage.len);
                    branch.extend(self.features(&name, len));
                    branches.push(branch);
                }
            }
        }
        let list = self.group_list();
        if !list.is_empty() {
            for triad in &self.triads {
                let name = format!("{id}.{}", super::channels::joined(&triad.name, "triad"));
                let mut branch = self.planes(&name, triad.axes, Channel::Magnitude);
                let len = list.len();
                let list = list.clone();
                let kind = StageKind::Group { parts: 3, list };
                branch.push(stage(&name, "group", len, kind));
                branches.push(branch);
            }
        }
        let ends = branches.iter().filter_map(|branch| branch.last());
        let len = ends.map(|stage| stage.len).sum();
        stage(id, "row", len, StageKind::Fork(branches))
    }

    /// One axis of the window, or what `channel` derives from it.
    fn signal(&self, name: &str, axis: usize, channel: Channel) -> Vec<Stage> {
        let len = self.framing.frame_len;
        let select = StageKind::Select {
            first: axis,
            step: self.axes.len(),
        };
        let mut stages = vec![stage(name, "select", len, select)];
        let t = libm::tan(PI * self.config.gravity_hz / self.rate_hz);
        let low_pass = |rest| StageKind::LowPass {
            k: t / (1.0 + t),
            rest,
        };
        let scale = self.rate_hz;
        match channel {
            Channel::Axes | Channel::Magnitude => {}
            Channel::Jerk | Channel::JerkMagnitude => stages.push(stage(
                name,
                "jerk",
                len - 1,
                StageKind::Difference { scale },
            )),
            Channel::Gravity => stages.push(stage(name, "gravity", len, low_pass(false))),
            Channel::Body | Channel::BodyMagnitude => {
                stages.push(stage(name, "body", len, low_pass(true)));
            }
        }
        stages
    }

    /// Three of those signals, one after the other.
    fn planes(&self, name: &str, axes: [usize; 3], channel: Channel) -> Vec<Stage> {
        let branches = axes.map(|axis| {
            let name = format!("{name}.{}", self.axes[axis]);
            self.signal(&name, axis, channel)
        });
        fork(name, "axes", branches.into())
    }

    /// The features of a signal of `len` values.
    fn features(&self, name: &str, len: usize) -> Vec<Stage> {
        let mut branches = Vec::new();
        let statistics: Vec<Statistic> = self
            .features
            .iter()
            .filter_map(|(_, f)| match f {
                Feature::Statistic(statistic) => Some(*statistic),
                Feature::Percentile(percent) => {
                    let place = (len - 1) as f64 * 256.0 * f64::from(*percent) / 100.0;
                    Some(Statistic::Quantile(libm::round(place) as u32))
                }
                _ => None,
            })
            .collect();
        if !statistics.is_empty() {
            let n = statistics.len();
            let kind = StageKind::Statistics(statistics);
            branches.push(vec![stage(name, "statistics", n, kind)]);
        }
        branches.extend(self.spectrum(name, len));
        if self.wants(Feature::Autocorrelation) {
            let (first, last) = self.lags;
            let kind = StageKind::Autocorrelation {
                first,
                last,
                seconds: 1.0 / self.rate_hz,
            };
            branches.push(vec![stage(name, "autocorrelation", 2, kind)]);
        }
        fork(name, "features", branches)
    }

    fn spectrum(&self, name: &str, len: usize) -> Option<Vec<Stage>> {
        let hz = self.rate_hz / self.n_fft as f64;
        // The dominant power apart: the others have no unit, and keep their digits in integers
        // however quiet a window is.
        let (powers, shapes): (Vec<_>, Vec<_>) = self
            .shapes()
            .into_iter()
            .partition(|shape| *shape == SpectralShape::DominantPower);
        let mut branches = Vec::new();
        for (what, shapes) in [("shape", shapes), ("power", powers)] {
            if shapes.is_empty() {
                continue;
            }
            // Without bin 0, the mean, which is gone.
            let select = StageKind::Select { first: 1, step: 1 };
            let select = stage(name, "bins", self.n_fft / 2, select);
            let n = shapes.len();
            let kind = StageKind::SpectralShape {
                first_hz: hz,
                step_hz: hz,
                shapes,
            };
            branches.push(vec![select, stage(name, what, n, kind)]);
        }
        if !self.bands.is_empty() {
            let filters = self.bands.iter().map(|&(first, end)| Filter {
                first,
                weights: vec![1.0; end - first],
            });
            let filters = filters.collect();
            let kind = StageKind::Mel(FilterBank { filters });
            branches.push(vec![stage(name, "bands", self.bands.len(), kind)]);
        }
        if branches.is_empty() {
            return None;
        }
        let window = window(self.config.spectrum_window, WindowSymmetry::Periodic, len);
        let energy: f64 = window.iter().map(|w| w * w).sum();
        let kind = StageKind::SegmentPower {
            n_fft: self.n_fft,
            segments: Segments {
                len: len as u32,
                hop: len as u32,
                count: 1,
                combine: Combine::Mean,
                remove_mean: true,
                one_sided: true,
            },
            window,
            scale: 1.0 / (self.n_fft as f64 * energy),
        };
        let mut stages = vec![stage(name, "spectrum", self.n_fft / 2 + 1, kind)];
        stages.extend(fork(name, "spectral", branches));
        Some(stages)
    }

    fn group_list(&self) -> Vec<GroupStatistic> {
        let mut list = Vec::new();
        for feature in self.group_features() {
            match feature {
                Group::MagnitudeArea => list.push(GroupStatistic::MagnitudeArea),
                Group::Tilt => list.push(GroupStatistic::Tilt),
                Group::Direction => list.extend([0, 1, 2].map(GroupStatistic::Direction)),
                Group::Correlation => {
                    let pairs = [(0, 1), (0, 2), (1, 2)];
                    list.extend(pairs.map(|(a, b)| GroupStatistic::Correlation(a, b)));
                }
            }
        }
        list
    }
}
