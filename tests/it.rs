//! All integration tests, one binary: it links once.

mod export_review;
mod report_page;
mod scene;
