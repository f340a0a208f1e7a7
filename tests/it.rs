//! All integration tests, one binary: it links once.

mod export_review;
mod ingest_foreign;
mod ingest_images;
mod ingest_probe;
mod ingest_record;
mod ingest_shared;
mod ingest_vtkhdf;
mod scene;
mod support;
