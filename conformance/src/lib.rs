//! Test signals and digests by which machines prove that they compute the same bits.
//!
//! Every executor, from a debug build on a laptop to an emulated microcontroller, runs the same
//! plans over the same signals and digests what comes out. The digests must be those committed
//! under `fixtures/digests`.
//!
//! | module | what |
//! |---|---|
//! | [`signal`] | the catalogue of signals: recordings and synthetic ones, made with integers only |
//! | [`synthesis`] | how the synthetic ones are made |
//! | [`recording`] | the recordings of `examples/keywords` |
//! | [`pack`] | several plans in one block of bytes |
//! | [`digest`] | a plan's outputs as one number |
//! | [`report`] | all plans over all signals
//!
//! Invariants: `no_std`, no heap, no `unsafe`, no float: no machine's math library has a say in
//! what the signals are. Plans are made by the examples of this crate, on the host.
#![no_std]
#![forbid(unsafe_code)]

pub mod digest;
pub mod pack;
pub mod recording;
pub mod report;
pub mod signal;
pub mod synthesis;

use otolith_dsp_nostd::Op;

const N_DSP: usize = otolith_dsp_nostd::ops::ALL.len();
const N_OPS: usize = N_DSP + otolith_classifier::ALL.len();

/// Every operator there is, in the order of their codes.
pub const OPS: [&Op; N_OPS] = {
    let mut ops = [otolith_dsp_nostd::ops::ALL[0]; N_OPS];
    let mut i = 0;
    while i < N_OPS {
        let op = if i < N_DSP {
            otolith_dsp_nostd::ops::ALL[i]
        } else {
            otolith_classifier::ALL[i - N_DSP]
        };
        let mut at = i;
        while at > 0 && ops[at - 1].code > op.code {
            ops[at] = ops[at - 1];
            at -= 1;
        }
        ops[at] = op;
        i += 1;
    }
    ops
};

/// The operators with these codes, chosen by the compiler: a program that lists them links no
/// others. `N` is the number of codes. Does not compile when a code is not known.
pub const fn select<const N: usize>(codes: &[u16]) -> [&'static Op; N] {
    assert!(codes.len() == N);
    let mut selected = [OPS[0]; N];
    let mut i = 0;
    while i < N {
        let mut at = 0;
        while OPS[at].code != codes[i] {
            at += 1;
        }
        selected[i] = OPS[at];
        i += 1;
    }
    selected
}
