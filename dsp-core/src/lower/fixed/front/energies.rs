//! Energies of frames and bands, and their logarithms.

use super::{Frame, Front, step};
use crate::error::LowerError;
use crate::graph::{self, Log, LogFloor, Stage};
use crate::lower::fixed::bank::Bank;
use crate::lower::fixed::columns::Column;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::Elem;
use otolith_dsp_nostd::ops::fixed::{log, mel, vector};
use otolith_dsp_nostd::ops::log::Floor;
use std::f64::consts::LN_2;

/// Integers of a spectrum: real values are `integer * unit * gain * 2^(p d) * (32768 / peak)^p`.
pub(super) struct Spectrum {
    pub(super) tensor: TensorId,
    pub(super) unit: f64,
    /// The power `p`: 2 of powers, 1 of magnitudes.
    pub(super) power: u32,
    /// Block exponent `d`; none for energies of samples.
    pub(super) exponent: Option<TensorId>,
    /// Factor of each band, or one for all.
    pub(super) gains: Vec<f64>,
    /// Largest real value without the gain.
    pub(super) most: f64,
}

impl Front<'_> {
    /// The sum of a spectrum's bins, one-sided or of all `n_fft`.
    pub(super) fn total(
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
    pub(super) fn frame_energy(
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

    pub(super) fn log_energy(
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

    pub(super) fn mel(
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
    pub(super) fn log(
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
