//! Several plans in one block of bytes, as a device image takes them.
//!
//! Little endian: for each plan the length of its name and its own length (`u32` each), the
//! name, the plan. Name and plan are each followed by zeros up to a multiple of [`ALIGN`].

/// Alignment of the block and of every plan in it.
pub const ALIGN: usize = 8;

/// The most plans that [`read`]'s callers take.
pub const MAX_PLANS: usize = 32;

/// Names and plans of a pack, in order; ends at the first malformed entry.
pub fn read(pack: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let mut rest = pack;
    core::iter::from_fn(move || {
        let (head, behind) = rest.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *head;
        let name_len = u32::from_le_bytes([a, b, c, d]) as usize;
        let plan_len = u32::from_le_bytes([e, f, g, h]) as usize;
        let (name, behind) = behind.split_at_checked(name_len.next_multiple_of(ALIGN))?;
        let (plan, behind) = behind.split_at_checked(plan_len.next_multiple_of(ALIGN))?;
        rest = behind;
        let name = core::str::from_utf8(name.get(..name_len)?).ok()?;
        Some((name, plan.get(..plan_len)?))
    })
}

/// The bytes that introduce a plan: lengths, name and zeros.
pub fn entry<'n>(name: &'n str, plan: &[u8]) -> impl Iterator<Item = u8> + use<'n> {
    let lengths = [name.len() as u32, plan.len() as u32].map(u32::to_le_bytes);
    lengths
        .into_iter()
        .flatten()
        .chain(name.bytes())
        .chain(padding(name.len()))
}

/// The zeros behind something of this length.
pub fn padding(len: usize) -> impl Iterator<Item = u8> {
    core::iter::repeat_n(0, len.next_multiple_of(ALIGN) - len)
}
