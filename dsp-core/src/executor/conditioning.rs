//! Filters and decimations of the running samples of a recording, in f64.

use super::signal::{Samples, rounded};
use crate::graph::{Cascade, Chain, SampleType};
use otolith_dsp_nostd::q;

/// What the filters and decimations of `chain` make of a whole recording, followed by zeros up to
/// `moments` samples if it has fewer; `None` for a chain without them.
///
/// Each axis starts at rest. A recording of `n` samples gives `n / factor`, rounded down, as floats
/// with full scale 1: what [`Executor`](super::Executor) takes for such a chain.
pub fn condition(chain: &Chain, samples: Samples<'_>, moments: usize) -> Option<Vec<f32>> {
    let signal = chain.signal.as_ref()?;
    let cascades = signal.cascades();
    let axes = chain.source.axes;
    let rounds = signal.sample_type == SampleType::I16;
    let sample = |at: usize| match samples {
        Samples::I16(x) => x.get(at).map_or(0.0, |&x| q::i16_to_f32(x)),
        Samples::F32(x) if rounds => x.get(at).map_or(0.0, |&x| rounded(x)),
        Samples::F32(x) => x.get(at).copied().unwrap_or(0.0),
    };
    let moments = moments.max(samples.len() / axes);
    let kept = moments / signal.factor;
    let mut out = vec![0.0f32; kept * axes];
    for axis in 0..axes {
        let axis_samples = (0..kept * signal.factor).map(|t| f64::from(sample(t * axes + axis)));
        let mut x: Vec<f64> = axis_samples.collect();
        for cascade in &cascades {
            x = run(cascade, x);
        }
        for (to, x) in out.iter_mut().skip(axis).step_by(axes).zip(x) {
            *to = x as f32;
        }
    }
    Some(out)
}

/// Runs a cascade over one axis.
fn run(cascade: &Cascade, mut x: Vec<f64>) -> Vec<f64> {
    for section in &cascade.sections {
        let ([b0, b1, b2], [a1, a2]) = (section.b, section.a);
        let (mut s0, mut s1) = (0.0, 0.0);
        for x in &mut x {
            let y = b0 * *x + s0;
            s0 = b1 * *x - a1 * y + s1;
            s1 = b2 * *x - a2 * y;
            *x = y;
        }
    }
    x.into_iter().step_by(cascade.factor).collect()
}
