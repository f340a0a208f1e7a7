//! A suggestion and its ledger on a terminal.

use super::table::{Align, Table};
use crate::domain::{Change, Suggestion, written_unit};
use crate::export::{ReceiptEvent, ReceiptLine};
use crate::suggest::LeaveOneOut;

/// The answer first, then what it rests on.
pub(super) fn suggestion_as_text(s: &Suggestion, left_out: Option<&LeaveOneOut>) -> String {
    let mut text = format!("{}: {}\n\n{}\n", s.test_id, s.headline, parameters(s));
    if !s.changes.is_empty() {
        text.push_str(&format!("{}\n", changes(&s.changes)));
    }
    for form in &s.model_form {
        text.push_str(&format!("model form: {}\n", form.words));
        for h in form.hypotheses.iter().take(3) {
            text.push_str(&format!("  hypothesis: {} ({:.2}) \u{2013} {}\n", h.cause, h.score, h.because));
        }
    }
    text.push_str("what the film separates:\n");
    for d in &s.directions {
        text.push_str(&format!("  {}\n", d.words));
    }
    text.push_str(&format!("\n{}\n", surrogate(s)));
    if let Some(left_out) = left_out {
        text.push_str(&format!(
            "each run as the test, in several films of its own noise:\n{}\n",
            left_out_table(s, left_out)
        ));
    }
    if !s.next_runs.is_empty() {
        text.push_str(&format!("{}\n", next(s)));
    }
    for refused in &s.refused_runs {
        text.push_str(&format!("refused: {}: {}\n", refused.name, refused.reason));
    }
    for warning in &s.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

fn parameters(s: &Suggestion) -> Table {
    let mut table = Table::new(&[
        ("parameter", Align::Left),
        ("unit", Align::Left),
        ("simulated", Align::Right),
        ("film says", Align::Right),
        ("90 % interval", Align::Left),
        ("of range", Align::Right),
        ("identified", Align::Left),
    ]);
    for p in &s.parameters {
        table.push([
            p.parameter.name.clone(),
            written_unit(&p.parameter.unit).trim_start().to_owned(),
            p.simulated.map_or_else(|| "-".to_owned(), short),
            short(p.estimate.value),
            format!("{} to {}", short(p.estimate.lower), short(p.estimate.upper)),
            format!("\u{b1} {:.0} %", 100.0 * p.half_width_share),
            if p.identified { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

fn changes(changes: &[Change]) -> Table {
    let mut table = Table::new(&[
        ("rank", Align::Right),
        ("change", Align::Left),
        ("mismatch mm", Align::Right),
        ("predicted mm", Align::Right),
        ("90 % interval", Align::Left),
        ("helps", Align::Right),
        ("why", Align::Left),
    ]);
    for c in changes {
        let moves: Vec<String> = c
            .moves
            .iter()
            .map(|m| {
                format!(
                    "{} {} \u{2192} {} ({} to {})",
                    m.name,
                    short(m.from),
                    short(m.to.value),
                    short(m.to.lower),
                    short(m.to.upper)
                )
            })
            .collect();
        table.push([
            c.rank.to_string(),
            moves.join(", "),
            format!("{:.2}", c.before_mm),
            format!("{:.2}", c.after_mm.value),
            format!("{:.2} to {:.2}", c.after_mm.lower, c.after_mm.upper),
            format!("{:.0} %", (100.0 * c.helps).floor()),
            c.why.clone(),
        ]);
    }
    table
}

fn surrogate(s: &Suggestion) -> Table {
    let mut table = Table::new(&[
        ("reduced model, left-out error mm", Align::Left),
        ("model", Align::Right),
        ("linear", Align::Right),
        ("nearest run", Align::Right),
        ("spread", Align::Right),
    ]);
    for e in &s.surrogate.errors {
        let mm = |v: f64| format!("{v:.2}");
        table.push([e.part_name.clone(), mm(e.model_mm), mm(e.linear_mm), mm(e.nearest_mm), mm(e.spread_mm)]);
    }
    table
}

fn left_out_table(s: &Suggestion, left_out: &LeaveOneOut) -> Table {
    let mut table = Table::new(&[
        ("parameter", Align::Left),
        ("identified", Align::Right),
        ("median error", Align::Right),
        ("rms error", Align::Right),
        ("within 5 %", Align::Right),
        ("of identified", Align::Right),
        ("in interval", Align::Right),
        ("of identified", Align::Right),
        ("half-width", Align::Right),
    ]);
    for (index, p) in s.parameters.iter().enumerate() {
        let score = left_out.score(index);
        let percent = |v: f64| format!("{:.1} %", 100.0 * v);
        let of = |n: usize, all: usize| format!("{n}/{all}");
        table.push([
            p.parameter.name.clone(),
            of(score.identified, score.tests),
            percent(score.median_error),
            percent(score.rms_error),
            of(score.within_5_percent.0, score.tests),
            of(score.within_5_percent.1, score.identified),
            of(score.held.0, score.tests),
            of(score.held.1, score.identified),
            percent(score.half_width),
        ]);
    }
    table
}

fn next(s: &Suggestion) -> String {
    let mut text = "next runs worth computing (next_runs.csv):\n".to_owned();
    for run in &s.next_runs {
        let values: Vec<String> =
            s.parameters.iter().zip(&run.values).map(|(p, v)| format!("{} {}", p.parameter.name, short(*v))).collect();
        text.push_str(&format!(
            "  {}: {} (doubt left {:.0} %)\n",
            run.name,
            values.join(", "),
            100.0 * run.variance_left
        ));
    }
    text
}

/// The ledger, or some of its lines.
pub(super) fn ledger_as_text(lines: &[ReceiptLine]) -> String {
    lines.iter().map(|l| format!("{} {} {}\n", l.number, l.at, event(&l.event))).collect()
}

fn event(event: &ReceiptEvent) -> String {
    let dash = |text: &str| if text.is_empty() { String::new() } else { format!(" \u{2013} {text}") };
    match event {
        ReceiptEvent::Suggested { test_id, headline, .. } => format!("suggested for {test_id}: {headline}"),
        ReceiptEvent::Accepted { change, author, note } => {
            format!("change {change} accepted by {author}{}", dash(note))
        }
        ReceiptEvent::Rejected { change: 0, author, reason } => {
            format!("all changes rejected by {author} \u{2013} {reason}")
        }
        ReceiptEvent::Rejected { change, author, reason } => {
            format!("change {change} rejected by {author} \u{2013} {reason}")
        }
        ReceiptEvent::Tried { change, author, note } => format!("change {change} tried by {author}{}", dash(note)),
        ReceiptEvent::Obtained { change, before_mm, predicted_mm: p, obtained_mm, inside, left, .. } => format!(
            "change {change}: mismatch {before_mm:.2} mm before, predicted {:.2} mm ({:.2} to {:.2}), obtained {obtained_mm:.2} \
             mm, {} the interval; {:.0} % left",
            p.value,
            p.lower,
            p.upper,
            if *inside { "inside" } else { "outside" },
            100.0 * left
        ),
    }
}
