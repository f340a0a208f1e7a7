//! The study in one file: what was read stays true as long as the runs stay as they were.
//!
//! Layout, little-endian: the mark, the header's length (u64), the header (JSON: stamps, study), the inner products
//! (f64: times × parts × runs × runs), the undeformed shapes (f32: runs × nodes × 3), then for each time the
//! displacements of all runs (f32: runs × nodes × 3, mm, each from the run's own undeformed shape). Written beside its
//! place under another name and renamed, so it is whole or not there.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::StudyRequest;
use super::belongs::Ready;
use super::listing::ListedRun;
use crate::domain::Study;
use crate::geom::bracket;
use crate::ingest::digest::digest_sha256;
use crate::ingest::error::{IngestError, cannot};
use crate::ingest::vtkhdf::SimulationFile;
use crate::suggest::Grams;

const MARK: &[u8; 8] = b"CRSTUDY\x03";
/// Slabs that stay in memory: the two around a moment, and the ones before while a slider moves.
const KEPT_SLABS: usize = 4;
/// Headers larger than this are no headers.
const MAX_HEADER: u64 = 1 << 30;

/// What the cache depends on: a run's file and everything that says how it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stamp {
    file: PathBuf,
    size: u64,
    /// Nanoseconds since 1970 of the last change of file, side-car and table.
    changed_ns: Vec<u128>,
    /// Digest of the record beside it and of the table of parameters.
    record_sha256: Vec<String>,
    /// The reading options and the list's own values, as text.
    asked: String,
}

fn changed_ns(path: &Path) -> (u64, u128) {
    let Ok(found) = fs::metadata(path) else { return (0, 0) };
    let ns = found.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos());
    (found.len(), ns)
}

impl Stamp {
    /// The stamp of a run as it is now.
    pub(super) fn of_run(run: &ListedRun, request: &StudyRequest) -> Self {
        let beside: Vec<PathBuf> =
            std::iter::once(run.path.with_extension("json")).chain(request.table.clone()).collect();
        let (size, own) = changed_ns(&run.path);
        Self {
            file: run.path.canonicalize().unwrap_or_else(|_| run.path.clone()),
            size,
            changed_ns: std::iter::once(own).chain(beside.iter().map(|p| changed_ns(p).1)).collect(),
            // Records are small; a study is told from its copy by what they say.
            record_sha256: beside.iter().map(|p| digest_sha256(p).unwrap_or_default()).collect(),
            asked: format!("{:?} {:?}", request.options, run.values),
        }
    }

    /// The same but for the time of the last change.
    fn like(&self, other: &Self) -> bool {
        Self { changed_ns: Vec::new(), ..self.clone() } == Self { changed_ns: Vec::new(), ..other.clone() }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    program: String,
    stamps: Vec<Stamp>,
    study: Study,
}

/// A slab in memory: which time (`None`: the undeformed shapes), and its values.
type Kept = (Option<usize>, Arc<Vec<f32>>);

/// An open cache.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    file: File,
    /// Where the undeformed shapes begin.
    rest_at: u64,
    /// Values of one slab.
    values: usize,
    kept: Mutex<Vec<Kept>>,
}

impl Cache {
    /// The undeformed shapes (`None`), or the displacements at a time of the study; run by run, mm.
    ///
    /// # Errors
    /// When the file cannot be read or was cut off.
    pub(super) fn slab(&self, time: Option<usize>) -> Result<Arc<Vec<f32>>, IngestError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slab)) = kept().iter().find(|(t, _)| *t == time) {
            return Ok(Arc::clone(slab));
        }
        let index = time.map_or(0, |t| t as u64 + 1);
        let mut bytes = vec![0_u8; 4 * self.values];
        let at = self.rest_at + index * bytes.len() as u64;
        self.file.read_exact_at(&mut bytes, at).map_err(cannot(&self.path, "read the study's cache"))?;
        let slab = Arc::new(floats(&bytes));
        let mut kept = kept();
        if kept.len() >= KEPT_SLABS {
            kept.remove(0);
        }
        kept.push((time, Arc::clone(&slab)));
        Ok(slab)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The cache at `path` when it belongs to runs with these stamps; `None` when there is none or it is old.
///
/// A run whose time of change is another but whose bytes are the same has not changed.
///
/// # Errors
/// When a run that must be compared cannot be read.
pub(super) fn open(path: &Path, stamps: &[Stamp]) -> Result<Option<(Cache, Study, Grams)>, IngestError> {
    let Some((header, file, data_at)) = read_header(path) else { return Ok(None) };
    if header.program != program() || header.stamps.len() != stamps.len() {
        return Ok(None);
    }
    for (then, now) in header.stamps.iter().zip(stamps) {
        if then == now {
            continue;
        }
        let known = header.study.runs.iter().find(|r| Path::new(&r.file).canonicalize().is_ok_and(|f| f == now.file));
        let same = known.map(|run| digest_sha256(&now.file).map(|d| d == run.sha256)).transpose()?;
        if !then.like(now) || same != Some(true) {
            return Ok(None);
        }
    }
    let study = header.study;
    let (runs, parts) = (study.runs.len(), study.parts.len());
    let count = study.times_s.len() * parts * runs * runs;
    let values = runs * study.node_count * 3;
    let rest_at = data_at + 8 * count as u64;
    let whole = rest_at + 4 * (values * (study.times_s.len() + 1)) as u64;
    if file.metadata().map_or(0, |m| m.len()) != whole {
        return Ok(None);
    }
    let mut bytes = vec![0_u8; 8 * count];
    if file.read_exact_at(&mut bytes, data_at).is_err() {
        return Ok(None);
    }
    let numbers = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    let Some(grams) = Grams::from_values(runs, &study.part_of_node, parts, numbers) else { return Ok(None) };
    Ok(Some((Cache { path: path.to_owned(), file, rest_at, values, kept: Mutex::default() }, study, grams)))
}

fn program() -> String {
    format!("crumple {}", env!("CARGO_PKG_VERSION"))
}

fn read_header(path: &Path) -> Option<(Header, File, u64)> {
    let file = File::open(path).ok()?;
    let mut reader = BufReader::new(&file);
    let (mut mark, mut length) = ([0; 8], [0; 8]);
    reader.read_exact(&mut mark).ok()?;
    reader.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if mark != *MARK || length > MAX_HEADER {
        return None;
    }
    let header = serde_json::from_reader(reader.take(length)).ok()?;
    Some((header, file, 16 + length))
}

/// Reads the runs one after the other and writes the cache; `told` hears of each run that is done.
///
/// # Errors
/// When a run cannot be read, the cache cannot be written, or `told` fails.
pub(super) fn write(
    request: &StudyRequest,
    stamps: &[Stamp],
    ready: &mut Ready,
    told: &mut dyn FnMut(usize) -> Result<(), IngestError>,
) -> Result<(Cache, Grams), IngestError> {
    let path = request.cache.as_path();
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(cannot(path, "make the folder of the study's cache"))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".partial-{}", std::process::id()));
    let partial = Partial(PathBuf::from(beside));
    let written = fill(&partial.0, request, stamps, ready, told)?;
    fs::rename(&partial.0, path).map_err(cannot(path, "put the study's cache into place"))?;
    let (file, rest_at, values, grams) = written;
    Ok((Cache { path: path.to_owned(), file, rest_at, values, kept: Mutex::default() }, grams))
}

/// Removed on drop; after the renaming there is nothing left to remove.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

fn fill(
    path: &Path,
    request: &StudyRequest,
    stamps: &[Stamp],
    ready: &mut Ready,
    told: &mut dyn FnMut(usize) -> Result<(), IngestError>,
) -> Result<(File, u64, usize, Grams), IngestError> {
    let failed = || cannot(path, "write the study's cache");
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(failed())?;
    let (runs, times) = (ready.study.runs.len(), ready.study.times_s.len());
    let one = ready.study.node_count * 3;
    // The fields are read before the header is known (it says whether the shapes differ), so room is left for it.
    let fields = tempfile_beside(path)?;
    let mut first_rest: Option<Vec<f32>> = None;
    for index in 0..runs {
        let simulation = ready.candidates[index].take_file(&request.options)?;
        let rest = copy_run(&simulation, &ready.study.times_s, (index, runs), one, &fields.0)?;
        let first = first_rest.get_or_insert_with(|| rest.clone());
        ready.study.rest_differs |= *first != rest;
        told(index)?;
    }
    let mut grams = Grams::new(runs, &ready.study.part_of_node, ready.study.parts.len());
    let mut bytes = vec![0_u8; 4 * runs * one];
    for time in 0..times {
        let at = (bytes.len() * (time + 1)) as u64;
        fields.0.0.read_exact_at(&mut bytes, at).map_err(failed())?;
        grams.push(&floats(&bytes), &ready.study.part_of_node);
    }
    let header = Header { program: program(), stamps: stamps.to_vec(), study: ready.study.clone() };
    let header = serde_json::to_vec(&header).map_err(|e| failed()(std::io::Error::new(ErrorKind::InvalidData, e)))?;
    let mut writer = BufWriter::new(&file);
    let put = |writer: &mut BufWriter<&File>, bytes: &[u8]| writer.write_all(bytes).map_err(failed());
    put(&mut writer, MARK)?;
    put(&mut writer, &(header.len() as u64).to_le_bytes())?;
    put(&mut writer, &header)?;
    for value in grams.values() {
        put(&mut writer, &value.to_le_bytes())?;
    }
    let rest_at = 16 + header.len() as u64 + 8 * grams.values().len() as u64;
    let mut from = &fields.0.0;
    from.seek(SeekFrom::Start(0)).map_err(failed())?;
    std::io::copy(&mut from, &mut writer).map_err(failed())?;
    writer.flush().map_err(failed())?;
    drop(writer);
    file.sync_all().map_err(failed())?;
    Ok((file, rest_at, runs * one, grams))
}

/// A file without a name that holds the fields while they are gathered.
struct Fields((File, PathBuf));

fn tempfile_beside(path: &Path) -> Result<Fields, IngestError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-fields");
    let name = PathBuf::from(name);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&name);
    let file = file.map_err(cannot(&name, "write the study's cache"))?;
    Ok(Fields((file, name)))
}

impl Drop for Fields {
    fn drop(&mut self) {
        fs::remove_file(&self.0.1).ok();
    }
}

/// Writes a run's undeformed shape and its displacements at the common times into its places; says the shape.
fn copy_run(
    simulation: &SimulationFile,
    times_s: &[f64],
    (index, runs): (usize, usize),
    one: usize,
    fields: &(File, PathBuf),
) -> Result<Vec<f32>, IngestError> {
    let put = |slab: usize, values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let at = 4 * (slab * runs * one + index * one) as u64;
        fields.0.write_all_at(&bytes, at).map_err(cannot(&fields.1, "write the study's cache"))
    };
    let flat = |step: usize| -> Result<Vec<f32>, IngestError> {
        Ok(simulation.read_state(step)?.positions_mm.into_iter().flatten().collect())
    };
    let rest = flat(0)?;
    put(0, &rest)?;
    let mut near: [(usize, Vec<f32>); 2] = [(0, rest.clone()), (usize::MAX, Vec::new())];
    for (slab, time_s) in times_s.iter().enumerate() {
        let (a, b, weight) = bracket(simulation.times_s(), *time_s);
        for step in [a, b] {
            if near.iter().all(|(s, _)| *s != step) {
                // The older of the two makes room.
                let older = usize::from(near[1].0 != usize::MAX && near[1].0 < near[0].0);
                let slot = if near[1].0 == usize::MAX { 1 } else { older };
                near[slot] = (step, flat(step)?);
            }
        }
        let at =
            |step: usize| &near.iter().find(|(s, _)| *s == step).expect("both were read; anything else is a bug").1;
        let w = weight as f32;
        let moved: Vec<f32> = at(a).iter().zip(at(b)).zip(&rest).map(|((x, y), r)| x + w * (y - x) - r).collect();
        put(slab + 1, &moved)?;
    }
    Ok(rest)
}
