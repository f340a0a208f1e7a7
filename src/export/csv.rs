//! `flags.csv`: the flags as a table for a spreadsheet. One row a flag, RFC 4180 quoting, a point as decimal mark.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::ExportError;
use crate::domain::Review;

const HEADER: &str = "flag_id,part_id,part_name,verdict,kind,cameras,onset_s,peak_s,peak_mm,peak_sigma_mm,area_mm2,\
                      probability,elements,observed_share\r\n";

/// Writes the flags of `review` to `path`; a review without flags gives the header alone.
///
/// # Errors
/// [`ExportError::File`] when the file cannot be written.
pub fn write_flags_csv(path: &Path, review: &Review) -> Result<(), ExportError> {
    std::fs::write(path, flags_table(review)).map_err(|source| ExportError::File {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

fn flags_table(review: &Review) -> String {
    let mut table = String::from(HEADER);
    for f in &review.flags {
        write!(
            table,
            "{},{},{},{},{},{},{:.6},{:.6},{:.3},{:.3},{:.1},{:.4},{},{}\r\n",
            f.id.0,
            f.part_id,
            quoted(&f.part_name),
            word(&f.verdict),
            word(&f.kind),
            quoted(&f.cameras.join(" ")),
            f.onset_s,
            f.peak_s,
            f.peak_mm,
            f.peak_sigma_mm,
            f.area_mm2,
            f.probability,
            f.element_ids.len(),
            f.observed_share.map_or_else(String::new, |share| format!("{share:.3}"))
        )
        .expect("writing to a string cannot fail; anything else is a bug");
    }
    table
}

/// The word that `review.json` uses for the same thing.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A field that a spreadsheet neither splits nor runs: quoted where needed, and a leading formula sign made text.
fn quoted(field: &str) -> String {
    let text = if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { field.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn part_names_cannot_break_the_table_or_run_as_formula() {
        assert_eq!(quoted("rail, left"), "\"rail, left\"");
        assert_eq!(quoted("the \"box\""), "\"the \"\"box\"\"\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(quoted("box_half_left"), "box_half_left");
    }
}
