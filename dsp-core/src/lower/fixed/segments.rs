//! Spectra of a window's segments in integers: powers in 64 bits with the window's block exponent,
//! until a logarithm or a fixed unit takes it out.

use super::Values;
use super::columns::Column;
use super::slice_stages::uniform;
use super::slices::Slices;
use super::transform::{Transform, q31};
use crate::error::LowerError;
use crate::graph::{
    Combine, FilterBank, Log, LogFloor, Segments, SpectralShape, Stage, StageKind, Statistic,
};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::{fft, log, mel, spectra};
use otolith_dsp_nostd::ops::log::Floor;
use std::f64::consts::LN_2;

/// Powers of one unit: `real = integer * unit * 4^d` with the block exponent `d`.
#[derive(Clone, Copy)]
struct Power {
    tensor: TensorId,
    exponent: TensorId,
    len: usize,
    unit: f64,
    /// Largest real value.
    most: f64,
}

/// Fraction bits of the logarithms.
const LOG_Q: u32 = 16;

impl Slices<'_> {
    /// [`StageKind::SegmentPower`] and the stages behind it.
    pub(super) fn spectrum(
        &mut self,
        stage: &Stage,
        rest: &[Stage],
        x: &Values,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let StageKind::SegmentPower {
            n_fft,
            segments,
            window,
            scale,
        } = &stage.kind
        else {
            return Err(LowerError::new(&stage.name, "is no spectrum of segments"));
        };
        let column = uniform(&stage.name, &x.columns)?;
        let power = self.powers(stage, x, (*n_fft, *segments, window))?;
        let sum: f64 = window.iter().map(|w| w.abs()).sum();
        let sides = if segments.one_sided { 2.0 } else { 1.0 };
        let peak = column.peak() * sum;
        let power = Power {
            unit: power.unit * column.scale * column.scale * scale,
            most: peak * peak * scale * sides,
            ..power
        };
        self.of_power(&stage.name, power, rest, to)
    }

    /// The powers in units of the integers x.
    fn powers(
        &mut self,
        stage: &Stage,
        x: &Values,
        (n_fft, segments, window): (usize, Segments, &[f64]),
    ) -> Result<Power, LowerError> {
        let name = &stage.name;
        let transform = Transform::new(name, Some(window), window.len(), n_fft, true)?;
        let op = fft::segments::segment_power_i32(n_fft)
            .ok_or_else(|| LowerError::new(name, "no integer operator has this n_fft"))?;
        let mut table = |what: &str, values: &[f64]| {
            let values = q31(values);
            let name = format!("{name}.{what}");
            self.plan.table(&name, &[values.len()], &values)
        };
        let tables = [
            table("window", transform.window()),
            table("twiddles", &transform.twiddles()),
            table("split", &transform.split()),
        ];
        let mut tensor = |what: &str, elem: Elem, len: usize| {
            self.plan.tensor(&format!("{name}.{what}"), elem, &[len])
        };
        let segment = tensor("segment", Elem::I32, window.len());
        let spectrum = tensor("spectrum", Elem::U64, n_fft / 2 + 1);
        let power = tensor("power", Elem::U64, n_fft / 2 + 1);
        let exponent = tensor("exponent", Elem::I32, 1);
        let [window, twiddles, split] = tables;
        let operands = [
            x.tensor, window, twiddles, split, segment, spectrum, power, exponent,
        ];
        let mut params = segments.encode().to_vec();
        params.extend([transform.mirror as u32, transform.bits as u32]);
        self.step(op, name, &operands, &params);
        // The transform's unit is for integers of which 2^28 make 1.
        let unit = transform.unit * libm::exp2(28.0);
        let mean = match segments.combine {
            Combine::Maximum => 1.0,
            Combine::Mean => {
                let shift = fft::segments::mean_shift(segments.count);
                libm::exp2(f64::from(shift)) / f64::from(segments.count)
            }
        };
        Ok(Power {
            tensor: power,
            exponent,
            len: n_fft / 2 + 1,
            unit: unit * unit * mean,
            most: 0.0,
        })
    }

    /// `stages` behind a power spectrum.
    fn of_power(
        &mut self,
        name: &str,
        power: Power,
        stages: &[Stage],
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let Some((stage, rest)) = stages.split_first() else {
            return self.in_one_unit(name, power, to);
        };
        let last = to.filter(|_| rest.is_empty());
        match &stage.kind {
            StageKind::Fork(branches) => {
                let y = self.output(stage, last);
                let mut columns = Vec::with_capacity(stage.len);
                for (i, branch) in branches.iter().enumerate() {
                    let len = branch.last().map_or(power.len, |stage| stage.len);
                    let part = format!("{}.{i}", stage.name);
                    let at = columns.len() * 4;
                    let to = self.plan.view(&part, y, at, Elem::I32, &[len]);
                    let values = self.of_power(&part, power, branch, Some(to))?;
                    columns.extend(self.wide(&part, values, Some(to))?.columns);
                }
                let y = Values {
                    tensor: y,
                    elem: Elem::I32,
                    columns,
                    energy: None,
                };
                self.stages(rest, y, to)
            }
            StageKind::Select { first, step: 1 } => {
                let len = [stage.len];
                let tensor = self
                    .plan
                    .view(&stage.name, power.tensor, first * 8, Elem::U64, &len);
                let power = Power {
                    tensor,
                    len: stage.len,
                    ..power
                };
                self.of_power(&stage.name, power, rest, to)
            }
            StageKind::Mel(bank) => {
                let power = self.bank(stage, power, bank)?;
                self.of_power(&stage.name, power, rest, to)
            }
            StageKind::Log(log) => {
                let y = self.log_power(stage, power, log, last)?;
                self.stages(rest, y, to)
            }
            StageKind::Statistics(list) => {
                let x = if list.iter().all(has_no_unit) {
                    self.relative(&stage.name, power)?
                } else {
                    self.in_one_unit(&stage.name, power, None)?
                };
                let y = self.statistics(stage, &x, list, last)?;
                self.stages(rest, y, to)
            }
            StageKind::SpectralShape {
                first_hz,
                step_hz,
                shapes,
            } => {
                let absolute = shapes.contains(&SpectralShape::DominantPower);
                let x = if absolute {
                    self.in_one_unit(&stage.name, power, None)?
                } else {
                    self.relative(&stage.name, power)?
                };
                let y = self.output(stage, last);
                let params: Vec<u32> = shapes.iter().map(|shape| shape.encode()).collect();
                let op = &spectra::SPECTRAL_SHAPE_I32;
                self.step(op, &stage.name, &[x.tensor, y], &params);
                let end = first_hz + step_hz * power.len as f64;
                let column = |shape: &SpectralShape| match shape {
                    SpectralShape::Centroid => Column {
                        offset: *first_hz,
                        ..Column::plain(step_hz / 4096.0, *first_hz, end)
                    },
                    SpectralShape::Flatness => Column::plain(libm::exp2(-30.0), 0.0, 1.0),
                    SpectralShape::Entropy => {
                        let bits = libm::log2(power.len as f64);
                        Column::plain(libm::exp2(-16.0) / bits, 0.0, 1.0)
                    }
                    SpectralShape::DominantPower => x.columns[0],
                    _ => Column {
                        offset: *first_hz,
                        ..Column::plain(*step_hz, *first_hz, end)
                    },
                };
                let columns = shapes.iter().map(column).collect();
                let y = Values {
                    tensor: y,
                    elem: Elem::I32,
                    columns,
                    energy: None,
                };
                self.stages(rest, y, to)
            }
            StageKind::Peaks {
                first_hz,
                step_hz,
                threshold,
            } if *first_hz == 0.0 => {
                let y = self.output(stage, last);
                let (root, most) = (libm::sqrt(power.unit), libm::sqrt(power.most));
                let shift = libm::ceil(libm::log2(most / root)) - 31.0;
                let shift = shift.clamp(-31.0, 31.0);
                let height = Column::plain(root * libm::exp2(shift), 0.0, most);
                let least = libm::ceil(threshold / height.scale);
                let params = [shift as i32 as u32, least.min(f64::from(i32::MAX)) as u32];
                let operands = [power.tensor, power.exponent, y];
                self.step(&spectra::PEAKS_U64, &stage.name, &operands, &params);
                let hz = Column::plain(*step_hz, 0.0, step_hz * power.len as f64);
                let columns = (0..stage.len).map(|i| if i % 2 == 0 { hz } else { height });
                let y = Values {
                    tensor: y,
                    elem: Elem::I32,
                    columns: columns.collect(),
                    energy: None,
                };
                self.stages(rest, y, to)
            }
            _ => {
                let x = self.in_one_unit(name, power, None)?;
                self.stages(stages, x, to)
            }
        }
    }

    /// The powers in the unit that their bounds allow, without a block exponent.
    fn in_one_unit(
        &mut self,
        name: &str,
        power: Power,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let shift = libm::ceil(libm::log2(power.most / power.unit)) - 31.0;
        if shift.abs() > 127.0 {
            return Err(LowerError::new(
                name,
                "its powers have no unit that fits 32 bits: scale the axes",
            ));
        }
        let name = format!("{name}.i32");
        let y = to.unwrap_or_else(|| self.plan.tensor(&name, Elem::I32, &[power.len]));
        let operands = [power.tensor, power.exponent, y];
        let params = [shift as i32 as u32];
        self.step(&spectra::POWER_I32, &name, &operands, &params);
        let column = Column::plain(power.unit * libm::exp2(shift), 0.0, power.most);
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: vec![column; power.len],
            energy: None,
        })
    }

    /// The powers in the unit that the window's largest allows: for what has no unit.
    fn relative(&mut self, name: &str, power: Power) -> Result<Values, LowerError> {
        let name = format!("{name}.relative");
        let y = self.plan.tensor(&name, Elem::I32, &[power.len]);
        let operands = [power.tensor, power.exponent, y];
        self.step(&spectra::POWER_SHAPE_I32, &name, &operands, &[]);
        let most = libm::exp2(30.0);
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: vec![Column::plain(1.0, 0.0, most); power.len],
            energy: None,
        })
    }

    fn log_power(
        &mut self,
        stage: &Stage,
        power: Power,
        log: &Log,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let name = &stage.name;
        let (floor, epsilon) = match log.floor {
            LogFloor::Add(epsilon) => (Floor::Add, epsilon),
            LogFloor::Max(epsilon) => (Floor::Max, epsilon),
            LogFloor::ReplaceZero(epsilon) => (Floor::ReplaceZero, epsilon),
        };
        // The floor in units of the powers, as 31 bits and an exponent.
        let (mantissa, exponent) = libm::frexp(epsilon / power.unit);
        let shift = exponent - 31;
        if shift.abs() > 127 {
            return Err(LowerError::new(
                name,
                "its smallest power is too far from those of full scale: change `log_epsilon`",
            ));
        }
        let mantissa = libm::round(mantissa * libm::exp2(31.0)) as u32;
        let mantissa = self
            .plan
            .table(&format!("{name}.epsilon"), &[1], &[mantissa]);
        let params = log::LogParams {
            floor,
            exponent_power: 2,
            peak_power: 0,
            shift,
            base: 0,
            q: LOG_Q,
        };
        let y = self.output(stage, to);
        let operands = [power.tensor, mantissa, power.exponent, y];
        self.step(&log::LOG2_U64, name, &operands, &params.encode());
        // One unit of the quietest window.
        let least = match log.floor {
            LogFloor::ReplaceZero(epsilon) => epsilon.min(power.unit * libm::exp2(-24.0)),
            _ => epsilon,
        };
        let octave = log.scale * LN_2;
        let column = Column {
            offset: octave * libm::log2(power.unit),
            ..Column::plain(
                octave / libm::exp2(f64::from(LOG_Q)),
                log.scale * libm::log(least),
                log.scale * libm::log(power.most.max(epsilon) + epsilon),
            )
        };
        Ok(Values {
            tensor: y,
            elem: Elem::I32,
            columns: vec![column; stage.len],
            energy: None,
        })
    }

    /// Weighted sums of bins.
    fn bank(
        &mut self,
        stage: &Stage,
        power: Power,
        bank: &FilterBank,
    ) -> Result<Power, LowerError> {
        let name = &stage.name;
        let filters = &bank.filters;
        let weights = || filters.iter().flat_map(|f| f.weights.iter().copied());
        let largest = weights().fold(0.0, f64::max);
        if weights().any(|w| w < 0.0) || largest == 0.0 {
            return Err(LowerError::new(
                name,
                "its weights are not those of power bands: none is positive, or one is negative",
            ));
        }
        let n = [filters.len()];
        let first: Vec<u16> = filters.iter().map(|f| f.first as u16).collect();
        let length: Vec<u16> = filters.iter().map(|f| f.weights.len() as u16).collect();
        let scaled: Vec<u16> = weights()
            .map(|w| libm::round(w / largest * 65535.0) as u16)
            .collect();
        let first = self.plan.table(&format!("{name}.first"), &n, &first);
        let length = self.plan.table(&format!("{name}.length"), &n, &length);
        let table = self
            .plan
            .table(&format!("{name}.weights"), &[scaled.len()], &scaled);
        let y = self.plan.tensor(name, Elem::U64, &n);
        let operands = [power.tensor, first, length, table, y];
        self.step(&mel::FILTER_BANK_U64, name, &operands, &[]);
        let sum = |f: &crate::graph::Filter| f.weights.iter().sum::<f64>();
        Ok(Power {
            tensor: y,
            len: filters.len(),
            unit: power.unit * largest * 65536.0 / 65535.0,
            most: power.most * filters.iter().map(sum).fold(0.0, f64::max),
            ..power
        })
    }
}

/// Whether a statistic of powers does not depend on their unit.
fn has_no_unit(statistic: &Statistic) -> bool {
    matches!(
        statistic,
        Statistic::Skew
            | Statistic::Kurtosis
            | Statistic::KurtosisOrZero
            | Statistic::ZeroCrossings
            | Statistic::MeanCrossings
            | Statistic::Entropy(_)
    )
}
