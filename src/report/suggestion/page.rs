//! `suggestion.html`: the answer first, then what it rests on.

use std::fmt::Write as _;

use super::short;
use crate::domain::{Suggestion, SuggestionVerdict, written_unit};
use crate::report::Written;
use crate::report::escape::escaped;
use crate::report::page::{Figure, STYLE, push_figures};

const BUG: &str = "writing to a string cannot fail; anything else is a bug";

/// The whole page.
pub(super) fn page(s: &Suggestion, plots: &[Written]) -> String {
    let tone = match s.verdict {
        SuggestionVerdict::Change => "bad",
        SuggestionVerdict::InsideNoise => "good",
        SuggestionVerdict::CannotTell | SuggestionVerdict::ModelForm => "unclear",
    };
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<p class=\"kind\">Suggestion</p>\n<h1>{1}</h1>\n</header>\n<main>\n<p class=\"verdict {tone}\">{2}</p>\n",
        escaped(&format!("Suggestion for {}", s.test_id)),
        escaped(&s.test_id),
        escaped(&s.headline)
    );
    list(&mut html, "Read first", &s.warnings);
    model_form(&mut html, s);
    changes(&mut html, s);
    parameters(&mut html, s);
    let words: Vec<String> = s.directions.iter().map(|d| d.words.clone()).collect();
    list(&mut html, "What the film separates", &words);
    let figures: Vec<Figure<'_>> = plots
        .iter()
        .map(|w| Figure { name: &w.plot.name, title: &w.plot.title, caption: &w.plot.caption, svg: &w.svg })
        .collect();
    push_figures(&mut html, &figures);
    next(&mut html, s);
    let refused: Vec<String> = s.refused_runs.iter().map(|r| format!("{}: {}", r.name, r.reason)).collect();
    list(&mut html, "Runs that were refused", &refused);
    write!(
        html,
        "</main>\n<footer>Crumple {} · the same numbers are in <code>suggestion.json</code>, the runs in \
         <code>next_runs.csv</code></footer>\n</body>\n</html>\n",
        escaped(&s.program_version)
    )
    .expect(BUG);
    html
}

fn list(html: &mut String, title: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    write!(html, "<div class=\"warnings\">\n<h2>{}</h2>\n<ul>\n", escaped(title)).expect(BUG);
    for entry in entries {
        writeln!(html, "<li>{}</li>", escaped(entry)).expect(BUG);
    }
    html.push_str("</ul>\n</div>\n");
}

/// A table; the cells are escaped here.
fn table(html: &mut String, title: &str, head: &[&str], rows: &[Vec<String>]) {
    write!(html, "<h2>{}</h2>\n<div class=\"wide\"><table>\n<tr>", escaped(title)).expect(BUG);
    for cell in head {
        write!(html, "<th>{}</th>", escaped(cell)).expect(BUG);
    }
    html.push_str("</tr>\n");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            write!(html, "<td>{}</td>", escaped(cell)).expect(BUG);
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

fn model_form(html: &mut String, s: &Suggestion) {
    if s.model_form.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = s
        .model_form
        .iter()
        .map(|f| {
            let causes: Vec<String> =
                f.hypotheses.iter().take(3).map(|h| format!("{} ({:.2}): {}", h.cause, h.score, h.because)).collect();
            vec![f.words.clone(), format!("{:.1}", f.left_mm), format!("{:.1}", f.ratio), causes.join("; ")]
        })
        .collect();
    table(
        html,
        "What no parameter explains",
        &["where and when", "left mm", "times the study's worst", "hypotheses, not findings"],
        &rows,
    );
}

fn changes(html: &mut String, s: &Suggestion) {
    let rows: Vec<Vec<String>> = s
        .changes
        .iter()
        .map(|c| {
            let moves: Vec<String> = c
                .moves
                .iter()
                .map(|m| {
                    let (to, low, high) = (short(m.to.value), short(m.to.lower), short(m.to.upper));
                    format!("{} {} → {to}{} ({low} to {high})", m.name, short(m.from), written_unit(&m.unit))
                })
                .collect();
            vec![
                c.rank.to_string(),
                moves.join(", "),
                format!("{:.2}", c.before_mm),
                format!("{:.2} ({:.2} to {:.2})", c.after_mm.value, c.after_mm.lower, c.after_mm.upper),
                format!("{:.0} %", (100.0 * c.helps).floor()),
                c.why.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        table(html, "Changes", &["rank", "change (90 % interval)", "now mm", "predicted mm", "helps", "why"], &rows);
    }
}

fn parameters(html: &mut String, s: &Suggestion) {
    let rows: Vec<Vec<String>> = s
        .parameters
        .iter()
        .map(|p| {
            vec![
                p.parameter.name.clone(),
                written_unit(&p.parameter.unit).trim_start().to_owned(),
                p.simulated.map_or_else(String::new, short),
                short(p.estimate.value),
                format!("{} to {}", short(p.estimate.lower), short(p.estimate.upper)),
                if p.identified { "yes" } else { "no" }.to_owned(),
                format!("{:.0} %", 100.0 * p.leave_one_out_rms_share),
            ]
        })
        .collect();
    let head = ["parameter", "unit", "simulated", "film says", "90 % interval", "identified", "left-out error"];
    table(html, "Parameters", &head, &rows);
}

fn next(html: &mut String, s: &Suggestion) {
    if s.next_runs.is_empty() {
        return;
    }
    let mut head = vec!["run"];
    head.extend(s.parameters.iter().map(|p| p.parameter.name.as_str()));
    head.push("doubt left");
    let rows: Vec<Vec<String>> = s
        .next_runs
        .iter()
        .map(|r| {
            let mut row = vec![r.name.clone()];
            row.extend(r.values.iter().map(|v| short(*v)));
            row.push(format!("{:.0} %", 100.0 * r.variance_left));
            row
        })
        .collect();
    table(html, "Simulations worth computing", &head, &rows);
}
