//! [`Recipe`]: everything that a model follows from, as a TOML file.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::films::FilmSettings;
use super::net::{NetShape, SIZE_MULTIPLE};
use super::weights::hex;
use crate::vision::DisFlow;

/// How a residual model is made. The same recipe and studies on the same program and machine give the same model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What the model is called.
    pub model: ModelName,
    /// Sizes of the network.
    pub network: NetShape,
    /// What it learns from; a pair is of each kind with the probability of its share.
    pub data: Vec<Data>,
    /// How pairs become what a step sees.
    pub crops: Crops,
    /// How it learns.
    pub training: Training,
}

/// A kind of pairs and how often it comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Weight of this kind among all.
    pub share: f64,
    /// Where the pairs come from.
    #[serde(flatten)]
    pub kind: DataKind,
}

/// Where pairs come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a recipe holds a handful of them")]
pub enum DataKind {
    /// Random textures, warped by random smooth flows; needs no study.
    Textures(Synthetic),
    /// Films of pairs of simulation runs: one predicts, the other is filmed. Whole pictures are drawn, so that the start's
    /// flow is what a review would have; of the settings, those about crops do not count.
    Films(FilmSettings),
}

/// How pairs become what a step sees: squares at random places, mirrored and turned at random, each used more than
/// once, in a pool that the films pass through in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crops {
    /// Side of a square, px; a multiple of 32.
    pub side_px: usize,
    /// Squares of one pair.
    pub per_pair: usize,
    /// Films in the pool.
    pub pool_films: usize,
    /// Steps after which the oldest film gives way to a new one.
    pub steps_per_film: usize,
    /// The flow that the network starts from, there and in a review.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: DisFlow,
}

/// What a recipe says without a word is not written either, so that its digest stays.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Name and version of the model that comes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelName {
    /// Name, for example `residual`.
    pub name: String,
    /// Version.
    pub version: String,
}

/// Random textures, warped by random smooth flows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Side of the square pictures, px.
    pub side_px: usize,
    /// Largest flow component, px.
    pub max_flow_px: f64,
    /// Largest standard deviation of the sensor's noise, luma.
    pub max_noise: f64,
    /// Share of the pairs in which something stands before the surface.
    pub occluder_share: f64,
}

/// The optimiser's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps of the optimiser.
    pub steps: usize,
    /// The learning rate falls over this many steps at the end; before, it is the largest.
    pub fall_steps: usize,
    /// Squares a step.
    pub batch: usize,
    /// Largest learning rate of Adam; it rises over the first 100 steps.
    pub learning_rate: f64,
    /// Share of the averaged weights that each step keeps.
    pub averaging: f64,
    /// Steps between two validations.
    pub validate_every: usize,
    /// Validations without a better one after which the training stops before its time.
    pub patience: usize,
    /// Squares of each validation.
    pub validation: usize,
    /// Squares on which the stated sigma is calibrated.
    pub calibration: usize,
    /// Squares on which the result is reported.
    pub report: usize,
}

impl Recipe {
    /// Reads and checks a recipe file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a recipe, or asks for something impossible.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TrainError::RecipeFile { path: path.to_path_buf(), source })?;
        let recipe: Self = toml::from_str(&text)
            .map_err(|source| TrainError::RecipeSyntax { path: path.to_path_buf(), source: Box::new(source) })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// SHA-256 of what the recipe says, hex; comments and spacing do not matter.
    #[must_use]
    pub fn digest(&self) -> String {
        let text = toml::to_string(self).expect("a recipe is always writable as TOML: anything else is a bug");
        hex(&Sha256::digest(text.as_bytes()))
    }

    /// SHA-256 of all that decides what the first steps do: the recipe without its length. A checkpoint from before the
    /// learning rate falls may go on under a recipe that differs in its length alone.
    #[must_use]
    pub(super) fn digest_without_length(&self) -> String {
        let mut same = self.clone();
        same.training.steps = 0;
        same.training.patience = 0;
        same.digest()
    }

    /// Says whether the recipe can be followed.
    ///
    /// # Errors
    /// Names the first value that is out of its range.
    pub fn check(&self) -> Result<(), TrainError> {
        let (c, t, n) = (&self.crops, &self.training, &self.network);
        let total: f64 = self.data.iter().map(|d| d.share).sum();
        let shares = self.data.iter().all(|d| d.share >= 0.0) && total > 0.0 && total.is_finite();
        check_all([
            ("network", format!("{n:?}"), n.is_possible(), "1 to 512 features and hidden channels, radius 1 to 8"),
            ("data", format!("{} kinds of pairs", self.data.len()), shares, "at least one with a share above 0"),
            (
                "crops.side_px",
                c.side_px.to_string(),
                c.side_px.is_multiple_of(SIZE_MULTIPLE) && (32..=1024).contains(&c.side_px),
                "a multiple of 32 from 32 to 1024",
            ),
            count("crops.per_pair", c.per_pair, 1024),
            count("crops.pool_films", c.pool_films, 100_000),
            count("crops.steps_per_film", c.steps_per_film, 100_000),
            count("training.steps", t.steps, 10_000_000),
            ("training.fall_steps", t.fall_steps.to_string(), t.fall_steps <= t.steps, "no more than training.steps"),
            count("training.batch", t.batch, 1024),
            (
                "training.learning_rate",
                t.learning_rate.to_string(),
                t.learning_rate > 0.0 && t.learning_rate <= 1.0,
                "above 0, up to 1",
            ),
            (
                "training.averaging",
                t.averaging.to_string(),
                (0.0..1.0).contains(&t.averaging),
                "0 (no averaging) to below 1",
            ),
            count("training.validate_every", t.validate_every, 10_000_000),
            count("training.patience", t.patience, 1_000_000),
            count("training.validation", t.validation, 100_000),
            count("training.calibration", t.calibration, 100_000),
            count("training.report", t.report, 100_000),
        ])?;
        self.data.iter().try_for_each(|d| d.kind.check(c.side_px))
    }
}

impl DataKind {
    /// For the lineage.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Textures(_) => "random textures moved by random smooth flows".to_owned(),
            Self::Films(s) => {
                let region = s.held_out_region.as_ref().map_or_else(String::new, |r| {
                    format!(", {} from {} to {} of its range kept apart", r.parameter, r.from, r.to)
                });
                format!("films of pairs of runs, families kept apart: {}{region}", s.held_out_families.join(", "))
            }
        }
    }

    fn check(&self, side_px: usize) -> Result<(), TrainError> {
        match self {
            Self::Textures(s) => s.check(side_px),
            // The rest is checked where the studies are opened.
            Self::Films(s) => check_all([(
                "data.films.sizes",
                format!("{:?}", s.sizes),
                s.sizes.iter().flatten().all(|length| *length >= side_px),
                "no side below crops.side_px",
            )]),
        }
    }
}

impl Synthetic {
    fn check(&self, least_px: usize) -> Result<(), TrainError> {
        let share = |field, v: f64| (field, v.to_string(), (0.0..=1.0).contains(&v), "0 to 1");
        let px = |field, v: f64| (field, v.to_string(), (0.0..=64.0).contains(&v), "0 to 64");
        check_all([
            (
                "data.textures.side_px",
                self.side_px.to_string(),
                (least_px..=1024).contains(&self.side_px),
                "at least crops.side_px, at most 1024",
            ),
            px("data.textures.max_flow_px", self.max_flow_px),
            share("data.textures.max_noise", self.max_noise),
            share("data.textures.occluder_share", self.occluder_share),
        ])
    }
}

/// Field, what it says, whether that is possible, what would be.
type Check = (&'static str, String, bool, &'static str);

fn count(field: &'static str, found: usize, most: usize) -> Check {
    (field, found.to_string(), (1..=most).contains(&found), "at least 1, and no absurdly large number")
}

fn check_all<const N: usize>(checks: [Check; N]) -> Result<(), TrainError> {
    match checks.into_iter().find(|(_, _, fine, _)| !fine) {
        Some((field, found, _, expected)) => Err(TrainError::Recipe { field, found, expected }),
        None => Ok(()),
    }
}
