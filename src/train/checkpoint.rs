//! Where a training stands, as a file: killed and taken up again it gives the same weights.
//!
//! The file is an ONNX container without a graph's nodes: the same writer, no second format.

use std::path::{Path, PathBuf};

use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::adam::{Adam, Named};
use super::error::TrainError;
use super::export::write_whole;
use super::graph::float_tensor;
use super::measure::Figures;
use super::proto::{Graph, Model, StringStringEntry};

/// One point of the curves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps done.
    pub step: usize,
    /// Smoothed loss of the training.
    pub loss: f32,
    /// Smoothed mean endpoint error of the training, px.
    pub training_px: f32,
    /// On the validation squares, with the averaged weights.
    pub validation: Figures,
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// The recipe without its length.
    pub(super) recipe_sha256: String,
    /// What the data was made of.
    pub(super) data_sha256: String,
    /// First batch, for the lineage.
    pub(super) first_batch_sha256: String,
    /// Steps done.
    pub(super) step: usize,
    /// Steps of the recipe that it was made under.
    pub(super) length: usize,
    /// Wall clock so far, s.
    pub(super) seconds: f64,
    /// Smoothed loss and endpoint error.
    pub(super) smooth: Option<(f32, f32)>,
    /// Parameters.
    pub(super) weights: Named,
    /// Averaged parameters.
    pub(super) average: Named,
    /// The averaged parameters of the best validation.
    pub(super) best: Named,
    /// Its step and its mean error, px.
    pub(super) best_at: Option<(usize, f64)>,
    /// State of the optimiser.
    pub(super) adam: Adam,
    /// The curves so far.
    pub(super) curve: Vec<CurvePoint>,
}

/// What the file says in words.
#[derive(Serialize, Deserialize)]
struct Words {
    recipe_sha256: String,
    data_sha256: String,
    first_batch_sha256: String,
    step: usize,
    length: usize,
    seconds: f64,
    smooth: Option<(f32, f32)>,
    best_at: Option<(usize, f64)>,
    adam_steps: usize,
    curve: Vec<CurvePoint>,
}

const KEY: &str = "crumple-checkpoint/1";

impl Checkpoint {
    /// Where the checkpoint of a model file lies.
    pub(super) fn place(model: &Path) -> PathBuf {
        let mut name = model.as_os_str().to_owned();
        name.push(".checkpoint");
        PathBuf::from(name)
    }

    /// Writes it whole or not at all.
    pub(super) fn save(&self, path: &Path) -> Result<(), TrainError> {
        let groups = self.groups();
        let initializer = groups
            .iter()
            .flat_map(|(group, values)| values.iter().map(move |(name, v)| (format!("{group}/{name}"), v)))
            .map(|(name, v)| float_tensor(name, vec![i64::try_from(v.len()).unwrap_or(i64::MAX)], v))
            .collect();
        let words = Words {
            recipe_sha256: self.recipe_sha256.clone(),
            data_sha256: self.data_sha256.clone(),
            first_batch_sha256: self.first_batch_sha256.clone(),
            step: self.step,
            length: self.length,
            seconds: self.seconds,
            smooth: self.smooth,
            best_at: self.best_at,
            adam_steps: self.adam.steps,
            curve: self.curve.clone(),
        };
        let value = serde_json::to_string(&words).expect("plain numbers are always writable: anything else is a bug");
        let model = Model {
            producer_name: "crumple".to_owned(),
            graph: Some(Graph { name: KEY.to_owned(), initializer, ..Graph::default() }),
            metadata_props: vec![StringStringEntry { key: KEY.to_owned(), value }],
            ..Model::default()
        };
        write_whole(path, &model.encode_to_vec())
    }

    fn groups(&self) -> [(&'static str, &Named); 5] {
        [
            ("weights", &self.weights),
            ("average", &self.average),
            ("best", &self.best),
            ("first", &self.adam.first),
            ("second", &self.adam.second),
        ]
    }

    /// Reads it back; `None` when there is none.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, TrainError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Read { path: path.to_path_buf(), source }),
        };
        let fault = || TrainError::Checkpoint { path: path.to_path_buf(), found: "no checkpoint of this program" };
        let model = Model::decode(bytes.as_slice()).map_err(|_| fault())?;
        let words = model.metadata_props.iter().find(|e| e.key == KEY).ok_or_else(fault)?;
        let words: Words = serde_json::from_str(&words.value).map_err(|_| fault())?;
        let stored = model.graph.map(|g| g.initializer).unwrap_or_default();
        let group = |wanted: &str| -> Named {
            let mine = stored.iter().filter_map(|t| Some((t.name.strip_prefix(wanted)?.strip_prefix('/')?, t)));
            let read = |raw: &[u8]| raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            mine.map(|(name, t)| (name.to_owned(), read(&t.raw_data))).collect()
        };
        Ok(Some(Self {
            recipe_sha256: words.recipe_sha256,
            data_sha256: words.data_sha256,
            first_batch_sha256: words.first_batch_sha256,
            step: words.step,
            length: words.length,
            seconds: words.seconds,
            smooth: words.smooth,
            weights: group("weights"),
            average: group("average"),
            best: group("best"),
            best_at: words.best_at,
            adam: Adam { steps: words.adam_steps, first: group("first"), second: group("second") },
            curve: words.curve,
        }))
    }
}
