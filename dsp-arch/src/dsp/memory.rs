//! Moves of words: eight at a time on Arm cores with the DSP instructions, by the portable twin
//! elsewhere.

use core::cell::Cell;

#[cfg(otolith_arm_dsp)]
core::arch::global_asm!(
    r#"
.syntax unified
.thumb

@ r0 = to, r1 = from, r2 = words. They may overlap where `to` lies before `from`.
.section .text.otolith_dsp_arch_move, "ax", %progbits
.balign 4
.global otolith_dsp_arch_move
.type otolith_dsp_arch_move, %function
.thumb_func
otolith_dsp_arch_move:
  push {{r4-r10, lr}}
  subs r2, r2, #8
  blo 2f
1:
  ldmia r1!, {{r3-r10}}
  stmia r0!, {{r3-r10}}
  subs r2, r2, #8
  bhs 1b
2:
  adds r2, r2, #8
  beq 4f
3:
  ldr r3, [r1], #4
  str r3, [r0], #4
  subs r2, r2, #1
  bne 3b
4:
  pop {{r4-r10, pc}}
.size otolith_dsp_arch_move, . - otolith_dsp_arch_move
"#
);

#[cfg(otolith_arm_dsp)]
unsafe extern "C" {
    fn otolith_dsp_arch_move(to: *mut u32, from: *const u32, words: usize);
}

/// Copies `from` to the front of `to`, as much as fits.
#[inline]
pub fn copy(from: &[u32], to: &mut [u32]) {
    #[cfg(otolith_arm_dsp)]
    {
        let words = from.len().min(to.len());
        // SAFETY: both slices have this many words; a mutable one overlaps no other.
        unsafe { otolith_dsp_arch_move(to.as_mut_ptr(), from.as_ptr(), words) };
    }
    #[cfg(not(otolith_arm_dsp))]
    portable::copy(from, to);
}

/// Moves the values from `n` on to the front; those behind them stay.
#[inline]
pub fn move_down(values: &mut [u32], n: usize) {
    #[cfg(otolith_arm_dsp)]
    {
        let start = values.as_mut_ptr();
        if let Some(words) = values.len().checked_sub(n) {
            // SAFETY: `n` words and those that are moved are all of the slice; they move down.
            unsafe { otolith_dsp_arch_move(start, start.add(n), words) };
        }
    }
    #[cfg(not(otolith_arm_dsp))]
    portable::move_down(values, n);
}

/// The same for any target, and for any values.
pub mod portable {
    use super::Cell;

    /// [`copy`](super::copy).
    pub fn copy<T: Copy>(from: &[T], to: &mut [T]) {
        let n = from.len().min(to.len());
        let (from, to) = (from.get(..n).unwrap_or_default(), to.get_mut(..n));
        let (from4, from_rest) = from.as_chunks::<4>();
        let (to4, to_rest) = to.unwrap_or_default().as_chunks_mut::<4>();
        for (to, from) in to4.iter_mut().zip(from4) {
            *to = *from;
        }
        for (to, &from) in to_rest.iter_mut().zip(from_rest) {
            *to = from;
        }
    }

    /// [`move_down`](super::move_down).
    pub fn move_down<T: Copy>(values: &mut [T], n: usize) {
        let to = Cell::from_mut(values).as_slice_of_cells();
        let from = to.get(n..).unwrap_or_default();
        let (from4, from_rest) = from.as_chunks::<4>();
        let (to4, _) = to.as_chunks::<4>();
        for ([a, b, c, d], [e, f, g, h]) in to4.iter().zip(from4) {
            a.set(e.get());
            b.set(f.get());
            c.set(g.get());
            d.set(h.get());
        }
        // What is left starts behind as many whole blocks as `from` has.
        let to_rest = to.get(from4.len() * 4..).unwrap_or_default();
        for (to, from) in to_rest.iter().zip(from_rest) {
            to.set(from.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_move_and_the_rest_stays() {
        for n in 0..25 {
            let mut values: [u32; 24] = core::array::from_fn(|i| i as u32);
            move_down(&mut values, n);
            for (i, &value) in values.iter().enumerate() {
                let from = if i + n < 24 { i + n } else { i };
                assert_eq!(value, from as u32, "{i} of {n}");
            }
        }
    }

    #[test]
    fn what_fits_is_copied() {
        let from: [u32; 13] = core::array::from_fn(|i| 100 + i as u32);
        for len in [0, 3, 11, 13, 16] {
            let mut to = [7; 16];
            let to = &mut to[..len];
            copy(&from, to);
            for (i, &value) in to.iter().enumerate() {
                assert_eq!(value, if i < 13 { 100 + i as u32 } else { 7 });
            }
        }
    }
}
