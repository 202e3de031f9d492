//! `SIGNAL_ENERGY_U32`, `SIGNAL_FILTER_BANK_U64` and `SIGNAL_SQUARE_ROOT_U32`.

use crate::params::{MAX_DIM, size};
use otolith_dsp_nostd::ops::fixed::micro::bank::root;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Energies of the bins of a spectrum: `y[k] = re^2 + im^2` for `start <= k < end`, and 0 outside.
///
/// Operands: spectrum `i16[2 n]`, pairs of real and imaginary part; y `u32[n]`. Parameters: [`Range`].
pub const SIGNAL_ENERGY_U32: Op = Op {
    code: 0x02e2,
    name: "SIGNAL_ENERGY_U32",
    check: check_energy,
    run: run_energy,
};

/// Energies of a bank of triangles. Each band m rises over run m and falls over run m + 1:
/// `y[m] = sum_{run m} rising e + sum_{run m + 1} falling e`, modulo 2^64.
///
/// Operands: e `u32[bins]`; rising `i16[weights]` table, not negative; falling, the same; starts `i16` table:
/// for each run the first bin, then for each run the first weight, then for each run its length, with one
/// run more than there are bands; y `u64[bands]`. No parameters.
pub const SIGNAL_FILTER_BANK_U64: Op = Op {
    code: 0x02e3,
    name: "SIGNAL_FILTER_BANK_U64",
    check: check_bank,
    run: run_bank,
};

/// Square roots with the scaling of the frame undone: `y = round(sqrt(x)) >> s`, where the root of a
/// number below 2^32 is at most 65535.
///
/// Operands: x `u64[n]`; s `i32[1]`, from 0 to 31; y `u32[n]`. No parameters.
pub const SIGNAL_SQUARE_ROOT_U32: Op = Op {
    code: 0x02e4,
    name: "SIGNAL_SQUARE_ROOT_U32",
    check: check_root,
    run: run_root,
};

params! {
    /// Parameters of [`SIGNAL_ENERGY_U32`].
    Range {
        /// First bin that counts.
        start in 0, MAX_DIM;
        /// The bin behind the last one that counts.
        end in 0, MAX_DIM;
    }
}

fn check_energy(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(2)?;
    Range::checked(step)?;
    let bins = step.count_of_output::<u32>(1)?;
    if step.count_of::<i16>(0)? != 2 * bins {
        return Err(Fault::WrongLength { operand: 0 });
    }
    step.expect_disjoint(0, 1)
}

fn run_energy(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let range = Range::decode(io.step.params()?);
    let counts = size(range.start)..size(range.end);
    let (spectrum, y) = io.read_write::<i16, u32>(0, 1)?;
    let (bins, _) = spectrum.as_chunks::<2>();
    for (k, (y, bin)) in y.iter_mut().zip(bins).enumerate() {
        let [re, im] = bin.map(|x| u32::from(x.unsigned_abs()));
        *y = if counts.contains(&k) {
            re * re + im * im
        } else {
            0
        };
    }
    Ok(())
}

/// The runs of a bank: first bin, first weight and length of each.
struct Runs<'p> {
    bins: &'p [i16],
    weights: &'p [i16],
    lengths: &'p [i16],
}

impl<'p> Runs<'p> {
    /// The three parts of the table for `bands` bands.
    fn of(table: &'p [i16], bands: usize) -> Option<Self> {
        let runs = bands.checked_add(1)?;
        let (bins, rest) = table.split_at_checked(runs)?;
        let (weights, lengths) = rest.split_at_checked(runs)?;
        (lengths.len() == runs).then_some(Self {
            bins,
            weights,
            lengths,
        })
    }

    fn iter(&self) -> impl Iterator<Item = [usize; 3]> {
        let runs = self.bins.iter().zip(self.weights).zip(self.lengths);
        runs.map(|((&bin, &weight), &len)| [bin, weight, len].map(|x| size(x.into())))
    }
}

fn check_bank(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(5)?;
    step.params::<0>()?;
    let bins = step.count_of::<u32>(0)?;
    let weights = step.table::<i16>(1)?.len();
    for operand in [1, 2] {
        let fault = operand as u8;
        let table = step.table::<i16>(operand)?;
        if table.len() != weights {
            return Err(Fault::WrongLength { operand: fault });
        }
        if table.iter().any(|&w| w < 0) {
            return Err(Fault::BadTable { operand: fault });
        }
    }
    let bands = step.count_of_output::<u64>(4)?;
    let table = step.table::<i16>(3)?;
    let runs = Runs::of(table, bands).ok_or(Fault::WrongLength { operand: 3 })?;
    let inside = |[bin, weight, len]: [usize; 3]| bin + len <= bins && weight + len <= weights;
    if table.iter().any(|&x| x < 0) || !runs.iter().all(inside) {
        return Err(Fault::BadTable { operand: 3 });
    }
    step.expect_disjoint(0, 4)
}

fn run_bank(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let rising = io.step.table::<i16>(1)?;
    let falling = io.step.table::<i16>(2)?;
    let table = io.step.table::<i16>(3)?;
    let (energies, y) = io.read_write::<u32, u64>(0, 4)?;
    let runs = Runs::of(table, y.len()).ok_or(Fault::WrongLength { operand: 3 })?;
    let sums = |[bin, weight, len]: [usize; 3]| {
        let energies = energies.get(bin..).unwrap_or_default().iter().take(len);
        let rising = rising.get(weight..).unwrap_or_default();
        let falling = falling.get(weight..).unwrap_or_default();
        let (mut up, mut down) = (0u64, 0u64);
        for ((&e, &r), &f) in energies.zip(rising).zip(falling) {
            let product = |w: i16| u64::from(e).wrapping_mul(u64::from(w.unsigned_abs()));
            up = up.wrapping_add(product(r));
            down = down.wrapping_add(product(f));
        }
        (up, down)
    };
    let mut runs = runs.iter().map(sums);
    // Nothing falls over the first run.
    let (mut rising, _) = runs.next().unwrap_or_default();
    for (y, (next, falling)) in y.iter_mut().zip(runs) {
        *y = rising.wrapping_add(falling);
        rising = next;
    }
    Ok(())
}

fn check_root(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(3)?;
    step.params::<0>()?;
    if step.count_of::<i32>(1)? != 1 {
        return Err(Fault::WrongLength { operand: 1 });
    }
    if step.count_of_output::<u32>(2)? != step.count_of::<u64>(0)? {
        return Err(Fault::WrongLength { operand: 2 });
    }
    step.expect_disjoint(0, 2)?;
    step.expect_disjoint(1, 2)
}

fn run_root(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let (x, s, y) = io.read2_write::<u64, i32, u32>(0, 1, 2)?;
    let s = s.first().copied().unwrap_or(0) as u32;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = root(x).wrapping_shr(s);
    }
    Ok(())
}
