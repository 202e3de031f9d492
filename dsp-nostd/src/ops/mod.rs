//! The DSP operators, one file each.
