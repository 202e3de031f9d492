//! `GATHER_*`.

use crate::params::{MAX_COUNT, expect_count, size};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Op, Step};

/// Picks rows and columns by tables: `y[o, i, j, :] = x[o, rows[i], columns[j], :]`.
///
/// One operator for gathering, mirror padding and resizing to the nearest neighbour.
///
/// Operands: input i8 `[outer, in_rows, in_columns, run]`; rows i32 `[out_rows]`, a table; columns
/// i32 `[out_columns]`, a table; output i8 `[outer, out_rows, out_columns, run]`. Parameters:
/// [`Params`].
pub const GATHER_8: Op = Op {
    code: 0x0268,
    name: "GATHER_8",
    check: check::<i8>,
    run: run::<i8>,
};

/// As [`GATHER_8`] with elements i16.
pub const GATHER_16: Op = Op {
    code: 0x0269,
    name: "GATHER_16",
    check: check::<i16>,
    run: run::<i16>,
};

/// As [`GATHER_8`] with elements i32.
pub const GATHER_32: Op = Op {
    code: 0x026a,
    name: "GATHER_32",
    check: check::<i32>,
    run: run::<i32>,
};

params! {
    /// Parameters of the `GATHER_*` operators.
    Params {
        /// Product of the dimensions before the rows.
        outer in 1, MAX_COUNT;
        /// Rows of the input.
        in_rows in 1, MAX_COUNT;
        /// Columns of the input.
        in_columns in 1, MAX_COUNT;
        /// Product of the dimensions behind the columns.
        run in 1, MAX_COUNT;
    }
}

fn check<T: Element>(step: &Step<'_>) -> Result<(), Fault> {
    step.expect_operands(4)?;
    let p = Params::checked(step)?;
    let mut count = [0; 2];
    for ((operand, limit), count) in [(1, p.in_rows), (2, p.in_columns)]
        .into_iter()
        .zip(&mut count)
    {
        let table = step.table::<i32>(operand)?;
        *count = i32::try_from(table.len()).unwrap_or(i32::MAX);
        if table.iter().any(|&i| i < 0 || i >= limit) {
            return Err(Fault::BadTable {
                operand: operand as u8,
            });
        }
    }
    let [rows, columns] = count;
    let input = [p.outer, p.in_rows, p.in_columns, p.run];
    expect_count(step.count_of::<T>(0)?, &input, 0)?;
    let output = [p.outer, rows, columns, p.run];
    expect_count(step.count_of_output::<T>(3)?, &output, 3)?;
    step.expect_disjoint(0, 3)
}

fn run<T: Element>(io: &mut Io<'_, '_>) -> Result<(), Fault> {
    let p = Params::decode(io.step.params()?);
    let (rows, columns) = (io.step.table::<i32>(1)?, io.step.table::<i32>(2)?);
    let (input, output) = io.read_write::<T, T>(0, 3)?;
    let run = size(p.run).max(1);
    let line = size(p.in_columns).wrapping_mul(run);
    let block = size(p.in_rows).wrapping_mul(line);
    let mut to = output.chunks_exact_mut(run);
    for o in 0..size(p.outer) {
        for &row in rows {
            let row = o
                .wrapping_mul(block)
                .wrapping_add(size(row).wrapping_mul(line));
            for (&column, to) in columns.iter().zip(to.by_ref().take(columns.len())) {
                let at = row.wrapping_add(size(column).wrapping_mul(run));
                let from = input.get(at..).unwrap_or_default();
                for (y, &x) in to.iter_mut().zip(from) {
                    *y = x;
                }
            }
        }
    }
    Ok(())
}
