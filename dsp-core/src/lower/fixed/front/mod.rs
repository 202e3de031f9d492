//! From the source window to logarithms of energies.

mod energies;
mod recursion;

use super::Values;
use super::columns::Column;
use super::transform::{Transform, q15, q31};
use crate::deploy::Precision;
use crate::error::LowerError;
use crate::graph::{Chain, Gain, Log, LogFloor, Stage, StageKind};
use crate::lower::conditioning::Window;
use crate::lower::{Layout, padding};
use crate::plan_builder::{Format, PlanBuilder, TensorId};
use energies::Spectrum;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::emphasis;
use otolith_dsp_nostd::ops::fixed::{fft, frame, spectrum, vector};
use otolith_dsp_nostd::ops::frame::PeakParams;

/// Fraction bits of the logarithms: few enough for the sums of a matrix with 16-bit coefficients,
/// if there is one, to keep theirs.
pub(super) fn log_q(chain: &Chain) -> i32 {
    let mut stages = chain.frame.iter().chain(&chain.rows);
    let matrix = stages.any(|stage| matches!(stage.kind, StageKind::Matrix(_)));
    if matrix { 10 } else { 14 }
}

/// Whether the energies of frames become features without a logarithm.
pub(super) fn is_linear(chain: &Chain) -> bool {
    !chain
        .frame
        .iter()
        .any(|stage| matches!(stage.kind, StageKind::Log(_) | StageKind::Pcen(_)))
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
    chain: &'g Chain,
    layout: &'g Layout,
    precision: Precision,
    source: Window,
    /// What samples in `[-1, 1)` are multiplied with, but for a peak. Behind filters, a sample of
    /// 1 is `2^28` whatever it stands for.
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
        chain: &'g Chain,
        layout: &'g Layout,
        precision: Precision,
        source: Window,
    ) -> Self {
        // What the format of the window says, in units of 2^28 for wide ones.
        let largest = match source.elem {
            Elem::I32 => libm::ldexp(source.largest / source.unit, -28),
            _ => 1.0,
        };
        Self {
            chain,
            layout,
            precision,
            source,
            gain: 1.0,
            peak: None,
            largest,
            energy: None,
            windowed: None,
            log_q: log_q(chain),
        }
    }

    /// Adds the steps up to the logarithm, which writes to `row` if it is the last stage of the
    /// frame and `row` is given. Returns its values and the number of stages that are done.
    pub(super) fn run(
        mut self,
        plan: &mut PlanBuilder,
        row: Option<TensorId>,
    ) -> Result<(Values, usize), LowerError> {
        let stages = &self.chain.frame;
        self.input(plan)?;
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
                (StageKind::SubtractNoise(noise), Some(bins)) => {
                    self.subtract_noise(plan, stage, noise, bins)?;
                    self.spectrum_format(plan, name, bins);
                }
                (StageKind::Pcen(pcen), Some(bands)) => {
                    let to = row.filter(|_| i + 1 == stages.len());
                    let values = self.pcen(plan, stage, pcen, bands, to)?;
                    return Ok((values, i + 1));
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
                (_, Some(bins)) if i > 0 => {
                    let before = &stages[i - 1];
                    let values = self.linear(plan, &before.name, before.len, bins, None)?;
                    return Ok((values, i));
                }
                _ => return Err(unsupported(stage)),
            }
        }
        match (stages.last(), &spectrum) {
            (Some(last), Some(bins)) => {
                let values = self.linear(plan, &last.name, last.len, bins, row)?;
                Ok((values, stages.len()))
            }
            _ => Err(LowerError::new(
                stages.last().map_or("frame", |stage| stage.name.as_str()),
                "an integer plan makes its features from spectra: set deploy.numeric = \"f32\"",
            )),
        }
    }

    /// The gain of the source.
    fn input(&mut self, plan: &mut PlanBuilder) -> Result<(), LowerError> {
        match self.chain.source.gain {
            Gain::Constant(gain) => {
                self.gain = match self.source.elem {
                    Elem::I32 => libm::ldexp(gain * self.source.unit, 28),
                    _ => gain,
                };
            }
            Gain::IntegersToUnit(_) => {
                return Err(LowerError::new(
                    "input",
                    "no integer operator chooses the scale by the samples of a window: set \
                     sample_scale to \"none\" or \"from_int16\", or deploy.numeric = \"f32\"",
                ));
            }
            Gain::PeakMagnitude | Gain::PeakMaximum => {
                let magnitude = self.chain.source.gain == Gain::PeakMagnitude;
                let peak = plan.tensor("peak", Elem::I32, &[1]);
                plan.step(
                    Section::Window,
                    &frame::PEAK_I16,
                    "input.peak",
                    &[self.source.tensor, peak],
                    &PeakParams { magnitude }.encode(),
                );
                self.peak = Some(peak);
            }
        }
        Ok(())
    }

    /// The frame: where it lies in the source window, or a copy.
    fn cut(&mut self, plan: &mut PlanBuilder) -> Result<Frame, LowerError> {
        let framing = &self.chain.framing;
        let layout = self.layout;
        let emphasised = framing.pre_emphasis.is_some()
            || self.chain.frame.iter().any(|stage| {
                matches!(
                    stage.kind,
                    StageKind::RemoveMean | StageKind::PreEmphasis(_)
                )
            });
        let end = layout.start + ((layout.frames - 1) * framing.hop + framing.frame_len) as isize;
        let len = framing.frame_len;
        let wide_source = self.source.elem == Elem::I32;
        let wide = emphasised || wide_source;
        // The energy of wide values is that of a whole tensor.
        let energy = |stage: &Stage| matches!(stage.kind, StageKind::LogEnergy { .. });
        let copied = emphasised || wide_source && self.chain.frame.iter().any(energy);
        if !copied && layout.start >= 0 && end as usize + layout.history <= layout.window {
            return Ok(Frame {
                tensor: self.source.tensor,
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
            padding: padding(framing.padding),
        };
        let elem = if wide { Elem::I32 } else { Elem::I16 };
        let tensor = plan.tensor("frame", elem, &[len]);
        let operands = [self.source.tensor, tensor];
        if wide {
            let c = framing.pre_emphasis.map_or(0.0, |p| p.coefficient);
            self.largest *= 1.0 + c.abs();
            let c = q31(&[c])[0];
            let past = framing
                .pre_emphasis
                .and_then(|of| layout.past(self.chain, of));
            let params = frame::EmphasisParams {
                frame: params,
                pre_emphasis: if past.is_some() { 0 } else { c },
            };
            let op = match wide_source {
                true => &frame::FRAME_I32,
                false => &frame::FRAME_I16_I32,
            };
            step(plan, op, "input.frame", &operands, &params.encode());
            if let Some(past) = past {
                let mut params = past.encode().to_vec();
                params.push(c as u32);
                let op = &emphasis::EMPHASISE_I16_I32;
                step(plan, op, "input.pre_emphasis", &operands, &params);
            }
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
        let input = match self.chain.source.gain {
            Gain::Constant(_) | Gain::IntegersToUnit(_) => self.gain,
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
            .chain
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
