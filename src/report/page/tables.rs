//! The tables of the page. Every word that comes from a file passes through [`escaped`].

use std::fmt::Write as _;

use super::trimmed;
use crate::domain::{Flag, FlagKind, PoseSource, Review, Verdict};
use crate::report::escape::escaped;

/// A column's title and whether it holds numbers.
pub(super) type Column<'a> = (&'a str, bool);

/// A table from cells that are already safe.
pub(super) fn table(columns: &[Column<'_>], rows: &[Vec<String>]) -> String {
    let class = |number: bool| if number { " class=\"n\"" } else { "" };
    let mut html = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    for (title, number) in columns {
        write!(html, "<th{}>{title}</th>", class(*number))
            .expect("writing to a string cannot fail; anything else is a bug");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (cell, (_, number)) in row.iter().zip(columns) {
            write!(html, "<td{}>{cell}</td>", class(*number))
                .expect("writing to a string cannot fail; anything else is a bug");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// The four numbers that one looks for first.
pub(super) fn facts(review: &Review) -> String {
    let mismatches = review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).count();
    let seen = review.parts.iter().filter(|p| p.peak_mm.is_some()).count();
    let offset = review.alignment.values().next().map_or_else(
        || "–".to_owned(),
        |a| format!("{:+.3} ± {:.3} ms", a.time_offset_s * 1e3, a.time_offset_sigma_s * 1e3).replace('-', "−"),
    );
    let facts = [
        ("Mismatches", mismatches.to_string()),
        ("Cannot tell", (review.flags.len() - mismatches).to_string()),
        ("Parts measured", format!("{seen} of {}", review.parts.len())),
        ("Tolerance", format!("{} mm", trimmed(review.tolerance.default_mm))),
        ("Noise floor", format!("{:.2} mm", review.noise_floor.p95_mm)),
        ("Trigger offset", offset),
    ];
    let cards: String = facts.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).concat();
    format!("<dl class=\"facts\">\n{cards}</dl>\n")
}

pub(super) fn warnings(review: &Review) -> String {
    if review.warnings.is_empty() {
        return String::new();
    }
    let items: String = review.warnings.iter().map(|w| format!("<li>{}</li>\n", escaped(w))).collect();
    format!("<section class=\"warnings\">\n<h2>To know before reading on</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

fn kind_words(kind: FlagKind) -> &'static str {
    match kind {
        FlagKind::RigidMotion => "moved or turned as a whole",
        FlagKind::Deformation => "another shape",
        FlagKind::Mixed => "moved and another shape",
        FlagKind::NotObserved => "not observed",
    }
}

fn finding(f: &Flag) -> Vec<String> {
    let mismatch = f.verdict == Verdict::Mismatch;
    let verdict = if mismatch {
        "<span class=\"tag bad\">mismatch</span>"
    } else {
        "<span class=\"tag unclear\">cannot tell</span>"
    };
    let peak = if mismatch { format!("{:.1} ± {}", f.peak_mm, trimmed(f.peak_sigma_mm)) } else { "–".to_owned() };
    vec![
        f.id.0.to_string(),
        verdict.to_owned(),
        escaped(&f.part_name),
        format!("{:.2}", f.onset_s * 1e3),
        peak,
        format!("{:.2}", f.peak_s * 1e3),
        format!("{:.1}", f.area_mm2 / 100.0),
        kind_words(f.kind).to_owned(),
        escaped(&f.cameras.join(", ")),
        format!("{:.0} %", 100.0 * f.probability),
    ]
}

pub(super) fn findings(review: &Review) -> String {
    if review.flags.is_empty() {
        return "<h2>Findings</h2>\n<p>No flag. No element of any part exceeds its tolerance with the wanted \
                confidence.</p>\n"
            .to_owned();
    }
    let columns = [
        ("No.", true),
        ("Verdict", false),
        ("Part", false),
        ("Onset, ms", true),
        ("Peak, mm ± 1 σ", true),
        ("Peak at, ms", true),
        ("Area, cm²", true),
        ("Kind", false),
        ("Cameras", false),
        ("Probability", true),
    ];
    let rows: Vec<Vec<String>> = review.flags.iter().map(finding).collect();
    format!("<h2>Findings</h2>\n{}", table(&columns, &rows))
}

pub(super) fn parts(review: &Review) -> String {
    let dash = || "–".to_owned();
    let row = |p: &crate::domain::PartSummary| {
        // The times that count are those at which anything could be seen.
        let seen: Vec<f64> = p.series.coverage.iter().copied().filter(|c| *c > 0.0).collect();
        let coverage = seen.iter().sum::<f64>() / seen.len().max(1) as f64;
        let at_peak = p.peak_s.and_then(|peak| {
            let i = p.series.times_s.iter().position(|t| (t - peak).abs() < 1e-9)?;
            p.series.rigid.get(i).copied().flatten()
        });
        let over = p.peak_mm.is_some_and(|v| v > p.tolerance_mm);
        let peak = p.peak_mm.map_or_else(dash, |v| format!("{v:.1}"));
        vec![
            p.part_id.to_string(),
            escaped(&p.part_name),
            if over { format!("<b>{peak}</b>") } else { peak },
            p.peak_s.map_or_else(dash, |t| format!("{:.2}", t * 1e3)),
            trimmed(p.tolerance_mm),
            p.onset_s.map_or_else(dash, |t| format!("{:.2}", t * 1e3)),
            at_peak.map_or_else(dash, |r| format!("{:.1}", r.rigid_rms_mm)),
            at_peak.map_or_else(dash, |r| format!("{:.1}", r.deformation_rms_mm)),
            format!("{:.0} %", 100.0 * coverage),
            p.mismatch_flags.to_string(),
            p.cannot_tell_flags.to_string(),
        ]
    };
    let columns = [
        ("Id", true),
        ("Part", false),
        ("Peak p95, mm", true),
        ("at, ms", true),
        ("Tolerance, mm", true),
        ("Onset, ms", true),
        ("Rigid rms, mm", true),
        ("Shape rms, mm", true),
        ("Measured", true),
        ("Mismatches", true),
        ("Cannot tell", true),
    ];
    let rows: Vec<Vec<String>> = review.parts.iter().map(row).collect();
    format!(
        "<h2>Parts</h2>\n{}<p class=\"note\">Peak p95: the 95th percentile of the deviation over the part's measured \
         nodes, largest over time. Rigid and shape: how much of it, at that time, is motion of the whole part and how \
         much is its own change of shape. Measured: share of the nodes in view that were measured, mean over \
         time.</p>\n",
        table(&columns, &rows)
    )
}

pub(super) fn alignment(review: &Review) -> String {
    let largest = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    let rows: Vec<Vec<String>> = review
        .alignment
        .iter()
        .map(|(name, a)| {
            let source = match a.pose_source {
                PoseSource::Targets => "targets",
                PoseSource::Outline => "outline",
                PoseSource::TargetsAndOutline => "targets and outline",
                PoseSource::Record => "record, unchanged",
            };
            vec![
                escaped(name),
                source.to_owned(),
                a.target_rms_px.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}")),
                a.target_rms_px.map_or_else(|| "–".to_owned(), |v| format!("{:.3}", v * a.mm_per_px)),
                format!("{:.4}", largest(&a.pose_sigma[..3]).to_degrees()),
                format!("{:.3}", largest(&a.pose_sigma[3..])),
                format!("{:.2}", a.moved_px),
                format!("{:.3}", a.mm_per_px),
                format!("{:+.3} ± {:.3}", a.time_offset_s * 1e3, a.time_offset_sigma_s * 1e3).replace('-', "−"),
            ]
        })
        .collect();
    let columns = [
        ("Camera", false),
        ("Pose from", false),
        ("Rms, px", true),
        ("Rms, mm", true),
        ("σ turn, °", true),
        ("σ place, mm", true),
        ("Moved, px", true),
        ("mm per px", true),
        ("Trigger offset, ms", true),
    ];
    format!("<h2>Alignment</h2>\n{}", table(&columns, &rows))
}

pub(super) fn noise(review: &Review) -> String {
    let n = &review.noise_floor;
    if n.quiet_frames == 0 {
        return "<h2>Noise floor</h2>\n<p>No frame before the first contact: the noise floor could not be \
                measured.</p>\n"
            .to_owned();
    }
    format!(
        "<h2>Noise floor</h2>\n<p>{} quiet frames before the first contact: median residual {:.3} px, 95 % below \
         {:.3} px, which is {:.2} mm on the specimen. Smaller deviations are not told from noise.</p>\n",
        n.quiet_frames, n.median_px, n.p95_px, n.p95_mm
    )
}

pub(super) fn origin(review: &Review) -> String {
    let digest = |sha: &str| {
        if sha.is_empty() { "–".to_owned() } else { format!("<code>{}</code>", escaped(sha)) }
    };
    let inputs: Vec<Vec<String>> =
        review.inputs.iter().map(|i| vec![escaped(&i.role), escaped(&i.path), digest(&i.sha256)]).collect();
    let models: Vec<Vec<String>> =
        review.models.iter().map(|m| vec![escaped(&m.name), escaped(&m.version), digest(&m.sha256)]).collect();
    let timings: Vec<Vec<String>> =
        review.timings.iter().map(|t| vec![escaped(&t.stage), format!("{:.2}", t.seconds)]).collect();
    let tolerances: String =
        review.tolerance.per_part_mm.iter().map(|(id, mm)| format!("; part {id}: {} mm", trimmed(*mm))).collect();
    format!(
        "<h2>Origin</h2>\n<p>Measured by <b>{}</b>: {} pictures at {:.1} pictures/s. Tolerance {} mm{tolerances}.</p>\n{}{}{}",
        escaped(&review.execution_provider.to_string()),
        review.frames_reviewed,
        review.frames_per_s,
        trimmed(review.tolerance.default_mm),
        table(&[("Input", false), ("Path", false), ("SHA-256", false)], &inputs),
        table(&[("Model", false), ("Version", false), ("SHA-256", false)], &models),
        table(&[("Stage", false), ("Seconds", true)], &timings)
    )
}
