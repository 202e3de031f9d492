//! Options of custom operators: a FlexBuffers map from names to numbers.
//!
//! Only what TFLite Micro's signal operators use is read: one map with integer, unsigned and
//! boolean values in place. Anything else about a custom operator stays unknown, which is no fault
//! of the file: other runtimes give custom operators bytes of their own form.

use std::collections::BTreeMap;

/// Types of the format, in the upper six bits of a type byte.
const INT: u8 = 1;
const UINT: u8 = 2;
const MAP: u8 = 9;
const BOOL: u8 = 26;

/// Most options of an operator, and most bytes of a name.
const MOST: usize = 64;

/// The whole numbers of the map that `bytes` hold, by name; `None` where they hold no map, or
/// one of more than 64 entries. Values of other types are left out.
pub(crate) fn scalars(bytes: &[u8]) -> Option<BTreeMap<String, i64>> {
    // The file ends with the root, its type and its width in bytes.
    let (&[kind, width], end) = (bytes.last_chunk::<2>()?, bytes.len() - 2);
    let width = usize::from(width);
    if kind >> 2 != MAP || !matches!(width, 1 | 2 | 4 | 8) {
        return None;
    }
    let values = pointer(bytes, end.checked_sub(width)?, width)?;
    let width = 1usize << (kind & 3);
    // In front of the values: where the keys are, their width, the number of both.
    let count = number(bytes, values.checked_sub(width)?, width)?;
    let key_width = number(bytes, values.checked_sub(2 * width)?, width)?;
    let key_width = usize::try_from(key_width).ok()?;
    let key_width = Some(key_width).filter(|n| matches!(n, 1 | 2 | 4 | 8))?;
    let keys = pointer(bytes, values.checked_sub(3 * width)?, width)?;
    let count = usize::try_from(count).ok().filter(|&n| n <= MOST)?;
    let kinds = values.checked_add(count.checked_mul(width)?)?;
    let mut map = BTreeMap::new();
    for i in 0..count {
        let key = pointer(bytes, keys.checked_add(i * key_width)?, key_width)?;
        let name = bytes.get(key..)?.iter().take(MOST).position(|&b| b == 0)?;
        let name = bytes.get(key..key + name)?;
        let raw = number(bytes, values + i * width, width)?;
        let value = match bytes.get(kinds.checked_add(i)?)? >> 2 {
            INT => {
                let unused = 64 - 8 * width as u32;
                (raw << unused) as i64 >> unused
            }
            UINT | BOOL => i64::try_from(raw).ok()?,
            _ => continue,
        };
        map.insert(String::from_utf8_lossy(name).into_owned(), value);
    }
    Some(map)
}

/// The unsigned number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    let (number, fits) = (bytes.iter().rev(), bytes.len() <= 8);
    fits.then(|| number.fold(0, |sum, &b| sum << 8 | u64::from(b)))
}

/// What the number at `at` points to: as many bytes back as it says.
fn pointer(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    at.checked_sub(usize::try_from(number(bytes, at, width)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .bytes()
            .map(|b| (b as char).to_digit(16).unwrap() as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    /// `{"T": 7, "fft_length": 512}` as Google's own library writes it.
    const RFFT: &str = "54006666745f6c656e67746800020e0d020001000200070000020505062501";

    #[test]
    fn numbers_of_a_map() {
        let map = scalars(&bytes(RFFT)).unwrap();
        let pairs: Vec<(&str, i64)> = map.iter().map(|(k, &v)| (k.as_str(), v)).collect();
        assert_eq!(pairs, [("T", 7), ("fft_length", 512)]);
        let map = scalars(&bytes(
            "736869667400010701 01010c04022401"
                .replace(' ', "")
                .as_str(),
        ));
        assert_eq!(map.unwrap().get("shift"), Some(&12));
        assert_eq!(scalars(&bytes("00000100002401")), Some(BTreeMap::new()));
    }

    #[test]
    fn negative_numbers_keep_their_sign() {
        // {"a": -3}
        assert_eq!(
            scalars(&bytes("61000103010101fd04022401"))
                .unwrap()
                .get("a"),
            Some(&-3)
        );
    }

    #[test]
    fn damage_never_panics() {
        let whole = bytes(RFFT);
        for len in 0..whole.len() {
            let _ = scalars(&whole[..len]);
            let _ = scalars(&whole[len..]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = scalars(&damaged);
            }
        }
    }
}
