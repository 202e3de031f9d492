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
        match self.table_bytes((i, T::ELEM)) {
            Some(bytes) => typed(bytes, i),
            None => Err(self.not_a_table((i, T::ELEM))),
        }
    }

    /// The bytes of an operand that is a table.
    #[inline(never)]
    fn table_bytes(&self, (i, elem): Operand) -> Option<&'p [u8]> {
        let record = self.tensors.get(*self.operands.get(i)? as usize)?;
        if record.place != Place::Data as u8 || record.elem != elem as u8 {
            return None;
        }
        let start = record.offset as usize;
        let len = (record.count as usize).wrapping_mul(elem.size());
        self.data.get(start..start.wrapping_add(len))
    }

    /// Why an operand is no such table.
    #[cold]
    #[inline(never)]
    fn not_a_table(&self, (i, elem): Operand) -> Fault {
        match self.record(i) {
            Err(fault) => fault,
            Ok(record) if record.place != Place::Data as u8 => {
                Fault::WrongPlace { operand: i as u8 }
            }
            Ok(record) => match expect_elem(record, (i, elem)) {
                Err(fault) => fault,
                Ok(()) => outside((i, elem)),
            },
        }
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

    /// Whether operands `a` and `b` start at the same byte: the step works in place.
    pub fn starts_together(&self, a: usize, b: usize) -> Result<bool, Fault> {
        let (a, b) = (self.record(a)?, self.record(b)?);
        Ok(a.place == b.place && a.offset == b.offset)
    }

    /// Fails when operands `a` and `b` share bytes, but do not start at the same one.
    /// Element-wise kernels ask for this, for operands of one length: their output may lie
    /// exactly over an input.
    pub fn expect_in_place_or_disjoint(&self, a: usize, b: usize) -> Result<(), Fault> {
        if self.starts_together(a, b)? {
            return Ok(());
        }
        self.expect_disjoint(a, b)
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
/// One operand to read and three to write.
pub type ReadWrite3<'a, R, U, V, W> = (&'a [R], &'a mut [U], &'a mut [V], &'a mut [W]);
/// Three operands to write.
pub type Write3<'a, U, V, W> = (&'a mut [U], &'a mut [V], &'a mut [W]);

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
        let bytes = self.write_bytes((i, T::ELEM))?;
        typed_mut(bytes, i)
    }

    /// Operand `i`, to read.
    #[inline]
    pub fn read<T: Element>(&self, i: usize) -> Result<&[T], Fault> {
        let bytes = self.read_bytes((i, T::ELEM))?;
        typed(bytes, i)
    }

    /// Operand `r` to read and operand `w` to write; they must not overlap.
    #[inline]
    pub fn read_write<R: Element, W: Element>(
        &mut self,
        r: usize,
        w: usize,
    ) -> Result<(&[R], &mut [W]), Fault> {
        let (from, to) = self.read_write_bytes((r, R::ELEM), (w, W::ELEM))?;
        Ok((typed(from, r)?, typed_mut(to, w)?))
    }

    /// Operands `a` and `b` to read and operand `w` to write; `w` must not overlap the others.
    #[inline]
    pub fn read2_write<A: Element, B: Element, W: Element>(
        &mut self,
        a: usize,
        b: usize,
        w: usize,
    ) -> Result<Read2Write<'_, A, B, W>, Fault> {
        let (x, y, to) = self.read2_write_bytes((a, A::ELEM), (b, B::ELEM), (w, W::ELEM))?;
        Ok((typed(x, a)?, typed(y, b)?, typed_mut(to, w)?))
    }

    /// Two operands to read and write; they must not overlap.
    #[inline]
    pub fn write2<V: Element, W: Element>(
        &mut self,
        v: usize,
        w: usize,
    ) -> Result<(&mut [V], &mut [W]), Fault> {
        let (a, b) = self.write2_bytes((v, V::ELEM), (w, W::ELEM))?;
        Ok((typed_mut(a, v)?, typed_mut(b, w)?))
    }

    /// Three operands to read and write; none may overlap another.
    #[inline]
    pub fn write3<U: Element, V: Element, W: Element>(
        &mut self,
        u: usize,
        v: usize,
        w: usize,
    ) -> Result<Write3<'_, U, V, W>, Fault> {
        let [a, b, c] = self.write3_bytes((u, U::ELEM), (v, V::ELEM), (w, W::ELEM))?;
        Ok((typed_mut(a, u)?, typed_mut(b, v)?, typed_mut(c, w)?))
    }

    /// Operand `r` to read and two operands to write; none may overlap another.
    #[inline]
    pub fn read_write2<R: Element, V: Element, W: Element>(
        &mut self,
        r: usize,
        v: usize,
        w: usize,
    ) -> Result<ReadWrite2<'_, R, V, W>, Fault> {
        let (from, a, b) = self.read_write2_bytes((r, R::ELEM), (v, V::ELEM), (w, W::ELEM))?;
        Ok((typed(from, r)?, typed_mut(a, v)?, typed_mut(b, w)?))
    }

    /// Operand `r` to read and three operands to write; none may overlap another.
    #[inline]
    pub fn read_write3<R: Element, U: Element, V: Element, W: Element>(
        &mut self,
        r: usize,
        u: usize,
        v: usize,
        w: usize,
    ) -> Result<ReadWrite3<'_, R, U, V, W>, Fault> {
        let to = [(u, U::ELEM), (v, V::ELEM), (w, W::ELEM)];
        let (from, [a, b, c]) = self.read_write3_bytes((r, R::ELEM), to)?;
        Ok((
            typed(from, r)?,
            typed_mut(a, u)?,
            typed_mut(b, v)?,
            typed_mut(c, w)?,
        ))
    }
}

/// A position among the operands, and the type that the tensor there must hold.
type Operand = (usize, Elem);

/// The memory behind operands, as bytes: not generic, so that all operators share this code.
impl<'p> Io<'_, 'p> {
    #[inline(never)]
    fn write_bytes(&mut self, w: Operand) -> Result<&mut [u8], Fault> {
        let range = self.arena_range(w)?;
        self.arena.get_mut(range).ok_or(outside(w))
    }

    #[inline(never)]
    fn read_bytes(&self, r: Operand) -> Result<&[u8], Fault> {
        if let Some(table) = self.step.table_bytes(r) {
            return Ok(table);
        }
        let range = self.arena_range(r)?;
        self.arena.get(range).ok_or(outside(r))
    }

    #[inline(never)]
    fn read_write_bytes(&mut self, r: Operand, w: Operand) -> Result<(&[u8], &mut [u8]), Fault> {
        let to = self.arena_range(w)?;
        if let Some(table) = self.step.table_bytes(r) {
            let to = self.arena.get_mut(to).ok_or(outside(w))?;
            return Ok((table, to));
        }
        let from = self.arena_range(r)?;
        let overlap = overlap(w);
        // Cut the arena in front of whichever comes later.
        if from.end <= to.start {
            let len = to.end - to.start;
            let (low, high) = self.arena.split_at_mut_checked(to.start).ok_or(overlap)?;
            let from = low.get(from).ok_or(overlap)?;
            Ok((from, high.get_mut(..len).ok_or(overlap)?))
        } else {
            let len = from.end - from.start;
            let (low, high) = self.arena.split_at_mut_checked(from.start).ok_or(overlap)?;
            let to = low.get_mut(to).ok_or(overlap)?;
            Ok((high.get(..len).ok_or(overlap)?, to))
        }
    }

    #[inline(never)]
    fn read2_write_bytes(
        &mut self,
        a: Operand,
        b: Operand,
        w: Operand,
    ) -> Result<Read2Write<'_, u8, u8, u8>, Fault> {
        let to = self.arena_range(w)?;
        match (self.step.table_bytes(a), self.step.table_bytes(b)) {
            (Some(x), _) => {
                let (y, to) = self.read_write_bytes(b, w)?;
                Ok((x, y, to))
            }
            (_, Some(y)) => {
                let (x, to) = self.read_write_bytes(a, w)?;
                Ok((x, y, to))
            }
            (None, None) => {
                let (xa, xb) = (self.arena_range(a)?, self.arena_range(b)?);
                // Both inputs lie before or behind the output: cut the arena around it, so that
                // the inputs may overlap each other.
                let overlap = overlap(w);
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
                Ok((side(xa).ok_or(overlap)?, side(xb).ok_or(overlap)?, out))
            }
        }
    }

    #[inline(never)]
    fn write2_bytes(&mut self, v: Operand, w: Operand) -> Result<(&mut [u8], &mut [u8]), Fault> {
        let ranges = [self.arena_range(v)?, self.arena_range(w)?];
        let [a, b] = self
            .arena
            .get_disjoint_mut(ranges)
            .map_err(|_| overlap(w))?;
        Ok((a, b))
    }

    #[inline(never)]
    fn write3_bytes(
        &mut self,
        u: Operand,
        v: Operand,
        w: Operand,
    ) -> Result<[&mut [u8]; 3], Fault> {
        let ranges = [
            self.arena_range(u)?,
            self.arena_range(v)?,
            self.arena_range(w)?,
        ];
        self.arena.get_disjoint_mut(ranges).map_err(|_| overlap(w))
    }

    #[inline(never)]
    fn read_write2_bytes(
        &mut self,
        r: Operand,
        v: Operand,
        w: Operand,
    ) -> Result<ReadWrite2<'_, u8, u8, u8>, Fault> {
        let (rv, rw) = (self.arena_range(v)?, self.arena_range(w)?);
        if let Some(table) = self.step.table_bytes(r) {
            let [a, b] = self
                .arena
                .get_disjoint_mut([rv, rw])
                .map_err(|_| overlap(w))?;
            return Ok((table, a, b));
        }
        let ranges = [self.arena_range(r)?, rv, rw];
        let [from, a, b] = self
            .arena
            .get_disjoint_mut(ranges)
            .map_err(|_| overlap(w))?;
        Ok((from, a, b))
    }

    #[inline(never)]
    fn read_write3_bytes(
        &mut self,
        r: Operand,
        to: [Operand; 3],
    ) -> Result<(&[u8], [&mut [u8]; 3]), Fault> {
        let [u, v, w] = to;
        let ranges = [
            self.arena_range(u)?,
            self.arena_range(v)?,
            self.arena_range(w)?,
        ];
        if let Some(table) = self.step.table_bytes(r) {
            let to = self.arena.get_disjoint_mut(ranges);
            return Ok((table, to.map_err(|_| overlap(w))?));
        }
        let [ru, rv, rw] = ranges;
        let ranges = [self.arena_range(r)?, ru, rv, rw];
        let [from, a, b, c] = self
            .arena
            .get_disjoint_mut(ranges)
            .map_err(|_| overlap(w))?;
        Ok((from, [a, b, c]))
    }

    /// Where an operand lies in the arena.
    #[inline(never)]
    fn arena_range(&self, (i, elem): Operand) -> Result<Range<usize>, Fault> {
        let record = self.step.record(i)?;
        expect_elem(record, (i, elem))?;
        let start = record.offset as usize;
        let base = if record.place == Place::Arena as u8 {
            0
        } else if record.place == Place::Row as u8 {
            self.row_offset as usize
        } else {
            return Err(Fault::WrongPlace { operand: i as u8 });
        };
        let start = start.wrapping_add(base);
        // The plan was checked: its tensors lie inside the arena, whose length is below 2^28.
        let len = (record.count as usize).wrapping_mul(elem.size());
        Ok(start..start.wrapping_add(len))
    }
}

fn outside((i, _): Operand) -> Fault {
    Fault::WrongLength { operand: i as u8 }
}

fn overlap((i, _): Operand) -> Fault {
    Fault::WrongPlace { operand: i as u8 }
}

#[inline]
fn expect_elem(record: &TensorRecord, (i, elem): Operand) -> Result<(), Fault> {
    if record.elem == elem as u8 {
        Ok(())
    } else {
        Err(Fault::WrongType { operand: i as u8 })
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
fn typed<T: Element>(bytes: &[u8], i: usize) -> Result<&[T], Fault> {
    bytemuck::try_cast_slice(bytes).map_err(|_| Fault::WrongType { operand: i as u8 })
}

#[inline]
fn typed_mut<T: Element>(bytes: &mut [u8], i: usize) -> Result<&mut [T], Fault> {
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| Fault::WrongType { operand: i as u8 })
}
