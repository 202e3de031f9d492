//! Routines of the integer transform, for Arm cores with the DSP instructions.
//!
//! A butterfly keeps its four legs, one twiddle factor and both addresses in registers; every
//! distance is a constant of its routine, and firmware links the routines of its lengths only.
//! Products are those of `SMMULR` (Q31 by Q31, rounded) and `SMULWB`/`SMULWT` (Q31 by a sample,
//! rounded down), which are what the portable kernels compute.

use super::{Complex, Places};

core::arch::global_asm!(
    r#"
.syntax unified
.thumb

@ Marks of the longest sample: r0 = samples, at a word; r1 = blocks of 16 samples, at least 1.
@ A bit of v ^ (v << 1) marks where the sign of a half ends; the answer is all words' marks.
.section .text.otolith_dsp_arch_scan, "ax", %progbits
.balign 4
.global otolith_dsp_arch_scan
.type otolith_dsp_arch_scan, %function
.thumb_func
otolith_dsp_arch_scan:
  push {{r4-r10, lr}}
  movs r2, #0
1:
  ldmia r0!, {{r3-r10}}
  .irp v, r3, r4, r5, r6, r7, r8, r9, r10
  eor \v, \v, \v, lsl #1
  orr r2, r2, \v
  .endr
  subs r1, r1, #1
  bne 1b
  mov r0, r2
  pop {{r4-r10, pc}}
.size otolith_dsp_arch_scan, . - otolith_dsp_arch_scan

@ Two samples times two window values: \lo and \hi hold the window values of the lower and the upper
@ sample of lr and take the products. With \up the samples are shifted left by \t first; \u is free.
.macro otolith_dsp_arch_weigh up, lo, hi, to_lo, to_hi, t, u
  .if \up
  asr \u, lr, #16
  lsl lr, lr, \t
  lsl \u, \u, \t
  smulwb \to_lo, \lo, lr
  smulwb \to_hi, \hi, \u
  .else
  smulwb \to_lo, \lo, lr
  smulwt \to_hi, \hi, lr
  .endif
.endm

@ Window and first stage of 512 points, radix 4, without twiddle factors.
@ r0 = samples, r1 = window, r2 = &fall[254], r3 = shift; stack: places, out.
.macro otolith_dsp_arch_first_4 name, up
.section .text.\name, "ax", %progbits
.balign 4
.global \name
.type \name, %function
.thumb_func
\name:
  push {{r3-r11, lr}}
  ldr r12, [sp, #40]
  ldr r3, [sp, #44]
1:
  @ The legs d, c, b and a: two samples each, times the window.
  .if \up
  ldr r4, [sp]
  .endif
  ldr lr, [r0, #768]
  ldrd r10, r11, [r2, #-512]
  otolith_dsp_arch_weigh \up, r11, r10, r8, r9, r4, r9
  ldr lr, [r0, #512]
  ldrd r10, r11, [r2], #-8
  otolith_dsp_arch_weigh \up, r11, r10, r6, r7, r4, r7
  ldr lr, [r0, #256]
  ldrd r10, r11, [r1, #512]
  otolith_dsp_arch_weigh \up, r10, r11, r10, r11, r4, r5
  ldr lr, [r0], #4
  .if \up
  asr r5, lr, #16
  lsl lr, lr, r4
  lsl r5, r5, r4
  ldr r4, [r1], #4
  smulwb r4, r4, lr
  ldr lr, [r1], #4
  smulwb r5, lr, r5
  .else
  ldrd r4, r5, [r1], #8
  smulwb r4, r4, lr
  smulwt r5, r5, lr
  ldr lr, [sp]
  .irp v, r4, r5, r6, r7, r8, r9, r10, r11
  asr \v, \v, lr
  .endr
  .endif
  @ Sums and differences of a and c: (lr, r6) and (r4, r5); of b and d: (r7, r8), (r10, r11).
  add lr, r4, r6
  sub r4, r4, r6
  add r6, r5, r7
  sub r5, r5, r7
  add r7, r10, r8
  sub r10, r10, r8
  add r8, r11, r9
  sub r11, r11, r9
  add r9, lr, r7
  sub lr, lr, r7
  add r7, r6, r8
  sub r6, r6, r8
  ldrh r8, [r12], #2
  add r8, r3, r8, lsl #5
  strd r9, r7, [r8]
  strd lr, r6, [r8, #16]
  add r9, r4, r11
  sub r7, r5, r10
  strd r9, r7, [r8, #8]
  sub r4, r4, r11
  add r5, r5, r10
  strd r4, r5, [r8, #24]
  @ Both read positions of the window have met: all is done.
  cmp r2, r1
  bhi 1b
  pop {{r3-r11, pc}}
.size \name, . - \name
.endm

@ Window and first stage where half the length is no power of 4: radix 2.
@ r0 = samples, r1 = window, r2 = &fall[last pair], r3 = shift; stack: places, out, samples of the
@ second half, end of the places.
.macro otolith_dsp_arch_first_2 name, up
.section .text.\name, "ax", %progbits
.balign 4
.global \name
.type \name, %function
.thumb_func
\name:
  push {{r3-r11, lr}}
  ldr r12, [sp, #40]
  ldr r3, [sp, #44]
  ldr r11, [sp, #48]
  ldr r10, [sp, #52]
1:
  .if \up
  ldr r4, [sp]
  .endif
  ldr lr, [r11], #4
  ldrd r6, r7, [r2], #-8
  otolith_dsp_arch_weigh \up, r7, r6, r8, r9, r4, r5
  ldr lr, [r0], #4
  ldrd r6, r7, [r1], #8
  otolith_dsp_arch_weigh \up, r6, r7, r6, r7, r4, r5
  .if \up == 0
  ldr lr, [sp]
  .irp v, r6, r7, r8, r9
  asr \v, \v, lr
  .endr
  .endif
  add r4, r6, r8
  add r5, r7, r9
  sub r6, r6, r8
  sub r7, r7, r9
  ldrh r8, [r12], #2
  add r8, r3, r8, lsl #4
  strd r4, r5, [r8]
  strd r6, r7, [r8, #8]
  cmp r12, r10
  bne 1b
  pop {{r3-r11, pc}}
.size \name, . - \name
.endm

otolith_dsp_arch_first_4 otolith_dsp_arch_first_4_down, 0
otolith_dsp_arch_first_4 otolith_dsp_arch_first_4_up, 1
otolith_dsp_arch_first_2 otolith_dsp_arch_first_2_down, 0
otolith_dsp_arch_first_2 otolith_dsp_arch_first_2_up, 1
.purgem otolith_dsp_arch_first_4
.purgem otolith_dsp_arch_first_2
.purgem otolith_dsp_arch_weigh

@ A radix-4 stage in place: legs \q apart, every \s-th twiddle factor, \h points in all.
@ r0 = points, r1 = twiddle factors. In a butterfly r0 points 8 bytes before leg c, so that all legs
@ are in reach and the last store moves on; where they are not, \far moves r0 from leg to leg.
@ \times butterflies are in the loop.
.macro otolith_dsp_arch_stage name, q, s, h, times=1, far=0
.section .text.\name, "ax", %progbits
.balign 4
.global \name
.type \name, %function
.thumb_func
\name:
  push {{r4-r11, lr}}
  addw r0, r0, #(16 * \q - 8)
  add r2, r0, #(8 * \h)
  addw r1, r1, #(24 * (\s - 1))
  .if \q > 1
  addw r11, r1, #(24 * \s * (\q - 1))
  .endif
  push {{r1, r2}}
1:
  @ Butterfly 0: no twiddle factors; every leg is halved.
  .if \far
  ldrd r4, r5, [r0, #8]
  sub r0, r0, #(16 * \q)
  ldrd r2, r3, [r0, #8]
  .else
  ldrd r4, r5, [r0, #8]
  ldrd r2, r3, [r0, #(8 - 16 * \q)]
  .endif
  asr r4, r4, #1
  asr r5, r5, #1
  add r8, r4, r2, asr #1
  add r9, r5, r3, asr #1
  rsb r6, r4, r2, asr #1
  rsb r7, r5, r3, asr #1
  .if \far
  add r0, r0, #(24 * \q)
  ldrd r4, r5, [r0, #8]
  sub r0, r0, #(16 * \q)
  ldrd r2, r3, [r0, #8]
  .else
  ldrd r4, r5, [r0, #(8 + 8 * \q)]
  ldrd r2, r3, [r0, #(8 - 8 * \q)]
  .endif
  asr r4, r4, #1
  asr r5, r5, #1
  rsb r10, r4, r2, asr #1
  rsb r12, r5, r3, asr #1
  add r2, r4, r2, asr #1
  add r3, r5, r3, asr #1
  otolith_dsp_arch_legs \q, r12, \far
2:
  .rept \times
  @ Leg c, turned and halved by its twiddle factor.
  ldrd r4, r5, [r0, #8]
  ldrd r2, r3, [r1, #8]
  smmulr r6, r4, r2
  smmlar r6, r5, r3, r6
  smmulr r5, r5, r2
  smmulr r4, r4, r3
  sub r5, r5, r4
  @ Leg a; sum and difference of both.
  .if \far
  sub r0, r0, #(16 * \q)
  ldrd r2, r3, [r0, #8]
  .else
  ldrd r2, r3, [r0, #(8 - 16 * \q)]
  .endif
  add r8, r6, r2, asr #1
  rsb r6, r6, r2, asr #1
  add r9, r5, r3, asr #1
  rsb r7, r5, r3, asr #1
  @ Leg d.
  .if \far
  add r0, r0, #(24 * \q)
  ldrd r4, r5, [r0, #8]
  .else
  ldrd r4, r5, [r0, #(8 + 8 * \q)]
  .endif
  ldrd r2, r3, [r1, #16]
  smmulr r12, r4, r2
  smmlar r12, r5, r3, r12
  smmulr r5, r5, r2
  smmulr r4, r4, r3
  sub lr, r5, r4
  @ Leg b.
  .if \far
  sub r0, r0, #(16 * \q)
  ldrd r4, r5, [r0, #8]
  .else
  ldrd r4, r5, [r0, #(8 - 8 * \q)]
  .endif
  .if \q > 2
  ldrd r2, r3, [r1], #(24 * \s)
  .else
  ldrd r2, r3, [r1]
  .endif
  smmulr r10, r4, r2
  smmlar r10, r5, r3, r10
  smmulr r5, r5, r2
  smmulr r4, r4, r3
  sub r5, r5, r4
  add r2, r10, r12
  add r3, r5, lr
  sub r10, r10, r12
  sub r5, r5, lr
  otolith_dsp_arch_legs \q, r5, \far
  .endr
  .if \q - 1 > \times
  cmp r1, r11
  bne 2b
  .endif
  ldrd r1, r2, [sp]
  addw r0, r0, #(24 * \q)
  cmp r0, r2
  bne 1b
  pop {{r1, r2, r4-r11, pc}}
.size \name, . - \name
.endm

@ The legs of a butterfly from the sum (r8, r9) and difference (r6, r7) of a and c and the sum
@ (r2, r3) and difference (r10, \t) of b and d; r4 and lr are free. r0 stands at leg c, or with \far
@ at leg b.
.macro otolith_dsp_arch_legs q, t, far
  add r4, r8, r2
  add lr, r9, r3
  sub r8, r8, r2
  sub r9, r9, r3
  add r2, r6, \t
  sub r3, r7, r10
  sub r6, r6, \t
  add r7, r7, r10
  .if \far
  strd r2, r3, [r0, #8]
  sub r0, r0, #(8 * \q)
  strd r4, lr, [r0, #8]
  add r0, r0, #(24 * \q)
  strd r6, r7, [r0, #8]
  sub r0, r0, #(8 * \q)
  .else
  strd r4, lr, [r0, #(8 - 16 * \q)]
  strd r2, r3, [r0, #(8 - 8 * \q)]
  strd r6, r7, [r0, #(8 + 8 * \q)]
  .endif
  strd r8, r9, [r0, #8]!
.endm

otolith_dsp_arch_stage otolith_dsp_arch_stage_256_2, 2, 16, 128
otolith_dsp_arch_stage otolith_dsp_arch_stage_256_8, 8, 4, 128
otolith_dsp_arch_stage otolith_dsp_arch_stage_256_32, 32, 1, 128
otolith_dsp_arch_stage otolith_dsp_arch_stage_512_4, 4, 16, 256, 3
otolith_dsp_arch_stage otolith_dsp_arch_stage_512_16, 16, 4, 256
otolith_dsp_arch_stage otolith_dsp_arch_stage_512_64, 64, 1, 256, 3
otolith_dsp_arch_stage otolith_dsp_arch_stage_1024_2, 2, 64, 512
otolith_dsp_arch_stage otolith_dsp_arch_stage_1024_8, 8, 16, 512
otolith_dsp_arch_stage otolith_dsp_arch_stage_1024_32, 32, 4, 512
otolith_dsp_arch_stage otolith_dsp_arch_stage_1024_128, 128, 1, 512, 1, 1
.purgem otolith_dsp_arch_stage
.purgem otolith_dsp_arch_legs

@ Powers of two bins of the real signal, mirror images of each other.
.macro otolith_dsp_arch_bins
  ldrd r4, r5, [r0]
  ldrd r6, r7, [r2]
  ldrd r8, r9, [r1], #8
  @ Twice the odd part, turned; twice the even part.
  add r10, r5, r7
  sub r11, r6, r4
  add r4, r4, r6
  sub r5, r5, r7
  smmulr r6, r10, r8
  smmlar r6, r11, r9, r6
  smmulr r7, r11, r8
  smmulr r10, r10, r9
  sub r7, r7, r10
  add r8, r6, r4, asr #1
  add r9, r7, r5, asr #1
  rsb r6, r6, r4, asr #1
  rsb r7, r7, r5, asr #1
  smull r10, r11, r8, r8
  smlal r10, r11, r9, r9
  strd r10, r11, [r0], #8
  smull r10, r11, r6, r6
  smlal r10, r11, r7, r7
  strd r10, r11, [r2], #-8
.endm

@ Split and powers, in place. r0 = points, r1 = twiddle factors, r2 = behind the last point. The
@ number of pairs of bins is 3 more than a multiple of 4.
.section .text.otolith_dsp_arch_split, "ax", %progbits
.balign 4
.global otolith_dsp_arch_split
.type otolith_dsp_arch_split, %function
.thumb_func
otolith_dsp_arch_split:
  push {{r4-r11, lr}}
  ldrd r4, r5, [r0]
  add r6, r4, r5
  sub r7, r4, r5
  smull r8, r9, r6, r6
  strd r8, r9, [r0], #8
  smull r8, r9, r7, r7
  strd r8, r9, [r2], #-8
  b 2f
1:
  otolith_dsp_arch_bins
2:
  otolith_dsp_arch_bins
  otolith_dsp_arch_bins
  otolith_dsp_arch_bins
  cmp r0, r2
  bne 1b
  ldrd r4, r5, [r0]
  smull r10, r11, r4, r4
  smlal r10, r11, r5, r5
  strd r10, r11, [r0]
  pop {{r4-r11, pc}}
.size otolith_dsp_arch_split, . - otolith_dsp_arch_split
.purgem otolith_dsp_arch_bins
"#
);

/// Window and first stage, 4 legs.
type First4 = unsafe extern "C" fn(
    x: *const i16,
    window: *const i32,
    fall: *const i32,
    shift: u32,
    places: *const u16,
    out: *mut Complex,
);
/// Window and first stage, 2 legs.
type First2 = unsafe extern "C" fn(
    x: *const i16,
    window: *const i32,
    fall: *const i32,
    shift: u32,
    places: *const u16,
    out: *mut Complex,
    behind: *const i16,
    places_end: *const u16,
);

macro_rules! firsts {
    ($($name:ident($($argument:ty),*);)*) => {
        unsafe extern "C" {
            $(fn $name($(_: $argument),*);)*
        }
    };
}

firsts! {
    otolith_dsp_arch_first_4_down(*const i16, *const i32, *const i32, u32, *const u16, *mut Complex);
    otolith_dsp_arch_first_4_up(*const i16, *const i32, *const i32, u32, *const u16, *mut Complex);
    otolith_dsp_arch_first_2_down(*const i16, *const i32, *const i32, u32, *const u16, *mut Complex, *const i16, *const u16);
    otolith_dsp_arch_first_2_up(*const i16, *const i32, *const i32, u32, *const u16, *mut Complex, *const i16, *const u16);
}

unsafe extern "C" {
    fn otolith_dsp_arch_scan(x: *const i16, blocks: usize) -> u32;
    fn otolith_dsp_arch_split(x: *mut u64, twiddles: *const [i32; 2], last: *mut u64);
}

macro_rules! stages {
    ($($n:literal $q:literal $name:ident;)*) => {
        unsafe extern "C" {
            $(fn $name(x: *mut Complex, twiddles: *const [i32; 6]);)*
        }

        /// The routine for a transform of `n` points and legs `q` apart.
        #[inline(always)]
        pub(super) fn stage(x: &mut [Complex], twiddles: &[[i32; 6]], n: usize, q: usize) -> bool {
            if x.len() != n / 2 || twiddles.len() < n / 8 - 1 {
                return false;
            }
            match (n, q) {
                // SAFETY: the routine reads n / 8 - 1 twiddle factors, reads and writes n / 2
                // points; both slices were just measured.
                $(($n, $q) => unsafe { $name(x.as_mut_ptr(), twiddles.as_ptr()) },)*
                _ => return false,
            }
            true
        }
    };
}

stages! {
    256 2 otolith_dsp_arch_stage_256_2;
    256 8 otolith_dsp_arch_stage_256_8;
    256 32 otolith_dsp_arch_stage_256_32;
    512 4 otolith_dsp_arch_stage_512_4;
    512 16 otolith_dsp_arch_stage_512_16;
    512 64 otolith_dsp_arch_stage_512_64;
    1024 2 otolith_dsp_arch_stage_1024_2;
    1024 8 otolith_dsp_arch_stage_1024_8;
    1024 32 otolith_dsp_arch_stage_1024_32;
    1024 128 otolith_dsp_arch_stage_1024_128;
}

pub(super) fn marks(x: &[i16]) -> u32 {
    // SAFETY: any bits of two samples are a word.
    let (head, words, tail) = unsafe { x.align_to::<[u32; 8]>() };
    let single = |x: &i16| {
        let v = u32::from(*x as u16);
        v ^ (v << 1)
    };
    let ends = head.iter().chain(tail);
    let ends = ends.fold(0, |marks, x| marks | single(x) & 0xffff);
    let words = match words.len() {
        0 => 0,
        // SAFETY: the blocks are those of the slice, which starts at a word.
        blocks => unsafe { otolith_dsp_arch_scan(words.as_ptr().cast(), blocks) },
    };
    ends | words
}

pub(super) fn first<const R: usize>(
    x: &[i16],
    half: &[i32],
    mirror: usize,
    exponent: i32,
    Places(places): &Places<R>,
    out: &mut [Complex],
) -> bool {
    let n = 2 * out.len();
    let four = n == 512;
    if !super::transforms(n) || places.len() != if four { n / 8 } else { n / 4 } {
        return false;
    }
    let fits = x.len() >= n && half.len() > n / 2;
    if !fits || (mirror != n && mirror != n - 1) || !(-15..32).contains(&exponent) {
        return false;
    }
    // The second half of the window, read backwards in pairs from here on.
    let fall = half.get(mirror - n / 2 - 1..);
    let Some(fall) = fall else {
        return false;
    };
    let (up, shift) = (exponent < 0, exponent.unsigned_abs());
    // SAFETY: the routines read n samples, n / 2 window values from `half` upwards and n / 2 from
    // `fall` downwards, all measured above, and write a butterfly of `out` for each place: those of
    // `Places` are all different and below their number.
    unsafe {
        if four {
            let routine: First4 = match up {
                true => otolith_dsp_arch_first_4_up,
                false => otolith_dsp_arch_first_4_down,
            };
            routine(
                x.as_ptr(),
                half.as_ptr(),
                fall.as_ptr(),
                shift,
                places.as_ptr(),
                out.as_mut_ptr(),
            );
        } else {
            let routine: First2 = match up {
                true => otolith_dsp_arch_first_2_up,
                false => otolith_dsp_arch_first_2_down,
            };
            let ends = places.as_ptr_range();
            routine(
                x.as_ptr(),
                half.as_ptr(),
                fall.as_ptr(),
                shift,
                ends.start,
                out.as_mut_ptr(),
                x.as_ptr().add(n / 2),
                ends.end,
            );
        }
    }
    true
}

pub(super) fn split(power: &mut [u64], twiddles: &[[i32; 2]]) -> bool {
    let h = power.len().wrapping_sub(1);
    if !matches!(h, 128 | 256 | 512) || twiddles.len() < h / 2 - 1 {
        return false;
    }
    let start = power.as_mut_ptr();
    // SAFETY: the routine reads and writes the h points and the power behind them, and reads one
    // twiddle factor for each of the h / 2 - 1 pairs of bins.
    unsafe { otolith_dsp_arch_split(start, twiddles.as_ptr(), start.add(h)) };
    true
}
