//! Peak resident memory (VmHWM) of a child that does one thing: what does not fit into memory must still be read.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crumple::ingest::probe::{ProbeKind, ProbeOptions, probe_in_own_process};
use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::{ReviewRequest, ToleranceRequest, review_test};
use crumple::vision::DisFlow;

use super::files::{gradient_film, grid_run};
use super::{Plan, example};

/// The argument that makes this program do one thing and say what memory it took.
pub(crate) const CHILD: &str = "--memory-of";

/// Does what `arguments` say (`nothing`, `review SIMULATION TEST`, `film TEST`, `states SIMULATION`, `probe-film TEST`,
/// `probe-states SIMULATION`), prints MiB.
pub(crate) fn child(arguments: &[String]) {
    let path = |i: usize| PathBuf::from(&arguments[i]);
    let probed = match arguments[0].as_str() {
        "probe-film" => Some(ProbeKind::Test),
        "probe-states" => Some(ProbeKind::Simulation(SimulationOptions::default())),
        _ => None,
    };
    if let Some(kind) = probed {
        // What this process takes says nothing about the one that tries the file.
        probe(&path(1), &kind);
        println!("within its limits");
        return;
    }
    match arguments[0].as_str() {
        "review" => review(&path(1), &path(2)),
        "film" => read_film(&path(1)),
        "states" => read_states(&path(1)),
        _ => {}
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map(|l| l.trim().trim_end_matches(" kB").trim());
    let mib = kib.and_then(|k| k.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0;
    println!("{mib:.0}");
}

/// Tries a file as the program does first, in a process of its own with its own limits.
fn probe(path: &Path, kind: &ProbeKind) {
    let program = Some(PathBuf::from(env!("CARGO_BIN_EXE_crumple")));
    let options = ProbeOptions { program, ..ProbeOptions::default() };
    probe_in_own_process(path, kind, &options).unwrap_or_else(|e| panic!("{e}"));
}

fn review(simulation: &Path, test: &Path) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let request = ReviewRequest {
        simulation: simulation.to_owned(),
        simulation_options: SimulationOptions::default(),
        test: test.to_owned(),
        study: None,
        out: folder.path().join("out"),
        tolerances: ToleranceRequest { default_mm: 5.0, per_part_mm: std::collections::BTreeMap::new() },
        partial_mesh: false,
        report: true,
    };
    review_test(&request, &DisFlow::Medium, &|_| ControlFlow::Continue(())).unwrap_or_else(|e| panic!("{e}"));
}

fn read_film(path: &Path) {
    let file = TestFile::open(path).unwrap_or_else(|e| panic!("{e}"));
    for (camera, record) in file.record().cameras.iter().enumerate() {
        for frame in 0..record.times_s.len() {
            file.read_frame(camera, frame).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

fn read_states(path: &Path) {
    let file = SimulationFile::open(path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    for step in 0..file.times_s().len() {
        file.read_state(step).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// A table that children fill, row by row.
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(title: &str) -> Self {
        Self(format!("### {title}\n\n| what | uncompressed data | MiB | s |\n|---|---:|---:|---:|\n"))
    }

    /// Runs a child with `arguments` and writes what it took.
    pub(crate) fn row(&mut self, what: &str, bytes: f64, arguments: &[&str]) {
        let own = std::env::current_exe().expect("a program has a path");
        let begun = std::time::Instant::now();
        let output = std::process::Command::new(own).arg(CHILD).args(arguments).output().expect("a child runs");
        let seconds = begun.elapsed().as_secs_f64();
        let mib = if output.status.success() {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        } else {
            eprintln!("{what}: {}", String::from_utf8_lossy(&output.stderr));
            format!("failed ({})", output.status)
        };
        writeln!(self.0, "| {what} | {:.0} MB | {mib} | {seconds:.1} |", bytes / 1e6).expect("text");
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

pub(crate) fn table(plan: Plan) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (side, states) = if plan.small { (20, 2) } else { (1000, 12) };
    let (frames, size) = if plan.small { (4, 64) } else { (1500, 1024) };
    let (run, film) = (folder.path().join("large.vtkhdf"), folder.path().join("long.h5"));
    let run_bytes = grid_run(&run, side, states);
    let film_bytes = gradient_film(&film, frames, [size, size]);
    let mut table = Table::new("Peak memory (VmHWM)");
    table.row("the program with its libraries, doing nothing", 0.0, &["nothing"]);
    let as_text = |p: &Path| p.display().to_string();
    table.row(
        &format!("a film of {frames} frames of {size} × {size} px, frame by frame"),
        film_bytes,
        &["film", &as_text(&film)],
    );
    table.row(
        &format!("a run of {} elements with {states} states, state by state", side * side),
        run_bytes,
        &["states", &as_text(&run)],
    );
    if let Some([simulation, test]) = example().filter(|_| !plan.small) {
        let size = |p: &Path| std::fs::metadata(p).map_or(0.0, |m| m.len() as f64);
        let both = size(&simulation) + size(&test);
        table.row(
            "the whole review of the example (size of its files)",
            both,
            &["review", &as_text(&simulation), &as_text(&test)],
        );
    }
    table.into_text()
}
