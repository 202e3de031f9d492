//! Options of operators.

use crate::build::*;
use crate::refused;

#[test]
fn strides_of_zero() {
    let mut parts = small();
    parts.operators[0] = operator(0, &[0, 1, 2], &[3], 1, vec![(1, V::I32(0)), (2, V::I32(1))]);
    refused(&parts.file(), "stride_w");
    parts.operators[0] = operator(
        0,
        &[0, 1, 2],
        &[3],
        1,
        vec![(1, V::I32(1)), (2, V::I32(1)), (4, V::I32(-3))],
    );
    refused(&parts.file(), "dilation_w_factor");
}

#[test]
fn options_of_another_operator() {
    let mut parts = small();
    parts.operators[0] = operator(0, &[0, 1, 2], &[3], 9, vec![(0, V::F32(1.0))]);
    refused(&parts.file(), "builtin options");
}
