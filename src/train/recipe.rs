//! [`Recipe`]: everything that a model follows from, as a TOML file.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::TrainError;
use super::net::NetShape;
use super::weights::hex;

/// How a residual model is made. The same recipe on the same program gives the same model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What the model is called.
    pub model: ModelName,
    /// Sizes of the network.
    pub network: NetShape,
    /// The synthetic pairs that it learns from.
    pub synthetic: Synthetic,
    /// How it learns.
    pub training: Training,
}

/// Name and version of the model that comes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelName {
    /// Name, for example `residual-small`.
    pub name: String,
    /// Version.
    pub version: String,
}

/// Random textures, warped by random smooth flows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// Side of the square pictures, px; a multiple of 8.
    pub side_px: usize,
    /// Largest flow component, px.
    pub max_flow_px: f64,
    /// Largest error of the carried flow, px, where one is given.
    pub max_carried_error_px: f64,
    /// Share of the pairs with a carried flow; the others start from zero.
    pub carried_share: f64,
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
    /// Pairs a step.
    pub batch: usize,
    /// Largest learning rate of Adam; it rises over the first steps and falls along a cosine.
    pub learning_rate: f64,
    /// Held-out pairs on which the result is measured.
    pub held_out: usize,
    /// Pairs, apart from both, on which the stated sigma is calibrated.
    pub calibration: usize,
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

    /// Says whether the recipe can be followed.
    ///
    /// # Errors
    /// Names the first value that is out of its range.
    pub fn check(&self) -> Result<(), TrainError> {
        let (s, t, n) = (&self.synthetic, &self.training, &self.network);
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let small = |v: usize, limit: usize| (1..=limit).contains(&v);
        let checks = [
            ("network", format!("{n:?}"), n.is_possible(), "1 to 512 features and hidden channels, radius 1 to 8"),
            (
                "synthetic.side_px",
                s.side_px.to_string(),
                s.side_px.is_multiple_of(8) && (16..=1024).contains(&s.side_px),
                "a multiple of 8 from 16 to 1024",
            ),
            ("synthetic.max_flow_px", s.max_flow_px.to_string(), (0.0..=64.0).contains(&s.max_flow_px), "0 to 64"),
            (
                "synthetic.max_carried_error_px",
                s.max_carried_error_px.to_string(),
                (0.0..=64.0).contains(&s.max_carried_error_px),
                "0 to 64",
            ),
            ("synthetic.carried_share", s.carried_share.to_string(), share(s.carried_share), "0 to 1"),
            ("synthetic.max_noise", s.max_noise.to_string(), share(s.max_noise), "0 to 1"),
            ("synthetic.occluder_share", s.occluder_share.to_string(), share(s.occluder_share), "0 to 1"),
            ("training.steps", t.steps.to_string(), small(t.steps, 10_000_000), "1 to 10 000 000"),
            ("training.batch", t.batch.to_string(), small(t.batch, 1024), "1 to 1024"),
            ("training.held_out", t.held_out.to_string(), small(t.held_out, 100_000), "1 to 100 000"),
            ("training.calibration", t.calibration.to_string(), small(t.calibration, 100_000), "1 to 100 000"),
            (
                "training.learning_rate",
                t.learning_rate.to_string(),
                t.learning_rate > 0.0 && t.learning_rate <= 1.0,
                "above 0, up to 1",
            ),
        ];
        match checks.into_iter().find(|(_, _, fine, _)| !fine) {
            Some((field, found, _, expected)) => Err(TrainError::Recipe { field, found, expected }),
            None => Ok(()),
        }
    }
}
