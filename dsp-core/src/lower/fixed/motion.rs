//! Stages of motion windows: what their integers stand for, and that they fit.

use super::Values;
use super::columns::Column;
use super::slices::{Slices, settled};
use super::transform::{Transform, q31};
use crate::error::LowerError;
use crate::graph::{
    Combine, FilterBank, GroupStatistic, Segments, SpectralShape, Stage, StageKind, Statistic,
};
use crate::plan_builder::TensorId;
use otolith_dsp_nostd::Op;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::spectral::{SPECTRUM_STATISTICS_U64, SpectrumStatistic};
use otolith_dsp_nostd::ops::fixed::statistics::STATISTIC_LIST_I32;
use otolith_dsp_nostd::ops::fixed::{fft, motion, vector};

/// Bits that a power, an area or a range may have.
const MOST: f64 = (1u64 << 30) as f64;

/// Powers of a window's bins: real values are `integer * unit * 2^(2 d)`.
#[derive(Clone, Copy)]
pub(super) struct Powers {
    /// Block exponent `d`.
    exponent: TensorId,
    unit: f64,
    /// Largest sum of the bins as a real value.
    most: f64,
    /// Number of bins.
    bins: usize,
}

fn refused(stage: &Stage, why: impl Into<String>) -> LowerError {
    LowerError::new(stage.name.clone(), why)
}

/// The largest magnitude of the integers, and the scale that all of them have.
fn alike(stage: &Stage, x: &Values) -> Result<(Column, f64), LowerError> {
    let Some(&first) = x.columns.first() else {
        return Err(refused(stage, "has no input"));
    };
    let same = |c: &Column| (c.scale / first.scale - 1.0).abs() < 1e-12;
    if x.elem != Elem::I32 || !settled(&x.columns) || !x.columns.iter().all(same) {
        return Err(refused(
            stage,
            "its inputs have different scales, which its integer operator cannot join",
        ));
    }
    let low = x.columns.iter().map(|c| c.low).fold(f64::MAX, f64::min);
    let high = x.columns.iter().map(|c| c.high).fold(f64::MIN, f64::max);
    let column = Column::plain(first.scale, low, high);
    Ok((column, column.most()))
}

impl Slices<'_> {
    /// A stage from `x` to `to`, or to a tensor of its own; `None` for a stage of another kind.
    pub(super) fn motion(
        &mut self,
        stage: &Stage,
        x: &Values,
        to: Option<TensorId>,
    ) -> Result<Option<Values>, LowerError> {
        if let Some(powers) = self.powers(x.tensor) {
            return self.spectrum(stage, x, powers, to);
        }
        let (op, params, columns): (&'static Op, _, _) = match &stage.kind {
            StageKind::Norm { parts } => {
                let (column, most) = alike(stage, x)?;
                let grown = libm::sqrt(*parts as f64);
                fits(stage, most * grown)?;
                let high = most * column.scale * grown;
                let column = Column::plain(column.scale, 0.0, high);
                let params = vec![*parts as u32];
                (&motion::NORM_I32, params, vec![column; stage.len])
            }
            StageKind::Difference { scale } => {
                let (column, most) = alike(stage, x)?;
                fits(stage, 2.0 * most)?;
                let high = (column.high - column.low) * scale.abs();
                let column = Column::plain(column.scale * scale, -high, high);
                (&motion::DIFFERENCE_I32, vec![], vec![column; stage.len])
            }
            StageKind::LowPass { k, rest } => {
                let (mut column, most) = alike(stage, x)?;
                if *rest {
                    fits(stage, 2.0 * most)?;
                    let reach = column.high - column.low;
                    column = Column::plain(column.scale, -reach, reach);
                }
                let s = (libm::ceil(21.0 - libm::log2(*k)) - 1.0).clamp(22.0, 40.0);
                let m = libm::round(k * libm::exp2(s)).min(f64::from((1u32 << 21) - 1));
                let params = vec![m as u32, s as u32, u32::from(*rest)];
                (&motion::LOW_PASS_I32, params, vec![column; stage.len])
            }
            StageKind::Group { parts, list } => {
                let (column, most) = alike(stage, x)?;
                if list.contains(&GroupStatistic::MagnitudeArea) {
                    fits(stage, most * *parts as f64)?;
                }
                let columns = list.iter().map(|statistic| match statistic {
                    GroupStatistic::MagnitudeArea => {
                        let high = most * column.scale * *parts as f64;
                        Column::plain(column.scale, 0.0, high)
                    }
                    GroupStatistic::Correlation(..) | GroupStatistic::Direction(_) => {
                        Column::plain(libm::exp2(-30.0), -1.0, 1.0)
                    }
                    GroupStatistic::Tilt => {
                        Column::plain(libm::exp2(-29.0), 0.0, std::f64::consts::PI)
                    }
                });
                let columns = columns.collect();
                let words = list.iter().map(|statistic| statistic.encode());
                let params = std::iter::once(*parts as u32).chain(words).collect();
                (&motion::GROUP_I32, params, columns)
            }
            StageKind::Autocorrelation {
                first,
                last,
                seconds,
            } => {
                alike(stage, x)?;
                let columns = vec![
                    Column::plain(*seconds, 0.0, *last as f64 * seconds),
                    Column::plain(libm::exp2(-30.0), -1.0, 1.0),
                ];
                let params = vec![*first as u32, *last as u32];
                (&motion::AUTOCORRELATION_I32, params, columns)
            }
            StageKind::Statistics(list) => return self.statistics(stage, x, list, to).map(Some),
            StageKind::SegmentPower {
                n_fft,
                segments,
                window,
                scale,
            } => {
                return self
                    .segment_power(stage, x, *n_fft, *segments, (window, *scale))
                    .map(Some);
            }
            _ => return Ok(None),
        };
        let y = self.output(stage, to);
        self.step(op, stage, &[x.tensor, y], &params);
        Ok(Some(vector_of(y, columns)))
    }

    fn statistics(
        &mut self,
        stage: &Stage,
        x: &Values,
        list: &[Statistic],
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let (column, most) = alike(stage, x)?;
        let n = x.columns.len();
        if n > Statistic::MAX_LEN {
            return Err(refused(
                stage,
                format!("{n} values, at most {} have statistics", Statistic::MAX_LEN),
            ));
        }
        let Column {
            scale, low, high, ..
        } = column;
        let reach = high - low;
        let magnitude = low.abs().max(high.abs());
        fits(stage, most)?;
        let square = scale * scale * libm::exp2(31.0);
        let columns = list.iter().map(|statistic| {
            Ok(match statistic {
                Statistic::Mean
                | Statistic::Minimum
                | Statistic::Maximum
                | Statistic::Quantile(_) => column,
                Statistic::RootMeanSquare | Statistic::MeanMagnitude => {
                    Column::plain(scale, 0.0, magnitude)
                }
                Statistic::Deviation => Column::plain(scale, 0.0, reach / 2.0),
                Statistic::MedianDeviation | Statistic::QuartileRange | Statistic::Range => {
                    fits(stage, reach / scale)?;
                    Column::plain(scale, 0.0, reach)
                }
                Statistic::Variance | Statistic::MeanSquare => {
                    Column::plain(square, 0.0, magnitude * magnitude)
                }
                // Twice the variance for two values.
                Statistic::SampleVariance => {
                    Column::plain(square, 0.0, 2.0 * magnitude * magnitude)
                }
                Statistic::Skew => {
                    let most = libm::sqrt(n as f64);
                    Column::plain(libm::exp2(-16.0), -most, most)
                }
                Statistic::Kurtosis | Statistic::KurtosisOrZero => {
                    Column::plain(libm::exp2(-16.0), -3.0, n as f64)
                }
                Statistic::ZeroCrossings | Statistic::MeanCrossings => {
                    Column::plain(1.0 / n as f64, 0.0, 1.0)
                }
                _ => {
                    return Err(refused(
                        stage,
                        "one of its statistics has no integer form: leave out the entropy of \
                         histograms, or set deploy.numeric = \"f32\"",
                    ));
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let ordered = list.iter().any(|statistic| statistic.is_ordered());
        let sorted = format!("{}.sorted", stage.name);
        let scratch = self
            .plan
            .tensor(&sorted, Elem::I32, &[if ordered { n } else { 1 }]);
        let y = self.output(stage, to);
        let words = list.iter().map(|statistic| statistic.encode());
        let params: Vec<u32> = words.collect();
        let operands = [x.tensor, scratch, y];
        self.step(&STATISTIC_LIST_I32, stage, &operands, &params);
        Ok(vector_of(y, columns))
    }

    /// The powers of a window's one segment.
    fn segment_power(
        &mut self,
        stage: &Stage,
        x: &Values,
        n_fft: usize,
        segments: Segments,
        (window, scale): (&[f64], f64),
    ) -> Result<Values, LowerError> {
        let (column, most) = alike(stage, x)?;
        let (n, len) = (x.columns.len(), segments.len as usize);
        let plain = segments.count == 1
            && segments.one_sided
            && segments.remove_mean
            && len == n
            && segments.combine == Combine::Mean;
        if !plain {
            return Err(refused(
                stage,
                "spectra of several segments, or with their mean, have no integer operator here: \
                 set deploy.numeric = \"f32\"",
            ));
        }
        fits(stage, 2.0 * most)?;
        let name = &stage.name;
        let transform = Transform::new(name, Some(window), n, n_fft, true)?;
        let op = fft::rfft_power(n_fft, true, true)
            .ok_or_else(|| refused(stage, format!("an FFT of {n_fft} points has no operator")))?;
        let frame = self.select(&format!("{name}.frame"), x, (0, 1), n, None)?;
        self.step(&vector::REMOVE_MEAN_I32, stage, &[frame.tensor], &[]);
        let mut table = |what: &str, values: &[f64]| {
            let table = format!("{name}.{what}");
            self.plan.table(&table, &[values.len()], &q31(values))
        };
        let tables = [
            table("window", transform.window()),
            table("twiddles", &transform.twiddles()),
            table("split", &transform.split()),
        ];
        let power = self.plan.tensor(name, Elem::U64, &[n_fft / 2 + 1]);
        let exponent = self
            .plan
            .tensor(&format!("{name}.exponent"), Elem::I32, &[1]);
        let params = fft::RfftParams {
            start: 0,
            hop: 0,
            frame_len: n as u32,
            mirror: transform.mirror as u32,
            bits: transform.bits as u32,
            left: 12,
        };
        let [window, twiddles, split] = tables;
        let operands = [frame.tensor, window, twiddles, split, power, exponent];
        self.step(op, stage, &operands, &params.encode());
        // The transform counts in samples of 2^28.
        let unit = transform.unit * libm::exp2(28.0) * column.scale;
        let reach = column.high - column.low;
        self.spectra.push((
            power,
            Powers {
                exponent,
                // All bins but the first and the last count twice.
                unit: 2.0 * scale * unit * unit,
                // By Parseval, over both sides; deviations are at most the range.
                most: scale * n_fft as f64 * transform.square_sum * reach * reach,
                bins: n_fft / 2 + 1,
            },
        ));
        Ok(Values {
            tensor: power,
            elem: Elem::U64,
            columns: vec![Column::plain(1.0, 0.0, f64::MAX); n_fft / 2 + 1],
            energy: None,
        })
    }

    /// The powers that a tensor holds, if it is a spectrum.
    fn powers(&self, tensor: TensorId) -> Option<Powers> {
        let found = self.spectra.iter().find(|(known, _)| *known == tensor);
        found.map(|(_, powers)| *powers)
    }

    /// A stage that reads a spectrum.
    fn spectrum(
        &mut self,
        stage: &Stage,
        x: &Values,
        powers: Powers,
        to: Option<TensorId>,
    ) -> Result<Option<Values>, LowerError> {
        let unsupported = |why: &str| {
            let way = "set deploy.numeric = \"f32\"";
            Err(refused(
                stage,
                format!("{why} has no integer operator: {way}"),
            ))
        };
        let shift = libm::ceil(libm::log2(powers.most / powers.unit / MOST));
        let power = Column::plain(powers.unit * libm::exp2(shift), 0.0, powers.most);
        let mut words = Vec::new();
        let mut columns = Vec::new();
        match &stage.kind {
            StageKind::Fork(_) => return Ok(None),
            // Without bin 0, which the operator does not look at.
            StageKind::Select { first: 1, step: 1 } if stage.len + 1 == powers.bins => {
                return Ok(Some(x.clone()));
            }
            StageKind::SpectralShape {
                first_hz,
                step_hz,
                shapes,
            } => {
                if (first_hz / step_hz - 1.0).abs() > 1e-9 {
                    return unsupported("a shape of the bin 0");
                }
                for shape in shapes {
                    let (word, column) = match shape {
                        SpectralShape::DominantFrequency => {
                            let high = powers.bins as f64 * step_hz;
                            (
                                SpectrumStatistic::PeakBin,
                                Column::plain(*step_hz, 0.0, high),
                            )
                        }
                        SpectralShape::DominantPower => (SpectrumStatistic::PeakPower, power),
                        SpectralShape::Entropy => {
                            let column = Column::plain(libm::exp2(-30.0), 0.0, 1.0);
                            (SpectrumStatistic::Entropy, column)
                        }
                        _ => return unsupported("this shape of a spectrum"),
                    };
                    words.push(word.encode());
                    columns.push(column);
                }
            }
            StageKind::Mel(FilterBank { filters }) => {
                for filter in filters {
                    let end = filter.first + filter.weights.len();
                    let plain = filter.weights.iter().all(|&w| w == 1.0);
                    if filter.first == 0 || filter.weights.is_empty() || !plain {
                        return unsupported("a band with weights, or with bin 0,");
                    }
                    let (first, end) = (filter.first as u16, end as u16);
                    words.push(SpectrumStatistic::Band { first, end }.encode());
                    columns.push(power);
                }
            }
            _ => return unsupported("this stage behind a spectrum"),
        }
        let inverse = MOST / libm::log2((powers.bins - 1) as f64);
        let mut params = vec![shift as i32 as u32, libm::round(inverse) as u32];
        params.extend(words);
        let y = self.output(stage, to);
        let operands = [x.tensor, powers.exponent, y];
        self.step(&SPECTRUM_STATISTICS_U64, stage, &operands, &params);
        Ok(Some(vector_of(y, columns)))
    }

    fn step(&mut self, op: &'static Op, stage: &Stage, operands: &[TensorId], params: &[u32]) {
        self.plan
            .step(Section::Frame, op, &stage.name, operands, params);
    }
}

fn vector_of(tensor: TensorId, columns: Vec<Column>) -> Values {
    Values {
        tensor,
        elem: Elem::I32,
        columns,
        energy: None,
    }
}

/// Fails where integers as large as `most` do not fit 32 bits.
fn fits(stage: &Stage, most: f64) -> Result<(), LowerError> {
    if most <= f64::from(i32::MAX) {
        return Ok(());
    }
    Err(refused(
        stage,
        "its values can leave 32 bits: leave out one of the differences or filters before it",
    ))
}
