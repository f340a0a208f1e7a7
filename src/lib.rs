//! Crumple compares a filmed crash test with the simulation that predicted it and says where, when and by how many
//! mm the real structure deformed differently.
//!
//! `src/README.md` is the map: the layers, one sentence a module, and the way from two files to a flag.

pub mod blobs;
pub mod cli;
pub mod compose;
pub mod config;
pub mod domain;
pub mod export;
pub mod film;
pub mod geom;
pub mod http;
pub mod infer;
pub mod ingest;
pub mod jobs;
pub mod report;
pub mod review;
pub mod store;
pub mod suggest;
pub mod tasks;
pub mod telemetry;
pub mod train;
pub mod vision;
