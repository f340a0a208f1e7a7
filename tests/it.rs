//! All integration tests, one binary: it links once.

mod export_review;
mod scene;
