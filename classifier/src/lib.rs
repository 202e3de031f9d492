//! int8 network operators.
#![no_std]
#![forbid(unsafe_code)]
