//! Typed settings: the only place that reads the environment.
//!
//! Every setting is read once, turned into its meaning here, and passed down as a value.

pub mod serve;

use std::path::{Path, PathBuf};

/// Directory, next to the repository or the binary, into which `make setup` unpacks ONNX Runtime.
const ORT_FOLDER: &str = ".ort";

/// Where the ONNX Runtime library was looked for, and that it was not there.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The environment names a library that is not a file.
    #[error(
        "ORT_DYLIB_PATH is {path}, expected the path of an ONNX Runtime library (libonnxruntime.so), found no file there; correct it or unset it"
    )]
    NamedLibraryMissing {
        /// What the variable says.
        path: PathBuf,
    },
    /// No library anywhere.
    #[error(
        "ONNX Runtime library not found: ORT_DYLIB_PATH is unset and none of these folders holds a libonnxruntime.so: {}; run `make setup` or set ORT_DYLIB_PATH",
        list(looked_in)
    )]
    LibraryNotFound {
        /// The folders that were looked into, in order.
        looked_in: Vec<PathBuf>,
    },
}

impl ConfigError {
    /// Never: these are faults of the installation, not of the caller's files.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        false
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Folder for what can be made again: `XDG_CACHE_HOME` or `~/.cache`, else the system's folder for temporary files.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn cache_folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let own = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    own.unwrap_or_else(std::env::temp_dir).join("crumple")
}

/// Which log lines a command sends: what `CRUMPLE_LOG` says, none without it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn log_filter() -> Option<String> {
    std::env::var_os("CRUMPLE_LOG").filter(|v| !v.is_empty()).map(|v| v.to_string_lossy().into_owned())
}

/// What the environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `ORT_DYLIB_PATH`: the ONNX Runtime library to load.
    pub onnxruntime_library: Option<PathBuf>,
    /// Folders whose `.ort/` is searched when the variable is unset, nearest first.
    pub search_folders: Vec<PathBuf>,
}

impl Settings {
    /// Reads the environment: variables, the place of the executable, the current folder.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn from_env() -> Self {
        let executable = std::env::current_exe().ok();
        let current = std::env::current_dir().ok();
        let mut search_folders: Vec<PathBuf> = Vec::new();
        let parents = executable.iter().flat_map(|p| p.ancestors().skip(1)).map(Path::to_path_buf);
        let above = current.iter().flat_map(|p| p.ancestors()).map(Path::to_path_buf);
        for folder in parents.chain(above) {
            if !search_folders.contains(&folder) {
                search_folders.push(folder);
            }
        }
        Self {
            onnxruntime_library: std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()).map(PathBuf::from),
            search_folders,
        }
    }

    /// A file that the project ships: `path` as it is, else below the nearest search folder that has it.
    #[must_use]
    pub fn find_shipped(&self, path: &Path) -> Option<PathBuf> {
        let below = self.search_folders.iter().map(|folder| folder.join(path));
        std::iter::once(path.to_path_buf()).chain(below).find(|candidate| candidate.is_file())
    }

    /// The ONNX Runtime library to load: the one that the environment names, else the newest in a `.ort/` folder.
    ///
    /// # Errors
    /// When the named file is missing, or none is found; the message says where was looked and what to do.
    pub fn find_onnxruntime(&self) -> Result<PathBuf, ConfigError> {
        if let Some(path) = &self.onnxruntime_library {
            return if path.is_file() {
                Ok(path.clone())
            } else {
                Err(ConfigError::NamedLibraryMissing { path: path.clone() })
            };
        }
        let looked_in: Vec<PathBuf> = self.search_folders.iter().map(|f| f.join(ORT_FOLDER)).collect();
        looked_in.iter().find_map(|f| newest_library(f)).ok_or(ConfigError::LibraryNotFound { looked_in })
    }
}

/// The `libonnxruntime.so*` in `folder` whose name sorts last, so that a version wins over the bare link.
fn newest_library(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("libonnxruntime.so") || name.starts_with("libonnxruntime.dylib")
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_names_every_folder_that_was_searched() {
        let settings =
            Settings { onnxruntime_library: None, search_folders: vec!["/nowhere/a".into(), "/nowhere/b".into()] };
        let text = settings.find_onnxruntime().expect_err("nothing is there").to_string();
        assert!(text.contains("/nowhere/a/.ort") && text.contains("/nowhere/b/.ort"), "{text}");
        assert!(text.contains("make setup"), "{text}");
    }

    #[test]
    fn a_named_library_wins_and_must_exist() {
        let settings =
            Settings { onnxruntime_library: Some("/nowhere/libonnxruntime.so".into()), search_folders: vec![] };
        assert!(matches!(settings.find_onnxruntime(), Err(ConfigError::NamedLibraryMissing { .. })));
    }

    #[test]
    fn a_versioned_library_in_a_parent_folder_is_found() {
        let root = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(root.path().join(ORT_FOLDER)).expect("folder");
        let library = root.path().join(ORT_FOLDER).join("libonnxruntime.so.1.99.0");
        std::fs::write(&library, b"").expect("file");
        let settings = Settings {
            onnxruntime_library: None,
            search_folders: vec![root.path().join("target/release"), root.path().to_path_buf()],
        };
        assert_eq!(settings.find_onnxruntime().expect("is there"), library);
    }
}
