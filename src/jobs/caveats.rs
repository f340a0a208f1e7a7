//! What a reader should know before trusting the numbers.

use super::review_study::STUDY_RUN;
use crate::domain::{CameraAlignment, CameraRecord, PartId, PartSummary, PoseSource, Review};
use crate::ingest::SimulationFile;
use crate::review::{Doubt, LARGEST_OFFSET_S, Measured, ReviewSetup, too_little_paint};

/// A target that lies farther from its place than this says that it was measured wrongly, px.
const ODD_TARGET_PX: f64 = 3.0;
/// A part of which less than this share of its visible nodes was measured over the film is worth a word.
const LOW_COVERAGE: f64 = 0.5;
/// When the same is to be said of more parts than this, it is said in one line …
const MOST_LINES: usize = 5;
/// … that names so many of them: a car has hundreds.
const NAMED: usize = 3;
/// A trigger less certain than this, as a share of the time between two frames, smears what moves.
const LOOSE_TRIGGER: f64 = 0.25;

/// The warnings of a review, in the order of a reader's interest: times, cameras, parts, files.
pub(super) fn caveats(
    simulation: &SimulationFile,
    setup: &ReviewSetup<'_>,
    measured: &Measured,
    review: &Review,
    doubted: &[(PartId, Doubt)],
) -> Vec<String> {
    let mut found = times(simulation.times_s(), setup.cameras, measured);
    for (record, alignment) in setup.cameras.iter().zip(&measured.alignment) {
        found.extend(camera(record, alignment));
    }
    if setup.cameras.len() == 1 {
        found.push(
            "there is one camera: motion along its line of sight is not seen, deviations are told at the simulation's depth".into(),
        );
    }
    for part in &review.parts {
        let mut why: Vec<&str> =
            doubted.iter().filter(|(id, _)| *id == part.part_id).map(|(_, d)| reason(*d)).collect();
        why.sort_unstable();
        why.dedup();
        found.extend(why.into_iter().map(|why| {
            format!("part {} ({}): what was measured says that it has moved, but {why}", part.part_id, part.part_name)
        }));
    }
    found.extend(parts(&review.parts));
    if measured.impactor.is_none() && setup.impactor.is_some() {
        found.push(
            "the impactor that the simulation tells of was not found in the film: what hides the structure was told by \
             motion and look"
                .into(),
        );
    }
    if let Some(kind) = simulation.unknown_impactor() {
        found.push(format!(
            "the record tells of an impactor of kind {kind:?} that was not understood, it needs to be CYL or PLANE with \
             x, n, v and the curves time and impactor_displacement: what hides the structure was told by motion and look"
        ));
    }
    let named = simulation.record().parts.len();
    if let [only] = simulation.mesh().parts.as_slice()
        && named > 1
    {
        found.push(format!(
            "the simulation's record names {named} parts, its mesh does not tell them apart (CellData/PartId): all was \
             reviewed as one part, {}",
            only.name
        ));
    }
    if simulation.record().units.is_empty() {
        found.push(
            "no record with units stands beside the simulation: its lengths were taken as mm, its times as s".into(),
        );
    }
    found
}

/// What else a review rests on, which is no reason for doubt.
pub(super) fn notes(measured: &Measured, review: &Review) -> Vec<String> {
    let mut found = Vec::new();
    let runs = review.inputs.iter().filter(|i| i.role == STUDY_RUN).count();
    if runs > 0 {
        found.push(format!(
            "{runs} runs of the study told how the structure deviates where the film does not show it (--no-study hears \
             none)"
        ));
    }
    if let Some(impactor) = &measured.impactor {
        found.push(format!(
            "the impactor was followed through {} of {} film times: what it hides was not measured in pictures but \
             follows from its contact",
            impactor.way.len(),
            measured.moments.len()
        ));
    }
    found
}

/// Why a finding does not count.
fn reason(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Edges => "the pictures show its edges where the simulation has them; it shows too little paint to tell",
        Doubt::Paint => "the pictures show its paint where the simulation has it, too: the film cannot tell",
        Doubt::LittleSeen => {
            "the cameras see little of the place and do not find its paint there: a moving shadow can pass for motion"
        }
        Doubt::Stretched => {
            "it would have stretched its sheet as no sheet is stretched: a moving shadow can pass for motion"
        }
        Doubt::BareAndAlone => {
            "it shows too little paint and no other part deviates with it: a moving shadow can pass for motion"
        }
    }
}

fn times(states_s: &[f64], cameras: &[CameraRecord], measured: &Measured) -> Vec<String> {
    let mut found = Vec::new();
    let offset_s = measured.alignment.first().map_or(0.0, |a| a.time_offset_s);
    let offset_sigma_s = measured.alignment.first().map_or(0.0, |a| a.time_offset_sigma_s);
    let spacing_s =
        cameras.iter().flat_map(|c| c.times_s.windows(2).map(|w| w[1] - w[0])).fold(f64::INFINITY, f64::min);
    if measured.trigger.is_none() && states_s.len() > 1 {
        found.push(
            "the trigger offset was not found (too little moves in the first frames): it was taken as 0 ms".into(),
        );
    } else if offset_s.abs() > 0.95 * LARGEST_OFFSET_S {
        found.push(format!(
            "the trigger offset of {:.2} ms lies at the end of what is searched (\u{b1}{:.0} ms): check the film's times",
            offset_s * 1e3,
            LARGEST_OFFSET_S * 1e3
        ));
    } else if offset_sigma_s > LOOSE_TRIGGER * spacing_s {
        found.push(format!(
            "the trigger offset is known to \u{b1}{:.2} ms only, {:.0} % of the time between two frames",
            offset_sigma_s * 1e3,
            100.0 * offset_sigma_s / spacing_s
        ));
    }
    let (first_s, last_s) = (states_s[0], states_s[states_s.len() - 1]);
    let late = measured.moments.iter().filter(|m| m.time_s + offset_s > last_s + 0.5 * spacing_s).count();
    if late > 0 && states_s.len() > 1 {
        found.push(format!(
            "{late} of {} film times lie after the simulation's last state ({:.2} ms): there the film is compared with \
             that state standing still",
            measured.moments.len(),
            (last_s - offset_s) * 1e3
        ));
    }
    if measured.moments.iter().all(|m| m.time_s + offset_s < first_s) {
        found.push("the film ends before the simulation begins: check the times of both".into());
    }
    found.extend(slow_cameras(cameras));
    if !measured.quiet.iter().any(|q| *q) {
        found.push("no frame lies before the first contact: the noise floor was not measured on quiet frames".into());
    }
    found
}

/// A word on each camera whose clock hardly goes with that of the fastest.
fn slow_cameras(cameras: &[CameraRecord]) -> Vec<String> {
    /// Slower than another camera by this factor, its times are probably told in another unit.
    const FAR_SLOWER: f64 = 20.0;
    let spacing_s = |c: &CameraRecord| {
        let (first_s, last_s) = (*c.times_s.first()?, *c.times_s.last()?);
        (c.times_s.len() > 1).then(|| (last_s - first_s) / (c.times_s.len() - 1) as f64)
    };
    let fastest_s = cameras.iter().filter_map(spacing_s).fold(f64::INFINITY, f64::min);
    let slow =
        cameras.iter().filter_map(|c| Some((&c.name, spacing_s(c)?))).filter(|(_, s)| *s > FAR_SLOWER * fastest_s);
    slow.map(|(name, spacing_s)| {
        format!(
            "camera {name} took a picture every {:.1} ms, the fastest camera every {:.3} ms: check its times and their unit",
            1e3 * spacing_s,
            1e3 * fastest_s
        )
    })
    .collect()
}

fn camera(record: &CameraRecord, alignment: &CameraAlignment) -> Vec<String> {
    let name = &record.name;
    let mut found = Vec::new();
    match alignment.pose_source {
        PoseSource::Targets => {}
        PoseSource::Outline => found.push(format!(
            "camera {name} has no reference targets: its pose rests on the outline of the undeformed mesh in frame 0"
        )),
        PoseSource::TargetsAndOutline => found.push(format!(
            "camera {name}: its {} reference targets alone would leave it in doubt where the specimen is (they are few, \
             far away or in a row): its pose rests on them and on the outline of frame 0",
            record.targets.len()
        )),
        PoseSource::Record => found.push(format!(
            "camera {name} has neither targets nor a clear outline: the recorded pose was used as it is"
        )),
    }
    for (target, [x, y]) in alignment.target_residuals_px.iter().enumerate() {
        let off_px = x.hypot(*y);
        if off_px > ODD_TARGET_PX {
            found.push(format!(
                "camera {name}, target {target}: lies {off_px:.1} px from where the other targets put it; it was \
                 outvoted, measure it again"
            ));
        }
    }
    found
}

fn parts(parts: &[PartSummary]) -> Vec<String> {
    let (mut unmeasured, mut bare, mut little) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let name = format!("part {} ({})", part.part_id, part.part_name);
        if part.peak_mm.is_none() {
            unmeasured.push(name);
            continue;
        }
        let shares = &part.series.coverage;
        if let Some(share) = too_little_paint(&part.series).filter(|_| part.mismatch_flags > 0) {
            bare.push(format!(
                "{name} is flagged, but of what the cameras should see of it only {:.0} % was found again when hardly \
                 anything had moved: it shows too little paint. A moving shadow can pass for motion there; look at the \
                 overlay before you trust the flag",
                100.0 * share
            ));
            continue;
        }
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        if mean < LOW_COVERAGE {
            little.push((name, 100.0 * mean));
        }
    }
    // What is said of a flag is never left out.
    let mut found = bare;
    if unmeasured.len() > MOST_LINES {
        found.push(format!(
            "{} of {} parts were measured by no camera, nothing is said about them: {}",
            unmeasured.len(),
            parts.len(),
            first_few(unmeasured)
        ));
    } else {
        let line = |name| format!("{name} was measured by no camera: nothing is said about it");
        found.extend(unmeasured.into_iter().map(line));
    }
    if little.len() > MOST_LINES {
        found.push(format!(
            "of {} of {} parts less than {:.0} % of what the cameras should see was measured: {}",
            little.len(),
            parts.len(),
            100.0 * LOW_COVERAGE,
            first_few(little.into_iter().map(|(name, mean)| format!("{name} {mean:.0} %")).collect())
        ));
    } else {
        let line = |(name, mean)| format!("{name}: only {mean:.0} % of what the cameras should see of it was measured");
        found.extend(little.into_iter().map(line));
    }
    found
}

/// The first [`NAMED`] of many, and how many more there are.
fn first_few(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PartSeries;
    use crate::domain::tests::camera as camera_of;

    fn part(mismatch_flags: usize, coverage: [f64; 3]) -> PartSummary {
        let none = || vec![None; 3];
        let series = PartSeries {
            times_s: vec![0.0, 0.001, 0.002],
            median_mm: none(),
            p95_mm: none(),
            sigma_mm: none(),
            coverage: coverage.to_vec(),
            observed_share: coverage.to_vec(),
            rigid: vec![None; 3],
        };
        PartSummary {
            part_id: PartId(3),
            part_name: "closing_plate".to_owned(),
            tolerance_mm: 5.0,
            peak_mm: Some(8.0),
            peak_s: Some(0.01),
            onset_s: None,
            mismatch_flags,
            cannot_tell_flags: 0,
            series,
        }
    }

    #[test]
    fn a_flag_on_a_part_without_paint_is_doubted_aloud() {
        let told = |flags, coverage| parts(&[part(flags, coverage)]);
        let bare = told(1, [1.0, 0.06, 0.05]);
        assert!(bare.len() == 1 && bare[0].contains("is flagged, but") && bare[0].contains("only 6 %"), "{bare:?}");
        // Without a flag, or with paint, it is a part like others.
        assert!(told(0, [1.0, 0.06, 0.05])[0].contains("was measured"));
        assert!(told(1, [1.0, 0.9, 0.8]).is_empty());
    }

    #[test]
    fn a_camera_whose_clock_is_far_slower_is_named() {
        let of = |name: &str, step_s: f64| camera_of(name, &[0.0, step_s, 2.0 * step_s, 3.0 * step_s]);
        assert!(slow_cameras(&[of("left", 4e-4), of("right", 4e-3)]).is_empty(), "a camera may be slower");
        let told = slow_cameras(&[of("left", 4e-4), of("right", 0.4)]);
        assert!(told.len() == 1 && told[0].contains("camera right") && told[0].contains("400.0 ms"), "{told:?}");
        assert!(slow_cameras(&[camera_of("left", &[0.0]), of("right", 0.4)]).is_empty(), "one picture has no spacing");
    }

    #[test]
    fn the_same_word_on_hundreds_of_parts_is_one_line_and_one_on_a_flag_stays() {
        let unmeasured =
            |count: usize| (0..count).map(|_| PartSummary { peak_mm: None, ..part(0, [0.0; 3]) }).collect();
        let mut many: Vec<PartSummary> = unmeasured(300);
        many.extend((0..20).map(|_| part(0, [0.1; 3])));
        many.push(part(1, [1.0, 0.06, 0.05]));
        let told = parts(&many);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("is flagged, but"), "{told:?}");
        let name = "part 3 (closing_plate)";
        let expected = format!(
            "300 of 321 parts were measured by no camera, nothing is said about them: {name}, {name}, {name} and 297 more"
        );
        assert_eq!(told[1], expected);
        assert!(told[2].starts_with("of 20 of 321 parts less than 50 %"), "{told:?}");
        assert_eq!(parts(&unmeasured(5)).len(), 5, "few parts have a line each");
    }
}
