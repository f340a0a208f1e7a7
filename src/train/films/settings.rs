//! What the films of a training look like: a part of the recipe.

use serde::{Deserialize, Serialize};

use crate::film::Look;

/// Samples from pairs of simulation runs. All defaults are those of the shipped recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilmSettings {
    /// Families that no training sample comes from: what a figure is reported on.
    pub held_out_families: Vec<String>,
    /// The parameter region that no training pair films.
    pub held_out_region: Option<Region>,
    /// Side of a crop, px; a multiple of 8.
    pub side_px: usize,
    /// Frames that an episode (one film of one camera) lends.
    pub frames: usize,
    /// Crops from each predicted picture.
    pub crops: usize,
    /// Sizes of the films, px; one is drawn for each episode.
    pub sizes: Vec<[usize; 2]>,
    /// Surfaces, with how often each is drawn: relative weights. Empty means all alike.
    pub looks: Vec<(Look, f64)>,
    /// Share of the films of 16 bits a pixel; the others have 8.
    pub sixteen_bit_share: f64,
    /// Share of the episodes whose run is filmed against itself: the truth is "no mismatch".
    pub identical_share: f64,
    /// Share of the episodes whose cameras are as wrong as a record's; the others are aligned.
    pub unaligned_share: f64,
    /// Largest error of a recorded pose, degrees and mm.
    pub recorded_error: [f64; 2],
    /// Largest error of an aligned pose, degrees and mm.
    pub aligned_error: [f64; 2],
    /// Largest error of a recorded trigger and of a solved one, s.
    pub trigger_error_s: [f64; 2],
    /// How often a prediction starts from nothing, from a carried flow, from a mesh corrected by the last frame, and
    /// from one that is nearly right: relative weights.
    pub starts: [f64; 4],
    /// Largest error of what is carried, px.
    pub carried_error_px: f64,
    /// Share of the predictions that take their look from the frame before instead of frame 0, where there is one.
    pub last_look_share: f64,
    /// Share of the predictions for which what stands before the structure in frame 0 is known, as the review finds out.
    pub distrust_share: f64,
    /// Samples a pixel: 3, 5, 7 or 11.
    pub samples: usize,
    /// Longest residual that counts as present, px; beyond it no estimator of this product looks.
    pub longest_px: f64,
}

/// A part of a parameter's range, as shares of it from its lower to its upper bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Name of the parameter; families without it are not split by region.
    pub parameter: String,
    /// Where the region begins, 0–1.
    pub from: f64,
    /// Where it ends, 0–1.
    pub to: f64,
}

impl Default for FilmSettings {
    fn default() -> Self {
        Self {
            held_out_families: Vec::new(),
            held_out_region: Some(Region { parameter: "impact_speed".to_owned(), from: 0.8, to: 1.0 }),
            side_px: 192,
            frames: 3,
            crops: 3,
            sizes: vec![[640, 480], [640, 480], [800, 600], [512, 384]],
            looks: Vec::new(),
            sixteen_bit_share: 0.2,
            identical_share: 0.1,
            unaligned_share: 0.25,
            recorded_error: [0.3, 3.0],
            aligned_error: [0.06, 0.8],
            trigger_error_s: [6e-4, 8e-5],
            starts: [0.3, 0.25, 0.3, 0.15],
            carried_error_px: 3.0,
            last_look_share: 0.35,
            distrust_share: 0.7,
            samples: 5,
            longest_px: 60.0,
        }
    }
}

/// A value out of its range: key, what it is, what it may be.
pub(in crate::train) type Refusal = (&'static str, String, &'static str);

impl FilmSettings {
    /// The first value that is out of its range.
    pub(in crate::train) fn refusal(&self) -> Option<Refusal> {
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let shares = [
            ("films.sixteen_bit_share", self.sixteen_bit_share),
            ("films.identical_share", self.identical_share),
            ("films.unaligned_share", self.unaligned_share),
            ("films.last_look_share", self.last_look_share),
            ("films.distrust_share", self.distrust_share),
        ];
        if let Some((key, found)) = shares.into_iter().find(|(_, v)| !share(*v)) {
            return Some((key, found.to_string(), "0 to 1"));
        }
        let side = self.side_px;
        let sizes = self.sizes.iter().flatten().all(|s| (side.max(96)..=4096).contains(s)) && !self.sizes.is_empty();
        let weights = |w: &mut dyn Iterator<Item = f64>| {
            let all: Vec<f64> = w.collect();
            all.iter().all(|v| *v >= 0.0) && all.iter().sum::<f64>() > 0.0
        };
        let starts = weights(&mut self.starts.into_iter());
        let looks = self.looks.is_empty() || weights(&mut self.looks.iter().map(|l| l.1));
        let region = self.held_out_region.as_ref().is_none_or(|r| share(r.from) && share(r.to) && r.from < r.to);
        let errors = self.recorded_error.iter().chain(&self.aligned_error).chain(&self.trigger_error_s);
        let checks: [(bool, &'static str, String, &'static str); 9] = [
            (
                side.is_multiple_of(8) && (32..=1024).contains(&side),
                "films.side_px",
                side.to_string(),
                "a multiple of 8 from 32 to 1024",
            ),
            ((1..=64).contains(&self.frames), "films.frames", self.frames.to_string(), "1 to 64"),
            ((1..=64).contains(&self.crops), "films.crops", self.crops.to_string(), "1 to 64"),
            (sizes, "films.sizes", format!("{:?}", self.sizes), "sizes from side_px (at least 96) to 4096 px"),
            (starts, "films.starts", format!("{:?}", self.starts), "four weights, not all 0"),
            (looks, "films.looks", format!("{:?}", self.looks), "weights, not all 0"),
            (crate::film::SAMPLES.contains(&self.samples), "films.samples", self.samples.to_string(), "3, 5, 7 or 11"),
            (region, "films.held_out_region", format!("{:?}", self.held_out_region), "from below to, both 0 to 1"),
            (
                errors.clone().all(|e| (0.0..=20.0).contains(e)) && (0.0..=64.0).contains(&self.carried_error_px),
                "films.recorded_error, aligned_error, trigger_error_s or carried_error_px",
                format!("{:?}", errors.collect::<Vec<_>>()),
                "errors that are not negative, poses up to 20 degrees or mm, carried up to 64 px",
            ),
        ];
        checks.into_iter().find(|c| !c.0).map(|(_, key, found, expected)| (key, found, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible_and_a_wrong_value_is_named() {
        assert_eq!(FilmSettings::default().refusal(), None);
        let wrong = FilmSettings { identical_share: 1.5, ..FilmSettings::default() };
        assert_eq!(wrong.refusal().map(|r| (r.0, r.1)), Some(("films.identical_share", "1.5".to_owned())));
        let wrong = FilmSettings { side_px: 100, ..FilmSettings::default() };
        assert_eq!(wrong.refusal().map(|r| r.0), Some("films.side_px"));
    }
}
