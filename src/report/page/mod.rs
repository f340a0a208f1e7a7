//! `report.html`: the findings first, then the plots, then what they rest on.

mod tables;
mod verdicts;

use std::fmt::Write as _;

pub use verdicts::report_with_verdicts;

use super::escape::escaped;
use crate::domain::{Flag, Review, Verdict};

/// The page's style sheet, inlined.
pub(super) const STYLE: &str = include_str!("style.css");

/// A plot on the page.
pub(super) struct Figure<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub caption: &'a str,
    pub svg: &'a str,
}

/// The review in one sentence, without markup.
#[must_use]
pub fn headline(review: &Review) -> String {
    let mismatches: Vec<&Flag> = review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).collect();
    let unclear = review.flags.len() - mismatches.len();
    let places = |n: usize| if n == 1 { "1 place".to_owned() } else { format!("{n} places") };
    let doubt = if unclear == 0 { String::new() } else { format!(" At {} the film cannot tell.", places(unclear)) };
    let Some(first) = mismatches.iter().min_by(|a, b| a.onset_s.total_cmp(&b.onset_s)) else {
        let tolerance = trimmed(review.tolerance.default_mm);
        if !review.is_compared() {
            return format!(
                "The film cannot tell: of the part that it shows best {:.0} % was measured after the first picture.{doubt}",
                100.0 * review.share_compared()
            );
        }
        return format!(
            "No mismatch: nowhere does the measured deviation exceed the tolerance ({tolerance} mm by default) with the \
             wanted confidence.{doubt}"
        );
    };
    let count =
        if mismatches.len() == 1 { "1 mismatch".to_owned() } else { format!("{} mismatches", mismatches.len()) };
    let which = if mismatches.len() == 1 { "it begins" } else { "the first begins" };
    let mut text = format!(
        "{count}: {which} at {:.2} ms on {} and reaches {:.1} ± {} mm.",
        first.onset_s * 1e3,
        first.part_name,
        first.peak_mm,
        trimmed(first.peak_sigma_mm)
    );
    let largest = mismatches.iter().max_by(|a, b| a.peak_mm.total_cmp(&b.peak_mm));
    if let Some(largest) = largest.filter(|l| l.id != first.id) {
        let on = &largest.part_name;
        write!(text, " The largest is {:.1} ± {} mm on {on}.", largest.peak_mm, trimmed(largest.peak_sigma_mm))
            .expect("writing to a string cannot fail; anything else is a bug");
    }
    text + &doubt
}

/// The whole page.
pub(super) fn page(review: &Review, figures: &[Figure<'_>]) -> String {
    let mismatch = review.flags.iter().any(|f| f.verdict == Verdict::Mismatch);
    let tone = match (mismatch, review.flags.is_empty()) {
        (true, _) => "bad",
        (false, _) if !review.is_compared() => "unclear",
        (false, true) => "good",
        (false, false) => "unclear",
    };
    let title = escaped(&format!("Review of {}", review.test_id));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<header>\n<p class=\"kind\">Simulation review</p>\n<h1>{}</h1>\n</header>\n<main>\n\
         <p class=\"verdict {tone}\">{}</p>\n",
        escaped(&review.test_id),
        escaped(&headline(review))
    );
    html.push_str(&tables::facts(review));
    html.push_str(&tables::warnings(review));
    html.push_str(&tables::findings(review));
    html.push_str(&tables::parts(review));
    push_figures(&mut html, figures);
    html.push_str(&tables::alignment(review));
    html.push_str(&tables::noise(review));
    html.push_str(&tables::origin(review));
    write!(
        html,
        "</main>\n<footer>Crumple {} · lengths in mm, times after the trigger · the same numbers are in \
         <code>review.json</code>, the field is in <code>review.vtkhdf</code> (ParaView), the plots are in \
         <code>plots/</code>.</footer>\n</body>\n</html>\n",
        escaped(&review.program_version)
    )
    .expect("writing to a string cannot fail; anything else is a bug");
    html
}

pub(super) fn push_figures(html: &mut String, figures: &[Figure<'_>]) {
    html.push_str("<h2>Plots</h2>\n");
    for (i, figure) in figures.iter().enumerate() {
        write!(
            html,
            "<figure id=\"{}\">\n{}<figcaption><b>Figure {}. {}.</b> {} <a href=\"plots/{}.png\">PNG</a> \
             <a href=\"plots/{}.svg\">SVG</a></figcaption>\n</figure>\n",
            escaped(figure.name),
            figure.svg,
            i + 1,
            escaped(figure.title),
            escaped(figure.caption),
            escaped(figure.name),
            escaped(figure.name)
        )
        .expect("writing to a string cannot fail; anything else is a bug");
    }
}

/// A number with at most two decimals and no empty ones.
fn trimmed(value: f64) -> String {
    super::lettering::trimmed(value)
}
