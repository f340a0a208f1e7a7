//! What people said about the findings, put into a page that was written before they said it.

use std::fmt::Write as _;

use super::tables::table;
use crate::domain::{JudgedFlag, Verdict};
use crate::report::escape::escaped;

/// Where the section goes: before the table of findings.
const FINDINGS: &str = "<h2>Findings</h2>";

/// The page with the verdicts: a section before the findings, and the dismissed ones in the headline's count. A page of
/// which nobody said anything stays as it is.
#[must_use]
pub fn report_with_verdicts(page: &str, flags: &[JudgedFlag]) -> String {
    let said: Vec<&JudgedFlag> = flags.iter().filter(|f| f.judgement.judged_at.is_some()).collect();
    if said.is_empty() {
        return page.to_owned();
    }
    let place = page.find(FINDINGS).or_else(|| page.find("</main>")).unwrap_or(page.len());
    let (before, after) = page.split_at(place);
    format!("{}{}{after}", with_count(before, &said), section(&said))
}

/// `2 mismatches: …` becomes `2 mismatches, 1 dismissed: …`.
fn with_count(head: &str, said: &[&JudgedFlag]) -> String {
    let standing = |f: &&&JudgedFlag| f.flag.verdict == Verdict::Mismatch && f.judgement.withdrawn_at.is_none();
    let dismissed = said.iter().filter(standing).filter(|f| f.judgement.state == "dismissed").count();
    let headline = head.find("<p class=\"verdict ").unwrap_or(head.len());
    let counted =
        ["mismatch:", "mismatches:"].iter().find_map(|word| head[headline..].find(word).map(|at| at + word.len() - 1));
    match counted {
        Some(colon) if dismissed > 0 => {
            let (count, rest) = head.split_at(headline + colon);
            format!("{count}, {dismissed} dismissed{rest}")
        }
        _ => head.to_owned(),
    }
}

fn section(said: &[&JudgedFlag]) -> String {
    let columns = [
        ("No.", true),
        ("Part", false),
        ("Verdict", false),
        ("Reason", false),
        ("By", false),
        ("At", false),
        ("Comment", false),
    ];
    let row = |JudgedFlag { flag, judgement: j }: &JudgedFlag| {
        let text = |t: &Option<String>| escaped(t.as_deref().unwrap_or("–"));
        let mut state = escaped(&j.state);
        if let Some(label) = &j.label {
            write!(state, ": {}", escaped(label)).expect("writing to a string cannot fail; anything else is a bug");
        }
        let number = match &j.withdrawn_at {
            None => flag.id.0.to_string(),
            // Its number may be another flag's by now.
            Some(_) => "not found any more".to_owned(),
        };
        vec![
            number,
            escaped(&flag.part_name),
            state,
            text(&j.reason),
            text(&j.author),
            text(&j.judged_at),
            text(&j.comment),
        ]
    };
    let rows: Vec<Vec<String>> = said.iter().map(|f| row(f)).collect();
    format!("<h2>What people say</h2>\n{}", table(&columns, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::judged;

    const PAGE: &str =
        "<h1>a</h1><p class=\"verdict bad\">2 mismatches: the first begins</p>\n<h2>Findings</h2>\n<table></table>";

    #[test]
    fn dismissed_flags_are_told_in_the_headline_and_all_verdicts_before_the_findings() {
        let mut gone = judged(1, "dismissed");
        gone.judgement.withdrawn_at = Some("2026-11-27T11:00:00Z".to_owned());
        let mut bad = judged(2, "dismissed");
        bad.judgement.reason = Some("<b>shadow</b>".to_owned());
        let page = report_with_verdicts(PAGE, &[bad, judged(3, "open"), gone]);
        assert!(page.contains("\">2 mismatches, 1 dismissed: the first begins"), "{page}");
        assert!(page.contains("&lt;b&gt;shadow&lt;/b&gt;") && page.contains("not found any more"), "{page}");
        let (said, findings) = (page.find("What people say").unwrap(), page.find(FINDINGS).unwrap());
        assert!(said < findings && page.matches("<tr>").count() == 3, "two verdicts below a head: {page}");
    }

    #[test]
    fn a_page_of_which_nobody_said_anything_stays_as_it_is() {
        assert_eq!(report_with_verdicts(PAGE, &[judged(3, "open")]), PAGE);
        let one = "<p class=\"verdict bad\">1 mismatch: it begins</p></main>";
        let page = report_with_verdicts(one, &[judged(3, "confirmed")]);
        assert!(page.contains("1 mismatch: it begins</p><h2>What"), "nothing was dismissed: {page}");
    }
}
