//! The figures of the README: speed beside a peer in the same run, efficiency of the pipeline, peak memory.
//!
//! `cargo bench --bench figures` prints Markdown tables and writes them to `target/figures.md`. Medians of at least
//! five repeats, with the smallest and largest in brackets. Without `--bench` (as `cargo test --benches` runs it)
//! everything is small and runs once. Rows whose peer or data are missing say so.
//!
//! `cargo bench --bench figures -- size size-review` is for itself: it writes a film of 10 GB and a run of 10 million
//! elements into a temporary folder (some 200 MB there, minutes) and reads both, and reviews meshes of 100,000
//! and 1,000,000 elements.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod files;
mod frame;
mod gpu;
mod ingest;
mod memory;
mod model;
mod pipeline;
mod raster;
mod sheet;
mod size;
mod spread;

use std::fmt::Write as _;
use std::path::PathBuf;

/// What every part needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Repeats of each measurement.
    repeats: usize,
    /// Everything small: only shows that the benches run.
    small: bool,
}

/// Measures one part and writes its table.
type Table = fn(Plan) -> String;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|a| a == memory::CHILD) {
        memory::child(&arguments[at + 1..]);
        return;
    }
    // What the library warns of belongs to the figures.
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let small = !arguments.iter().any(|a| a == "--bench") || cfg!(debug_assertions);
    let only: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let plan = Plan { repeats: if small { 1 } else { 5 }, small };
    let parts: [(&str, Table); 9] = [
        ("ingest", ingest::table),
        ("raster", raster::table),
        ("pipeline", pipeline::table),
        ("model", model::table),
        ("frame", frame::table),
        ("gpu", gpu::table),
        ("memory", memory::table),
        ("size", size::table),
        ("size-review", size::review_table),
    ];
    let mut text = format!("Measured on {}.\n", machine());
    for (name, table) in parts {
        let asked = only.is_empty() && (!name.starts_with("size") || small);
        if asked || only.iter().any(|o| *o == name) {
            let part = table(plan);
            eprintln!("{part}");
            writeln!(text, "\n{part}").expect("text");
        }
    }
    println!("{text}");
    let target = target_folder();
    if !small && let Err(error) = std::fs::write(target.join("figures.md"), &text) {
        eprintln!("could not write {}: {error}", target.join("figures.md").display());
    }
}

/// `<target>/release/deps/figures-…` lies three folders below it.
fn target_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    own.ancestors().nth(3).map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name\t: ")).unwrap_or("an unnamed processor").to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: f64 = memory
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:"))
        .and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    format!("{model}, {cores} cores, {:.0} GiB", kib / 1_048_576.0)
}

/// A file of the shared data, or `None`.
fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    full.exists().then_some(full)
}

/// The pair that is reviewed: the shipped example, else the shared test.
fn example() -> Option<[PathBuf; 2]> {
    let shared_pair = (shared("simulations/crash_box/run_000.vtkhdf"), shared("tests/crash_box-T2.h5"));
    if let (Some(simulation), Some(test)) = shared_pair {
        return Some([simulation, test]);
    }
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    let pair = [own.join("simulation.vtkhdf"), own.join("test.h5")];
    pair.iter().all(|p| p.exists()).then_some(pair)
}

/// Runs a script of `benches/python`; `None`, said aloud, when it cannot run.
fn python(script: &str, arguments: &[String], threads: usize) -> Option<serde_json::Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/python").join(script);
    let output = std::process::Command::new("python3")
        .arg(path)
        .args(arguments)
        .env("LP_NUM_THREADS", threads.to_string())
        .output()
        .ok()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("skipped: the peer {script} does not run here: {}", why.lines().last().unwrap_or_default());
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().map(|a| a.iter().filter_map(serde_json::Value::as_f64).collect()).unwrap_or_default()
}

/// Runs `work` with as many threads of ours and of OpenCV's.
fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    opencv::core::set_num_threads(threads as i32).expect("OpenCV takes a number of threads");
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool").install(work)
}
