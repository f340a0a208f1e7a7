//! The tables of the page. Every word that comes from a file passes through [`escaped`].

use std::fmt::Write as _;

use super::trimmed;
use crate::domain::{Flag, PoseSource, Review, Verdict};
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
    let noise = match review.noise_floor.quiet_frames {
        0 => "not measured".to_owned(),
        _ => format!("{:.2} mm", review.noise_floor.p95_mm),
    };
    let facts = [
        ("Mismatches", mismatches.to_string()),
        ("Cannot tell", (review.flags.len() - mismatches).to_string()),
        ("Parts measured", format!("{seen} of {}", review.parts.len())),
        ("Tolerance", format!("{} mm", trimmed(review.tolerance.default_mm))),
        ("Noise floor", noise),
        ("Trigger offset", offset),
    ];
    let cards: String = facts.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).concat();
    format!("<dl class=\"facts\">\n{cards}</dl>\n")
}

pub(super) fn warnings(review: &Review) -> String {
    let list = |lines: &[String], class: &str, heading: &str| {
        if lines.is_empty() {
            return String::new();
        }
        let items: String = lines.iter().map(|w| format!("<li>{}</li>\n", escaped(w))).collect();
        format!("<section class=\"{class}\">\n<h2>{heading}</h2>\n<ul>\n{items}</ul>\n</section>\n")
    };
    list(&review.warnings, "warnings", "To know before reading on") + &list(&review.notes, "warnings notes", "Notes")
}

fn finding(f: &Flag) -> Vec<String> {
    let mismatch = f.verdict == Verdict::Mismatch;
    let verdict = if mismatch {
        "<span class=\"tag bad\">mismatch</span>"
    } else {
        "<span class=\"tag unclear\">cannot tell</span>"
    };
    let peak = if mismatch { format!("{:.1} ± {}", f.peak_mm, trimmed(f.peak_sigma_mm)) } else { "–".to_owned() };
    let cameras = if f.is_unseen() { Flag::UNSEEN.to_owned() } else { escaped(&f.cameras.join(", ")) };
    vec![
        f.id.0.to_string(),
        verdict.to_owned(),
        escaped(&f.part_name),
        format!("{:.2}", f.onset_s * 1e3),
        peak,
        format!("{:.2}", f.peak_s * 1e3),
        format!("{:.1}", f.area_mm2 / 100.0),
        f.kind.words().to_owned(),
        cameras,
        f.observed_share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share)),
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
        ("Seen", true),
        ("Probability", true),
    ];
    let rows: Vec<Vec<String>> = review.flags.iter().map(finding).collect();
    format!(
        "<h2>Findings</h2>\n{}<p class=\"note\">Kind: rigid motion – the part is elsewhere; deformation – it has another \
         shape; mixed – both. Seen: share of the flag's elements, over its film times, that a camera measured; the rest is \
         estimated from its surroundings, from contact with the impactor and from the study.</p>\n",
        table(&columns, &rows)
    )
}

pub(super) fn parts(review: &Review) -> String {
    let dash = || "–".to_owned();
    let row = |p: &crate::domain::PartSummary| {
        // The times that count are those at which anything could be seen.
        let mean = |shares: &[f64]| {
            let in_view = || p.series.coverage.iter().zip(shares).filter(|(c, _)| **c > 0.0);
            let sum: f64 = in_view().map(|(_, share)| share).sum();
            (!shares.is_empty()).then(|| format!("{:.0} %", 100.0 * sum / in_view().count().max(1) as f64))
        };
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
            mean(&p.series.observed_share).unwrap_or_else(dash),
            mean(&p.series.coverage).unwrap_or_else(dash),
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
        ("Seen", true),
        ("Known", true),
        ("Mismatches", true),
        ("Cannot tell", true),
    ];
    let rows: Vec<Vec<String>> = review.parts.iter().map(row).collect();
    format!(
        "<h2>Parts</h2>\n{}<p class=\"note\">Peak p95: the 95th percentile of the deviation over the part's nodes in view \
         whose deviation is known, largest over time. Rigid and shape: how much of it, at that time, is motion of the whole part and how \
         much is its own change of shape. Seen: share of the nodes in view that a camera measured, mean over time; \
         an impactor may hide them. Known: share of them that is known, measured or estimated.</p>\n",
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
        "<h2>Origin</h2>\n<p>Measured by <b>{}</b>: {} pictures at {:.2} pictures/s from the opened files to the \
         written field. Tolerance {} mm{tolerances}.</p>\n{}{}{}",
        escaped(&review.execution_provider.to_string()),
        review.frames_reviewed,
        review.frames_per_s,
        trimmed(review.tolerance.default_mm),
        table(&[("Input", false), ("Path", false), ("SHA-256", false)], &inputs),
        table(&[("Model", false), ("Version", false), ("SHA-256", false)], &models),
        table(&[("Stage", false), ("Seconds", true)], &timings)
    )
}
