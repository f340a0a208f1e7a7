//! The integration tests: one binary, one module a file.

mod accuracy;
mod bad_input;
mod cli_help;
mod end_to_end;
mod engine;
mod export_review;
mod ingest_foreign;
mod ingest_images;
mod ingest_probe;
mod ingest_record;
mod ingest_shared;
mod ingest_vtkhdf;
mod layers;
mod parity;
mod raster_vtk;
mod real_photographs;
mod report_page;
mod scene;
mod service;
mod service_api;
mod service_crash;
mod service_live;
mod service_suggest;
mod support;
mod training;
