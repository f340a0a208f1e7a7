//! `suggestion.html` and its plots.

use std::path::Path;

use super::ReportError;
use crate::domain::Suggestion;
use crate::suggest::LeaveOneOut;

/// What the page and its plots show.
#[derive(Debug, Clone, Copy)]
pub struct SuggestionPlots<'a> {
    /// The answer.
    pub suggestion: &'a Suggestion,
    /// The runs that played the test, when they did.
    pub left_out: Option<&'a LeaveOneOut>,
}

/// Writes `suggestion.html`, `plots/*.svg` and `plots/*.png` into `dir`, which exists.
///
/// # Errors
/// As [`super::write_report`].
pub fn write_suggestion_report(_dir: &Path, _plots: &SuggestionPlots<'_>) -> Result<(), ReportError> {
    Ok(())
}
