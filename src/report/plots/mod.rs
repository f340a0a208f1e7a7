//! The plots: each makes one sheet from the scene.

mod alignment;
mod histogram;
mod impactor;
mod map;
mod overlay;
mod series;
mod strip;
mod timeline;

use super::ReportError;
use super::scene::Scene;
use super::sheet::{DrawError, Sheet};

/// A finished plot.
pub(super) struct Plot {
    /// File name without its ending.
    pub name: String,
    /// A line for the list of plots and for readers that cannot see.
    pub title: String,
    /// What to look at.
    pub caption: String,
    pub sheet: Sheet,
}

/// A plot that waits to be drawn.
pub(super) type Task<'s> = Box<dyn Fn() -> Result<Plot, ReportError> + Send + Sync + 's>;

/// All plots of a scene, in the order in which the report shows them.
pub(super) fn tasks<'s>(scene: &'s Scene<'s>) -> Vec<Task<'s>> {
    let mut tasks: Vec<Task<'s>> = Vec::new();
    for overlay in &scene.overlays {
        tasks.push(Box::new(move || overlay::draw(scene, overlay)));
    }
    for strip in &scene.strips {
        tasks.push(Box::new(move || strip::draw(scene, strip)));
    }
    if !scene.fields.is_empty() {
        tasks.push(Box::new(move || map::draw(scene)));
    }
    if scene.review.parts.iter().any(|p| p.peak_mm.is_some()) {
        tasks.push(Box::new(move || series::draw(scene)));
    }
    if !scene.review.flags.is_empty() {
        tasks.push(Box::new(move || timeline::draw(scene)));
    }
    if let Some(ways) = impactor::Ways::of(scene.review) {
        tasks.push(Box::new(move || impactor::draw(scene, &ways)));
    }
    if scene.review.noise_floor.histogram_all.iter().chain(&scene.review.noise_floor.histogram_quiet).any(|n| *n > 0) {
        tasks.push(Box::new(move || histogram::draw(scene)));
    }
    for (page, shots) in scene.first_frames.chunks(alignment::CAMERAS_A_PAGE).enumerate() {
        tasks.push(Box::new(move || alignment::draw(scene, page, shots)));
    }
    tasks
}

/// Names the plot in a drawing error.
fn failed(what: &str) -> impl Fn(DrawError) -> ReportError {
    let what = what.to_owned();
    move |source| ReportError::Drawing { what: what.clone(), source: source.into() }
}

/// A file name from the words of others: letters and digits stay, anything else becomes a dash.
fn file_name(words: &str) -> String {
    words.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(60).collect()
}

/// Time in ms for people.
fn ms(time_s: f64) -> String {
    format!("{:.2} ms", time_s * 1e3)
}
