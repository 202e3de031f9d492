//! Triangles over 64-bit powers, for Arm cores with the DSP instructions.

core::arch::global_asm!(
    r#"
.syntax unified
.thumb

@ One bin: r4:r5 += x, r6:r7 += low word * a, r8:r9 += high word * a.
.macro otolith_dsp_arch_bin
  ldrd r10, r11, [r0], #8
  ldrh r12, [r1], #2
  adds r4, r4, r10
  adc r5, r5, r11
  umlal r6, r7, r10, r12
  umlal r8, r9, r11, r12
.endm

@ The first bin of a segment.
.macro otolith_dsp_arch_first_bin
  ldrd r4, r5, [r0], #8
  ldrh r12, [r1], #2
  umull r6, r7, r4, r12
  umull r8, r9, r5, r12
.endm

@ r0 = x, r1 = weights, r2 = lengths, r3 = y; stack: end of y, bins that x and the weights have.
@ On the stack are r[m], y, end of y, bins left.
.section .text.otolith_dsp_arch_triangles, "ax", %progbits
.balign 4
.global otolith_dsp_arch_triangles
.type otolith_dsp_arch_triangles, %function
.thumb_func
otolith_dsp_arch_triangles:
  push {{r4-r11, lr}}
  ldrd r4, r5, [sp, #36]
  sub sp, sp, #20
  strd r3, r4, [sp, #8]
  str r5, [sp, #16]
  movs r3, #0
1:
  ldrh lr, [r2], #2
  ldr r12, [sp, #16]
  subs r12, r12, lr
  blo 6f
  str r12, [sp, #16]
  @ The first bin starts the sums; of an even number a second one leaves pairs.
  lsrs lr, lr, #1
  bcs 2f
  beq 8f
  otolith_dsp_arch_first_bin
  otolith_dsp_arch_bin
  subs lr, lr, #1
  bne 4f
  b 5f
2:
  otolith_dsp_arch_first_bin
  cmp lr, #0
  beq 5f
4:
  otolith_dsp_arch_bin
  otolith_dsp_arch_bin
  subs lr, lr, #1
  bne 4b
5:
  @ r6:r7 = floor((2^32 high + low) / 2^16).
  lsr r6, r6, #16
  orr r6, r6, r7, lsl #16
  lsr r7, r7, #16
  lsl r9, r9, #16
  orr r9, r9, r8, lsr #16
  adds r6, r6, r8, lsl #16
  adc r7, r7, r9
  cbz r3, 7f
  ldrd r8, r9, [sp]
  adds r4, r4, r8
  adc r5, r5, r9
  subs r4, r4, r6
  sbc r5, r5, r7
  strd r4, r5, [r3], #8
  strd r6, r7, [sp]
  ldr r12, [sp, #12]
  cmp r3, r12
  bne 1b
6:
  add sp, sp, #20
  pop {{r4-r11, pc}}
8:
  mov r4, lr
  mov r5, lr
  mov r6, lr
  mov r7, lr
  mov r8, lr
  mov r9, lr
  b 5b
7:
  @ The first segment only rises.
  strd r6, r7, [sp]
  ldr r3, [sp, #8]
  b 1b
.size otolith_dsp_arch_triangles, . - otolith_dsp_arch_triangles
.purgem otolith_dsp_arch_bin
.purgem otolith_dsp_arch_first_bin
"#
);

unsafe extern "C" {
    fn otolith_dsp_arch_triangles(
        x: *const u64,
        weights: *const u16,
        lengths: *const u16,
        y: *mut u64,
        y_end: *mut u64,
        bins: usize,
    );
}

pub(super) fn triangles(x: &[u64], lengths: &[u16], weights: &[u16], y: &mut [u64]) {
    let n = y.len().min(lengths.len().saturating_sub(1));
    let y = y.get_mut(..n).unwrap_or_default();
    if y.is_empty() {
        return;
    }
    let bins = x.len().min(weights.len());
    let ends = y.as_mut_ptr_range();
    // SAFETY: the routine reads one length more than it writes values, stops at the end of y, and
    // reads no more than `bins` values and weights.
    unsafe {
        otolith_dsp_arch_triangles(
            x.as_ptr(),
            weights.as_ptr(),
            lengths.as_ptr(),
            ends.start,
            ends.end,
            bins,
        );
    }
}
