//! Moves of words, eight at a time, for Arm cores with the DSP instructions.

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

unsafe extern "C" {
    fn otolith_dsp_arch_move(to: *mut u32, from: *const u32, words: usize);
}

pub(super) fn copy(from: &[u32], to: &mut [u32]) -> bool {
    let words = from.len().min(to.len());
    // SAFETY: both slices have this many words; a mutable one overlaps no other.
    unsafe { otolith_dsp_arch_move(to.as_mut_ptr(), from.as_ptr(), words) };
    true
}

pub(super) fn move_down(values: &mut [u32], n: usize) -> bool {
    let start = values.as_mut_ptr();
    if let Some(words) = values.len().checked_sub(n) {
        // SAFETY: `n` words and those that are moved are all of the slice; they move down.
        unsafe { otolith_dsp_arch_move(start, start.add(n), words) };
    }
    true
}
