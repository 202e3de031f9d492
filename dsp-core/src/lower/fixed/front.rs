//! From the source window to logarithms of energies.

use super::Values;
use super::bank::Bank;
use super::columns::Column;
use super::transform::{Transform, q15, q31};
use crate::deploy::Precision;
use crate::error::LowerError;
use crate::graph::{self, Gain, Graph, Log, LogFloor, Stage, StageKind};
use crate::lower::Layout;
use crate::plan_builder::{Format, PlanBuilder, TensorId};
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::{fft, frame, log, mel, spectrum, vector};
use otolith_dsp_nostd::ops::frame::{Padding, PeakParams};
use otolith_dsp_nostd::ops::log::Floor;
use std::f64::consts::LN_2;

/// Fraction bits of the logarithms: few enough for the sums of a matrix with 16-bit coefficients,
/// if there is one, to keep theirs.
pub(super) fn log_q(graph: &Graph) -> i32 {
    let mut stages = graph.frame.iter().chain(&graph.rows);
    let matrix = stages.any(|stage| matches!(stage.kind, StageKind::Matrix(_)));
    if matrix { 10 } else { 14 }
}

/// Integers of a spectrum: real values are `integer * unit * gain * 2^(p d) * (32768 / peak)^p`.
struct Spectrum {
    tensor: TensorId,
    unit: f64,
    /// The power `p`: 2 of powers, 1 of magnitudes.
    power: u32,
    /// Block exponent `d`; none for energies of samples.
    exponent: Option<TensorId>,
    /// Factor of each band, or one for all.
    gains: Vec<f64>,
    /// Largest real value without the gain.
    most: f64,
}

/// The frame, before the transform.
#[derive(Clone, Copy)]
struct Frame {
    tensor: TensorId,
    /// Q28 in 32 bits instead of samples.
    wide: bool,
    start: usize,
    hop: usize,
    len: usize,
}

pub(super) struct Front<'g> {
    graph: &'g Graph,
    layout: &'g Layout,
    precision: Precision,
    source: TensorId,
    /// What samples in `[-1, 1)` are multiplied with, but for a peak.
    gain: f64,
    peak: Option<TensorId>,
    /// Largest magnitude of the frame's values, in units of samples in `[-1, 1)`.
    largest: f64,
    /// Log energy that a stage kept aside.
    energy: Option<(TensorId, Column)>,
    /// Log energy behind the window, which the spectrum tells.
    windowed: Option<(String, f64)>,
    /// Fraction bits of the logarithms.
    log_q: i32,
}

impl<'g> Front<'g> {
    pub(super) fn new(
        graph: &'g Graph,
        layout: &'g Layout,
        precision: Precision,
        source: TensorId,
    ) -> Self {
        Self {
            graph,
            layout,
            precision,
            source,
            gain: 1.0,
            peak: None,
            largest: 1.0,
            energy: None,
            windowed: None,
            log_q: log_q(graph),
        }
    }

    /// Adds the steps up to the logarithm, which writes to `row` if it is the last stage of the
    /// frame and `row` is given. Returns its values and the number of stages that are done.
    pub(super) fn run(
        mut self,
        plan: &mut PlanBuilder,
        row: Option<TensorId>,
    ) -> Result<(Values, usize), LowerError> {
        let stages = &self.graph.frame;
        self.input(plan);
        let frame = self.cut(plan)?;
        let mut window = None;
        let mut spectrum = None;
        for (i, stage) in stages.iter().enumerate() {
            let name = &stage.name;
            match (&stage.kind, &mut spectrum) {
                (StageKind::RemoveMean, None) => {
                    step(plan, &vector::REMOVE_MEAN_I32, name, &[frame.tensor], &[]);
                    self.largest *= 2.0;
                    self.sample_format(plan, name, &frame)?;
                }
                (StageKind::PreEmphasis(c), None) => {
                    let c31 = q31(&[*c])[0] as u32;
                    step(
                        plan,
                        &vector::PRE_EMPHASIS_I32,
                        name,
                        &[frame.tensor],
                        &[c31],
                    );
                    self.largest *= 1.0 + c.abs();
                    self.sample_format(plan, name, &frame)?;
                }
                (StageKind::LogEnergy { floor }, None) if window.is_none() => {
                    self.energy = Some(self.frame_energy(plan, name, &frame, *floor)?);
                }
                (StageKind::LogEnergy { floor }, None) => {
                    self.windowed = Some((name.clone(), *floor));
                }
                (StageKind::Window(values), None) => window = Some(values.as_slice()),
                (StageKind::Rfft { n_fft }, None) => {
                    let scale = match stages.get(i + 1).map(|next| &next.kind) {
                        Some(StageKind::Power { scale } | StageKind::Magnitude { scale }) => *scale,
                        _ => return Err(unsupported(stage)),
                    };
                    spectrum = Some(self.transform(plan, stage, &frame, window, *n_fft, scale)?);
                }
                (StageKind::Power { .. }, Some(spectrum)) => {
                    self.spectrum_format(plan, name, spectrum);
                }
                (StageKind::Magnitude { scale }, Some(powers)) => {
                    let op = &spectrum::MAGNITUDE_U64;
                    step(plan, op, name, &[powers.tensor], &[]);
                    // The root of a scaled power, scaled again.
                    let root = |x: f64| scale * libm::sqrt(x / scale);
                    powers.unit = root(powers.unit) / 65536.0;
                    // Over all bins, the sum of magnitudes is at most the root of the bins times
                    // the sum of powers.
                    powers.most = root(powers.most) * libm::sqrt(stage.len as f64);
                    powers.power = 1;
                    self.spectrum_format(plan, name, powers);
                }
                (StageKind::LogSum { floor }, Some(powers)) => {
                    let e = self.total(plan, name, powers, false);
                    self.energy = Some(self.log_energy(plan, name, &e, *floor)?);
                }
                (StageKind::Mel(bank), Some(bins)) => {
                    self.mel(plan, stage, bank, bins);
                    self.spectrum_format(plan, name, bins);
                }
                (StageKind::Log(log), Some(bands)) => {
                    let to = row.filter(|_| i + 1 == stages.len());
                    let n = stage.len;
                    let (tensor, columns) = self.log(plan, name, bands, n, log, to)?;
                    let values = Values {
                        tensor,
                        elem: Elem::I32,
                        columns,
                        energy: self.energy,
                    };
                    plan.format(Section::Frame, name, tensor, values.format());
                    return Ok((values, i + 1));
                }
                _ => return Err(unsupported(stage)),
            }
        }
        Err(LowerError::new(
            stages.last().map_or("frame", |stage| stage.name.as_str()),
            "an integer plan ends its features behind a logarithm, where every level keeps its \
             digits: set log = \"ln\" or another, or deploy.numeric = \"f32\"",
        ))
    }

    /// The gain of the source.
    fn input(&mut self, plan: &mut PlanBuilder) {
        match self.graph.source.gain {
            Gain::Constant(gain) => self.gain = gain,
            Gain::PeakMagnitude | Gain::PeakMaximum => {
                let magnitude = self.graph.source.gain == Gain::PeakMagnitude;
                let peak = plan.tensor("peak", Elem::I32, &[1]);
                plan.step(
                    Section::Window,
                    &frame::PEAK_I16,
                    "input.peak",
                    &[self.source, peak],
                    &PeakParams { magnitude }.encode(),
                );
                self.peak = Some(peak);
            }
        }
    }

    /// The frame: where it lies in the source window, or a copy.
    fn cut(&mut self, plan: &mut PlanBuilder) -> Result<Frame, LowerError> {
        let framing = &self.graph.framing;
        let layout = self.layout;
        let wide = framing.pre_emphasis.is_some()
            || self.graph.frame.iter().any(|stage| {
                matches!(
                    stage.kind,
                    StageKind::RemoveMean | StageKind::PreEmphasis(_)
                )
            });
        let end = layout.start + ((layout.frames - 1) * framing.hop + framing.frame_len) as isize;
        let len = framing.frame_len;
        if !wide && layout.start >= 0 && end as usize + layout.history <= layout.window {
            return Ok(Frame {
                tensor: self.source,
                wide,
                start: layout.start as usize + layout.history,
                hop: framing.hop,
                len,
            });
        }
        let params = frame::FrameParams {
            start: layout.start as i32,
            hop: framing.hop as u32,
            history: layout.history as u32,
            padding: match framing.padding {
                graph::Padding::Zero => Padding::Zero,
                graph::Padding::Reflect => Padding::Reflect,
                graph::Padding::Symmetric => Padding::Symmetric,
                graph::Padding::Edge => Padding::Edge,
            },
        };
        let elem = if wide { Elem::I32 } else { Elem::I16 };
        let tensor = plan.tensor("frame", elem, &[len]);
        let operands = [self.source, tensor];
        if wide {
            let c = framing.pre_emphasis.unwrap_or(0.0);
            self.largest *= 1.0 + c.abs();
            let params = frame::EmphasisParams {
                frame: params,
                pre_emphasis: q31(&[c])[0],
            };
            step(
                plan,
                &frame::FRAME_I16_I32,
                "input.frame",
                &operands,
                &params.encode(),
            );
        } else {
            step(
                plan,
                &frame::FRAME_I16,
                "input.frame",
                &operands,
                &params.encode(),
            );
        }
        Ok(Frame {
            tensor,
            wide,
            start: 0,
            hop: 0,
            len,
        })
    }

    /// States the format of a frame in Q28, and that it still fits.
    fn sample_format(
        &self,
        plan: &mut PlanBuilder,
        stage: &str,
        frame: &Frame,
    ) -> Result<(), LowerError> {
        let unit = libm::exp2(-28.0);
        let limit = f64::from(i32::MAX);
        if self.largest / unit > limit {
            return Err(LowerError::new(
                stage,
                format!(
                    "samples can grow {:.1} times here, 7.9 times fit: leave out one of the stages \
                     before it",
                    self.largest
                ),
            ));
        }
        let format = Format {
            scale: vec![unit * self.gain],
            offset: vec![0.0],
            exponent: None,
            peak: self.peak.map(|peak| (peak, 1)),
            limit,
        };
        plan.format(Section::Frame, stage, frame.tensor, format);
        Ok(())
    }

    fn spectrum_format(&self, plan: &mut PlanBuilder, stage: &str, spectrum: &Spectrum) {
        let p = spectrum.power as i32;
        let format = Format {
            scale: spectrum.gains.iter().map(|g| g * spectrum.unit).collect(),
            offset: vec![0.0],
            exponent: spectrum.exponent.map(|e| (e, p)),
            peak: self.peak.map(|peak| (peak, p)),
            limit: libm::exp2(63.0),
        };
        plan.format(Section::Frame, stage, spectrum.tensor, format);
    }

    /// Largest magnitude of a value before the transform, in the graph's units.
    fn amplitude(&self) -> f64 {
        let input = match self.graph.source.gain {
            Gain::Constant(gain) => gain,
            Gain::PeakMagnitude => 1.0,
            // The largest sample becomes 1; the smallest may be far below -1.
            Gain::PeakMaximum => 32768.0,
        };
        input * self.largest
    }

    /// Window, FFT and powers.
    fn transform(
        &mut self,
        plan: &mut PlanBuilder,
        stage: &Stage,
        frame: &Frame,
        window: Option<&[f64]>,
        n_fft: usize,
        scale: f64,
    ) -> Result<Spectrum, LowerError> {
        let name = &stage.name;
        let transform = Transform::new(name, window, frame.len, n_fft, frame.wide)?;
        let wide_tables = self.precision == Precision::Full;
        let op =
            fft::rfft_power(n_fft, frame.wide, wide_tables).ok_or_else(|| unsupported(stage))?;
        let mut table = |what: &str, values: &[f64]| {
            let (name, n) = (format!("{name}.{what}"), [values.len()]);
            if wide_tables {
                plan.table(&name, &n, &q31(values))
            } else {
                plan.table(&name, &n, &q15(values))
            }
        };
        let tables = [
            table("window", transform.window()),
            table("twiddles", &transform.twiddles()),
            table("split", &transform.split()),
        ];
        let unit = scale * (transform.unit * self.gain) * (transform.unit * self.gain);
        let powers = plan.tensor(name, Elem::U64, &[n_fft / 2 + 1]);
        let exponent = plan.tensor(&format!("{name}.exponent"), Elem::I32, &[1]);
        let params = fft::RfftParams {
            start: frame.start as u32,
            hop: frame.hop as u32,
            frame_len: frame.len as u32,
            mirror: transform.mirror as u32,
            bits: transform.bits as u32,
            left: self.left(unit),
        };
        let [window, twiddles, split] = tables;
        let operands = [frame.tensor, window, twiddles, split, powers, exponent];
        step(plan, op, name, &operands, &params.encode());
        let amplitude = self.amplitude();
        let spectrum = Spectrum {
            tensor: powers,
            unit,
            power: 2,
            exponent: Some(exponent),
            gains: vec![1.0],
            most: scale * n_fft as f64 * transform.square_sum * amplitude * amplitude,
        };
        if let Some((name, floor)) = self.windowed.take() {
            // Parseval: the sum over all bins is n_fft times the sum of the frame's squares.
            let mut e = self.total(plan, &name, &spectrum, true);
            e.unit /= scale * n_fft as f64;
            e.most /= scale * n_fft as f64;
            self.energy = Some(self.log_energy(plan, &name, &e, floor)?);
        }
        Ok(spectrum)
    }

    /// How far quiet frames are shifted to the left: as far as the smallest energies, scaled with
    /// them, still fit.
    fn left(&self, unit: f64) -> u32 {
        let epsilons = self
            .graph
            .frame
            .iter()
            .filter_map(|stage| match stage.kind {
                StageKind::Log(Log {
                    floor: LogFloor::Add(e) | LogFloor::Max(e) | LogFloor::ReplaceZero(e),
                    ..
                }) => Some(e),
                StageKind::LogSum { floor } | StageKind::LogEnergy { floor } => Some(floor),
                _ => None,
            });
        let largest = epsilons.fold(f64::MIN_POSITIVE, f64::max);
        let room = 60.0 - libm::log2(largest / unit).max(0.0);
        libm::floor(room / 2.0).clamp(0.0, 12.0) as u32
    }

    /// The sum of a spectrum's bins, one-sided or of all `n_fft`.
    fn total(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        spectrum: &Spectrum,
        two_sided: bool,
    ) -> Spectrum {
        let tensor = plan.tensor(&format!("{name}.sum"), Elem::U64, &[1]);
        // The bound of the powers is one of their sum over all bins.
        let params = vector::SumParams {
            two_sided,
            shift: 0,
        };
        step(
            plan,
            &vector::SUM_U64,
            name,
            &[spectrum.tensor, tensor],
            &params.encode(),
        );
        Spectrum {
            tensor,
            gains: vec![1.0],
            ..*spectrum
        }
    }

    /// Log energy of the frame's values.
    fn frame_energy(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        frame: &Frame,
        floor: f64,
    ) -> Result<(TensorId, Column), LowerError> {
        let tensor = plan.tensor(&format!("{name}.sum"), Elem::U64, &[1]);
        let operands = [frame.tensor, tensor];
        let unit = if frame.wide {
            // |x| <= 2^31, so a sum of n squares has at most 62 + log2 n bits.
            let shift = (usize::BITS - frame.len.leading_zeros()).min(32);
            step(plan, &vector::ENERGY_I32, name, &operands, &[shift]);
            libm::exp2(f64::from(shift) - 56.0)
        } else {
            let params = vector::EnergyParams {
                start: frame.start as u32,
                hop: frame.hop as u32,
                len: frame.len as u32,
            };
            step(plan, &vector::ENERGY_I16, name, &operands, &params.encode());
            libm::exp2(-30.0)
        };
        let amplitude = self.amplitude();
        let energy = Spectrum {
            tensor,
            unit: unit * self.gain * self.gain,
            power: 2,
            exponent: None,
            gains: vec![1.0],
            most: frame.len as f64 * amplitude * amplitude,
        };
        self.log_energy(plan, name, &energy, floor)
    }

    fn log_energy(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        energy: &Spectrum,
        floor: f64,
    ) -> Result<(TensorId, Column), LowerError> {
        let log = Log {
            floor: LogFloor::Max(floor),
            scale: 1.0,
        };
        let (tensor, columns) = self.log(plan, name, energy, 1, &log, None)?;
        Ok((tensor, columns[0]))
    }

    fn mel(
        &self,
        plan: &mut PlanBuilder,
        stage: &Stage,
        bank: &graph::FilterBank,
        bins: &mut Spectrum,
    ) {
        let name = &stage.name;
        let y = plan.tensor(name, Elem::U64, &[stage.len]);
        match Bank::new(bank) {
            Bank::Triangles {
                first,
                lengths,
                weights,
            } => {
                let lengths = plan.table(&format!("{name}.lengths"), &[lengths.len()], &lengths);
                let weights = plan.table(&format!("{name}.weights"), &[weights.len()], &weights);
                let operands = [bins.tensor, lengths, weights, y];
                step(plan, &mel::MEL_U64, name, &operands, &[first as u32]);
            }
            Bank::Sparse {
                first,
                lengths,
                weights,
                gains,
            } => {
                let n = [gains.len()];
                let first = plan.table(&format!("{name}.first"), &n, &first);
                let lengths = plan.table(&format!("{name}.lengths"), &n, &lengths);
                let weights = plan.table(&format!("{name}.weights"), &[weights.len()], &weights);
                let operands = [bins.tensor, first, lengths, weights, y];
                step(plan, &mel::FILTER_BANK_U64, name, &operands, &[]);
                bins.gains = gains;
            }
        }
        bins.tensor = y;
    }

    /// Logarithms of `n` energies.
    fn log(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        x: &Spectrum,
        n: usize,
        log: &Log,
        to: Option<TensorId>,
    ) -> Result<(TensorId, Vec<Column>), LowerError> {
        let p = f64::from(x.power);
        let (floor, epsilon) = match log.floor {
            LogFloor::Add(epsilon) => (Floor::Add, epsilon),
            LogFloor::Max(epsilon) => (Floor::Max, epsilon),
            LogFloor::ReplaceZero(epsilon) => (Floor::ReplaceZero, epsilon),
        };
        // Epsilon in integers, for a block exponent of 0 and, with a peak, for a peak of 1.
        let full_scale = if self.peak.is_some() { 15.0 * p } else { 0.0 };
        let units: Vec<f64> = x
            .gains
            .iter()
            .map(|gain| epsilon / (x.unit * gain) * libm::exp2(-full_scale))
            .collect();
        let most = units.iter().copied().fold(0.0, f64::max);
        if libm::log2(most) + full_scale > 61.0 {
            return Err(LowerError::new(
                name,
                format!(
                    "its floor of {epsilon:e} lies far above full scale: allowed is at most {:e}",
                    epsilon / most * libm::exp2(61.0 - full_scale)
                ),
            ));
        }
        let shift = libm::floor(libm::log2(most)) - 31.0;
        if shift < -127.0 {
            return Err(LowerError::new(
                name,
                format!("its floor of {epsilon:e} is too small: take 1e-30 or more"),
            ));
        }
        let mantissas: Vec<u32> = units
            .iter()
            .map(|unit| {
                libm::round(unit * libm::exp2(-shift)).clamp(1.0, f64::from(u32::MAX)) as u32
            })
            .collect();
        let base = libm::round(libm::log2(x.unit));
        let rest = libm::log2(x.unit) - base;
        let params = log::LogParams {
            floor,
            exponent_power: if x.exponent.is_some() { x.power } else { 0 },
            peak_power: if self.peak.is_some() { x.power } else { 0 },
            shift: shift as i32,
            base: (base + full_scale) as i32,
            q: self.log_q as u32,
        };
        let epsilons = plan.table(&format!("{name}.epsilon"), &[mantissas.len()], &mantissas);
        let exponent = x
            .exponent
            .unwrap_or_else(|| plan.table(&format!("{name}.exponent"), &[1], &[0i32]));
        let y = to.unwrap_or_else(|| plan.tensor(name, Elem::I32, &[n]));
        let mut operands = vec![x.tensor, epsilons, exponent, y];
        operands.extend(self.peak);
        step(plan, &log::LOG2_U64, name, &operands, &params.encode());
        let columns = (0..n).map(|band| {
            let gain = x.gains[band % x.gains.len()];
            let smallest = match log.floor {
                // One unit of the furthest shift to the left.
                LogFloor::ReplaceZero(e) => e.min(x.unit * gain * libm::exp2(-12.0 * p)),
                _ => epsilon,
            };
            let largest = (x.most * gain).max(epsilon) + epsilon;
            Column {
                offset: log.scale * (LN_2 * rest + libm::log(gain)),
                ..Column::plain(
                    log.scale * LN_2 * libm::exp2(f64::from(-self.log_q)),
                    log.scale * libm::log(smallest),
                    log.scale * libm::log(largest),
                )
            }
        });
        Ok((y, columns.collect()))
    }
}

fn step(plan: &mut PlanBuilder, op: &'static Op, name: &str, tensors: &[TensorId], params: &[u32]) {
    plan.step(Section::Frame, op, name, tensors, params);
}

fn unsupported(stage: &Stage) -> LowerError {
    LowerError::new(
        stage.name.clone(),
        "this stage has no integer operator at this place: it works in f32",
    )
}
