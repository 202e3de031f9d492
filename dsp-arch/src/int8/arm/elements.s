@ Element by element, for cores with Arm's DSP instructions.

@ void otolith_dsp_arch_add(a, b, output, const parameters *): sums of int8 with one multiplication, four at
@ a time: y = (a * m_a + b * m_b + c) asr s, saturated to 8 bits.
@ parameters: m_a, m_b, c, s, fours.
.section .text.otolith_dsp_arch_add, "ax", %progbits
.global otolith_dsp_arch_add
.p2align 2
.thumb_func
otolith_dsp_arch_add:
  push {r4-r11, lr}
  ldm r3, {r3-r7}
  add r7, r2, r7, lsl #2
1:
.irp y, r8, r9, r10, r11
  ldrsb \y, [r0], #1
  ldrsb r12, [r1], #1
  mla \y, \y, r3, r5
  mla \y, r12, r4, \y
  asr \y, \y, r6
  ssat \y, #8, \y
.endr
  bfi r8, r9, #8, #8
  bfi r8, r10, #16, #8
  bfi r8, r11, #24, #8
  str r8, [r2], #4
  cmp r2, r7
  bne 1b
  pop {r4-r11, pc}

@ void otolith_dsp_arch_sums(input, bytes from pixel to pixel, pixels, sums): of eight channels, over at most
@ 255 pixels.
.section .text.otolith_dsp_arch_sums, "ax", %progbits
.global otolith_dsp_arch_sums
.p2align 2
.thumb_func
otolith_dsp_arch_sums:
  push {r4-r9, lr}
  mov r6, #0
  mov r7, #0
  mov r8, #0
  mov r9, #0
1:
  ldr r4, [r0]
  ldr r5, [r0, #4]
  add r0, r0, r1
  sxtab16 r6, r6, r4
  sxtab16 r7, r7, r4, ror #8
  sxtab16 r8, r8, r5
  sxtab16 r9, r9, r5, ror #8
  subs r2, r2, #1
  bne 1b
  sxth r0, r6
  sxth r1, r7
  asr r2, r6, #16
  asr r4, r7, #16
  strd r0, r1, [r3], #8
  strd r2, r4, [r3], #8
  sxth r0, r8
  sxth r1, r9
  asr r2, r8, #16
  asr r4, r9, #16
  strd r0, r1, [r3], #8
  strd r2, r4, [r3], #8
  pop {r4-r9, pc}
