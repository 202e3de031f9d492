//! Prints how many instructions one inference of a network takes: the whole push, then each step.
//!
//! The emulator puts a pack at `LOADED`: a plan of a network alone, one input for it, and the
//! output that a reference gave. A different output ends the program with exit code 1. All
//! operators are linked, so that one image serves all networks.
//!
//! Output: `push INSTRUCTIONS`, then for each step in order `OPERATOR INSTRUCTIONS`.
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
    use core::slice::from_raw_parts;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use otolith_conformance::{OPS, pack};
    use otolith_conformance_device::device::{Aligned, entry, exit};
    use otolith_conformance_device::timer;
    use otolith_dsp_nostd::format::Elem;
    use otolith_dsp_nostd::{Fault, Io, Op, Plan, PlanInfo, Runner};
    use semihosting::println;

    otolith_conformance_device::report_panics!();

    /// Where the pack is: the upper half of the board's code memory.
    const LOADED: *const u8 = 0x0020_0000 as *const u8;
    const LOADED_LEN: usize = 2 << 20;

    const ARENA_LEN: usize = 512 * 1024;
    const N: usize = OPS.len();
    const MAX_STEPS: usize = 256;

    /// Steps that ran, and of each its operator and its instructions.
    static STEPS: AtomicU32 = AtomicU32::new(0);
    static TIMES: [[AtomicU32; 2]; MAX_STEPS] =
        [const { [const { AtomicU32::new(0) }; 2] }; MAX_STEPS];

    /// Operator `I`, timed. A function pointer cannot capture: there is one function for each.
    fn timed<const I: usize>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
        let op = OPS.get(I).ok_or(Fault::NoOperand { operand: 0 })?;
        let run = black_box(op.run);
        let before = timer::now();
        let done = run(io);
        let after = timer::now();
        let step = STEPS.load(Relaxed);
        if let Some([operator, instructions]) = TIMES.get(step as usize) {
            operator.store(I as u32, Relaxed);
            instructions.store(timer::instructions(before, after) as u32, Relaxed);
        }
        STEPS.store(step + 1, Relaxed);
        done
    }

    type Run = fn(&mut Io<'_, '_>) -> Result<(), Fault>;
    macro_rules! sixteen {
        ($($low:literal)*; $high:literal) => { [$(timed::<{ 16 * $high + $low }>),*] };
    }
    macro_rules! rows {
        ($($high:literal)*) => {
            [$(sixteen!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; $high)),*]
        };
    }
    const RUNS: [[Run; 16]; 24] =
        rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);

    static TIMED: [Op; N] = {
        let mut timed = [const { copy(OPS[0], RUNS[0][0]) }; N];
        let mut i = 0;
        while i < N {
            timed[i] = copy(OPS[i], RUNS[i / 16][i % 16]);
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
        // SAFETY: the board's code memory is 4 MB from address 0 on, of which the image takes the
        // lower half; nothing writes there.
        let loaded = black_box(unsafe { from_raw_parts(LOADED, LOADED_LEN) });
        let mut entries = pack::read(loaded).map(|(_, bytes)| bytes);
        let (Some(plan), Some(input), Some(output)) =
            (entries.next(), entries.next(), entries.next())
        else {
            println!("nothing was loaded");
            exit(1)
        };
        let mut arena = Aligned([0; ARENA_LEN]);
        let (init, instructions) = run(plan, &OPS, input, output, &mut arena.0);
        println!("push {}", instructions - empty);
        println!("init {}", init - empty);

        let mut timed = [&TIMED[0]; N];
        for (slot, op) in timed.iter_mut().zip(&TIMED) {
            *slot = op;
        }
        run(plan, &timed, input, output, &mut arena.0);
        let steps = STEPS.load(Relaxed) as usize;
        for [operator, instructions] in TIMES.iter().take(steps) {
            let name = OPS
                .get(operator.load(Relaxed) as usize)
                .map_or("", |op| op.name);
            println!("{name} {}", instructions.load(Relaxed) - empty as u32);
        }
        exit(0)
    }

    /// Pushes the input; gives the instructions of making the runner and of the push.
    fn run(plan: &[u8], ops: &[&Op], input: &[u8], output: &[u8], arena: &mut [u8]) -> (u64, u64) {
        let elem = PlanInfo::from_bytes(plan)
            .ok()
            .and_then(|info| Elem::from_code(info.header().source_elem));
        let before = timer::now();
        let runner = init(plan, ops, arena);
        let after = timer::now();
        let Some(mut runner) = runner else {
            println!("the plan is refused, or the arena is too small");
            exit(1)
        };
        let init = timer::instructions(before, after);
        let before = timer::now();
        let pushed = push(&mut runner, elem, input);
        let after = timer::now();
        if !pushed {
            println!("a push of one input is not one inference");
            exit(1)
        }
        if runner.features_bytes().map(|(_, bytes)| bytes) != Some(output) {
            println!("the output differs from the reference");
            exit(1)
        }
        (init, timer::instructions(before, after))
    }

    /// A runner from the plan's bytes.
    #[inline(never)]
    fn init<'a>(plan: &'a [u8], ops: &'a [&'a Op], arena: &'a mut [u8]) -> Option<Runner<'a>> {
        Runner::new(Plan::from_bytes(plan, ops).ok()?, arena).ok()
    }

    /// One input; whether it made one output.
    #[inline(never)]
    fn push(runner: &mut Runner<'_>, elem: Option<Elem>, input: &[u8]) -> bool {
        let start = input.as_ptr();
        // SAFETY: the pack aligns its entries to 8 bytes, and every pattern is an integer or a
        // float; the slice covers no more than the bytes of `input`.
        let pushed = unsafe {
            match elem {
                Some(Elem::I8) => runner.push_i8(from_raw_parts(start.cast(), input.len())),
                Some(Elem::I16) => runner.push_i16(from_raw_parts(start.cast(), input.len() / 2)),
                Some(Elem::F32) => runner.push_f32(from_raw_parts(start.cast(), input.len() / 4)),
                _ => return false,
            }
        };
        pushed.is_ok_and(|pushed| pushed.event.is_some())
    }
}
