//! Layers of int8 networks on packed weights.
