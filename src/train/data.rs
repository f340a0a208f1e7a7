//! What a recipe's data are made of, opened.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::films::{PairStream, Split};
use super::pairs::{FilmedPair, PairSource, Stream};
use super::recipe::{DataKind, Recipe};
use super::stream::Mixed;
use super::synthetic::TexturePairs;
use super::weights::hex;

/// Calibration takes its films from the same split as validation, from this number on, so that they share none.
const FIRST_FOR_CALIBRATION: usize = 1 << 20;

/// The sources of all pairs, and a SHA-256 over the files behind them.
pub(super) fn open(recipe: &Recipe, studies: &[PathBuf]) -> Result<(Mixed, String), TrainError> {
    let seed = recipe.training.seed;
    let mut parts: Vec<(f64, Box<dyn PairSource>)> = Vec::new();
    for data in &recipe.data {
        let source: Box<dyn PairSource> = match &data.kind {
            DataKind::Textures(settings) => Box::new(TexturePairs { settings: settings.clone(), seed }),
            DataKind::Films(settings) => {
                let stream = PairStream::open(studies, settings.clone(), seed)?;
                for split in [Split::Train, Split::Region, Split::Family] {
                    for extent in stream.extent(split) {
                        tracing::info!(%split, family = extent.family, pairs = extent.pairs, filmed = extent.filmed, "films");
                    }
                }
                Box::new(FilmPairs(stream))
            }
        };
        parts.push((data.share, source));
    }
    Ok((Mixed::new(parts, seed), digest(studies)?))
}

/// Rendered films of pairs of runs.
struct FilmPairs(PairStream);

impl PairSource for FilmPairs {
    fn pairs(&self, stream: Stream, index: usize) -> Result<Vec<FilmedPair>, TrainError> {
        let (split, number) = match stream {
            Stream::Training => (Split::Train, index),
            Stream::Validation => (Split::Region, index),
            Stream::Calibration => (Split::Region, FIRST_FOR_CALIBRATION + index),
            Stream::Report => (Split::Family, index),
        };
        let samples = self.0.whole(split, number)?.into_iter();
        let pairs = samples.map(|s| FilmedPair {
            predicted: s.predicted,
            real: s.real,
            visible: s.visible,
            flow: s.flow,
            present: s.present,
        });
        Ok(pairs.collect())
    }
}

/// SHA-256 over the names and contents of all files of the studies, in order.
fn digest(studies: &[PathBuf]) -> Result<String, TrainError> {
    let mut files = Vec::new();
    for study in studies {
        let fault = |source| TrainError::Read { path: study.clone(), source };
        if study.is_dir() {
            let mut inside: Vec<PathBuf> = Vec::new();
            for entry in std::fs::read_dir(study).map_err(fault)? {
                inside.push(entry.map_err(fault)?.path());
            }
            inside.sort();
            files.extend(inside.into_iter().filter(|p| p.is_file()));
        } else {
            files.push(study.clone());
        }
    }
    let mut hasher = Sha256::new();
    for file in files {
        let bytes = std::fs::read(&file).map_err(|source| TrainError::Read { path: file.clone(), source })?;
        hasher.update(file.file_name().unwrap_or(Path::new("").as_os_str()).as_encoded_bytes());
        hasher.update(Sha256::digest(&bytes));
    }
    Ok(hex(&hasher.finalize()))
}
