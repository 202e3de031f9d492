@ Dot products of packed int8 weights with gathered windows, for cores with Arm's DSP instructions.
@
@ Weights come two channels to a 16-bit lane: lane = 256 * w_high + w_low. SMLAD of such a word with
@ two activations gives 256 * S_high + S_low; SXTB16 leaves w_low, a second SMLAD gives S_low, and
@ the difference of the two sums is 256 * S_high. So 8 loads and unpacking steps serve 16 products.
@
@ Requantisation: t = constant + (acc asr 31); y = high word of (acc * multiplier + t * 2^32), rounded;
@ y = y asr shift, saturated to 8 bits. With RELU the sign does not matter: t = constant.

.syntax unified
.thumb

@ acc in \a; \t may be \m's neighbour, it is overwritten. Parameters: multiplier, constant, shift.
.macro OTO_REQUANTISE a, multiplier, constant, shift, t, relu
.if \relu
  smmlar \a, \a, \multiplier, \constant
.else
  add \t, \constant, \a, asr #31
  smmlar \a, \a, \multiplier, \t
.endif
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

@ void otolith_dsp_arch_gemm2(const context *): all groups of four channels of two windows.
@ context: weights, activations, channels, end of channels, output 0, output 1, end of activations,
@ pairs of taps (at least 2). On the stack: activations, channels, end of channels, output 0, output 1, end of
@ activations, where to enter the unrolled loop.
.macro OTO_GEMM2 name, relu
.section .text.\name, "ax", %progbits
.global \name
.p2align 4
.thumb_func
\name:
  push {r4-r11, lr}
  ldm r0, {r0-r7}
  @ The first pair is peeled; the others enter a loop of eight, 48 bytes each.
  rsb r7, r7, #1
  and r7, r7, #7
  add r7, r7, r7, lsl #1
  adr.w r8, 2f
  add r8, r8, r7, lsl #4
  orr r8, r8, #1
  push {r1-r6, r8}
1:
  ldr r1, [sp]
  OTO_TAPS2 1
  ldr pc, [sp, #24]
.p2align 2
2:
.rept 8
  OTO_TAPS2 0
.endr
  ldr r12, [sp, #20]
  cmp r1, r12
  bne 2b
  sub r2, r2, r4
  sub r3, r3, r5
  sub r6, r6, r8
  sub r7, r7, r9
  ldr r1, [sp, #4]
  ldm r1!, {r10, r11, r12, lr}
  add r2, r10, r2, asr #7
  add r3, r10, r3, asr #7
  OTO_REQUANTISE r2, r11, r12, lr, r10, \relu
  OTO_REQUANTISE r3, r11, r12, lr, r10, \relu
  ldm r1!, {r10, r11, r12, lr}
  add r4, r10, r4, lsl #1
  add r5, r10, r5, lsl #1
  OTO_REQUANTISE r4, r11, r12, lr, r10, \relu
  OTO_REQUANTISE r5, r11, r12, lr, r10, \relu
  ldm r1!, {r10, r11, r12, lr}
  add r6, r10, r6, asr #7
  add r7, r10, r7, asr #7
  OTO_REQUANTISE r6, r11, r12, lr, r10, \relu
  OTO_REQUANTISE r7, r11, r12, lr, r10, \relu
  ldm r1!, {r10, r11, r12, lr}
  add r8, r10, r8, lsl #1
  add r9, r10, r9, lsl #1
  OTO_REQUANTISE r8, r11, r12, lr, r10, \relu
  OTO_REQUANTISE r9, r11, r12, lr, r10, \relu
  ldrd r10, r11, [sp, #12]
  bfi r2, r4, #8, #8
  bfi r2, r6, #16, #8
  bfi r2, r8, #24, #8
  bfi r3, r5, #8, #8
  bfi r3, r7, #16, #8
  bfi r3, r9, #24, #8
  str r2, [r10], #4
  str r3, [r11], #4
  strd r10, r11, [sp, #12]
  ldr r12, [sp, #8]
  str r1, [sp, #4]
  cmp r1, r12
  bne 1b
  add sp, sp, #28
  pop {r4-r11, pc}
.endm

OTO_GEMM2 otolith_dsp_arch_gemm2, 0
OTO_GEMM2 otolith_dsp_arch_gemm2_relu, 1

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
@ context: weights, activations, channels, end of channels, output, unused, end of activations,
@ blocks of two pairs (at least 2). On the stack: activations, end of channels, output, entry.
.section .text.otolith_dsp_arch_gemv, "ax", %progbits
.global otolith_dsp_arch_gemv
.p2align 4
.thumb_func
otolith_dsp_arch_gemv:
  push {r4-r11, lr}
  ldm r0, {r0-r7}
  rsb r7, r7, #1
  and r7, r7, #7
  rsb r7, r7, r7, lsl #3
  adr.w r8, 2f
  add r8, r8, r7, lsl #3
  orr r8, r8, #1
  push {r1, r3, r4, r8}
  mov r12, r6
  mov lr, r2
1:
  ldr r1, [sp]
  OTO_TAPS1 1
  ldr pc, [sp, #12]
.p2align 2
2:
.rept 8
  OTO_TAPS1 0
.endr
  cmp r1, r12
  bne 2b
  sub r2, r2, r3
  sub r4, r4, r5
  ldm lr!, {r6-r9}
  add r2, r6, r2, asr #7
  OTO_REQUANTISE r2, r7, r8, r9, r10, 0
  ldm lr!, {r6-r9}
  add r3, r6, r3, lsl #1
  OTO_REQUANTISE r3, r7, r8, r9, r10, 0
  ldm lr!, {r6-r9}
  add r4, r6, r4, asr #7
  OTO_REQUANTISE r4, r7, r8, r9, r10, 0
  ldm lr!, {r6-r9}
  add r5, r6, r5, lsl #1
  OTO_REQUANTISE r5, r7, r8, r9, r10, 0
  ldrd r7, r8, [sp, #4]
  bfi r2, r3, #8, #8
  bfi r2, r4, #16, #8
  bfi r2, r5, #24, #8
  str r2, [r8], #4
  str r8, [sp, #8]
  cmp lr, r7
  bne 1b
  add sp, sp, #16
  pop {r4-r11, pc}

@ void otolith_dsp_arch_gemv_sums(const context *, sums): adds the dot products of one group.
@ context: weights, activations, end of activations, blocks of two pairs (at least 2).
.section .text.otolith_dsp_arch_gemv_sums, "ax", %progbits
.global otolith_dsp_arch_gemv_sums
.p2align 4
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

@ Four int8 of each of two windows become four words: (x0 x2) of both, then (x1 x3) of both.
.macro OTO_WIDEN2
  sxtb16 r4, r6
  sxtb16 r5, r7
  sxtb16 r6, r6, ror #8
  sxtb16 r7, r7, ror #8
  stm r2!, {r4-r7}
.endm

@ void otolith_dsp_arch_gather2(const context *): the rows of two windows, widened and interleaved.
@ context: row of window 0, row of window 1, destination, rows, words in a row, bytes from the end
@ of a row to the next, of window 0 and of window 1.
.section .text.otolith_dsp_arch_gather2, "ax", %progbits
.global otolith_dsp_arch_gather2
.p2align 4
.thumb_func
otolith_dsp_arch_gather2:
  push {r4-r11, lr}
  ldm r0, {r0-r3, r8-r10}
1:
  subs r11, r8, #4
  blo 3f
2:
.rept 4
  ldr r6, [r0], #4
  ldr r7, [r1], #4
  OTO_WIDEN2
.endr
  subs r11, r11, #4
  bhs 2b
3:
  adds r11, r11, #4
  beq 5f
4:
  ldr r6, [r0], #4
  ldr r7, [r1], #4
  OTO_WIDEN2
  subs r11, r11, #1
  bne 4b
5:
  add r0, r0, r9
  add r1, r1, r10
  subs r3, r3, #1
  bne 1b
  pop {r4-r11, pc}

@ void otolith_dsp_arch_gather1(row, destination, rows, words, bytes from the end of a row to the next)
.macro OTO_WIDEN1
  ldr r5, [r0], #4
  sxtb16 r4, r5
  sxtb16 r5, r5, ror #8
  strd r4, r5, [r1], #8
.endm
.section .text.otolith_dsp_arch_gather1, "ax", %progbits
.global otolith_dsp_arch_gather1
.p2align 4
.thumb_func
otolith_dsp_arch_gather1:
  push {r4-r7, lr}
  ldr r7, [sp, #20]
1:
  subs r6, r3, #4
  blo 3f
2:
.rept 4
  OTO_WIDEN1
.endr
  subs r6, r6, #4
  bhs 2b
3:
  adds r6, r6, #4
  beq 5f
4:
  OTO_WIDEN1
  subs r6, r6, #1
  bne 4b
5:
  add r0, r0, r7
  subs r2, r2, #1
  bne 1b
  pop {r4-r7, pc}

@ void otolith_dsp_arch_gather2_27(const context *): windows of 3 x 3 pixels of 3 channels.
@ context: window 0, window 1, destination, bytes from row to row of window 0 and of window 1.
@ Three times the first eight bytes of a row, then the ninth of rows 0 and 1, then that of row 2
@ beside one that is multiplied by 0.
.macro OTO_NINE
  ldr r6, [r0]
  ldr r7, [r1]
  OTO_WIDEN2
  ldr r6, [r0, #4]
  ldr r7, [r1, #4]
  OTO_WIDEN2
.endm
.section .text.otolith_dsp_arch_gather2_27, "ax", %progbits
.global otolith_dsp_arch_gather2_27
.p2align 4
.thumb_func
otolith_dsp_arch_gather2_27:
  push {r4-r11, lr}
  ldm r0, {r0-r2, r9, r10}
  OTO_NINE
  ldrsb r3, [r0, #8]
  ldrsb r8, [r1, #8]
  add r0, r0, r9
  add r1, r1, r10
  OTO_NINE
  ldrsb r11, [r0, #8]
  ldrsb r12, [r1, #8]
  add r0, r0, r9
  add r1, r1, r10
  pkhbt r3, r3, r11, lsl #16
  pkhbt r8, r8, r12, lsl #16
  OTO_NINE
  ldrsb r11, [r0, #8]
  ldrsb r12, [r1, #8]
  stm r2!, {r3, r8, r11, r12}
  pop {r4-r11, pc}
