//! A review on a terminal: the findings first, then what they rest on.

use super::table::{Align, Table};
use crate::domain::{Flag, FlagKind, PoseSource, Review, Verdict};

/// The findings, the alignment, what ran, and the warnings, as lines of text.
pub(super) fn review_as_text(review: &Review) -> String {
    let mut text = format!("{}\n\n", headline(review));
    if !review.flags.is_empty() {
        text.push_str(&format!("{}\n", flags(&review.flags)));
    }
    text.push_str(&format!("{}\n", alignment(review)));
    text.push_str(&footing(review));
    for warning in &review.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn headline(review: &Review) -> String {
    let count = |verdict| review.flags.iter().filter(|f| f.verdict == verdict).count();
    let (mismatches, undecided) = (count(Verdict::Mismatch), count(Verdict::CannotTell));
    let noun = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let tolerance = if review.tolerance.per_part_mm.is_empty() {
        format!("{} mm", review.tolerance.default_mm)
    } else {
        format!("{} mm, {} by part", review.tolerance.default_mm, review.tolerance.per_part_mm.len())
    };
    let verdict = match (mismatches, undecided) {
        (0, _) if !review.is_compared() => {
            format!("cannot tell: {:.0} % of the best seen part was measured", 100.0 * review.share_compared())
        }
        (0, 0) => "no mismatch".to_owned(),
        (n, 0) => noun(n, "mismatch", "mismatches"),
        (0, u) => format!("no mismatch, {u} undecided"),
        (n, u) => format!("{}, {u} undecided", noun(n, "mismatch", "mismatches")),
    };
    format!("{}: {verdict} (tolerance {tolerance})", review.test_id)
}

fn flags(flags: &[Flag]) -> Table {
    let mut table = Table::new(&[
        ("flag", Align::Right),
        ("part", Align::Left),
        ("verdict", Align::Left),
        ("onset ms", Align::Right),
        ("peak mm", Align::Right),
        ("at ms", Align::Right),
        ("area cm\u{b2}", Align::Right),
        ("kind", Align::Left),
        ("cameras", Align::Left),
        ("probability", Align::Right),
    ]);
    for f in flags {
        table.push([
            f.id.0.to_string(),
            f.part_name.clone(),
            verdict(f.verdict).to_owned(),
            format!("{:.2}", f.onset_s * 1e3),
            format!("{:.1} \u{b1} {:.1}", f.peak_mm, f.peak_sigma_mm),
            format!("{:.2}", f.peak_s * 1e3),
            format!("{:.1}", f.area_mm2 / 100.0),
            kind(f.kind).to_owned(),
            f.cameras.join(", "),
            format!("{:.2}", f.probability),
        ]);
    }
    table
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Mismatch => "mismatch",
        Verdict::CannotTell => "cannot tell",
    }
}

fn kind(kind: FlagKind) -> &'static str {
    match kind {
        FlagKind::RigidMotion => "rigid motion",
        FlagKind::Deformation => "deformation",
        FlagKind::Mixed => "mixed",
        FlagKind::NotObserved => "not observed",
    }
}

fn alignment(review: &Review) -> Table {
    let mut table = Table::new(&[
        ("camera", Align::Left),
        ("pose from", Align::Left),
        ("moved px", Align::Right),
        ("targets rms px", Align::Right),
        ("mm per px", Align::Right),
    ]);
    for (name, a) in &review.alignment {
        let source = match a.pose_source {
            PoseSource::Targets => "targets",
            PoseSource::Outline => "outline",
            PoseSource::TargetsAndOutline => "targets and outline",
            PoseSource::Record => "record",
        };
        table.push([
            name.clone(),
            source.to_owned(),
            format!("{:.2}", a.moved_px),
            a.target_rms_px.map_or_else(|| "-".to_owned(), |rms| format!("{rms:.2}")),
            format!("{:.3}", a.mm_per_px),
        ]);
    }
    table
}

fn footing(review: &Review) -> String {
    let mut text = String::new();
    if let Some(a) = review.alignment.values().next() {
        text.push_str(&format!(
            "trigger: simulation time = film time {} {:.3} ms \u{b1} {:.3}\n",
            if a.time_offset_s < 0.0 { "-" } else { "+" },
            a.time_offset_s.abs() * 1e3,
            a.time_offset_sigma_s * 1e3
        ));
    }
    text.push_str(&format!(
        "noise: median {:.2} px, 95 % below {:.2} px ({:.2} mm) in {} quiet pictures\n",
        review.noise_floor.median_px,
        review.noise_floor.p95_px,
        review.noise_floor.p95_mm,
        review.noise_floor.quiet_frames
    ));
    let models: Vec<String> = review.models.iter().map(|m| format!("{} {}", m.name, m.version)).collect();
    text.push_str(&format!(
        "measured by {} on {}: {} pictures, {:.2} frames/s\n",
        models.join(", "),
        review.execution_provider,
        review.frames_reviewed,
        review.frames_per_s
    ));
    text
}
