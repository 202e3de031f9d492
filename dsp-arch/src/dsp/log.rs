//! Logarithms of energies, for Arm cores with the DSP instructions.

use super::Logs;

core::arch::global_asm!(
    r#"
.syntax unified
.thumb

@ r0 = energies, r1 = their end, r2 = logarithms, r3 = the words of Job.
.section .text.otolith_dsp_arch_logs, "ax", %progbits
.balign 4
.global otolith_dsp_arch_logs
.type otolith_dsp_arch_logs, %function
.thumb_func
otolith_dsp_arch_logs:
  push {{r3-r11, lr}}
  ldm r3, {{r4-r7, r9, r10}}
  adr r8, 5f
1:
  ldrd r11, r12, [r0], #8
  subs lr, r4, r11
  sbcs lr, r5, r12
  bhs 4f
  adds r11, r11, r6
  adc r12, r12, r7
  @ r12 = the 32 bits from the leading one on, lr = zeros before it.
  clz lr, r12
  lsls r12, r12, lr
  beq 3f
  rsb r3, lr, #32
  lsr r3, r11, r3
  orr r12, r12, r3
2:
  @ A segment is its start in the upper half, its rise in the lower one.
  ubfx r3, r12, #26, #5
  ldr r11, [r8, r3, lsl #2]
  ubfx r12, r12, #10, #16
  uxth r3, r11
  sub r11, r11, r3
  mla r3, r3, r12, r11
  ldr r11, [sp]
  ldr r11, [r11, #24]
  lsl lr, lr, r10
  @ The last bit that is shifted out rounds.
  lsrs r3, r3, r11
  adc r3, r3, r9
  sub r3, r3, lr
  str r3, [r2], #4
  cmp r0, r1
  bne 1b
  pop {{r3-r11, pc}}
3:
  clz r3, r11
  and r3, r3, #31
  lsl r12, r11, r3
  add lr, r3, #32
  b 2b
4:
  ldr r3, [sp]
  ldr r3, [r3, #28]
  str r3, [r2], #4
  cmp r0, r1
  bne 1b
  pop {{r3-r11, pc}}
.balign 4
@ round(32768 log2(1 + i / 32)) 2^16 + the distance to the next one.
5:
  .word 0x000005af, 0x05af0583, 0x0b32055a, 0x108c0534, 0x15c0050f, 0x1acf04ed, 0x1fbc04cc, 0x248804ad
  .word 0x2935048f, 0x2dc40473, 0x32370459, 0x3690043f, 0x3acf0426, 0x3ef5040f, 0x430403f9, 0x46fd03e3
  .word 0x4ae003cf, 0x4eaf03bb, 0x526a03a8, 0x56120396, 0x59a80384, 0x5d2c0374, 0x60a00364, 0x64040353
  .word 0x67570345, 0x6a9c0336, 0x6dd20328, 0x70fa031b, 0x7415030d, 0x77220301, 0x7a2302f5, 0x7d1802e8
.size otolith_dsp_arch_logs, . - otolith_dsp_arch_logs
"#
);

/// What the routine reads: in this order.
#[repr(C)]
struct Job {
    floored: [u32; 2],
    added: [u32; 2],
    /// The logarithm of 2^63, and what is added to all.
    base: i32,
    q: u32,
    shift: u32,
    floor: i32,
}

unsafe extern "C" {
    fn otolith_dsp_arch_logs(e: *const u64, e_end: *const u64, l: *mut i32, job: *const Job);
}

pub(super) fn logs(e: &[u64], l: &mut [i32], how: &Logs) {
    let words = |x: u64| [x as u32, (x >> 32) as u32];
    let q = how.q & 31;
    let job = Job {
        floored: words(how.floored),
        added: words(how.added),
        base: how.base.wrapping_add(63 << q),
        q,
        shift: 31u32.wrapping_sub(q),
        floor: how.floor.wrapping_add(how.base),
    };
    let n = e.len().min(l.len());
    if n > 0 {
        let start = e.as_ptr();
        // SAFETY: the routine reads n energies, writes n logarithms, and takes its segments by 5
        // bits from a table of 32.
        unsafe { otolith_dsp_arch_logs(start, start.add(n), l.as_mut_ptr(), &raw const job) };
    }
}
