//! What an operator is, and what it sees of a plan.

use crate::arena::{apart, around, cut2};
use crate::error::Fault;
use crate::format::{Elem, Element, Place, TensorRecord, parse_step_word, size_of_elem};
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
    pub(crate) operands: &'p [u32],
    pub(crate) params: &'p [u32],
}

impl<'p> Step<'p> {
    /// Becomes the first step of `words`, which is taken off them; gives the index of its operator.
    #[inline]
    pub(crate) fn take(&mut self, words: &mut &'p [u32]) -> Option<usize> {
        let (&word, rest) = words.split_first()?;
        let (op_index, n_operands, n_params) = parse_step_word(word);
        let (operands, rest) = rest.split_at_checked(n_operands)?;
        let (params, rest) = rest.split_at_checked(n_params)?;
        (self.operands, self.params, *words) = (operands, params, rest);
        Some(op_index)
    }

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
    #[inline]
    pub fn count_of<T: Element>(&self, i: usize) -> Result<usize, Fault> {
        self.count((i, Kind::of::<T>()), false)
    }

    /// Number of elements of operand `i`, which must hold `T`s and be writable.
    #[inline]
    pub fn count_of_output<T: Element>(&self, i: usize) -> Result<usize, Fault> {
        self.count((i, Kind::of::<T>()), true)
    }

    #[inline(never)]
    fn count(&self, (i, elem): Operand, output: bool) -> Result<usize, Fault> {
        let record = self.record(i)?;
        if output && record.place == Place::Data as u8 {
            return Err(Fault::WrongPlace { operand: i as u8 });
        }
        expect_elem(record, (i, elem))?;
        Ok(record.count as usize)
    }

    /// Operand `i`, a table of `T`s in the plan's data.
    #[inline]
    pub fn table<T: Element>(&self, i: usize) -> Result<&'p [T], Fault> {
        match self.table_bytes((i, Kind::of::<T>())) {
            Some(bytes) => typed(bytes, i),
            None => Err(self.not_a_table((i, Kind::of::<T>()))),
        }
    }

    /// The bytes of an operand that is a table.
    #[inline(never)]
    fn table_bytes(&self, (i, elem): Operand) -> Option<&'p [u8]> {
        let record = self.find(i)?;
        if record.place != Place::Data as u8 || record.elem != elem.code() {
            return None;
        }
        let start = record.offset as usize;
        let len = elem.bytes(record.count);
        self.data.get(start..start.wrapping_add(len))
    }

    /// [`table_bytes`](Self::table_bytes), quick to find out that an operand is no table.
    #[inline(always)]
    fn readable_table(&self, operand: Operand) -> Option<&'p [u8]> {
        match self.find(operand.0)?.place == Place::Data as u8 {
            true => self.table_bytes(operand),
            false => None,
        }
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
    #[inline(never)]
    pub fn expect_disjoint(&self, a: usize, b: usize) -> Result<(), Fault> {
        let ((start, end), (from, to)) = (self.extent(a), self.extent(b));
        if start < to && from < end {
            return Err(Fault::WrongPlace { operand: b as u8 });
        }
        Ok(())
    }

    /// Fails when any two of these operands share bytes, as
    /// [`expect_disjoint`](Self::expect_disjoint) does for two.
    #[inline(never)]
    pub fn expect_apart(&self, operands: &[u8]) -> Result<(), Fault> {
        for (n, &operand) in operands.iter().enumerate() {
            let (from, to) = self.extent(operand.into());
            for &earlier in operands.iter().take(n) {
                let (start, end) = self.extent(earlier.into());
                if start < to && from < end {
                    return Err(Fault::WrongPlace { operand });
                }
            }
        }
        Ok(())
    }

    /// Where an operand's bytes start and end, in numbers that differ between places too; one that
    /// does not exist is everywhere.
    #[inline]
    fn extent(&self, i: usize) -> (u32, u32) {
        self.find(i).map_or((0, u32::MAX), |record| {
            // Places hold at most `MAX_BYTES` = 2^28 bytes.
            let start = record.offset | u32::from(record.place) << 29;
            let len = record.count.wrapping_mul(size_of_elem(record.elem) as u32);
            (start, start.wrapping_add(len))
        })
    }

    /// Why an operand is not to be found in the arena.
    #[cold]
    #[inline(never)]
    fn not_in_arena(&self, (i, elem): Operand) -> Fault {
        match self.record(i) {
            Err(fault) => fault,
            Ok(record) => match expect_elem(record, (i, elem)) {
                Err(fault) => fault,
                Ok(()) if record.place == Place::Data as u8 => {
                    Fault::WrongPlace { operand: i as u8 }
                }
                Ok(()) => outside((i, elem)),
            },
        }
    }

    /// Why operands are no separate parts of the arena: the first that is not in it, or the last.
    #[cold]
    #[inline(never)]
    fn not_apart(&self, operands: &[Operand]) -> Fault {
        let mut fault = Fault::NoOperand { operand: u8::MAX };
        for &operand in operands.iter().filter(|operand| operand.0 != NOTHING.0) {
            match self.not_in_arena(operand) {
                Fault::WrongLength { .. } => fault = overlap(operand),
                other => return other,
            }
        }
        fault
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
        self.find(i).ok_or(missing)
    }

    #[inline]
    fn find(&self, i: usize) -> Option<&'p TensorRecord> {
        self.tensors.get(*self.operands.get(i)? as usize)
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
        let bytes = self.write_bytes((i, Kind::of::<T>()))?;
        typed_mut(bytes, i)
    }

    /// Operand `i`, to read.
    #[inline]
    pub fn read<T: Element>(&self, i: usize) -> Result<&[T], Fault> {
        let bytes = self.read_bytes((i, Kind::of::<T>()))?;
        typed(bytes, i)
    }

    /// Operand `r` to read and operand `w` to write; they must not overlap.
    #[inline]
    pub fn read_write<R: Element, W: Element>(
        &mut self,
        r: usize,
        w: usize,
    ) -> Result<(&[R], &mut [W]), Fault> {
        let (from, to) = self.read_write_bytes((r, Kind::of::<R>()), (w, Kind::of::<W>()))?;
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
        let (x, y, to) = self.read2_write_bytes(
            (a, Kind::of::<A>()),
            (b, Kind::of::<B>()),
            (w, Kind::of::<W>()),
        )?;
        Ok((typed(x, a)?, typed(y, b)?, typed_mut(to, w)?))
    }

    /// Two operands to read and write; they must not overlap.
    #[inline]
    pub fn write2<V: Element, W: Element>(
        &mut self,
        v: usize,
        w: usize,
    ) -> Result<(&mut [V], &mut [W]), Fault> {
        let (a, b) = self.write2_bytes((v, Kind::of::<V>()), (w, Kind::of::<W>()))?;
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
        let to = [
            (u, Kind::of::<U>()),
            (v, Kind::of::<V>()),
            (w, Kind::of::<W>()),
        ];
        let (_, [a, b, c]) = self.read_write3_bytes(NOTHING, to)?;
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
        let (from, a, b) = self.read_write2_bytes(
            (r, Kind::of::<R>()),
            (v, Kind::of::<V>()),
            (w, Kind::of::<W>()),
        )?;
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
        let to = [
            (u, Kind::of::<U>()),
            (v, Kind::of::<V>()),
            (w, Kind::of::<W>()),
        ];
        let (from, [a, b, c]) = self.read_write3_bytes((r, Kind::of::<R>()), to)?;
        Ok((
            typed(from, r)?,
            typed_mut(a, u)?,
            typed_mut(b, v)?,
            typed_mut(c, w)?,
        ))
    }
}

/// A position among the operands, and the type that the tensor there must hold.
type Operand = (usize, Kind);

/// Stands where a step has no operand: it takes no bytes.
const NOTHING: Operand = (usize::MAX, Kind(0));

/// An element type with the exponent of its size, so that shared code need not look it up.
#[derive(Clone, Copy)]
struct Kind(u32);

impl Kind {
    /// The kind of a Rust type.
    #[inline(always)]
    const fn of<T: Element>() -> Self {
        Self(T::ELEM as u32 | T::ELEM.size().trailing_zeros() << 8)
    }

    /// The element type's code.
    #[inline(always)]
    const fn code(self) -> u8 {
        self.0 as u8
    }

    /// Bytes of `count` elements.
    #[inline(always)]
    const fn bytes(self, count: u32) -> usize {
        (count as usize).wrapping_shl(self.0 >> 8)
    }
}

/// The memory behind operands, as bytes: not generic, so that all operators share this code.
impl<'p> Io<'_, 'p> {
    #[inline(never)]
    fn write_bytes(&mut self, w: Operand) -> Result<&mut [u8], Fault> {
        let (start, end) = self.place(w);
        match self.arena.get_mut(start..end) {
            Some(bytes) => Ok(bytes),
            None => Err(self.step.not_in_arena(w)),
        }
    }

    #[inline(never)]
    fn read_bytes(&self, r: Operand) -> Result<&[u8], Fault> {
        if let Some(table) = self.step.table_bytes(r) {
            return Ok(table);
        }
        let (start, end) = self.place(r);
        match self.arena.get(start..end) {
            Some(bytes) => Ok(bytes),
            None => Err(self.step.not_in_arena(r)),
        }
    }

    #[inline(never)]
    fn read_write_bytes(&mut self, r: Operand, w: Operand) -> Result<(&[u8], &mut [u8]), Fault> {
        if let Some(table) = self.step.readable_table(r) {
            return Ok((table, self.write_bytes(w)?));
        }
        let (from, to) = self.write2_bytes(r, w)?;
        Ok((from, to))
    }

    #[inline(never)]
    fn read2_write_bytes(
        &mut self,
        a: Operand,
        b: Operand,
        w: Operand,
    ) -> Result<Read2Write<'_, u8, u8, u8>, Fault> {
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
                let (xa, xb, to) = (self.place(a), self.place(b), self.place(w));
                // Both inputs lie before or behind the output: cut the arena around it, so that
                // the inputs may overlap each other.
                match around(self.arena, xa, xb, to) {
                    Some(parts) => Ok(parts),
                    None => Err(self.step.not_apart(&[a, b, w])),
                }
            }
        }
    }

    #[inline(never)]
    fn write2_bytes(&mut self, v: Operand, w: Operand) -> Result<(&mut [u8], &mut [u8]), Fault> {
        let (a, b) = (self.place(v), self.place(w));
        match cut2(self.arena, a, b) {
            Some(parts) => Ok(parts),
            None => Err(self.step.not_apart(&[v, w])),
        }
    }

    #[inline(never)]
    fn read_write2_bytes(
        &mut self,
        r: Operand,
        v: Operand,
        w: Operand,
    ) -> Result<ReadWrite2<'_, u8, u8, u8>, Fault> {
        if let Some(table) = self.step.readable_table(r) {
            let (a, b) = self.write2_bytes(v, w)?;
            return Ok((table, a, b));
        }
        let (from, [a, b, _]) = self.read_write3_bytes(r, [v, w, NOTHING])?;
        Ok((from, a, b))
    }

    /// One operand to read and three to write, any of which may be [`NOTHING`].
    #[inline(never)]
    fn read_write3_bytes(
        &mut self,
        mut r: Operand,
        [u, v, w]: [Operand; 3],
    ) -> Result<(&[u8], [&mut [u8]; 3]), Fault> {
        let table = self.step.table_bytes(r);
        if table.is_some() {
            r = NOTHING;
        }
        let operands = [r, u, v, w];
        match apart(self.arena, operands.map(|operand| self.place(operand))) {
            Some([from, a, b, c]) => Ok((table.unwrap_or(from), [a, b, c])),
            None => Err(self.step.not_apart(&operands)),
        }
    }

    /// Where an operand starts and ends in the arena; [`NOWHERE`] when it does not lie there.
    #[inline(never)]
    fn place(&self, (i, elem): Operand) -> (usize, usize) {
        let Some(record) = self.step.find(i) else {
            return if i == NOTHING.0 { NO_BYTES } else { NOWHERE };
        };
        let mut start = record.offset as usize;
        if record.elem != elem.code() || record.place == Place::Data as u8 {
            return NOWHERE;
        }
        if record.place == Place::Row as u8 {
            start = start.wrapping_add(self.row_offset as usize);
        }
        // The plan was checked: its tensors lie inside the arena, whose length is below 2^28.
        let len = elem.bytes(record.count);
        (start, start.wrapping_add(len))
    }
}

/// An empty place, which overlaps none.
const NO_BYTES: (usize, usize) = (0, 0);
/// A place that no slice has.
const NOWHERE: (usize, usize) = (usize::MAX, usize::MAX);

fn outside((i, _): Operand) -> Fault {
    Fault::WrongLength { operand: i as u8 }
}

fn overlap((i, _): Operand) -> Fault {
    Fault::WrongPlace { operand: i as u8 }
}

#[inline]
fn expect_elem(record: &TensorRecord, (i, elem): Operand) -> Result<(), Fault> {
    if record.elem == elem.code() {
        Ok(())
    } else {
        Err(Fault::WrongType { operand: i as u8 })
    }
}

/// Byte range of a tensor in its place. The records of a plan were checked: nothing wraps.
#[inline]
pub(crate) fn byte_range(record: &TensorRecord) -> Range<usize> {
    let start = record.offset as usize;
    let len = (record.count as usize).wrapping_mul(size_of_elem(record.elem));
    start..start.wrapping_add(len)
}

#[inline]
fn typed<T: Element>(bytes: &[u8], i: usize) -> Result<&[T], Fault> {
    bytemuck::try_cast_slice(bytes).map_err(|_| Fault::WrongType { operand: i as u8 })
}

#[inline]
fn typed_mut<T: Element>(bytes: &mut [u8], i: usize) -> Result<&mut [T], Fault> {
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| Fault::WrongType { operand: i as u8 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(elem: Elem, place: Place, offset: u32, count: u32) -> TensorRecord {
        TensorRecord {
            elem: elem as u8,
            place: place as u8,
            reserved: 0,
            offset,
            count,
        }
    }

    #[test]
    fn operands_that_share_bytes_are_found() {
        let tensors = [
            record(Elem::I8, Place::Arena, 0, 16),
            record(Elem::I32, Place::Arena, 16, 4),
            record(Elem::I16, Place::Arena, 30, 1),
            record(Elem::I8, Place::Arena, 32, 1),
            record(Elem::I8, Place::Data, 0, 64),
            record(Elem::I8, Place::Row, 16, 16),
        ];
        let step = Step {
            tensors: &tensors,
            data: &[],
            operands: &[0, 1, 2, 3, 4, 5],
            params: &[],
        };
        let shared = |operand| Err(Fault::WrongPlace { operand });
        assert_eq!(step.expect_apart(&[0, 1, 3, 4, 5]), Ok(()));
        assert_eq!(step.expect_apart(&[0, 2, 3, 4, 5]), Ok(()));
        assert_eq!(step.expect_apart(&[3, 2, 1]), shared(1));
        assert_eq!(step.expect_apart(&[0, 1, 2]), shared(2));
        assert_eq!(step.expect_apart(&[4, 4]), shared(4));
        assert_eq!(step.expect_apart(&[0, 6]), shared(6));
        for a in 0..tensors.len() {
            for b in 0..tensors.len() {
                let apart = a != b && ![[1, 2], [2, 1]].contains(&[a, b]);
                assert_eq!(step.expect_disjoint(a, b).is_ok(), apart, "{a} {b}");
            }
        }
    }
}
