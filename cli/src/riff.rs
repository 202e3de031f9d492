//! The chunks of a WAV file.
//!
//! Chunks are found here, so that a wrong header is named and never trusted: padding bytes that
//! are there or not, a format that stands behind the samples, lengths that lie. What is found is
//! handed to hound as the plain header that it knows, for decoding.

use hound::WavReader;
use std::io::{Cursor, Read};
use thiserror::Error;

/// Why a file is not a WAV file that can be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum WavError {
    #[error("not a WAV file: it starts with {found} instead of \"RIFF....WAVE\"")]
    NotWav { found: String },
    #[error("the file is empty")]
    Empty,
    #[error("no `{id}` chunk before the end of the file: it is cut short or damaged")]
    NoChunk { id: &'static str },
    #[error(
        "the `{id}` chunk at byte {at} declares {declared} bytes, but {left} follow: the file is cut short, or its \
         length was never filled in (`ffmpeg -i old.wav new.wav` repairs that)"
    )]
    PastEnd {
        id: String,
        at: usize,
        declared: u32,
        left: usize,
    },
    #[error("the `fmt ` chunk has {found} bytes, a WAV format takes at least {need}")]
    ShortFormat { found: usize, need: usize },
    #[error("the header says {what} 0: the file is damaged")]
    Zero { what: &'static str },
    #[error(
        "the samples are {what}; only PCM of 8, 16, 24 or 32 bits and 32-bit floats can be read: convert the file, for \
         example with `ffmpeg -i old.wav -c:a pcm_s16le new.wav`"
    )]
    Encoding { what: String },
    #[error(
        "{len} bytes of samples do not divide into moments of {block} bytes ({channels} channels of {bits} bits): the \
         file is cut short or damaged"
    )]
    Ragged {
        len: usize,
        block: usize,
        channels: u16,
        bits: u16,
    },
    #[error("its header contradicts itself: {0}")]
    Header(String),
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// A reader of the samples of a WAV file.
pub(crate) fn open(bytes: &[u8]) -> Result<WavReader<impl Read + '_>, WavError> {
    let (format, data) = chunks(bytes)?;
    let format = plain_format(format, data.len())?;
    let mut header = Vec::with_capacity(28 + format.len());
    // Chunks were cut from lengths of 32 bits, so that they fit again.
    header.extend(b"RIFF");
    header.extend(
        (data.len() as u32)
            .saturating_add(20 + format.len() as u32)
            .to_le_bytes(),
    );
    header.extend(b"WAVEfmt ");
    header.extend((format.len() as u32).to_le_bytes());
    header.extend(&format);
    header.extend(b"data");
    header.extend((data.len() as u32).to_le_bytes());
    WavReader::new(Cursor::new(header).chain(data)).map_err(|error| match error {
        hound::Error::FormatError(why) => WavError::Header(why.into()),
        other => WavError::Encoding {
            what: other.to_string(),
        },
    })
}

/// Contents of the format chunk and of the first data chunk.
fn chunks(bytes: &[u8]) -> Result<(&[u8], &[u8]), WavError> {
    if bytes.is_empty() {
        return Err(WavError::Empty);
    }
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        let start = &bytes[..bytes.len().min(12)];
        return Err(WavError::NotWav {
            found: format!("\"{}\"", start.escape_ascii()),
        });
    }
    let (mut format, mut data) = (None, None);
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let (id, len) = head.split_at(4);
        let declared = u32::from_le_bytes([len[0], len[1], len[2], len[3]]);
        let body = &bytes[at + 8..];
        // Behind both chunks nothing is needed, so that a damaged tail does no harm.
        if format.is_some() && data.is_some() {
            break;
        }
        let Some(chunk) = body.get(..declared as usize) else {
            return Err(WavError::PastEnd {
                id: id.escape_ascii().to_string(),
                at,
                declared,
                left: body.len(),
            });
        };
        match id {
            b"fmt " => format = format.or(Some(chunk)),
            b"data" => data = data.or(Some(chunk)),
            _ => {}
        }
        at += 8 + chunk.len();
        // A chunk of odd length is followed by a zero, which some writers forget.
        if chunk.len() % 2 == 1 && bytes.get(at) == Some(&0) {
            at += 1;
        }
    }
    Ok((
        format.ok_or(WavError::NoChunk { id: "fmt " })?,
        data.ok_or(WavError::NoChunk { id: "data" })?,
    ))
}

/// The format chunk in the plainest form that says the same.
fn plain_format(format: &[u8], data_len: usize) -> Result<Vec<u8>, WavError> {
    let short = |need| WavError::ShortFormat {
        found: format.len(),
        need,
    };
    let fixed: &[u8; 16] = format.first_chunk().ok_or(short(16))?;
    let u16_at = |i: usize| u16::from_le_bytes([fixed[i], fixed[i + 1]]);
    let (tag, channels, block, bits) = (u16_at(0), u16_at(2), u16_at(12), u16_at(14));
    let rate = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let zero = |what| Err(WavError::Zero { what });
    match (channels, rate, bits, block) {
        (0, ..) => return zero("the number of channels is"),
        (_, 0, ..) => return zero("the sample rate is"),
        (_, _, 0, _) => return zero("the number of bits per sample is"),
        (_, _, _, 0) => return zero("the size of a moment is"),
        _ => {}
    }
    let encoding = |what: String| Err(WavError::Encoding { what });
    match tag {
        PCM | EXTENSIBLE if ![8, 16, 24, 32].contains(&bits) => {
            return encoding(format!("integers of {bits} bits"));
        }
        FLOAT if bits != 32 => return encoding(format!("floats of {bits} bits")),
        PCM | FLOAT => {}
        EXTENSIBLE if format.len() < 40 => return Err(short(40)),
        EXTENSIBLE => {}
        2 | 0x11 => return encoding("ADPCM".into()),
        6 => return encoding("A-law".into()),
        7 => return encoding("mu-law".into()),
        0x55 => return encoding("MP3".into()),
        other => return encoding(format!("of format {other:#06x}")),
    }
    if !data_len.is_multiple_of(block.into()) {
        return Err(WavError::Ragged {
            len: data_len,
            block: block.into(),
            channels,
            bits,
        });
    }
    let len = if tag == EXTENSIBLE { 40 } else { 16 };
    let mut plain = format[..len].to_vec();
    // The byte rate says nothing new, and writers get it wrong.
    plain[8..12].copy_from_slice(&rate.saturating_mul(block.into()).to_le_bytes());
    if tag == EXTENSIBLE {
        plain[16..18].copy_from_slice(&22u16.to_le_bytes());
    }
    Ok(plain)
}
