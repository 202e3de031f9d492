//! Tables, vectors and scalars of a FlatBuffer, every offset checked.
//!
//! Layout (little endian): a table starts with a signed offset *back* to its
//! vtable; the vtable holds its own length, the table's length, then one u16
//! offset per field, 0 for an absent one. Strings, vectors and sub-tables are
//! reached by an unsigned offset relative to the place that holds it.

use crate::ModelError;
use core::cell::Cell;

/// The file and the allowance for data copied out of it.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bytes that may still be copied. Tables may share vectors, so a hostile
    /// file of n bytes could name n/4 tensors that all point at one vector of
    /// n/4 numbers; an honest file copies each byte about once.
    allowance: Cell<u64>,
}

/// A table whose vtable lies within the file.
#[derive(Clone, Copy)]
pub(crate) struct Table<'r, 'a> {
    reader: &'r Reader<'a>,
    at: usize,
    table_len: usize,
    vtable: usize,
    vtable_len: usize,
}

/// The elements of a vector: `len` elements that lie within the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let allowance = (bytes.len() as u64).saturating_mul(4).saturating_add(65536);
        Reader {
            bytes,
            allowance: Cell::new(allowance),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn slice(
        &self,
        at: usize,
        need: u64,
        what: &'static str,
    ) -> Result<&'a [u8], ModelError> {
        usize::try_from(need)
            .ok()
            .and_then(|n| at.checked_add(n))
            .and_then(|end| self.bytes.get(at..end))
            .ok_or(ModelError::OutOfBounds {
                what,
                at,
                need,
                len: self.bytes.len(),
            })
    }

    fn array<const N: usize>(&self, at: usize, what: &'static str) -> Result<[u8; N], ModelError> {
        self.slice(at, N as u64, what)?
            .try_into()
            .map_err(|_| ModelError::OutOfBounds {
                what,
                at,
                need: N as u64,
                len: self.bytes.len(),
            })
    }

    pub(crate) fn u8(&self, at: usize, what: &'static str) -> Result<u8, ModelError> {
        Ok(u8::from_le_bytes(self.array(at, what)?))
    }

    fn u16(&self, at: usize, what: &'static str) -> Result<u16, ModelError> {
        Ok(u16::from_le_bytes(self.array(at, what)?))
    }

    pub(crate) fn u32(&self, at: usize, what: &'static str) -> Result<u32, ModelError> {
        Ok(u32::from_le_bytes(self.array(at, what)?))
    }

    pub(crate) fn i32(&self, at: usize, what: &'static str) -> Result<i32, ModelError> {
        Ok(i32::from_le_bytes(self.array(at, what)?))
    }

    fn i64(&self, at: usize, what: &'static str) -> Result<i64, ModelError> {
        Ok(i64::from_le_bytes(self.array(at, what)?))
    }

    fn u64(&self, at: usize, what: &'static str) -> Result<u64, ModelError> {
        Ok(u64::from_le_bytes(self.array(at, what)?))
    }

    fn f32(&self, at: usize, what: &'static str) -> Result<f32, ModelError> {
        Ok(f32::from_le_bytes(self.array(at, what)?))
    }

    /// Follows the unsigned offset stored at `at`.
    fn follow(&self, at: usize, what: &'static str) -> Result<usize, ModelError> {
        let offset = self.u32(at, what)?;
        usize::try_from(offset)
            .ok()
            .and_then(|o| at.checked_add(o))
            .filter(|&target| offset != 0 && target < self.bytes.len())
            .ok_or(ModelError::OutOfBounds {
                what,
                at,
                need: u64::from(offset),
                len: self.bytes.len(),
            })
    }

    /// The root table of the file.
    pub(crate) fn root(&self) -> Result<Table<'_, 'a>, ModelError> {
        self.table_at(self.follow(0, "the root offset")?, "the model table")
    }

    /// The table that the offset stored at `at` leads to.
    pub(crate) fn table(&self, at: usize, what: &'static str) -> Result<Table<'_, 'a>, ModelError> {
        self.table_at(self.follow(at, what)?, what)
    }

    fn table_at(&self, at: usize, what: &'static str) -> Result<Table<'_, 'a>, ModelError> {
        let back = self.i32(at, what)?;
        let out = ModelError::OutOfBounds {
            what,
            at,
            need: u64::from(back.unsigned_abs()),
            len: self.bytes.len(),
        };
        let vtable = usize::try_from(at as i64 - i64::from(back)).map_err(|_| out)?;
        let vtable_len = usize::from(self.u16(vtable, what)?);
        let table_len = usize::from(self.u16(vtable.saturating_add(2), what)?);
        if vtable_len < 4 || vtable_len % 2 != 0 {
            let allowed = "an even vtable length of at least 4";
            return Err(ModelError::Value {
                what,
                at: vtable,
                found: vtable_len as i64,
                allowed,
            });
        }
        self.slice(vtable, vtable_len as u64, what)?;
        self.slice(at, table_len as u64, what)?;
        Ok(Table {
            reader: self,
            at,
            table_len,
            vtable,
            vtable_len,
        })
    }

    fn vector(&self, at: usize, element: u64, what: &'static str) -> Result<Vector, ModelError> {
        let header = self.follow(at, what)?;
        let len = self.u32(header, what)?;
        let start = header.saturating_add(4);
        self.slice(start, u64::from(len).saturating_mul(element), what)?;
        let len = usize::try_from(len).map_err(|_| ModelError::Limit {
            what,
            at: header,
            found: u64::from(len),
            max: usize::MAX as u64,
        })?;
        Ok(Vector { start, len })
    }

    /// Takes `bytes` from the allowance for copied data.
    pub(crate) fn charge(
        &self,
        bytes: usize,
        at: usize,
        what: &'static str,
    ) -> Result<(), ModelError> {
        match self.allowance.get().checked_sub(bytes as u64) {
            Some(left) => {
                self.allowance.set(left);
                Ok(())
            }
            None => Err(ModelError::Amplified {
                what,
                at,
                len: self.bytes.len(),
            }),
        }
    }
}

impl<'r, 'a> Table<'r, 'a> {
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn reader(&self) -> &'r Reader<'a> {
        self.reader
    }

    /// Where field `index` of `size` bytes is stored, if it is present.
    pub(crate) fn field(
        &self,
        index: usize,
        size: usize,
        what: &'static str,
    ) -> Result<Option<usize>, ModelError> {
        let slot = 4 + 2 * index;
        if slot + 2 > self.vtable_len {
            return Ok(None);
        }
        let offset = usize::from(self.reader.u16(self.vtable + slot, what)?);
        if offset == 0 {
            return Ok(None);
        }
        if offset < 4 || offset + size > self.table_len {
            let allowed = "an offset within the table";
            return Err(ModelError::Value {
                what,
                at: self.vtable + slot,
                found: offset as i64,
                allowed,
            });
        }
        Ok(Some(self.at + offset))
    }

    /// Refuses a table in which `value` of a needed field is absent.
    pub(crate) fn need<T>(&self, value: Option<T>, what: &'static str) -> Result<T, ModelError> {
        value.ok_or(ModelError::Missing { what, at: self.at })
    }

    pub(crate) fn u8(
        &self,
        index: usize,
        default: u8,
        what: &'static str,
    ) -> Result<u8, ModelError> {
        self.field(index, 1, what)?
            .map_or(Ok(default), |at| self.reader.u8(at, what))
    }

    pub(crate) fn i32(
        &self,
        index: usize,
        default: i32,
        what: &'static str,
    ) -> Result<i32, ModelError> {
        self.field(index, 4, what)?
            .map_or(Ok(default), |at| self.reader.i32(at, what))
    }

    pub(crate) fn u32(
        &self,
        index: usize,
        default: u32,
        what: &'static str,
    ) -> Result<u32, ModelError> {
        self.field(index, 4, what)?
            .map_or(Ok(default), |at| self.reader.u32(at, what))
    }

    pub(crate) fn u64(
        &self,
        index: usize,
        default: u64,
        what: &'static str,
    ) -> Result<u64, ModelError> {
        self.field(index, 8, what)?
            .map_or(Ok(default), |at| self.reader.u64(at, what))
    }

    pub(crate) fn f32(
        &self,
        index: usize,
        default: f32,
        what: &'static str,
    ) -> Result<f32, ModelError> {
        self.field(index, 4, what)?
            .map_or(Ok(default), |at| self.reader.f32(at, what))
    }

    pub(crate) fn table(
        &self,
        index: usize,
        what: &'static str,
    ) -> Result<Option<Table<'r, 'a>>, ModelError> {
        self.field(index, 4, what)?
            .map(|at| self.reader.table(at, what))
            .transpose()
    }

    /// The string in field `index`, empty if absent.
    pub(crate) fn string(&self, index: usize, what: &'static str) -> Result<String, ModelError> {
        let bytes = self.bytes(index, what)?.unwrap_or_default();
        self.reader.charge(bytes.len(), self.at, what)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The bytes of a `[ubyte]` or string in field `index`.
    pub(crate) fn bytes(
        &self,
        index: usize,
        what: &'static str,
    ) -> Result<Option<&'a [u8]>, ModelError> {
        let Some(v) = self.vector(index, 1, what)? else {
            return Ok(None);
        };
        Ok(Some(self.reader.slice(v.start, v.len as u64, what)?))
    }

    /// The vector in field `index`, whose elements take `element` bytes each.
    pub(crate) fn vector(
        &self,
        index: usize,
        element: u64,
        what: &'static str,
    ) -> Result<Option<Vector>, ModelError> {
        self.field(index, 4, what)?
            .map(|at| self.reader.vector(at, element, what))
            .transpose()
    }

    pub(crate) fn i32s(&self, index: usize, what: &'static str) -> Result<Vec<i32>, ModelError> {
        self.list(index, 4, what, |at| self.reader.i32(at, what))
    }

    pub(crate) fn i64s(&self, index: usize, what: &'static str) -> Result<Vec<i64>, ModelError> {
        self.list(index, 8, what, |at| self.reader.i64(at, what))
    }

    pub(crate) fn f32s(&self, index: usize, what: &'static str) -> Result<Vec<f32>, ModelError> {
        self.list(index, 4, what, |at| self.reader.f32(at, what))
    }

    /// The tables of a `[table]` in field `index`.
    pub(crate) fn tables(
        &self,
        index: usize,
        what: &'static str,
    ) -> Result<Vec<Table<'r, 'a>>, ModelError> {
        self.list(index, 4, what, |at| self.reader.table(at, what))
    }

    fn list<T>(
        &self,
        index: usize,
        element: usize,
        what: &'static str,
        read: impl Fn(usize) -> Result<T, ModelError>,
    ) -> Result<Vec<T>, ModelError> {
        let Some(v) = self.vector(index, element as u64, what)? else {
            return Ok(Vec::new());
        };
        // The bounds of the vector were checked, so neither product nor sum overflows.
        self.reader.charge(v.len * element, v.start, what)?;
        (0..v.len).map(|i| read(v.start + i * element)).collect()
    }
}
