//! Reader of `.tflite` models.
/// A model (placeholder until the reader lands).
#[derive(Debug)]
pub struct Model {}
