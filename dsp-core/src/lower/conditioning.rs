//! Filters and decimations of the running samples, in front of a chain.

use super::Layout;
use crate::error::LowerError;
use crate::graph::{Cascade, Chain, Conditioning, Gain, SampleType, Section as Sos};
use crate::plan_builder::{PlanBuilder, TensorId};
use crate::tables::filter_design::absolute_gain;
use otolith_dsp_nostd::format::{Elem, Section};
use otolith_dsp_nostd::ops::conditioning::{CONDITION_F32, CONDITION_I16_F32};
use otolith_dsp_nostd::ops::fixed::conditioning::CONDITION_I16_I32;

/// A window of integers that a chain's frames are cut from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) tensor: TensorId,
    /// 16-bit samples, or 32-bit values behind filters.
    pub(super) elem: Elem,
    /// What one unit stands for, full scale being 1.
    pub(super) unit: f64,
    /// Largest magnitude, full scale being 1.
    pub(super) largest: f64,
}

/// The window of floats that the chain's frames are cut from: the source window, or what its
/// filters make of it.
pub(super) fn f32(
    plan: &mut PlanBuilder,
    chain: &Chain,
    layout: &Layout,
    source: TensorId,
) -> TensorId {
    let Some(signal) = &chain.signal else {
        return source;
    };
    let cascades = signal.cascades();
    let table: Vec<f32> = sections(&cascades)
        .flat_map(|section| section.b.into_iter().chain(section.a))
        .map(|c| c as f32)
        .collect();
    let op = match signal.sample_type {
        SampleType::I16 => &CONDITION_I16_F32,
        SampleType::F32 => &CONDITION_F32,
    };
    let axes = chain.source.axes;
    let name = name(signal);
    let n = table.len() / 5;
    let table = plan.table(&format!("{name}.sections"), &[n, 5], &table);
    let memory = plan.state(&format!("{name}.memory"), Elem::F32, &[2 * n * axes + 1]);
    let window = plan.state(&name, Elem::F32, &[layout.window, axes]);
    let params = params(&cascades, chain, layout);
    let operands = [source, table, memory, window];
    plan.step(Section::Window, op, &name, &operands, &params);
    window
}

/// The window of integers that the chain's frames are cut from.
pub(super) fn fixed(
    plan: &mut PlanBuilder,
    chain: &Chain,
    layout: &Layout,
    source: TensorId,
) -> Result<Window, LowerError> {
    let Some(signal) = &chain.signal else {
        return Ok(Window {
            tensor: source,
            elem: Elem::I16,
            unit: 1.0 / 32768.0,
            largest: 1.0,
        });
    };
    let name = name(signal);
    if matches!(chain.source.gain, Gain::PeakMagnitude | Gain::PeakMaximum) {
        return Err(LowerError::new(
            "input.normalise",
            "integers behind a filter have no operator that finds a window's peak: set normalise \
             = \"none\", or deploy.numeric = \"f32\"",
        ));
    }
    let mut cascades = signal.cascades();
    let halvings = fit(&mut cascades);
    let (most, largest) = headroom(&cascades);
    let q = [30.0 - libm::log2(most), 28.0 - libm::log2(largest), 28.0]
        .into_iter()
        .fold(f64::MAX, f64::min);
    let q = libm::floor(q) as i32;
    if q < 15 {
        return Err(LowerError::new(
            name,
            format!(
                "samples can grow {most:.0} times inside these filters, and 32 bits have room for \
                 32768 times: lower gain_db, or use fewer filters"
            ),
        ));
    }
    let axes = chain.source.axes;
    let table: Vec<i32> = sections(&cascades)
        .flat_map(|section| section.b.into_iter().chain(section.a))
        // A cast saturates: 2 becomes the largest number.
        .map(|c| libm::round(libm::ldexp(c, 30)) as i32)
        .collect();
    let n = table.len() / 5;
    let table = plan.table(&format!("{name}.sections"), &[n, 5], &table);
    let memory = plan.state(&format!("{name}.memory"), Elem::I32, &[5 * n * axes + 1]);
    let window = plan.state(&name, Elem::I32, &[layout.window, axes]);
    let mut words = vec![(q - 15) as u32];
    words.extend(params(&cascades, chain, layout));
    let operands = [source, table, memory, window];
    plan.step(
        Section::Window,
        &CONDITION_I16_I32,
        &name,
        &operands,
        &words,
    );
    Ok(Window {
        tensor: window,
        elem: Elem::I32,
        unit: libm::ldexp(1.0, halvings - q),
        largest: libm::ldexp(largest, halvings),
    })
}

/// The ids of the blocks.
fn name(signal: &Conditioning) -> String {
    let names: Vec<&str> = signal.stages.iter().map(|stage| &*stage.name).collect();
    names.join("+")
}

fn sections(cascades: &[Cascade]) -> impl Iterator<Item = Sos> {
    cascades
        .iter()
        .flat_map(|cascade| cascade.sections.iter().copied())
}

/// The parameters of the operators, but for the format.
fn params(cascades: &[Cascade], chain: &Chain, layout: &Layout) -> Vec<u32> {
    let hop = layout.hop.min(layout.window);
    let mut params = vec![chain.source.axes as u32, hop as u32];
    for cascade in cascades {
        params.push(cascade.sections.len() as u32);
        params.push(cascade.factor as u32);
    }
    params
}

/// Halves sections until their coefficients fit Q30 and the operator's limit on their sum; how
/// often in all.
fn fit(cascades: &mut [Cascade]) -> i32 {
    // With |a1| < 2 and |a2| < 1 all stays below 8.
    const LARGEST_SUM: f64 = 4.9;
    let mut halvings = 0;
    for section in cascades.iter_mut().flat_map(|c| &mut c.sections) {
        while section.b.iter().any(|b| b.abs() > 2.0)
            || section.b.iter().map(|b| b.abs()).sum::<f64>() > LARGEST_SUM
        {
            section.b = section.b.map(|b| b / 2.0);
            halvings += 1;
        }
    }
    halvings
}

/// How many times larger than the samples values can become behind any section, and behind the
/// last one.
fn headroom(cascades: &[Cascade]) -> (f64, f64) {
    let (mut most, mut before) = (1.0f64, 1.0);
    for cascade in cascades {
        let sections = &cascade.sections;
        for n in 1..=sections.len() {
            most = most.max(before * absolute_gain(&sections[..n]));
        }
        before *= absolute_gain(sections);
    }
    (most, before)
}
