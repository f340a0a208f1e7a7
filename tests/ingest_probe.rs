//! The first look in a process of its own. The child is this test binary, told to run one test.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crumple::ingest::probe::{self, ProbeKind, ProbeLimits, ProbeOptions};
use crumple::ingest::{IngestError, SimulationOptions};

use crate::support::record_writer::RecordWriter;
use crate::support::shared;
use crate::support::vtkhdf_writer::{Writer, strip};

/// The test harness takes more than one filter; the words after `--exact NAME` match no test.
fn as_test(path: &Path, kind: &ProbeKind) -> Vec<OsString> {
    let mut words: Vec<OsString> = ["--exact", "ingest_probe::the_child_s_side", "--nocapture"].map(Into::into).into();
    words.extend(probe::arguments(path, kind));
    words
}

fn options() -> ProbeOptions {
    ProbeOptions { arguments: as_test, ..ProbeOptions::default() }
}

/// Does nothing unless it is started by a probe.
#[test]
fn the_child_s_side() {
    let words: Vec<OsString> = std::env::args_os().skip_while(|w| w != probe::ARGUMENT).skip(1).collect();
    let Some((path, kind)) = probe::kind_from_arguments(&words) else { return };
    if path.ends_with("sleep") {
        std::thread::sleep(Duration::from_secs(30));
    }
    if path.ends_with("abort") {
        std::process::abort();
    }
    // The reply has a line of its own: the harness has printed "test … ... " before it.
    probe::run_probe(&path, &kind, ProbeLimits::default(), &mut std::io::stdout()).expect("a verdict");
}

fn simulation() -> ProbeKind {
    ProbeKind::Simulation(SimulationOptions::default())
}

#[test]
fn sound_files_pass_and_refusals_come_through_word_for_word() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (run, test) = (dir.path().join("run.vtkhdf"), dir.path().join("test.h5"));
    Writer::static_mesh(&[0.0, 1.0], strip(2)).write(&run);
    RecordWriter::default().write(&test);
    probe::probe_in_own_process(&run, &simulation(), &options()).expect("a sound simulation");
    probe::probe_in_own_process(&test, &ProbeKind::Test, &options()).expect("a sound test");
    let error = probe::probe_in_own_process(&test, &simulation(), &options()).expect_err("no simulation");
    assert!(matches!(error, IngestError::ProbeRefused { .. }) && error.is_input_error(), "{error:?}");
    assert!(error.to_string().contains("a group named VTKHDF"), "{error}");
}

#[test]
fn a_crash_and_a_file_without_end_are_refused_files() {
    let error = probe::probe_in_own_process(Path::new("abort"), &ProbeKind::Test, &options()).expect_err("aborts");
    assert!(matches!(error, IngestError::Crashed { .. }) && error.is_input_error());
    assert!(error.to_string().contains("crashed (signal 6)"), "{error}");
    let hurried = ProbeOptions { time_limit: Duration::from_millis(300), ..options() };
    let error = probe::probe_in_own_process(Path::new("sleep"), &ProbeKind::Test, &hurried).expect_err("sleeps");
    assert!(error.to_string().contains("took longer than 0.3 s"), "{error}");
}

#[test]
fn a_program_that_cannot_be_started_is_not_the_file_s_fault() {
    let missing = ProbeOptions { program: Some(PathBuf::from("/no/such/program")), ..options() };
    let error = probe::probe_in_own_process(Path::new("x.h5"), &ProbeKind::Test, &missing).expect_err("no program");
    assert!(!error.is_input_error(), "{error}");
    let silent = ProbeOptions { program: Some(PathBuf::from("/bin/true")), ..options() };
    let error = probe::probe_in_own_process(Path::new("x.h5"), &ProbeKind::Test, &silent).expect_err("no verdict");
    assert!(!error.is_input_error(), "{error}");
}

#[test]
fn the_broken_files_of_the_hdf5_suite_never_take_the_parent_along() {
    let Some(folder) = shared("bad_hdf5") else { return };
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        for kind in [simulation(), ProbeKind::Test] {
            let error = probe::probe_in_own_process(&path, &kind, &options()).expect_err("refused");
            assert!(error.is_input_error(), "{error}");
        }
    }
}
