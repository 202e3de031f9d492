@ Dot products of packed int8 weights with gathered windows, for cores with Arm's DSP instructions.
@
@ Weights come two channels to a 16-bit lane: lane = 256 * w_high + w_low. SMLAD of such a word with
@ two activations gives 256 * S_high + S_low; SXTB16 leaves w_low, a second SMLAD gives S_low, and
@ the difference of the two sums is 256 * S_high. So 8 loads and unpacking steps serve 16 products.
@
@ Requantisation: t = constant + (acc asr 31); y = high word of (acc * multiplier + t * 2^32), rounded;
@ y = y asr shift, saturated to 8 bits.

.syntax unified
.thumb

@ acc in \a; \t is overwritten. Parameters: multiplier, constant, shift.
.macro OTO_REQUANTISE a, multiplier, constant, shift, t
  add \t, \constant, \a, asr #31
  smmlar \a, \a, \multiplier, \t
  asr \a, \a, \shift
  ssat \a, #8, \a
.endm

@ One pair of taps, four channels, two windows: 48 bytes of code, which the computed jump counts on.
@ r0 weights, r1 activations; sums of channels 0 to 3: (r2 r3) (r4 r5) (r6 r7) (r8 r9), of which
@ those of channels 0 and 2 carry their neighbour's too.
.macro OTO_TAPS2 first
  ldrd r10, r11, [r1], #8
  ldrd r12, lr, [r0], #8
.if \first
  smuad r2, r12, r10
  smuad r3, r12, r11
  sxtb16 r12, r12
  smuad r6, lr, r10
  smuad r7, lr, r11
  sxtb16 lr, lr
  smuad r4, r12, r10
  smuad r5, r12, r11
  smuad r8, lr, r10
  smuad r9, lr, r11
.else
  smlad r2, r12, r10, r2
  smlad r3, r12, r11, r3
  sxtb16 r12, r12
  smlad r6, lr, r10, r6
  smlad r7, lr, r11, r7
  sxtb16 lr, lr
  smlad r4, r12, r10, r4
  smlad r5, r12, r11, r5
  smlad r8, lr, r10, r8
  smlad r9, lr, r11, r9
.endif
.endm

@ Four int8 of each of two windows become four words: (x0 x2) of both, then (x1 x3) of both.
.macro OTO_WIDEN2
  sxtb16 r4, r6
  sxtb16 r5, r7
  sxtb16 r6, r6, ror #8
  sxtb16 r7, r7, ror #8
  stm r2!, {r4-r7}
.endm

@ void otolith_dsp_arch_conv(context *): windows in pairs, each widened and interleaved, then multiplied
@ with all groups of four channels. A window that is left alone is its own neighbour. The context is used up.
@ context: 0 weights, 4 activations, 8 channels, 12 end of channels, 16 output, 20 bytes of the last group,
@ 24 end of activations, 28 pairs of taps (at least 2), 32 first window, 36 rows (0: three rows of nine
@ bytes), 40 words in a row, 44 bytes from the end of a row to the next (with rows of nine: from its start),
@ 48 windows, 52 bytes from window to window, 56 bytes from output to output.
@ Frame: 0 activations, 4 channels, 8 end of channels, 12 and 16 outputs, 20 end of activations, 24 where to
@ enter the unrolled loop, 28 context.
.section .text.otolith_dsp_arch_conv, "ax", %progbits
.global otolith_dsp_arch_conv
.p2align 2
.thumb_func
otolith_dsp_arch_conv:
  push {r0, r4-r11, lr}
  sub sp, sp, #28
  ldr r1, [r0, #4]
  ldr r3, [r0, #12]
  ldrd r6, r7, [r0, #24]
  @ The first pair of taps is peeled; the others enter a loop of eight, 48 bytes each.
  rsb r7, r7, #1
  and r7, r7, #7
  add r7, r7, r7, lsl #1
  adr.w r8, 4f
  add r7, r8, r7, lsl #4
  orr r7, r7, #1
  str r1, [sp]
  str r3, [sp, #8]
  strd r6, r7, [sp, #20]
  mov r12, r0
1: @ two windows
  ldr r0, [r12, #32]
  ldr r4, [r12, #16]
  ldr r3, [r12, #48]
  ldrd r9, r10, [r12, #52]
  subs r3, r3, #2
  itt mi
  movmi r9, #0
  movmi r10, #0
  add r1, r0, r9
  add r5, r4, r10
  add r9, r9, r1
  add r10, r10, r5
  strd r4, r5, [sp, #12]
  str r9, [r12, #32]
  str r10, [r12, #16]
  str r3, [r12, #48]
  ldr r2, [sp]
  ldrd r3, r8, [r12, #36]
  ldr r9, [r12, #44]
  cbz r3, 8f
  @ Rows of whole words.
2:
  mov r10, r8
3:
  ldr r6, [r0], #4
  ldr r7, [r1], #4
  OTO_WIDEN2
  subs r10, r10, #1
  bne 3b
  add r0, r0, r9
  add r1, r1, r9
  subs r3, r3, #1
  bne 2b
  b 10f
  @ Three rows of nine bytes: three times the first eight, then the ninth of rows 0 and 1, then that of row
  @ 2 beside one that is multiplied by 0.
8:
  add r3, r2, #96
  movs r8, #2
9:
  ldr r6, [r0]
  ldr r7, [r1]
  OTO_WIDEN2
  ldr r6, [r0, #4]
  ldr r7, [r1, #4]
  OTO_WIDEN2
  ldrsb r10, [r0, #8]
  ldrsb r11, [r1, #8]
  strh r10, [r3]
  strh r11, [r3, #4]
  add r0, r0, r9
  add r1, r1, r9
  add r3, r3, r8
  add r8, r8, r8, lsl #1
  cmp r8, #54
  bne 9b
10:
  ldr r0, [r12]
  ldr r2, [r12, #8]
  str r2, [sp, #4]
6: @ four channels
  ldr r1, [sp]
  OTO_TAPS2 1
  ldr pc, [sp, #24]
.p2align 2
4:
.rept 8
  OTO_TAPS2 0
.endr
  ldr r12, [sp, #20]
  cmp r1, r12
  bne 4b
  sub r2, r2, r4
  sub r3, r3, r5
  sub r6, r6, r8
  sub r7, r7, r9
  ldr r1, [sp, #4]
  ldm r1!, {r10, r11, r12, lr}
  add r2, r10, r2, asr #7
  add r3, r10, r3, asr #7
  OTO_REQUANTISE r2, r11, r12, lr, r10
  OTO_REQUANTISE r3, r11, r12, lr, r10
  ldm r1!, {r10, r11, r12, lr}
  add r4, r10, r4, lsl #1
  add r5, r10, r5, lsl #1
  OTO_REQUANTISE r4, r11, r12, lr, r10
  OTO_REQUANTISE r5, r11, r12, lr, r10
  ldm r1!, {r10, r11, r12, lr}
  add r6, r10, r6, asr #7
  add r7, r10, r7, asr #7
  OTO_REQUANTISE r6, r11, r12, lr, r10
  OTO_REQUANTISE r7, r11, r12, lr, r10
  ldm r1!, {r10, r11, r12, lr}
  add r8, r10, r8, lsl #1
  add r9, r10, r9, lsl #1
  OTO_REQUANTISE r8, r11, r12, lr, r10
  OTO_REQUANTISE r9, r11, r12, lr, r10
  str r1, [sp, #4]
  ldrd r10, r11, [sp, #12]
  ldr r12, [sp, #8]
  bfi r2, r4, #8, #8
  bfi r2, r6, #16, #8
  bfi r2, r8, #24, #8
  bfi r3, r5, #8, #8
  bfi r3, r7, #16, #8
  bfi r3, r9, #24, #8
  cmp r1, r12
  beq 7f
  str r2, [r10], #4
  str r3, [r11], #4
  strd r10, r11, [sp, #12]
  b 6b
7: @ the last four channels, or what is there of them
  ldr r12, [sp, #28]
  ldr r1, [r12, #20]
  cmp r1, #4
  bne 11f
  str r2, [r10]
  str r3, [r11]
  b 12f
11:
  strb r2, [r10], #1
  strb r3, [r11], #1
  lsrs r2, r2, #8
  lsrs r3, r3, #8
  subs r1, r1, #1
  bne 11b
12:
  ldr r1, [r12, #48]
  cmp r1, #0
  bgt 1b
  add sp, sp, #32
  pop {r4-r11, pc}

@ Two pairs of taps, four channels, one window: 56 bytes of code. Sums of channels 0 to 3 in
@ r2 r3 r4 r5, those of channels 0 and 2 with their neighbour's.
.macro OTO_TAPS1 first
  ldm r0!, {r6-r9}
  ldrd r10, r11, [r1], #8
.if \first
  smuad r2, r6, r10
  smuad r4, r7, r10
  sxtb16 r6, r6
  sxtb16 r7, r7
  smuad r3, r6, r10
  smuad r5, r7, r10
.else
  smlad r2, r6, r10, r2
  smlad r4, r7, r10, r4
  sxtb16 r6, r6
  sxtb16 r7, r7
  smlad r3, r6, r10, r3
  smlad r5, r7, r10, r5
.endif
  smlad r2, r8, r11, r2
  smlad r4, r9, r11, r4
  sxtb16 r8, r8
  sxtb16 r9, r9
  smlad r3, r8, r11, r3
  smlad r5, r9, r11, r5
.endm

@ void otolith_dsp_arch_gemv(const context *): all groups of four channels of one window.
@ context: weights, activations, channels, end of channels, output, bytes of the last group, end of
@ activations, blocks of two pairs (at least 2). On the stack: activations, end of channels, output, bytes of
@ the last group, entry.
.section .text.otolith_dsp_arch_gemv, "ax", %progbits
.global otolith_dsp_arch_gemv
.p2align 2
.thumb_func
otolith_dsp_arch_gemv:
  push {r4-r11, lr}
  ldm r0, {r0-r7}
  rsb r7, r7, #1
  and r7, r7, #3
  rsb r7, r7, r7, lsl #3
  adr.w r8, 2f
  add r8, r8, r7, lsl #3
  orr r8, r8, #1
  push {r1, r3, r4, r5, r8}
  mov r12, r6
  mov lr, r2
1:
  ldr r1, [sp]
  OTO_TAPS1 1
  ldr pc, [sp, #16]
.p2align 2
2:
.rept 4
  OTO_TAPS1 0
.endr
  cmp r1, r12
  bne 2b
  sub r2, r2, r3
  sub r4, r4, r5
  ldm lr!, {r6-r9}
  add r2, r6, r2, asr #7
  OTO_REQUANTISE r2, r7, r8, r9, r10
  ldm lr!, {r6-r9}
  add r3, r6, r3, lsl #1
  OTO_REQUANTISE r3, r7, r8, r9, r10
  ldm lr!, {r6-r9}
  add r4, r6, r4, asr #7
  OTO_REQUANTISE r4, r7, r8, r9, r10
  ldm lr!, {r6-r9}
  add r5, r6, r5, lsl #1
  OTO_REQUANTISE r5, r7, r8, r9, r10
  ldrd r7, r8, [sp, #4]
  bfi r2, r3, #8, #8
  bfi r2, r4, #16, #8
  bfi r2, r5, #24, #8
  cmp lr, r7
  beq 3f
  str r2, [r8], #4
  str r8, [sp, #8]
  b 1b
3:
  ldr r7, [sp, #12]
4:
  strb r2, [r8], #1
  lsrs r2, r2, #8
  subs r7, r7, #1
  bne 4b
  add sp, sp, #20
  pop {r4-r11, pc}

@ void otolith_dsp_arch_gemv_sums(const context *, sums): adds the dot products of one group.
@ context: weights, activations, end of activations, blocks of two pairs (at least 2).
.section .text.otolith_dsp_arch_gemv_sums, "ax", %progbits
.global otolith_dsp_arch_gemv_sums
.p2align 2
.thumb_func
otolith_dsp_arch_gemv_sums:
  push {r1, r4-r11, lr}
  ldr lr, [r0, #12]
  ldrd r0, r1, [r0]
  OTO_TAPS1 1
  sub lr, lr, #1
1:
  OTO_TAPS1 0
  subs lr, lr, #1
  bne 1b
  sub r2, r2, r3
  sub r4, r4, r5
  ldr r12, [sp]
  ldm r12, {r6-r9}
  add r6, r6, r2, asr #8
  add r7, r7, r3
  add r8, r8, r4, asr #8
  add r9, r9, r5
  stm r12, {r6-r9}
  pop {r1, r4-r11, pc}

@ void otolith_dsp_arch_gather1(row, destination, rows, words, bytes from the end of a row to the next)
.section .text.otolith_dsp_arch_gather1, "ax", %progbits
.global otolith_dsp_arch_gather1
.p2align 2
.thumb_func
otolith_dsp_arch_gather1:
  push {r4-r7, lr}
  ldr r7, [sp, #20]
1:
  mov r6, r3
2:
  ldr r5, [r0], #4
  sxtb16 r4, r5
  sxtb16 r5, r5, ror #8
  strd r4, r5, [r1], #8
  subs r6, r6, #1
  bne 2b
  add r0, r0, r7
  subs r2, r2, #1
  bne 1b
  pop {r4-r7, pc}
