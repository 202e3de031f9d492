//! Operators on int16 activations, whose zero points are all 0 (TFLite's "int16x8").
//!
//! Convolutions and fully connected layers are [`CONV_2D_I16`](super::general_conv::CONV_2D_I16).

pub mod elementwise;
pub mod leaky_relu;
pub mod sigmoid;
pub mod softmax;
