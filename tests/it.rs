//! The integration tests: one binary, one module a file.

mod engine;
mod layers;
mod parity;
mod training;
