//! Energies of several frames at one scale: recursions from frame to frame, and linear features.

use super::energies::Spectrum;
use super::{Front, step};
use crate::error::LowerError;
use crate::graph::{NoiseSubtraction, Pcen, Stage};
use crate::lower::fixed::Values;
use crate::lower::fixed::columns::Column;
use crate::lower::standardise::restart;
use crate::plan_builder::{PlanBuilder, TensorId};
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::fixed::noise::{Level, NoiseParams, SUBTRACT_NOISE_U64};
use otolith_dsp_nostd::ops::fixed::pcen::{PCEN_U64, PcenParams};

/// Bits of the largest energy at a scale that frames share.
const SHARED_BITS: f64 = 61.0;

/// A scale that the energies of all frames share.
struct Shared {
    level: Level,
    exponent: TensorId,
    /// Real value of one unit, without the band's gain.
    unit: f64,
}

/// A share in Q32, where `u32::MAX` stands for 1.
fn q32(share: f64) -> u32 {
    libm::round(share * libm::exp2(32.0)).clamp(1.0, f64::from(u32::MAX)) as u32
}

impl Front<'_> {
    fn shared(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        x: &Spectrum,
    ) -> Result<Shared, LowerError> {
        if self.peak.is_some() {
            return Err(LowerError::new(
                name,
                "its integers have no common scale in windows that are divided by their peak: set \
                 normalise = \"none\" or \"int16_scale\", or deploy.numeric = \"f32\"",
            ));
        }
        let lift = SHARED_BITS - libm::ceil(libm::log2(x.most / x.unit));
        let exponent = x
            .exponent
            .unwrap_or_else(|| plan.table(&format!("{name}.exponent"), &[1], &[0i32]));
        Ok(Shared {
            level: Level {
                exponent_power: if x.exponent.is_some() { x.power } else { 0 },
                lift: lift as i32,
            },
            exponent,
            unit: x.unit * libm::exp2(-lift),
        })
    }

    /// Spectral subtraction in place.
    pub(super) fn subtract_noise(
        &self,
        plan: &mut PlanBuilder,
        stage: &Stage,
        noise: &NoiseSubtraction,
        x: &Spectrum,
    ) -> Result<(), LowerError> {
        let name = &stage.name;
        let shared = self.shared(plan, name, x)?;
        let state = plan.state(&format!("{name}.noise"), Elem::U64, &[stage.len]);
        let params = NoiseParams {
            level: shared.level,
            smoothing: q32(noise.smoothing),
            factor: libm::round(noise.factor * libm::exp2(28.0)) as u32,
            remaining: libm::round(noise.remaining * libm::exp2(32.0)) as u32,
            restart: restart(self.chain),
        };
        let operands = [x.tensor, shared.exponent, state];
        step(plan, &SUBTRACT_NOISE_U64, name, &operands, &params.encode());
        Ok(())
    }

    /// Per-channel energy normalisation.
    pub(super) fn pcen(
        &self,
        plan: &mut PlanBuilder,
        stage: &Stage,
        pcen: &Pcen,
        x: &Spectrum,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        let (name, n) = (&stage.name, stage.len);
        let shared = self.shared(plan, name, x)?;
        let full = libm::exp2(SHARED_BITS);
        let mut bands = Vec::with_capacity(3 * x.gains.len());
        for gain in &x.gains {
            let unit = shared.unit * gain;
            let start = pcen.start.map(|start| start / unit);
            // One unit lies below every energy that 16-bit samples make.
            let least = libm::round(pcen.epsilon / unit).max(1.0);
            if start.unwrap_or(0.0).max(least) > full {
                return Err(LowerError::new(
                    name.clone(),
                    format!(
                        "energies of full scale are {:e} here: set neither pcen_eps nor pcen_start \
                         above that",
                        full * unit
                    ),
                ));
            }
            let log = (1.0 - pcen.gain) * libm::log2(unit);
            bands.push(least as u64);
            bands.push(start.map_or(u64::MAX, |start| start as u64));
            bands.push(libm::round(log * libm::exp2(24.0)) as i64 as u64);
        }
        let most = largest(pcen, x);
        if most > libm::exp2(37.0) {
            return Err(LowerError::new(
                name.clone(),
                format!(
                    "energies divided by their past reach {most:e}, and at most 1e11 fit: set \
                     pcen_gain nearer to 1"
                ),
            ));
        }
        let most = libm::pow(most + pcen.bias, pcen.power) - libm::pow(pcen.bias, pcen.power);
        let bits = f64::from(6 + self.log_q) - libm::ceil(libm::log2(most));
        let q = bits.clamp(0.0, 24.0);
        let params = PcenParams {
            level: shared.level,
            smoothing: q32(pcen.smoothing),
            gain: libm::round(pcen.gain * libm::exp2(30.0)).min(f64::from(u32::MAX)) as u32,
            bias: libm::round(pcen.bias * libm::exp2(24.0)) as u32,
            power: libm::round(pcen.power * libm::exp2(30.0)) as u32,
            q: q as u32,
            restart: restart(self.chain),
        };
        let shape = [bands.len() / 3, 3];
        let bands = plan.table(&format!("{name}.bands"), &shape, &bands);
        let state = plan.state(&format!("{name}.state"), Elem::U64, &[n + 1]);
        let y = to.unwrap_or_else(|| plan.tensor(name, Elem::I32, &[n]));
        let operands = [x.tensor, shared.exponent, bands, state, y];
        step(plan, &PCEN_U64, name, &operands, &params.encode());
        let column = Column::plain(libm::exp2(-q), 0.0, most);
        Ok(self.values(plan, name, y, vec![column; n]))
    }

    /// The energies themselves, at one scale.
    pub(super) fn linear(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        n: usize,
        x: &Spectrum,
        to: Option<TensorId>,
    ) -> Result<Values, LowerError> {
        use otolith_dsp_nostd::ops::fixed::level::LEVEL_U64_I32;
        let shared = self.shared(plan, name, x)?;
        let gain = x.gains.iter().copied().fold(0.0, f64::max);
        // y = e 2^(p d + lift) mul 2^-63, mul at most 2^32: the largest energy has 30 bits.
        let mul: Vec<u32> = x.gains.iter().map(|g| q32(g / gain)).collect();
        let scale = shared.unit * gain * libm::exp2(31.0);
        let mul = plan.table(&format!("{name}.mul"), &[mul.len()], &mul);
        let y = to.unwrap_or_else(|| plan.tensor(&format!("{name}.level"), Elem::I32, &[n]));
        let operands = [x.tensor, shared.exponent, mul, y];
        step(
            plan,
            &LEVEL_U64_I32,
            name,
            &operands,
            &shared.level.encode(),
        );
        let columns = (0..n).map(|band| {
            let most = x.most * x.gains[band % x.gains.len()];
            Column::plain(scale, 0.0, most)
        });
        Ok(self.values(plan, name, y, columns.collect()))
    }

    fn values(
        &self,
        plan: &mut PlanBuilder,
        name: &str,
        tensor: TensorId,
        columns: Vec<Column>,
    ) -> Values {
        let values = Values {
            tensor,
            elem: Elem::I32,
            columns,
            energy: self.energy,
        };
        plan.format(Section::Frame, name, tensor, values.format());
        values
    }
}

/// Largest value of `e / (epsilon + m)^gain`: m is at least `smoothing e`.
fn largest(pcen: &Pcen, x: &Spectrum) -> f64 {
    let gain = x.gains.iter().copied().fold(0.0, f64::max);
    let mut e = x.most * gain;
    if pcen.gain > 1.0 {
        e = e.min(pcen.epsilon / (pcen.smoothing * (pcen.gain - 1.0)));
    }
    e / libm::pow(pcen.epsilon + pcen.smoothing * e, pcen.gain)
}
