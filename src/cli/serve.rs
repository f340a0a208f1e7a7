//! `crumple serve`.

use super::App;
use super::arguments::ServeArguments;
use crate::config::serve::ServeWords;

pub(super) fn run(words: ServeArguments, app: &App) -> anyhow::Result<()> {
    let file = match words.config.clone().or_else(ServeWords::file_from_env) {
        Some(path) => ServeWords::from_file(&path)?,
        None => ServeWords::default(),
    };
    let settings = words.into_words().or(ServeWords::from_env()?).or(file).settings()?;
    (app.serve)(settings)
}
