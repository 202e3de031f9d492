//! Two tensors combined element by element, with numpy's broadcasting.

use crate::odometer::{Odometer, extent};
use crate::params::{MAX_COUNT, MAX_DIM, expect_count, size};
use otolith_dsp_nostd::format::Element;
use otolith_dsp_nostd::{Fault, Io, Step};

params! {
    /// The first parameters of operators on two tensors: the output's dimensions `d0..d4` in C
    /// order, and the strides of both inputs. Element `(i0..i4)` takes `a[sum(i * a_stride)]`
    /// and `b[sum(i * b_stride)]`; a stride of 0 broadcasts.
    Geometry {
        /// Outermost dimension of the output.
        d0 in 1, MAX_DIM;
        /// Dimension 1.
        d1 in 1, MAX_DIM;
        /// Dimension 2.
        d2 in 1, MAX_DIM;
        /// Dimension 3.
        d3 in 1, MAX_DIM;
        /// Innermost dimension.
        d4 in 1, MAX_COUNT;
        /// Stride of a along dimension 0.
        a0 in 0, MAX_COUNT;
        /// Along dimension 1.
        a1 in 0, MAX_COUNT;
        /// Along dimension 2.
        a2 in 0, MAX_COUNT;
        /// Along dimension 3.
        a3 in 0, MAX_COUNT;
        /// Along dimension 4: 1, or 0 to broadcast.
        a4 in 0, 1;
        /// Stride of b along dimension 0.
        b0 in 0, MAX_COUNT;
        /// Along dimension 1.
        b1 in 0, MAX_COUNT;
        /// Along dimension 2.
        b2 in 0, MAX_COUNT;
        /// Along dimension 3.
        b3 in 0, MAX_COUNT;
        /// Along dimension 4: 1, or 0 to broadcast.
        b4 in 0, 1;
    }
}

impl Geometry {
    fn dims(&self) -> [i32; 5] {
        [self.d0, self.d1, self.d2, self.d3, self.d4]
    }

    fn a_strides(&self) -> [i32; 5] {
        [self.a0, self.a1, self.a2, self.a3, self.a4]
    }

    fn b_strides(&self) -> [i32; 5] {
        [self.b0, self.b1, self.b2, self.b3, self.b4]
    }

    /// Whether strides are those of the output itself.
    fn contiguous(&self, strides: [i32; 5]) -> bool {
        let mut next = 1i64;
        let mut axes = self.dims().into_iter().zip(strides).rev();
        axes.all(|(dim, stride)| {
            let fits = dim == 1 || i64::from(stride) == next;
            next = next.saturating_mul(i64::from(dim));
            fits
        })
    }
}

/// Splits a step's parameters into the [`Geometry`] and the operator's own.
fn parts<'p>(step: &Step<'p>) -> Result<(&'p [u32; Geometry::WORDS], &'p [u32]), Fault> {
    let bad = Fault::BadParam {
        param: Geometry::WORDS as u8,
    };
    step.all_params().split_first_chunk().ok_or(bad)
}

/// The operator's own parameters: those behind the [`Geometry`].
pub(crate) fn own<'p, const N: usize>(step: &Step<'p>) -> Result<&'p [u32; N], Fault> {
    let bad = Fault::BadParam {
        param: (Geometry::WORDS + N) as u8,
    };
    parts(step)?.1.try_into().map_err(|_| bad)
}

/// Checks the geometry of a step with operands a, b (read) and output, all of type `T`, which may lie
/// exactly over an input of its shape. Returns the words of the operator's own parameters.
pub(crate) fn check<'p, T: Element>(step: &Step<'p>) -> Result<&'p [u32], Fault> {
    step.expect_operands(3)?;
    let (geometry, own) = parts(step)?;
    let geometry = Geometry::within(geometry)?;
    let dims = geometry.dims();
    for (operand, strides) in [geometry.a_strides(), geometry.b_strides()]
        .into_iter()
        .enumerate()
    {
        if extent(&dims, &strides) != Some(step.count_of::<T>(operand)?) {
            return Err(Fault::WrongLength {
                operand: operand as u8,
            });
        }
        if geometry.contiguous(strides) {
            step.expect_in_place_or_disjoint(operand, 2)?;
        } else {
            step.expect_disjoint(operand, 2)?;
        }
    }
    expect_count(step.count_of_output::<T>(2)?, &dims, 2)?;
    Ok(own)
}

/// Writes `f(a, b)` to each element of the output.
pub(crate) fn run<T: Element>(io: &mut Io<'_, '_>, f: impl Fn(T, T) -> T) -> Result<(), Fault> {
    let g = Geometry::decode(parts(&io.step)?.0);
    let outer = |[d0, d1, d2, d3, _]: [i32; 5]| [d0, d1, d2, d3].map(size);
    let dims = outer(g.dims());
    let mut a_at = Odometer::new(dims, outer(g.a_strides()));
    let mut b_at = Odometer::new(dims, outer(g.b_strides()));
    let n = size(g.d4).max(1);
    match (
        io.step.starts_together(0, 2)?,
        io.step.starts_together(1, 2)?,
    ) {
        (true, true) => {
            for y in io.write::<T>(2)? {
                *y = f(*y, *y);
            }
        }
        (true, false) => {
            let (b, output) = io.read_write::<T, T>(1, 2)?;
            for line in output.chunks_exact_mut(n) {
                let b = run_of(b, &b_at, g.b4);
                line.iter_mut().zip(b).for_each(|(y, b)| *y = f(*y, b));
                b_at.advance();
            }
        }
        (false, true) => {
            let (a, output) = io.read_write::<T, T>(0, 2)?;
            for line in output.chunks_exact_mut(n) {
                let a = run_of(a, &a_at, g.a4);
                line.iter_mut().zip(a).for_each(|(y, a)| *y = f(a, *y));
                a_at.advance();
            }
        }
        (false, false) => {
            let (a, b, output) = io.read2_write::<T, T, T>(0, 1, 2)?;
            for line in output.chunks_exact_mut(n) {
                let (a, b) = (run_of(a, &a_at, g.a4), run_of(b, &b_at, g.b4));
                for ((y, a), b) in line.iter_mut().zip(a).zip(b) {
                    *y = f(a, b);
                }
                a_at.advance();
                b_at.advance();
            }
        }
    }
    Ok(())
}

/// The elements of one run: side by side with a step of 1, the same one again with a step of 0.
struct Run<'x, T> {
    rest: &'x [T],
    step: usize,
}

impl<T: Element> Iterator for Run<'_, T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        let &x = self.rest.first()?;
        self.rest = self.rest.get(self.step..).unwrap_or_default();
        Some(x)
    }
}

/// The run of `x` from the odometer's offset on.
#[inline(always)]
fn run_of<'x, T: Element>(x: &'x [T], at: &Odometer<4>, step: i32) -> Run<'x, T> {
    Run {
        rest: x.get(at.offset()..).unwrap_or_default(),
        step: size(step),
    }
}
