//! Filters and decimations of the running samples, before windows and frames are cut from them.

use crate::error::Fault;
use crate::format::Element;
use crate::op::{Io, Op, Step};
use crate::ops::frame::Sample;
use crate::ops::{finite, runs};
use core::ops::Range;
use otolith_dsp_arch::dsp::memory::portable::move_down;

/// Filters and decimates what is new in the source window, axis by axis, and appends it to a
/// window of its own.
///
/// Operands: source window (`f32`), coefficients (`f32[5 * sections]` table: b0, b1, b2, a1, a2 of
/// each section, those of all cascades one after the other), memory
/// (`f32[2 * sections * axes + 1]`, in place, 0 at first), window (`f32`, in place). Parameters:
/// those of [`Params`]. A section is `y = b0 x + s0`, `s0 = (b1 x - a1 y) + s1`,
/// `s1 = b2 x - a2 y`. Belongs in the window section.
///
/// In the first window after a reset all samples are new; later the last `hop` times the product of
/// all factors are, and the window moves down to make room. A sample that is not a finite number
/// stays in the memory until a reset.
pub const CONDITION_F32: Op = Op {
    code: 0x0175,
    name: "CONDITION_F32",
    check: check::<f32>,
    run: run::<f32>,
};

/// [`CONDITION_F32`] for a source window of `i16` samples, which stand for `sample / 32768`.
pub const CONDITION_I16_F32: Op = Op {
    code: 0x0176,
    name: "CONDITION_I16_F32",
    check: check::<i16>,
    run: run::<i16>,
};

/// Parameters of [`CONDITION_F32`]: two words, and two for each cascade.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    /// Values in a sample, at least 1.
    pub axes: u32,
    /// Samples that a later window appends, at least 1.
    pub hop: u32,
    /// Sections of each cascade, at least 1, and the factor of the decimation behind it, 1 for
    /// none: of its outputs, those at `0, factor, 2 factor, ...` are kept.
    pub cascades: &'a [[u32; 2]],
}

impl<'a> Params<'a> {
    /// What stands behind `skipped` words of other parameters.
    pub(crate) fn decode(words: &'a [u32], skipped: usize) -> Result<Self, Fault> {
        let missing = Fault::BadParam {
            param: skipped as u8,
        };
        match words.get(skipped..) {
            Some([axes, hop, cascades @ ..]) => {
                let (cascades, []) = cascades.as_chunks::<2>() else {
                    return Err(missing);
                };
                Ok(Self {
                    axes: *axes,
                    hop: *hop,
                    cascades,
                })
            }
            _ => Err(missing),
        }
    }

    /// Sections of all cascades.
    pub(crate) fn sections(&self) -> usize {
        let sections = self.cascades.iter().map(|&[sections, _]| sections);
        sections.fold(0u32, u32::wrapping_add) as usize
    }

    /// Samples of the source for one of the window.
    fn factor(&self) -> usize {
        let factors = self.cascades.iter().map(|&[_, factor]| factor as usize);
        factors.fold(1, usize::wrapping_mul)
    }

    /// Checks lengths: of the source window, of the coefficients (5 for each section), of the
    /// memory (`words` for each section and axis, and 1) and of the window.
    pub(crate) fn check(&self, lengths: [usize; 4], words: usize) -> Result<(), Fault> {
        // Small enough that no product of lengths wraps.
        const MOST: u32 = 1 << 16;
        let [source, coefficients, memory, window] = lengths;
        let (axes, hop) = (self.axes as usize, self.hop as usize);
        if !(1..=MOST).contains(&self.axes) || window.checked_rem(axes) != Some(0) {
            return Err(Fault::BadParam { param: 0 });
        }
        if self.hop == 0 || window.checked_div(axes).is_none_or(|len| hop > len) {
            return Err(Fault::BadParam { param: 1 });
        }
        let mut expected = Some(window);
        let mut sections = 0usize;
        for &[count, factor] in self.cascades {
            if !(1..=MOST).contains(&count) || factor == 0 {
                return Err(Fault::BadParam { param: 2 });
            }
            expected = expected.and_then(|len| len.checked_mul(factor as usize));
            sections = sections.saturating_add(count as usize);
        }
        if expected != Some(source) {
            return Err(Fault::WrongLength { operand: 0 });
        }
        if sections == 0 || sections.checked_mul(5) != Some(coefficients) {
            return Err(Fault::WrongLength { operand: 1 });
        }
        let words = sections.checked_mul(words);
        let words = words.and_then(|words| words.checked_mul(axes)?.checked_add(1));
        if words != Some(memory) {
            return Err(Fault::WrongLength { operand: 2 });
        }
        Ok(())
    }

    /// Moves `window` down and fills its end with what is new in `source`. `filter` runs some
    /// sections of an axis on a value.
    #[inline(always)]
    pub(crate) fn append<S: Copy, V: Copy>(
        &self,
        source: &[S],
        window: &mut [V],
        first: bool,
        read: impl Fn(S) -> V,
        mut filter: impl FnMut(usize, Range<usize>, &mut V),
    ) {
        let axes = self.axes as usize;
        let new = match first {
            true => window.len(),
            false => (self.hop as usize).wrapping_mul(axes),
        };
        move_down(window, new);
        let kept = window.len().saturating_sub(new);
        let old = source.len().saturating_sub(new.wrapping_mul(self.factor()));
        let mut to = window.get_mut(kept..).unwrap_or_default().iter_mut();
        let moments = runs(source.get(old..).unwrap_or_default(), axes);
        for (time, moment) in moments.enumerate() {
            for (axis, &x) in moment.iter().enumerate() {
                let mut value = read(x);
                if self.pass(time as u32, axis, &mut value, &mut filter)
                    && let Some(to) = to.next()
                {
                    *to = value;
                }
            }
        }
    }

    /// Runs a value through the cascades; whether it is kept.
    #[inline(always)]
    fn pass<V>(
        &self,
        mut time: u32,
        axis: usize,
        value: &mut V,
        filter: &mut impl FnMut(usize, Range<usize>, &mut V),
    ) -> bool {
        let mut start = 0usize;
        for &[sections, factor] in self.cascades {
            let end = start.wrapping_add(sections as usize);
            filter(axis, start..end, value);
            start = end;
            if factor > 1 {
                if time.checked_rem(factor) != Some(0) {
                    return false;
                }
                time = time.checked_div(factor).unwrap_or(0);
            }
        }
        true
    }
}

/// The sections `range` of `axis`, in a memory of all sections of each axis.
pub(crate) fn memory_of<T>(
    memory: &mut [T],
    axis: usize,
    sections: usize,
    range: Range<usize>,
) -> &mut [T] {
    let at = axis.wrapping_mul(sections);
    let range = at.wrapping_add(range.start)..at.wrapping_add(range.end);
    memory.get_mut(range).unwrap_or_default()
}

fn check<S: Sample>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let table = step.table::<f32>(1)?;
    for coefficient in table {
        finite(coefficient.to_bits(), 0).map_err(|_| Fault::BadTable { operand: 1 })?;
    }
    let lengths = [
        step.count_of::<S>(0)?,
        table.len(),
        step.count_of_output::<f32>(2)?,
        step.count_of_output::<f32>(3)?,
    ];
    Params::decode(step.all_params(), 0)?.check(lengths, 2)?;
    expect_apart(step)
}

/// Fails when source, memory and window share bytes.
pub(crate) fn expect_apart(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(0, 3)?;
    step.expect_disjoint(2, 3)
}

fn run<S: Sample + Element>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let step = io.step;
    let params = Params::decode(step.all_params(), 0)?;
    let (coefficients, _) = step.table::<f32>(1)?.as_chunks::<5>();
    let (source, memory, window) = io.read_write2::<S, f32, f32>(0, 2, 3)?;
    let Some((seen, memory)) = memory.split_first_mut() else {
        return Err(Fault::WrongLength { operand: 2 });
    };
    let first = *seen == 0.0;
    *seen = 1.0;
    let (memory, _) = memory.as_chunks_mut::<2>();
    let sections = params.sections();
    params.append(source, window, first, S::to_f32, |axis, range, x| {
        let memory = memory_of(memory, axis, sections, range.clone());
        let coefficients = coefficients.get(range).unwrap_or_default();
        for (&[b0, b1, b2, a1, a2], [s0, s1]) in coefficients.iter().zip(memory) {
            let y = b0 * *x + *s0;
            *s0 = (b1 * *x - a1 * y) + *s1;
            *s1 = b2 * *x - a2 * y;
            *x = y;
        }
    });
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
