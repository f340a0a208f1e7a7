//! Bytes by name: uploaded files by their digest, results by their review. Sees `object_store`.
//!
//! A blob is written before the row that names it, and removed by [`Blobs::sweep`] when no row does: after a crash a
//! blob without a row is swept, a row without a blob cannot be. Readers of HDF5 need files with a name and an ending,
//! so a blob can be laid out as a file, as a hard link where the folders share a disk.

mod error;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

pub use error::BlobError;

/// What is read and sent at a time.
const BLOCK: usize = 4 << 20;

/// Names a blob; the only place that spells their paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlobKey {
    /// A file by its digest, hex.
    File(String),
    /// One file of the results of a review or a suggestion: its id and the file's name, which may have folders.
    Result(String, String),
}

impl BlobKey {
    fn path(&self) -> Key {
        match self {
            Self::File(digest) => Key::from(format!("files/{}/{digest}", digest.get(..2).unwrap_or("xx"))),
            Self::Result(review, name) => Key::from(format!("results/{review}/{name}")),
        }
    }
}

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path())
    }
}

/// The place where blobs are.
#[derive(Debug, Clone)]
pub struct Blobs {
    objects: Arc<LocalFileSystem>,
    root: PathBuf,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploaded files that no row names.
    pub files: usize,
    /// Results of reviews that are not finished.
    pub results: usize,
}

impl Blobs {
    /// Blobs below the folder `root`, which is made where it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(root).map_err(BlobError::file("make the folder", root))?;
        let root = root.canonicalize().map_err(BlobError::file("find the folder", root))?;
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|source| BlobError::Objects {
            doing: "open",
            key: root.display().to_string(),
            source,
        })?;
        Ok(Self { objects: Arc::new(objects.with_fsync(true)), root })
    }

    /// Takes a file in under its digest, in one pass; returns the digest (hex) and the size. The same file twice costs
    /// one reading and no space.
    ///
    /// # Errors
    /// When the file cannot be read or the blob not be written.
    pub async fn take_file(&self, file: &Path) -> Result<(String, u64), BlobError> {
        let path = file.to_owned();
        let (digest, bytes) = tokio::task::spawn_blocking(move || digest(&path))
            .await
            .map_err(|e| BlobError::file("read", file)(std::io::Error::other(e)))??;
        let key = BlobKey::File(digest.clone());
        // One of another size was damaged: it is written anew.
        if self.size(&key).await? != Some(bytes) && !self.link(&key, file)? {
            self.put_file(&key, file).await?;
        }
        Ok((digest, bytes))
    }

    /// Makes the file itself the blob, without a copy; false where the folders do not share a disk. The file must not be
    /// written to any more.
    fn link(&self, key: &BlobKey, file: &Path) -> Result<bool, BlobError> {
        let blob = self.objects.path_to_filesystem(&key.path()).map_err(BlobError::objects("find", key))?;
        if let Some(folder) = blob.parent() {
            std::fs::create_dir_all(folder).map_err(BlobError::file("make the folder", folder))?;
        }
        Ok(std::fs::hard_link(file, &blob).is_ok())
    }

    /// Writes a file under `key`; it appears whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be read or the blob not be written.
    pub async fn put_file(&self, key: &BlobKey, file: &Path) -> Result<(), BlobError> {
        let failed = BlobError::objects("write", key);
        let mut source = tokio::fs::File::open(file).await.map_err(BlobError::file("open", file))?;
        let upload = self.objects.put_multipart(&key.path()).await.map_err(failed)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, BLOCK);
        let mut block = vec![0; BLOCK];
        loop {
            let n = source.read(&mut block).await.map_err(BlobError::file("read", file))?;
            if n == 0 {
                break;
            }
            writer.wait_for_capacity(4).await.map_err(BlobError::objects("write", key))?;
            writer.write(&block[..n]);
        }
        writer.finish().await.map_err(BlobError::objects("write", key))?;
        Ok(())
    }

    /// Writes bytes under `key`.
    ///
    /// # Errors
    /// When the blob cannot be written.
    pub async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        self.objects
            .put(&key.path(), PutPayload::from_bytes(bytes))
            .await
            .map(|_| ())
            .map_err(BlobError::objects("write", key))
    }

    /// The bytes of a blob; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self, key: &BlobKey) -> Result<Option<Bytes>, BlobError> {
        match self.objects.get(&key.path()).await {
            Ok(found) => found.bytes().await.map(Some).map_err(BlobError::objects("read", key)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(BlobError::objects("read", key)(source)),
        }
    }

    /// Where the bytes of a blob lie, to be read piece by piece; `None` when there is none.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn path(&self, key: &BlobKey) -> Result<Option<PathBuf>, BlobError> {
        if !self.exists(key).await? {
            return Ok(None);
        }
        self.objects.path_to_filesystem(&key.path()).map(Some).map_err(BlobError::objects("find", key))
    }

    /// Whether there is such a blob.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn exists(&self, key: &BlobKey) -> Result<bool, BlobError> {
        Ok(self.size(key).await?.is_some())
    }

    /// Size of a blob, bytes; `None` when there is none.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        match self.objects.head(&key.path()).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(BlobError::objects("look at", key)(source)),
        }
    }

    /// Names of a review's results below `folder`, by rising name.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn results(&self, review: &str, folder: &str) -> Result<Vec<String>, BlobError> {
        let key = BlobKey::Result(review.to_owned(), folder.to_owned());
        let begin = key.path();
        let list: Vec<_> =
            self.objects.list(Some(&begin)).try_collect().await.map_err(BlobError::objects("list", &key))?;
        let mut names: Vec<String> = list.iter().filter_map(|m| m.location.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// Lays an uploaded file out at `path`.
    ///
    /// # Errors
    /// When the blob is missing or the file cannot be made.
    pub fn lay_out(&self, digest: &str, path: &Path) -> Result<(), BlobError> {
        self.lay_out_blob(&BlobKey::File(digest.to_owned()), path)
    }

    /// Lays a blob out at `path`, whatever lies there; two who do so at once do not see each other.
    ///
    /// # Errors
    /// When the blob is missing or the file cannot be made.
    pub fn lay_out_blob(&self, key: &BlobKey, path: &Path) -> Result<(), BlobError> {
        let blob = self.objects.path_to_filesystem(&key.path()).map_err(BlobError::objects("find", key))?;
        // A copy is only ever made under a name of its own: onto another's link it would be written into the blob.
        let beside = OwnName::beside(path);
        if std::fs::hard_link(&blob, &beside.0).is_err() {
            std::fs::copy(&blob, &beside.0).map_err(BlobError::file("lay out", path))?;
        }
        std::fs::rename(&beside.0, path).map_err(BlobError::file("lay out", path))
    }

    /// Takes all results of a review away.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub async fn remove_results(&self, review: &str) -> Result<(), BlobError> {
        let folder = self.root.join("results").join(review);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(BlobError::file("remove", &folder)(e)),
            _ => Ok(()),
        }
    }

    /// Removes what no row names: files that are not in `digests`, results of reviews that are not in `reviews`. What
    /// was written after `before` stays, because its row may still be on its way.
    ///
    /// # Errors
    /// When a folder cannot be listed or a blob not be removed.
    pub async fn sweep(
        &self,
        digests: &HashSet<String>,
        reviews: &HashSet<String>,
        before: SystemTime,
    ) -> Result<Swept, BlobError> {
        let mut swept = Swept::default();
        let root = Key::from("files");
        let failed = |source| BlobError::Objects { doing: "sweep", key: "files".to_owned(), source };
        let files: Vec<_> = self.objects.list(Some(&root)).try_collect().await.map_err(failed)?;
        for file in files {
            let name = file.location.filename().unwrap_or_default();
            if !digests.contains(name) && SystemTime::from(file.last_modified) < before {
                self.objects.delete(&file.location).await.map_err(failed)?;
                swept.files += 1;
            }
        }
        let folder = self.root.join("results");
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(swept) };
        for entry in entries.flatten() {
            let review = entry.file_name().to_string_lossy().into_owned();
            let young = entry.metadata().and_then(|m| m.modified()).is_ok_and(|t| t >= before);
            if !reviews.contains(&review) && !young {
                self.remove_results(&review).await?;
                swept.results += 1;
            }
        }
        Ok(swept)
    }
}

/// A name that nobody else uses, removed on drop: where a file was not renamed, and where it lies at its place already as
/// the same one, which leaves both names.
struct OwnName(PathBuf);

impl OwnName {
    fn beside(path: &Path) -> Self {
        Self(path.with_file_name(format!(".{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for OwnName {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn digest(path: &Path) -> Result<(String, u64), BlobError> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path).map_err(BlobError::file("open", path))?;
    let (mut hasher, mut block, mut total) = (Sha256::new(), vec![0; BLOCK], 0u64);
    loop {
        let n = file.read(&mut block).map_err(BlobError::file("read", path))?;
        if n == 0 {
            break;
        }
        total += n as u64;
        hasher.update(&block[..n]);
    }
    let hex = hasher.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((hex, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No blobs yet, and beside them a file of three letters.
    fn blobs_and_file() -> (tempfile::TempDir, Blobs, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&root.path().join("blobs")).unwrap();
        let file = root.path().join("a");
        std::fs::write(&file, "abc").unwrap();
        (root, blobs, file)
    }

    #[tokio::test]
    async fn the_same_file_twice_is_one_blob_and_the_sweep_takes_what_no_row_names() {
        let (_root, blobs, file) = blobs_and_file();
        let (digest, bytes) = blobs.take_file(&file).await.unwrap();
        assert_eq!((blobs.take_file(&file).await.unwrap().0, bytes), (digest.clone(), 3));
        blobs.put(&BlobKey::Result("r".into(), "views/mesh.bin".into()), Bytes::from_static(b"x")).await.unwrap();
        let (kept, none) = (HashSet::from([digest.clone()]), HashSet::new());
        let young = blobs.sweep(&none, &none, SystemTime::UNIX_EPOCH).await.unwrap();
        assert_eq!(young, Swept::default(), "what is younger than the limit may have its row on the way");
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        assert_eq!(blobs.sweep(&kept, &none, later).await.unwrap(), Swept { files: 0, results: 1 });
        assert_eq!(blobs.get(&BlobKey::File(digest)).await.unwrap().as_deref(), Some(&b"abc"[..]));
    }

    #[tokio::test]
    async fn a_damaged_blob_is_made_whole_by_the_same_file() {
        let (_root, blobs, file) = blobs_and_file();
        let key = BlobKey::File(blobs.take_file(&file).await.unwrap().0);
        let blob = blobs.path(&key).await.unwrap().unwrap();
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(&blob, "").unwrap();
        blobs.take_file(&file).await.unwrap();
        assert_eq!(blobs.get(&key).await.unwrap().as_deref(), Some(&b"abc"[..]));
    }

    #[tokio::test]
    async fn a_blob_survives_many_who_lay_it_out_at_one_place_at_once() {
        let (root, blobs, file) = blobs_and_file();
        let folder = root.path().join("desk");
        std::fs::create_dir(&folder).unwrap();
        let (digest, _) = blobs.take_file(&file).await.unwrap();
        let path = folder.join("simulation.vtkhdf");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| blobs.lay_out(&digest, &path).unwrap()));
            }
        });
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
        assert_eq!(blobs.get(&BlobKey::File(digest)).await.unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no other name stays");
    }
}
