//! `flags.csv`: the flags as a table for a spreadsheet. One row a flag, RFC 4180 quoting, a point as decimal mark.

use std::path::Path;

use serde::Serialize;

use super::ExportError;
use crate::domain::{Flag, JudgedFlag, Review};

const HEADER: &str = "flag_id,part_id,part_name,verdict,kind,cameras,onset_s,peak_s,peak_mm,peak_sigma_mm,area_mm2,\
                      probability,elements,observed_share";

/// What people said; `verdict` is what the review says.
const SAID: &str = ",state,reason,label,author,comment,judged_at,withdrawn_at";

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
    let mut table = format!("{HEADER}\r\n");
    for flag in &review.flags {
        table.push_str(&row(flag));
        table.push_str("\r\n");
    }
    table
}

/// The same table with what people said about each flag.
#[must_use]
pub fn flags_table_with_verdicts(flags: &[JudgedFlag]) -> String {
    let mut table = format!("{HEADER}{SAID}\r\n");
    for JudgedFlag { flag, judgement: j } in flags {
        table.push_str(&row(flag));
        let said = [&j.reason, &j.label, &j.author, &j.comment, &j.judged_at, &j.withdrawn_at];
        for field in std::iter::once(j.state.as_str()).chain(said.map(|s| s.as_deref().unwrap_or_default())) {
            table.push(',');
            table.push_str(&quoted(field));
        }
        table.push_str("\r\n");
    }
    table
}

/// The fields of a flag, without the end of the line.
fn row(f: &Flag) -> String {
    format!(
        "{},{},{},{},{},{},{:.6},{:.6},{:.3},{:.3},{:.1},{:.4},{},{}",
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
    use super::{flags_table_with_verdicts, quoted};
    use crate::domain::tests::judged;

    #[test]
    fn part_names_cannot_break_the_table_or_run_as_formula() {
        assert_eq!(quoted("rail, left"), "\"rail, left\"");
        assert_eq!(quoted("the \"box\""), "\"the \"\"box\"\"\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(quoted("box_half_left"), "box_half_left");
    }

    #[test]
    fn the_table_with_verdicts_has_what_people_said_at_the_end_of_each_row() {
        let mut shadow = judged(3, "dismissed");
        shadow.judgement.comment = Some("=cmd, left".to_owned());
        let table = flags_table_with_verdicts(&[shadow, judged(4, "open")]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[0].ends_with(",elements,observed_share,state,reason,label,author,comment,judged_at,withdrawn_at"),
            "{table}"
        );
        assert!(
            lines[1].starts_with("3,")
                && lines[1].ends_with(",dismissed,shadow,,Ada,\"'=cmd, left\",2026-11-27T10:00:00Z,"),
            "{table}"
        );
        assert!(lines[2].starts_with("4,") && lines[2].ends_with(",open,,,,,,"), "{table}");
    }
}
