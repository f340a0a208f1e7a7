//! What a recipe's data are made of, opened.

use std::path::PathBuf;

use super::error::TrainError;
use super::pairs::PairSource;
use super::recipe::{DataKind, Recipe};
use super::stream::Mixed;
use super::synthetic::TexturePairs;
use super::weights::hex;
use sha2::{Digest, Sha256};

/// The sources of all pairs, and a SHA-256 over the files behind them.
pub(super) fn open(recipe: &Recipe, studies: &[PathBuf]) -> Result<(Mixed, String), TrainError> {
    let _ = studies;
    let seed = recipe.training.seed;
    let hasher = Sha256::new();
    let mut parts: Vec<(f64, Box<dyn PairSource>)> = Vec::new();
    for data in &recipe.data {
        match &data.kind {
            DataKind::Textures(settings) => {
                parts.push((data.share, Box::new(TexturePairs { settings: settings.clone(), seed })));
            }
        }
    }
    Ok((Mixed::new(parts, seed), hex(&hasher.finalize())))
}
