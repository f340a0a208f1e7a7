//! The `crumple` binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::plate::Plate;
use crate::parity::library;

/// A folder with `run.vtkhdf`, `run.json` and `test.h5`, and what the program says about them.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
}

impl Desk {
    pub(crate) fn new(plate: &Plate) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        plate.write(folder.path());
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `crumple review run.vtkhdf test.h5 --out out …`, in the folder.
    pub(crate) fn review(&self, further: &[&str]) -> Output {
        review(self.folder.path(), Path::new("run.vtkhdf"), Path::new("test.h5"), further)
    }

    /// Every file and folder, by name.
    pub(crate) fn content(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.push(path);
            }
        }
        found.sort();
        found
    }
}

/// The binary, to be run in `folder`.
///
/// HDF5 locks the files that it writes, and its descriptors pass to every process that a test beside this one starts at
/// that moment; so a lock may outlive the writer. The library of the build is named because the binary may lie outside
/// the project (`CARGO_TARGET_DIR`).
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crumple"));
    command.current_dir(folder).env("HDF5_USE_FILE_LOCKING", "FALSE").env("ORT_DYLIB_PATH", library());
    command
}

/// `crumple review SIMULATION TEST --out out …` in `folder`.
pub(crate) fn review(folder: &Path, simulation: &Path, test: &Path, further: &[&str]) -> Output {
    program(folder)
        .arg("review")
        .args([simulation, test])
        .args(["--out", "out", "--no-report"])
        .args(further)
        .output()
        .expect("the binary runs")
}
