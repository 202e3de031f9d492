//! Products with a folded matrix, for Arm cores with the DSP instructions.

core::arch::global_asm!(
    r#"
.syntax unified
.thumb

@ r0 = x, r1 = half its length, r2 = m, r3 = y; stack: rows, at least 1. Returns the sum of x.
.section .text.otolith_dsp_arch_folded, "ax", %progbits
.balign 4
.global otolith_dsp_arch_folded
.type otolith_dsp_arch_folded, %function
.thumb_func
otolith_dsp_arch_folded:
  push {{r4-r11, lr}}
  @ Four positions: from the front up (r7) and from the middle down (r5), from the middle up (r4)
  @ and from the end down (r6). Two pairs at a time, so that nothing is overwritten too early.
  add r4, r0, r1, lsl #2
  mov r5, r4
  add r6, r4, r1, lsl #2
  mov r7, r0
  movs r12, #0
1:
  sub r8, r5, r7
  cmp r8, #8
  blo 2f
  ldr r8, [r7]
  ldr r9, [r6, #-4]!
  ldr r10, [r5, #-4]!
  ldr r11, [r4]
  add lr, r8, r9
  sub r8, r8, r9
  str lr, [r7], #4
  add r12, r12, lr
  add lr, r10, r11
  sub r10, r10, r11
  str lr, [r5]
  add r12, r12, lr
  str r8, [r4], #4
  str r10, [r6]
  b 1b
2:
  @ An odd half has a pair of its own in the middle.
  cmp r8, #4
  bne 3f
  ldr r8, [r7]
  ldr r9, [r4]
  add lr, r8, r9
  sub r8, r8, r9
  str lr, [r7]
  str r8, [r4]
  add r12, r12, lr
3:
  @ Rows: r10 = the half of this one, r11 = what leads to the other half, r9 = rows left.
  ldr r9, [sp, #36]
  str r12, [sp, #36]
  add r10, r0, r1, lsl #2
  eor r11, r0, r10
4:
  mov r0, r10
  movs r12, #0
  lsrs lr, r1, #2
  beq 6f
5:
  ldmia r0!, {{r4-r7}}
  .irp v, r4, r5, r6, r7
  ldrsh r8, [r2], #2
  mla r12, \v, r8, r12
  .endr
  subs lr, lr, #1
  bne 5b
6:
  ands lr, r1, #3
  beq 8f
7:
  ldr r4, [r0], #4
  ldrsh r8, [r2], #2
  mla r12, r4, r8, r12
  subs lr, lr, #1
  bne 7b
8:
  str r12, [r3], #4
  eor r10, r10, r11
  subs r9, r9, #1
  bne 4b
  ldr r0, [sp, #36]
  pop {{r4-r11, pc}}
.size otolith_dsp_arch_folded, . - otolith_dsp_arch_folded
"#
);

unsafe extern "C" {
    fn otolith_dsp_arch_folded(
        x: *mut i32,
        half: usize,
        m: *const i16,
        y: *mut i32,
        rows: usize,
    ) -> i32;
}

pub(super) fn folded(x: &mut [i32], m: &[i16], y: &mut [i32]) -> i32 {
    let half = x.len() / 2;
    let rows = m.len().checked_div(half).unwrap_or(0).min(y.len());
    if rows == 0 {
        return 0;
    }
    // SAFETY: the routine reads and writes both halves of x, reads a row of m for each of the rows
    // that y has a place for and that m has, and writes those places.
    unsafe { otolith_dsp_arch_folded(x.as_mut_ptr(), half, m.as_ptr(), y.as_mut_ptr(), rows) }
}
