//! Reference texts of every field.
