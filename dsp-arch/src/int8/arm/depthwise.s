@ Convolutions of each channel by itself, for cores with Arm's DSP instructions.
@
@ 3 x 3: the lines of four channels are expanded into four planes of words, each two neighbouring
@ values as 16-bit numbers. Then a march along a line computes two outputs a step: five instructions
@ for the six products of a kernel line. Weights are doubled, so that sums start at the doubled bias
@ and are what OTO_REQUANTISE takes.

@ void otolith_dsp_arch_dw3_weights(weights, channels, destination): of four channels.
@ weights: for each channel and kernel line w0 w1 w1 w2; destination: for each channel (w0 w1) (w1 w2)
@ of three lines, doubled, then its four parameters.
.section .text.otolith_dsp_arch_dw3_weights, "ax", %progbits
.global otolith_dsp_arch_dw3_weights
.p2align 2
.thumb_func
otolith_dsp_arch_dw3_weights:
  push {r4-r9, lr}
  mov r3, #4
1:
  ldm r0!, {r4, r6, r8}
  sxtb16 r5, r4, ror #8
  sxtb16 r4, r4
  sxtb16 r7, r6, ror #8
  sxtb16 r6, r6
  sxtb16 r9, r8, ror #8
  sxtb16 r8, r8
  sadd16 r4, r4, r4
  sadd16 r5, r5, r5
  sadd16 r6, r6, r6
  sadd16 r7, r7, r7
  sadd16 r8, r8, r8
  sadd16 r9, r9, r9
  stm r2!, {r4-r9}
  ldm r1!, {r4-r7}
  stm r2!, {r4-r7}
  subs r3, r3, #1
  bne 1b
  pop {r4-r9, pc}

@ Four channels of the pixels r8 and r9, as one word in each of the planes r2 to r5.
.macro OTO_PLANES
  pkhbt r10, r8, r9, lsl #16
  pkhtb r8, r9, r8, asr #16
  sxtb16 r9, r10
  sxtb16 r10, r10, ror #8
  sxtb16 r11, r8
  sxtb16 r8, r8, ror #8
  str r9, [r2], #4
  str r10, [r3], #4
  str r11, [r4], #4
  str r8, [r5], #4
.endm

@ void otolith_dsp_arch_dw3_lines(context *): expands lines of four channels. The context is used up.
@ 0 first pixel, 4 bytes from pixel to pixel, 8 destination in plane 0, 12 bytes of a plane, 16 pairs
@ of pixels, 20 whether padding stands before the first pixel, 24 whether one pixel is left after the
@ pairs, 28 words of padding behind, 32 padding as four bytes, 36 lines, 40 bytes from line to line,
@ 44 bytes of a plane's line.
.section .text.otolith_dsp_arch_dw3_lines, "ax", %progbits
.global otolith_dsp_arch_dw3_lines
.p2align 2
.thumb_func
otolith_dsp_arch_dw3_lines:
  push {r4-r11, lr}
  mov r12, r0
  ldr lr, [r12, #36]
1:
  ldm r12, {r0-r3, r6, r7}
  add r9, r2, r3
  add r4, r9, r3
  add r5, r4, r3
  mov r3, r9
  cbz r7, 2f
  ldr r8, [r12, #32]
  ldr r9, [r0]
  add r0, r0, r1
  OTO_PLANES
2:
  cbz r6, 4f
3:
  ldr r8, [r0]
  ldr r9, [r0, r1]
  add r0, r0, r1, lsl #1
  OTO_PLANES
  subs r6, r6, #1
  bne 3b
4:
  ldrd r7, r6, [r12, #24]
  cbz r7, 5f
  ldr r8, [r0]
  ldr r9, [r12, #32]
  OTO_PLANES
5:
  cbz r6, 7f
6:
  ldr r8, [r12, #32]
  mov r9, r8
  OTO_PLANES
  subs r6, r6, #1
  bne 6b
7:
  ldrd r0, r1, [r12, #40]
  ldr r2, [r12]
  ldr r3, [r12, #8]
  add r2, r2, r0
  add r3, r3, r1
  str r2, [r12]
  str r3, [r12, #8]
  subs lr, lr, #1
  bne 1b
  pop {r4-r11, pc}

@ void otolith_dsp_arch_dw3_march(const context *): lines of outputs of four channels.
@ context: 0 to 8 three plane lines, 12 records, 16 their end, 20 output, 24 bytes from output to
@ output, 28 bytes of a plane line that whole steps use, 32 bytes of a plane's line, 36 bytes of all
@ lines of outputs in a plane, 40 bytes from there to the next plane, 44 bytes from behind a line of
@ outputs to the next line, 48 whether the number of outputs in a line is odd.
@
@ Frame: 0 bias, 4 multiplier, 8 constant, 12 shift, 16 step of the output, 20 end of whole steps,
@ 24 bytes of a plane's line, 28 end of the plane's lines, 32 to the next line of outputs, 36 what to do
@ at a line's end, 40 next record, 44 end of records, 48 output, 52 bytes of whole steps, 56 bytes of
@ all lines, 60 to the next plane, 64 bytes from output to output.
.macro OTO_DW3_MARCH name, two
.section .text.\name, "ax", %progbits
.global \name
.p2align 2
.thumb_func
\name:
  push {r4-r11, lr}
  sub sp, sp, #72
  add r1, r0, #12
  ldm r1, {r1-r10}
  str r1, [sp, #40]
  str r2, [sp, #44]
  str r3, [sp, #48]
  str r4, [sp, #64]
  str r5, [sp, #52]
  str r6, [sp, #24]
  str r7, [sp, #56]
  str r8, [sp, #60]
  str r9, [sp, #32]
  adr.w r3, 5f
  cmp r10, #0
  it ne
  adrne.w r3, 3f
  orr r3, r3, #1
  str r3, [sp, #36]
  ldm r0, {r0-r2}
1: @ the next channel
  ldr r9, [sp, #40]
  ldm r9!, {r3-r8}
  ldm r9!, {r10-r12, lr}
  stm sp, {r10-r12, lr}
  str r9, [sp, #40]
  ldr lr, [sp, #48]
  ldrd r9, r10, [sp, #52]
  add r11, lr, #1
  str r11, [sp, #48]
  add r9, r9, r0
  add r10, r10, r0
  str r9, [sp, #20]
  str r10, [sp, #28]
  ldr r9, [sp, #64]
  str r9, [sp, #16]
2: @ a step: two outputs
  ldr r12, [sp]
.if \two
  ldrd r9, r10, [r0], #8
  smlad r11, r9, r3, r12
  smlad r12, r10, r3, r12
  ldr r9, [r0]
  smlabt r11, r10, r4, r11
  smlabt r12, r9, r4, r12
  ldrd r9, r10, [r1], #8
  smlad r11, r9, r5, r11
  smlad r12, r10, r5, r12
  ldr r9, [r1]
  smlabt r11, r10, r6, r11
  smlabt r12, r9, r6, r12
  ldrd r9, r10, [r2], #8
  smlad r11, r9, r7, r11
  smlad r12, r10, r7, r12
  ldr r9, [r2]
  smlabt r11, r10, r8, r11
  smlabt r12, r9, r8, r12
.else
  ldrd r9, r10, [r0], #4
  smlad r11, r9, r3, r12
  smlatb r12, r9, r3, r12
  smlabt r11, r10, r4, r11
  smlad r12, r10, r4, r12
  ldrd r9, r10, [r1], #4
  smlad r11, r9, r5, r11
  smlatb r12, r9, r5, r12
  smlabt r11, r10, r6, r11
  smlad r12, r10, r6, r12
  ldrd r9, r10, [r2], #4
  smlad r11, r9, r7, r11
  smlatb r12, r9, r7, r12
  smlabt r11, r10, r8, r11
  smlad r12, r10, r8, r12
.endif
  ldrd r9, r10, [sp, #4]
  add r10, r10, r11, asr #31
  smmlar r11, r11, r9, r10
  ldr r10, [sp, #8]
  add r10, r10, r12, asr #31
  smmlar r12, r12, r9, r10
  ldrd r9, r10, [sp, #12]
  asr r11, r11, r9
  asr r12, r12, r9
  ssat r11, #8, r11
  ssat r12, #8, r12
  @ The second output first: in the last step of an odd line both go to the same place.
  strb r12, [lr, r10]
  strb r11, [lr]
  add lr, lr, r10, lsl #1
  ldr r9, [sp, #20]
  cmp r0, r9
  bne 2b
  ldr pc, [sp, #36]
.p2align 2
3: @ the end of an odd line: one more step without moving the output, unless this was it
  cmp r10, #0
  beq 4f
  mov r10, #0
.if \two
  add r9, r9, #8
.else
  add r9, r9, #4
.endif
  strd r10, r9, [sp, #16]
  b 2b
4: @ the output moves on by the one that the last step made
  ldr r10, [sp, #64]
  str r10, [sp, #16]
  add lr, lr, r10
.if \two
  sub r9, r9, #8
.else
  sub r9, r9, #4
.endif
.p2align 2
5: @ the end of a line
  ldrd r10, r11, [sp, #24]
  ldr r12, [sp, #32]
.if \two
  add r0, r0, r10
  add r1, r1, r10
  add r2, r2, r10
  add r9, r9, r10, lsl #1
.else
  add r9, r9, r10
.endif
  add r0, r0, #4
  add r1, r1, #4
  add r2, r2, #4
  str r9, [sp, #20]
  add lr, lr, r12
  cmp r0, r11
  bne 2b
  ldr r9, [sp, #60]
  ldrd r10, r11, [sp, #40]
  add r0, r0, r9
  add r1, r1, r9
  add r2, r2, r9
  cmp r10, r11
  bne 1b
  add sp, sp, #72
  pop {r4-r11, pc}
.endm
OTO_DW3_MARCH otolith_dsp_arch_dw3_march1, 0
OTO_DW3_MARCH otolith_dsp_arch_dw3_march2, 1

@ void otolith_dsp_arch_dw_any(const context *): outputs of four channels, for any kernel. Two taps a step.
@ context: input, offsets of taps, weights (two taps of a channel in a word, four channels a pair), end of
@ offsets, channels, output, outputs, bytes from window to window, bytes from output to output.
@ Frame: 0 offsets, 4 weights, 8 channels, 12 output, 16 outputs left, 20 and 24 steps.
.section .text.otolith_dsp_arch_dw_any, "ax", %progbits
.global otolith_dsp_arch_dw_any
.p2align 2
.thumb_func
otolith_dsp_arch_dw_any:
  push {r4-r11, lr}
  sub sp, sp, #28
  ldm r0, {r0-r8}
  strd r1, r2, [sp]
  strd r4, r5, [sp, #8]
  strd r6, r7, [sp, #16]
  str r8, [sp, #24]
1:
  ldrd r1, r2, [sp]
  movs r4, #0
  movs r5, #0
  movs r6, #0
  movs r7, #0
2:
  ldrd r8, r9, [r1], #8
  ldr r8, [r0, r8]
  ldr r9, [r0, r9]
  ldrd r12, lr, [r2], #8
  pkhbt r10, r8, r9, lsl #16
  pkhtb r9, r9, r8, asr #16
  sxtb16 r11, r10
  smlad r4, r11, r12, r4
  sxtb16 r11, r10, ror #8
  smlad r5, r11, lr, r5
  ldrd r12, lr, [r2], #8
  sxtb16 r11, r9
  smlad r6, r11, r12, r6
  sxtb16 r11, r9, ror #8
  smlad r7, r11, lr, r7
  cmp r1, r3
  bne 2b
  ldr r8, [sp, #8]
.irp sum, r4, r5, r6, r7
  ldm r8!, {r9-r12}
  add \sum, r9, \sum, lsl #1
  OTO_REQUANTISE \sum, r10, r11, r12, r9
.endr
  bfi r4, r5, #8, #8
  bfi r4, r6, #16, #8
  bfi r4, r7, #24, #8
  ldrd r8, r9, [sp, #12]
  ldrd r10, r11, [sp, #20]
  str r4, [r8]
  add r0, r0, r10
  add r8, r8, r11
  subs r9, r9, #1
  strd r8, r9, [sp, #12]
  bne 1b
  add sp, sp, #28
  pop {r4-r11, pc}
