//! Prints how many instructions one frame of the plan `OTOLITH_PLAN` takes, loading it and making its
//! runner, and each of its operators. The plan is the file of that name with the ending `.oto`; the codes of its
//! operators are in the one with `.codes`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {
    otolith_conformance_device::refuse();
}

#[cfg(all(target_os = "none", not(target_arch = "arm")))]
compile_error!("instructions are counted on Arm boards");

#[cfg(all(target_os = "none", target_arch = "arm"))]
mod image {
    use core::hint::black_box;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use otolith_conformance::{select, signal};
    use otolith_conformance_device::device::{Aligned, entry, exit};
    use otolith_conformance_device::timer;
    use otolith_dsp_nostd::{Fault, Io, Op, Plan, Runner};
    use semihosting::println;

    otolith_conformance_device::report_panics!();

    static PLAN: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OTOLITH_PLAN"), ".oto")));
    const CODES: &[u16] = &include!(concat!(env!("OTOLITH_PLAN"), ".codes"));
    const N: usize = CODES.len();
    static OPS: [&Op; N] = select(CODES);

    const ARENA_LEN: usize = 64 * 1024;
    /// Frames before the first that counts, and those that count.
    const FRAMES: [usize; 2] = [4, 16];

    /// Instructions and calls of each operator.
    static COUNTS: [[AtomicU32; 2]; N] = [const { [const { AtomicU32::new(0) }; 2] }; N];

    /// Operator `I`, timed. A function pointer cannot capture: there is one function for each.
    fn timed<const I: usize>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
        let op = OPS.get(I).ok_or(Fault::NoOperand { operand: 0 })?;
        let run = black_box(op.run);
        let before = timer::now();
        let done = run(io);
        let after = timer::now();
        if let Some([instructions, calls]) = COUNTS.get(I) {
            let taken = timer::instructions(before, after) as u32;
            instructions.store(instructions.load(Relaxed) + taken, Relaxed);
            calls.store(calls.load(Relaxed) + 1, Relaxed);
        }
        done
    }

    macro_rules! timed {
        ($($index:literal)*) => { [$(timed::<$index>),*] };
    }
    type Run = fn(&mut Io<'_, '_>) -> Result<(), Fault>;
    const RUNS: [Run; 24] = timed!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);

    static TIMED: [Op; N] = {
        let ops: [&Op; N] = select(CODES);
        let mut timed = [const { copy(select::<N>(CODES)[0], RUNS[0]) }; N];
        let mut i = 0;
        while i < N {
            timed[i] = copy(ops[i], RUNS[i]);
            i += 1;
        }
        timed
    };

    const fn copy(op: &Op, run: Run) -> Op {
        Op {
            code: op.code,
            name: op.name,
            check: op.check,
            run,
        }
    }

    #[entry]
    fn main() -> ! {
        timer::start();
        let empty = timer::empty();
        let mut buffer = [0; signal::MAX_LEN];
        let samples = signal::write(0, &mut buffer);
        let mut arena = Aligned([0; ARENA_LEN]);

        // The compiler must not know the plan.
        let plan: &[u8] = black_box(&PLAN.0);
        let (init, frames) = run(plan, &OPS, samples, &mut arena.0, empty);
        println!("frame {frames} {}", FRAMES[1]);
        println!("init {init} 1");

        let mut timed = [&TIMED[0]; N];
        for (slot, op) in timed.iter_mut().zip(&TIMED) {
            *slot = op;
        }
        run(plan, &timed, samples, &mut arena.0, empty);
        for (op, [instructions, calls]) in OPS.iter().zip(&COUNTS) {
            let calls = calls.load(Relaxed);
            let instructions = instructions.load(Relaxed) - calls * empty as u32;
            println!("{} {instructions} {calls}", op.name);
        }
        exit(0)
    }

    /// Pushes frame by frame; gives the instructions of making the runner and of the frames that
    /// count.
    fn run(plan: &[u8], ops: &[&Op], samples: &[i16], arena: &mut [u8], empty: u64) -> (u64, u64) {
        let before = timer::now();
        let runner = init(plan, ops, arena);
        let after = timer::now();
        let Some(mut runner) = runner else {
            println!("the plan is refused");
            exit(1)
        };
        let init = timer::instructions(before, after) - empty;
        let hop = runner.plan().samples_per_decision() as usize;
        // Up to the first frame; what is left of the samples then starts at a hop.
        let first = runner.push_i16(samples).map_or(0, |pushed| pushed.consumed);
        let mut hops = samples[first..].chunks_exact(hop);
        let mut sum = 0;
        for (part, n) in FRAMES.into_iter().enumerate() {
            for cell in &COUNTS {
                cell.iter().for_each(|count| count.store(0, Relaxed));
            }
            for _ in 0..n {
                let hop = hops.next().unwrap_or_default();
                let before = timer::now();
                let pushed = push(&mut runner, hop);
                let after = timer::now();
                if !pushed {
                    println!("a push of one hop is not one frame");
                    exit(1)
                }
                sum += timer::instructions(before, after) - empty;
            }
            if part == 0 {
                sum = 0;
            }
        }
        (init, sum)
    }

    /// A runner from the plan's bytes.
    #[inline(never)]
    fn init<'a>(plan: &'a [u8], ops: &'a [&'a Op], arena: &'a mut [u8]) -> Option<Runner<'a>> {
        Runner::new(Plan::from_bytes(plan, ops).ok()?, arena).ok()
    }

    /// One hop; whether it made one frame.
    #[inline(never)]
    fn push(runner: &mut Runner<'_>, hop: &[i16]) -> bool {
        let pushed = runner.push_i16(hop);
        pushed.is_ok_and(|pushed| pushed.event.is_some() && pushed.consumed == hop.len())
    }
}
