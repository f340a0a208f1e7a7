//! The folder that a review is written to: whole or not at all.
//!
//! Files are made in `<out>.partial-<pid>` beside the folder and put into place by renaming at the very end. A run
//! that fails or is stopped leaves the folder as it was.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ExportError, FLAGS_CSV, PLOTS_FOLDER, REPORT_HTML, REVIEW_JSON, REVIEW_VTKHDF};

/// What a review consists of; of an earlier review only these are replaced, anything else beside them is kept.
pub const OWN_NAMES: [&str; 5] = [REVIEW_JSON, REVIEW_VTKHDF, FLAGS_CSV, REPORT_HTML, PLOTS_FOLDER];

/// What kind of answer a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderKind {
    /// The file whose presence says that the answer is whole.
    pub mark: &'static str,
    /// What the answer consists of; anything else is somebody's own.
    pub own: &'static [&'static str],
}

/// A review.
const REVIEW: FolderKind = FolderKind { mark: REVIEW_JSON, own: &OWN_NAMES };

/// An answer's folder while it is being made; removed on drop unless [`OutputFolder::commit`] was called.
#[derive(Debug)]
pub struct OutputFolder {
    kind: FolderKind,
    target: PathBuf,
    partial: PathBuf,
    /// Parents that did not exist before, outermost first; removed again when nothing comes of the review.
    made_parents: Vec<PathBuf>,
    committed: bool,
}

impl OutputFolder {
    /// The folder of a review: checks that `out` may be written and makes the partial folder beside it.
    ///
    /// # Errors
    /// As [`Self::create_for`].
    pub fn create(out: &Path) -> Result<Self, ExportError> {
        Self::create_for(out, REVIEW)
    }

    /// The folder of any kind of answer.
    ///
    /// # Errors
    /// [`ExportError::FolderInUse`] for a folder that is neither empty nor an earlier review,
    /// [`ExportError::NotAFolder`] for a file or a path without a name, [`ExportError::File`] when the system refuses.
    pub fn create_for(out: &Path, kind: FolderKind) -> Result<Self, ExportError> {
        let target = resolved(out)?;
        check_free(&target, kind)?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(ExportError::NotAFolder { path: out.to_owned(), problem: "is the root of the file system" });
        };
        let made_parents = missing_parents(parent);
        let partial = parent.join(beside(name, "partial"));
        let folder = Self { kind, target: target.clone(), partial, made_parents, committed: false };
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        // Our own number may have been another run's that was killed.
        remove_if_there(&folder.partial)?;
        fs::create_dir(&folder.partial).map_err(failed("create", &folder.partial))?;
        Ok(folder)
    }

    /// Where files are to be written until the commit.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Where they will be.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Puts the review into place and returns its folder.
    ///
    /// # Errors
    /// [`ExportError::FolderInUse`] when the folder was filled by someone else meanwhile, [`ExportError::File`] when
    /// the system refuses; the earlier content is then still there.
    pub fn commit(mut self) -> Result<PathBuf, ExportError> {
        check_free(&self.target, self.kind)?;
        if self.target.exists() {
            self.replace_earlier()?;
        } else {
            fs::rename(&self.partial, &self.target).map_err(failed("rename into place", &self.target))?;
        }
        self.committed = true;
        Ok(self.target.clone())
    }

    /// Swaps the folders; where the folder itself cannot be renamed (a mount point), its files are swapped.
    fn replace_earlier(&self) -> Result<(), ExportError> {
        let name = self.target.file_name().unwrap_or_default();
        let earlier = self.target.with_file_name(beside(name, "earlier"));
        remove_if_there(&earlier)?;
        if fs::rename(&self.target, &earlier).is_err() {
            return self.move_files_in();
        }
        if let Err(source) = fs::rename(&self.partial, &self.target) {
            let problem = failed("rename into place", &self.target)(source);
            fs::rename(&earlier, &self.target).map_err(failed("put back", &self.target))?;
            return Err(problem);
        }
        keep_foreign_entries(&earlier, &self.target, self.kind)?;
        remove_if_there(&earlier)
    }

    /// Moves file by file; the mark (`review.json`) last, because its presence says that the answer is whole.
    fn move_files_in(&self) -> Result<(), ExportError> {
        remove_if_there(&self.target.join(self.kind.mark))?;
        let mut names = entries(&self.partial)?;
        names.sort_by_key(|name| name == self.kind.mark);
        for name in names {
            let (from, to) = (self.partial.join(&name), self.target.join(&name));
            remove_if_there(&to)?;
            if fs::rename(&from, &to).is_err() {
                copy_all(&from, &to).map_err(failed("copy into place", &to))?;
            }
        }
        remove_if_there(&self.partial)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if self.committed {
            return;
        }
        // A failure here has nobody to tell: the run is already over for another reason.
        fs::remove_dir_all(&self.partial).ok();
        for parent in self.made_parents.iter().rev() {
            // Only an empty folder goes, so that nothing of others is lost.
            fs::remove_dir(parent).ok();
        }
    }
}

/// The absolute path without links; a path that does not exist yet is made absolute by its words.
fn resolved(out: &Path) -> Result<PathBuf, ExportError> {
    if out.exists() {
        return out.canonicalize().map_err(failed("resolve", out));
    }
    if out.as_os_str().is_empty() || out.file_name().is_none() {
        return Err(ExportError::NotAFolder { path: out.to_owned(), problem: "has no name" });
    }
    std::path::absolute(out).map_err(failed("resolve", out))
}

fn check_free(target: &Path, kind: FolderKind) -> Result<(), ExportError> {
    if target.is_dir() {
        let names = entries(target)?;
        if !names.is_empty() && !names.iter().any(|n| n == kind.mark) {
            let found = names[0].to_string_lossy().into_owned();
            return Err(ExportError::FolderInUse { path: target.to_owned(), found, expected: kind.mark });
        }
    } else if target.exists() || target.is_symlink() {
        return Err(ExportError::NotAFolder { path: target.to_owned(), problem: "is a file, not a folder" });
    }
    Ok(())
}

fn missing_parents(parent: &Path) -> Vec<PathBuf> {
    let mut missing: Vec<PathBuf> = parent.ancestors().take_while(|p| !p.exists()).map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn beside(name: &std::ffi::OsStr, word: &str) -> OsString {
    let mut beside = name.to_owned();
    beside.push(format!(".{word}-{}", std::process::id()));
    beside
}

fn entries(folder: &Path) -> Result<Vec<OsString>, ExportError> {
    let list = || fs::read_dir(folder)?.map(|e| e.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>();
    let mut names = list().map_err(failed("list", folder))?;
    names.sort();
    Ok(names)
}

/// Files that an engineer put beside an earlier review stay where they were.
fn keep_foreign_entries(earlier: &Path, target: &Path, kind: FolderKind) -> Result<(), ExportError> {
    for name in entries(earlier)? {
        let to = target.join(&name);
        if kind.own.iter().all(|own| name != *own) && !to.exists() {
            fs::rename(earlier.join(&name), &to).map_err(failed("keep", &to))?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), ExportError> {
    let removed = if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(e)),
        _ => Ok(()),
    }
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
        Ok(())
    } else {
        fs::copy(from, to).map(|_| ())
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &OutputFolder, name: &str, text: &str) {
        fs::write(folder.path().join(name), text).unwrap();
    }

    #[test]
    fn nothing_is_left_when_the_review_does_not_end() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(&root.path().join("a/b/out")).unwrap();
        put(&folder, REVIEW_JSON, "{}");
        drop(folder);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "parents made for the review go with it");
    }

    #[test]
    fn an_earlier_review_is_replaced_and_foreign_files_stay() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        fs::create_dir_all(out.join(PLOTS_FOLDER)).unwrap();
        fs::write(out.join(PLOTS_FOLDER).join("old.svg"), "old").unwrap();
        fs::write(out.join(REVIEW_JSON), "old").unwrap();
        fs::write(out.join("my notes.txt"), "keep me").unwrap();
        let folder = OutputFolder::create(&out).unwrap();
        put(&folder, REVIEW_JSON, "new");
        assert_eq!(fs::read_to_string(out.join(REVIEW_JSON)).unwrap(), "old", "untouched until the commit");
        folder.commit().unwrap();
        assert_eq!(fs::read_to_string(out.join(REVIEW_JSON)).unwrap(), "new");
        assert_eq!(fs::read_to_string(out.join("my notes.txt")).unwrap(), "keep me");
        assert!(!out.join(PLOTS_FOLDER).exists(), "a plot of the earlier review must not pass for a new one");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no partial or earlier folder is left");
    }

    #[test]
    fn files_are_moved_one_by_one_where_the_folder_cannot_be_renamed() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("mount");
        fs::create_dir(&out).unwrap();
        fs::write(out.join(REVIEW_JSON), "old").unwrap();
        let folder = OutputFolder::create(&out).unwrap();
        put(&folder, REVIEW_JSON, "new");
        fs::create_dir(folder.path().join(PLOTS_FOLDER)).unwrap();
        folder.move_files_in().unwrap();
        drop(folder);
        assert_eq!(fs::read_to_string(out.join(REVIEW_JSON)).unwrap(), "new");
        assert!(out.join(PLOTS_FOLDER).is_dir());
    }

    #[test]
    fn a_folder_of_others_and_a_file_are_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "years of work").unwrap();
        let problem = OutputFolder::create(root.path()).unwrap_err();
        assert!(problem.is_input_error() && problem.to_string().contains("thesis.tex"), "{problem}");
        let problem = OutputFolder::create(&root.path().join("thesis.tex")).unwrap_err();
        assert!(problem.is_input_error() && problem.to_string().contains("is a file"), "{problem}");
        assert_eq!(fs::read_to_string(root.path().join("thesis.tex")).unwrap(), "years of work");
    }

    #[test]
    fn an_empty_folder_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let folder = OutputFolder::create(root.path()).unwrap();
        put(&folder, REVIEW_JSON, "{}");
        let target = folder.commit().unwrap();
        assert!(target.join(REVIEW_JSON).is_file());
    }
}
