//! Feature values in the type that a numeric computes.

/// Feature values in the type that the numeric computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of `host` and `f32`.
    F32(Vec<f32>),
    /// Of `reference`.
    F64(Vec<f64>),
    /// Of `fixed`: the device's integers.
    I16 {
        /// The integers; value `i` belongs to column `i % scale.len()`.
        values: Vec<i16>,
        /// Real value of one unit of each column of a row, `2^-q` for Q format `q`.
        scale: Vec<f64>,
    },
    /// Of `fixed`, for blocks of windows: the device's integers.
    I32 {
        /// The integers; value `i` belongs to column `i % scale.len()`.
        values: Vec<i32>,
        /// Real value of one unit of each column of a row.
        scale: Vec<f64>,
    },
}

impl Values {
    /// The values as f32. Integers are multiplied by their scale, which is exact where the scale
    /// is a power of two.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::F64(values) => values.iter().map(|&x| x as f32).collect(),
            Self::I16 { values, scale } => scaled(values, scale).map(|x| x as f32).collect(),
            Self::I32 { values, scale } => scaled(values, scale).map(|x| x as f32).collect(),
        }
    }

    /// The values as f64, exact.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|&x| x.into()).collect(),
            Self::F64(values) => values.clone(),
            Self::I16 { values, scale } => scaled(values, scale).collect(),
            Self::I32 { values, scale } => scaled(values, scale).collect(),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I16 { values, .. } => values.len(),
            Self::I32 { values, .. } => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn scaled<'a, T: Copy + Into<f64>>(
    values: &'a [T],
    scale: &'a [f64],
) -> impl Iterator<Item = f64> + 'a {
    values
        .iter()
        .zip(scale.iter().cycle())
        .map(|(&x, s)| x.into() * s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_real_numbers_at_the_scale_of_their_column() {
        let values = Values::I16 {
            values: vec![256, -128, i16::MIN, 1],
            scale: vec![1.0 / 128.0, 1.0 / 256.0],
        };
        assert_eq!(values.to_f64(), [2.0, -0.5, -256.0, 0.00390625]);
        assert_eq!(values.to_f32(), [2.0, -0.5, -256.0, 0.00390625]);
        assert_eq!(values.len(), 4);
    }
}
