//! What an operator is, and what it sees of a plan.

use crate::error::Fault;
use crate::format::{Elem, Element, Place, TensorRecord};
use core::ops::Range;

/// An operator: a code that promises bits, a check, and a kernel.
///
/// The application links a list of operators; a plan names them by code. Only the operators in
/// the list are in the firmware.
#[derive(Debug)]
pub struct Op {
    /// The op code: the same code gives the same bytes for the same operands, everywhere, for
    /// ever.
    pub code: u16,
    /// The field's name for the operator, upper case. For tools; the runner does not read it.
    pub name: &'static str,
    /// Checks a step when the plan is loaded: number, types and lengths of operands, ranges of
    /// parameters, contents of tables. After it the kernel may trust them.
    pub check: fn(&Step<'_>) -> Result<(), Fault>,
    /// Runs the step. Whatever the check should have missed becomes a [`Fault`], never a panic.
    pub run: fn(&mut Io<'_, '_>) -> Result<(), Fault>,
}

/// One tensor as an operator's check sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Element type.
    pub elem: Elem,
    /// Memory in which it lives.
    pub place: Place,
    /// Number of elements.
    pub count: usize,
}

/// One step of a plan: operands and parameters of an operator.
#[derive(Clone, Copy, Debug)]
pub struct Step<'p> {
    pub(crate) tensors: &'p [TensorRecord],
    pub(crate) data: &'p [u8],
    pub(crate) op_index: usize,
    pub(crate) operands: &'p [u32],
    pub(crate) params: &'p [u32],
}

impl<'p> Step<'p> {
    /// The parameters, when there are exactly `N`.
    #[inline]
    pub fn params<const N: usize>(&self) -> Result<&'p [u32; N], Fault> {
        self.params
            .try_into()
            .map_err(|_| Fault::BadParam { param: N as u8 })
    }

    /// All parameters, for operators with a variable number of them.
    #[inline]
    pub fn all_params(&self) -> &'p [u32] {
        self.params
    }

    /// Number of operands.
    #[inline]
    pub fn operand_count(&self) -> usize {
        self.operands.len()
    }

    /// Fails unless the step has exactly `n` operands.
    pub fn expect_operands(&self, n: usize) -> Result<(), Fault> {
        if self.operands.len() == n {
            Ok(())
        } else {
            Err(Fault::NoOperand { operand: n as u8 })
        }
    }

    /// Operand `i` as a tensor.
    pub fn tensor(&self, i: usize) -> Result<Tensor, Fault> {
        let record = self.record(i)?;
        let missing = Fault::NoOperand { operand: i as u8 };
        Ok(Tensor {
            elem: Elem::from_code(record.elem).ok_or(missing)?,
            place: Place::from_code(record.place).ok_or(missing)?,
            count: record.count as usize,
        })
    }

    /// Number of elements of operand `i`, which must hold `T`s; in any place.
    pub fn count_of<T: Element>(&self, i: usize) -> Result<usize, Fault> {
        let tensor = self.tensor(i)?;
        if tensor.elem != T::ELEM {
            return Err(Fault::WrongType { operand: i as u8 });
        }
        Ok(tensor.count)
    }

    /// Number of elements of operand `i`, which must hold `T`s and be writable.
    pub fn count_of_output<T: Element>(&self, i: usize) -> Result<usize, Fault> {
        if self.tensor(i)?.place == Place::Data {
            return Err(Fault::WrongPlace { operand: i as u8 });
        }
        self.count_of::<T>(i)
    }

    /// Operand `i`, a table of `T`s in the plan's data.
    #[inline]
    pub fn table<T: Element>(&self, i: usize) -> Result<&'p [T], Fault> {
        let operand = i as u8;
        let record = self.record(i)?;
        if record.place != Place::Data as u8 {
            return Err(Fault::WrongPlace { operand });
        }
        let bytes = self
            .data
            .get(byte_range(record)?)
            .ok_or(Fault::WrongLength { operand })?;
        typed(bytes, record, operand)
    }

    /// Fails when operands `a` and `b` share bytes. Kernels that read one while they write the
    /// other ask for this in their check; kernels that work in place do not.
    pub fn expect_disjoint(&self, a: usize, b: usize) -> Result<(), Fault> {
        let (ra, rb) = (self.record(a)?, self.record(b)?);
        let (xa, xb) = (byte_range(ra)?, byte_range(rb)?);
        if ra.place == rb.place && xa.start < xb.end && xb.start < xa.end {
            return Err(Fault::WrongPlace { operand: b as u8 });
        }
        Ok(())
    }

    #[inline]
    fn record(&self, i: usize) -> Result<&'p TensorRecord, Fault> {
        let missing = Fault::NoOperand { operand: i as u8 };
        let id = *self.operands.get(i).ok_or(missing)?;
        self.tensors.get(id as usize).ok_or(missing)
    }
}

/// Two operands to read and one to write.
pub type Read2Write<'a, A, B, W> = (&'a [A], &'a [B], &'a mut [W]);
/// One operand to read and two to write.
pub type ReadWrite2<'a, R, V, W> = (&'a [R], &'a mut [V], &'a mut [W]);

/// What a running operator sees: its step, and its operands as typed slices of the arena.
///
/// Operand positions are those of the operator's documentation. An operand that is only read may
/// live in the arena or in the plan's data.
#[derive(Debug)]
pub struct Io<'r, 'p> {
    /// The step that runs.
    pub step: Step<'p>,
    pub(crate) arena: &'r mut [u8],
    /// Byte offset of the current row in the arena.
    pub(crate) row_offset: u32,
    /// Index of the current frame within its window.
    pub(crate) frame: u32,
}

impl<'p> Io<'_, 'p> {
    /// Index of the frame that the frame section works on, counted from 0 in every window.
    #[inline]
    pub fn frame(&self) -> u32 {
        self.frame
    }

    /// Operand `i`, to read and write.
    #[inline]
    pub fn write<T: Element>(&mut self, i: usize) -> Result<&mut [T], Fault> {
        let range = self.arena_range(i)?;
        let record = self.step.record(i)?;
        let operand = i as u8;
        let bytes = self
            .arena
            .get_mut(range)
            .ok_or(Fault::WrongLength { operand })?;
        typed_mut(bytes, record, operand)
    }

    /// Operand `i`, to read.
    #[inline]
    pub fn read<T: Element>(&self, i: usize) -> Result<&[T], Fault> {
        if self.in_data(i)? {
            return self.step.table(i);
        }
        let range = self.arena_range(i)?;
        let operand = i as u8;
        let bytes = self
            .arena
            .get(range)
            .ok_or(Fault::WrongLength { operand })?;
        typed(bytes, self.step.record(i)?, operand)
    }

    /// Operand `r` to read and operand `w` to write; they must not overlap.
    #[inline]
    pub fn read_write<R: Element, W: Element>(
        &mut self,
        r: usize,
        w: usize,
    ) -> Result<(&[R], &mut [W]), Fault> {
        if self.in_data(r)? {
            return Ok((self.step.table(r)?, self.write(w)?));
        }
        let ranges = [self.arena_range(r)?, self.arena_range(w)?];
        let overlap = Fault::WrongPlace { operand: w as u8 };
        let [from, to] = self.arena.get_disjoint_mut(ranges).map_err(|_| overlap)?;
        Ok((
            typed(from, self.step.record(r)?, r as u8)?,
            typed_mut(to, self.step.record(w)?, w as u8)?,
        ))
    }

    /// Operands `a` and `b` to read and operand `w` to write; `w` must not overlap the others.
    #[inline]
    pub fn read2_write<A: Element, B: Element, W: Element>(
        &mut self,
        a: usize,
        b: usize,
        w: usize,
    ) -> Result<Read2Write<'_, A, B, W>, Fault> {
        let steps = self.step;
        match (self.in_data(a)?, self.in_data(b)?) {
            (true, _) => {
                let (y, z) = self.read_write(b, w)?;
                Ok((steps.table(a)?, y, z))
            }
            (_, true) => {
                let (x, z) = self.read_write(a, w)?;
                Ok((x, steps.table(b)?, z))
            }
            _ => {
                let [xa, xb, to] = [
                    self.arena_range(a)?,
                    self.arena_range(b)?,
                    self.arena_range(w)?,
                ];
                // Both inputs lie before or behind the output: cut the arena around it, so that
                // the inputs may overlap each other.
                let overlap = Fault::WrongPlace { operand: w as u8 };
                let (low, rest) = self.arena.split_at_mut_checked(to.start).ok_or(overlap)?;
                let (out, high) = rest
                    .split_at_mut_checked(to.end - to.start)
                    .ok_or(overlap)?;
                let (low, high): (&[u8], &[u8]) = (low, high);
                let side = |x: Range<usize>| {
                    if x.end <= to.start {
                        low.get(x)
                    } else {
                        let start = x.start.checked_sub(to.end)?;
                        high.get(start..x.end - to.end)
                    }
                };
                Ok((
                    typed(side(xa).ok_or(overlap)?, steps.record(a)?, a as u8)?,
                    typed(side(xb).ok_or(overlap)?, steps.record(b)?, b as u8)?,
                    typed_mut(out, steps.record(w)?, w as u8)?,
                ))
            }
        }
    }

    /// Operand `r` to read and two operands to write; none may overlap another.
    #[inline]
    pub fn read_write2<R: Element, V: Element, W: Element>(
        &mut self,
        r: usize,
        v: usize,
        w: usize,
    ) -> Result<ReadWrite2<'_, R, V, W>, Fault> {
        let overlap = Fault::WrongPlace { operand: w as u8 };
        let (rv, rw) = (self.arena_range(v)?, self.arena_range(w)?);
        if self.in_data(r)? {
            let from = self.step.table(r)?;
            let [a, b] = self.arena.get_disjoint_mut([rv, rw]).map_err(|_| overlap)?;
            return Ok((
                from,
                typed_mut(a, self.step.record(v)?, v as u8)?,
                typed_mut(b, self.step.record(w)?, w as u8)?,
            ));
        }
        let ranges = [self.arena_range(r)?, rv, rw];
        let [from, a, b] = self.arena.get_disjoint_mut(ranges).map_err(|_| overlap)?;
        Ok((
            typed(from, self.step.record(r)?, r as u8)?,
            typed_mut(a, self.step.record(v)?, v as u8)?,
            typed_mut(b, self.step.record(w)?, w as u8)?,
        ))
    }

    #[inline]
    fn in_data(&self, i: usize) -> Result<bool, Fault> {
        Ok(self.step.record(i)?.place == Place::Data as u8)
    }

    #[inline]
    fn arena_range(&self, i: usize) -> Result<Range<usize>, Fault> {
        let record = self.step.record(i)?;
        let range = byte_range(record)?;
        let base = match Place::from_code(record.place) {
            Some(Place::Arena) => 0,
            Some(Place::Row) => self.row_offset as usize,
            _ => return Err(Fault::WrongPlace { operand: i as u8 }),
        };
        Ok(range.start.wrapping_add(base)..range.end.wrapping_add(base))
    }
}

/// Byte range of a tensor in its place.
#[inline]
pub(crate) fn byte_range(record: &TensorRecord) -> Result<Range<usize>, Fault> {
    let bad = Fault::NoOperand { operand: u8::MAX };
    let size = Elem::from_code(record.elem).ok_or(bad)?.size();
    let start = record.offset as usize;
    let len = (record.count as usize).checked_mul(size).ok_or(bad)?;
    Ok(start..start.checked_add(len).ok_or(bad)?)
}

#[inline]
fn typed<'b, T: Element>(
    bytes: &'b [u8],
    record: &TensorRecord,
    operand: u8,
) -> Result<&'b [T], Fault> {
    if record.elem != T::ELEM as u8 {
        return Err(Fault::WrongType { operand });
    }
    bytemuck::try_cast_slice(bytes).map_err(|_| Fault::WrongType { operand })
}

#[inline]
fn typed_mut<'b, T: Element>(
    bytes: &'b mut [u8],
    record: &TensorRecord,
    operand: u8,
) -> Result<&'b mut [T], Fault> {
    if record.elem != T::ELEM as u8 {
        return Err(Fault::WrongType { operand });
    }
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| Fault::WrongType { operand })
}
