//! Edge Impulse's data acquisition format, as JSON or CBOR.
//!
//! A map with the entries `protected`, `signature` and `payload`. Of the payload are read
//! `interval_ms`, `sensors` (their `name` and `units`) and `values`: one list for each moment, or
//! bare numbers with a single sensor. Signatures are not checked: whoever has the file has it from
//! the one who trusts it. Format:
//! <https://docs.edgeimpulse.com/reference/data-ingestion/data-acquisition-format>.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::fmt;
use thiserror::Error;

/// Why a file is not in the acquisition format.
#[derive(Debug, Error)]
pub(crate) enum AcquisitionError {
    #[error("{0}; expected Edge Impulse's acquisition format in JSON")]
    Json(String),
    #[error("{0}; expected Edge Impulse's acquisition format in CBOR")]
    Cbor(String),
    #[error("{len} bytes behind the end of the CBOR map: the file is damaged, or two files in one")]
    Trailing { len: usize },
    #[error("`interval_ms` is {0}; expected a positive number of milliseconds between two moments")]
    Interval(f64),
    #[error("no sensors: `payload.sensors` is empty")]
    NoSensors,
    #[error("moment {at} has {found} values for {sensors} sensors")]
    Ragged {
        at: usize,
        found: usize,
        sensors: usize,
    },
    #[error("no values: `payload.values` is empty")]
    Empty,
}

/// What is read of a file.
#[derive(Debug)]
pub(crate) struct Acquisition {
    /// Moments per second.
    pub(crate) rate_hz: f64,
    /// Name of each sensor.
    pub(crate) names: Vec<String>,
    /// Unit of each sensor; `wav` means 16-bit integers of audio.
    pub(crate) units: Vec<String>,
    /// Values of all sensors at each moment; NaN where one is missing.
    pub(crate) values: Vec<f64>,
}

/// Whether a file that begins with these bytes is read here: a JSON object or a CBOR map.
pub(crate) fn is_acquisition(bytes: &[u8]) -> bool {
    is_cbor(bytes) || is_json(bytes)
}

fn is_json(bytes: &[u8]) -> bool {
    without_mark(bytes).trim_ascii_start().starts_with(b"{")
}

/// A map, or a tag in front of it; no text in UTF-8 begins like that.
fn is_cbor(bytes: &[u8]) -> bool {
    matches!(bytes, [0xa0..=0xbf, ..] | [0xd9, 0xd9, 0xf7, ..])
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a file.
pub(crate) fn read(bytes: &[u8]) -> Result<Acquisition, AcquisitionError> {
    let file: File = if is_cbor(bytes) {
        let mut rest = bytes;
        let file = ciborium::from_reader(&mut rest).map_err(|error| {
            AcquisitionError::Cbor(match error {
                ciborium::de::Error::Io(_) => {
                    "the file is cut short, or a length in it lies".into()
                }
                ciborium::de::Error::Syntax(at) => format!("not CBOR at byte {at}"),
                ciborium::de::Error::Semantic(Some(at), why) => format!("{why} (byte {at})"),
                ciborium::de::Error::Semantic(None, why) => why,
                ciborium::de::Error::RecursionLimitExceeded => "it is nested too deeply".into(),
            })
        })?;
        // Firmware writes ends of lists once more, or erased flash, behind the map.
        if rest.iter().any(|&byte| byte != 0xff) {
            return Err(AcquisitionError::Trailing { len: rest.len() });
        }
        file
    } else {
        serde_json::from_slice(without_mark(bytes))
            .map_err(|error| AcquisitionError::Json(error.to_string()))?
    };
    let Payload {
        interval_ms: Number(interval_ms),
        sensors,
        values: Values { numbers, shape },
    } = file.payload;
    let rate_hz = 1000.0 / interval_ms;
    if !(interval_ms > 0.0 && rate_hz.is_finite() && rate_hz > 0.0) {
        return Err(AcquisitionError::Interval(interval_ms));
    }
    if sensors.is_empty() {
        return Err(AcquisitionError::NoSensors);
    }
    if numbers.is_empty() {
        return Err(AcquisitionError::Empty);
    }
    let ragged = match shape {
        Shape::Unknown => None,
        Shape::Rows(found) if found == sensors.len() => None,
        Shape::Rows(found) => Some((0, found)),
        Shape::Ragged { at, found } => Some((at, found)),
    };
    if let Some((at, found)) = ragged {
        let sensors = sensors.len();
        return Err(AcquisitionError::Ragged { at, found, sensors });
    }
    let (names, units) = sensors.into_iter().map(|s| (s.name, s.units)).unzip();
    Ok(Acquisition {
        rate_hz,
        names,
        units,
        values: numbers,
    })
}

#[derive(Deserialize)]
struct File {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    interval_ms: Number,
    sensors: Vec<SensorEntry>,
    values: Values,
}

#[derive(Deserialize)]
struct SensorEntry {
    name: String,
    #[serde(default)]
    units: String,
}

/// All numbers one after the other. No room is made for lengths that a file only declares.
struct Values {
    numbers: Vec<f64>,
    shape: Shape,
}

/// How many values the moments have.
#[derive(Clone, Copy)]
enum Shape {
    Unknown,
    Rows(usize),
    /// The first moment that has another number of values than the first one.
    Ragged {
        at: usize,
        found: usize,
    },
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moments;
        impl<'de> Visitor<'de> for Moments {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of moments, each a list of numbers or one number")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
                let mut numbers = Vec::new();
                let mut shape = Shape::Unknown;
                let mut at = 0;
                while let Some(found) = seq.next_element_seed(Moment(&mut numbers))? {
                    shape = match shape {
                        Shape::Unknown => Shape::Rows(found),
                        Shape::Rows(wanted) if wanted != found => Shape::Ragged { at, found },
                        other => other,
                    };
                    at += 1;
                }
                Ok(Values { numbers, shape })
            }
        }
        deserializer.deserialize_seq(Moments)
    }
}

/// Appends one moment; gives the number of its values.
struct Moment<'a>(&'a mut Vec<f64>);

impl<'de> de::DeserializeSeed<'de> for Moment<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Moment<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or a number")
    }

    fn visit_f64<E: de::Error>(self, x: f64) -> Result<usize, E> {
        self.0.push(x);
        Ok(1)
    }

    fn visit_i64<E: de::Error>(self, x: i64) -> Result<usize, E> {
        self.visit_f64(x as f64)
    }

    fn visit_u64<E: de::Error>(self, x: u64) -> Result<usize, E> {
        self.visit_f64(x as f64)
    }

    fn visit_unit<E: de::Error>(self) -> Result<usize, E> {
        self.visit_f64(f64::NAN)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
        let mut found = 0;
        while let Some(Number(x)) = seq.next_element()? {
            self.0.push(x);
            found += 1;
        }
        Ok(found)
    }
}

/// A number of any type; NaN for `null`.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: de::Error>(self, x: f64) -> Result<Number, E> {
                Ok(Number(x))
            }

            fn visit_i64<E: de::Error>(self, x: i64) -> Result<Number, E> {
                Ok(Number(x as f64))
            }

            fn visit_u64<E: de::Error>(self, x: u64) -> Result<Number, E> {
                Ok(Number(x as f64))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(f64::NAN))
            }
        }
        // Not `deserialize_f64`: in CBOR an integer is no float.
        deserializer.deserialize_any(Any)
    }
}
