//! The recordings of `examples/keywords`: 16-bit mono at 16 kHz.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Names and contents of the files.
        const FILES: &[(&str, &[u8])] = &[$((
            $name,
            include_bytes!(concat!("../../examples/keywords/", $name, ".wav")),
        )),*];
    };
}
files!(
    "go-water-stop-happy",
    "just-noise",
    "left-right-left-noisy",
    "no-left-go-quiet",
    "seven-bright-window-lift",
    "stop-music-yes-babble",
    "yes-no-stop",
    "yes-top-right-low",
);

/// Number of recordings.
pub const COUNT: usize = FILES.len();

/// Bytes before the samples: the canonical header, which a test checks.
const HEADER: usize = 44;

/// Samples of recording `index` as bytes, little endian; empty when there is none.
pub fn pcm(index: usize) -> &'static [u8] {
    FILES
        .get(index)
        .and_then(|(_, file)| file.get(HEADER..))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_canonical_header() {
        for (index, (name, file)) in FILES.iter().enumerate() {
            assert_eq!(&file[..4], b"RIFF", "{name}");
            let format = [
                16, 0, 0, 0, 1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0,
            ];
            assert_eq!(file[16..36], format, "{name}: not 16-bit mono at 16 kHz");
            assert_eq!(&file[36..40], b"data", "{name}");
            let data = u32::from_le_bytes(file[40..44].try_into().unwrap()) as usize;
            assert_eq!(data, pcm(index).len(), "{name}");
        }
    }
}
