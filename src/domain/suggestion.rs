//! The answer of `suggest`: which parameter to move where, how sure, and what the film cannot tell. Serialised as
//! `suggestion.json`; lengths in mm, times in s, shares of a parameter's range without unit.

use serde::{Deserialize, Serialize};

use super::flag::FlagId;
use super::mesh::PartId;
use super::review::InputDigest;
use super::study::{RefusedRun, StudyParameter};

/// Version of `suggestion.json`; grows when a field changes its meaning.
pub const SUGGESTION_SCHEMA_VERSION: u32 = 1;

/// A value with its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Best estimate (median).
    pub value: f64,
    /// 5 % quantile.
    pub lower: f64,
    /// 95 % quantile.
    pub upper: f64,
}

impl Interval {
    /// Whether `value` lies inside, ends included.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    /// Half the width.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        0.5 * (self.upper - self.lower)
    }
}

/// What the film says about one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParameterEstimate {
    /// The parameter and its bounds.
    pub parameter: StudyParameter,
    /// Its value in the reviewed simulation; `None` when the simulation does not tell.
    pub simulated: Option<f64>,
    /// Estimate with its calibrated 90 % interval, in the parameter's unit.
    pub estimate: Interval,
    /// Half of the interval over the parameter's range.
    pub half_width_share: f64,
    /// Whether the interval is narrow enough to act upon ([`IDENTIFIED_HALF_WIDTH`]).
    pub identified: bool,
    /// By how much the sampler's interval was widened so that it holds nine of ten of the study's own runs.
    pub widening: f64,
    /// Error of the same estimate when each run of the study in turn plays the test: root mean square, share of range.
    pub leave_one_out_rms_share: f64,
}

/// A parameter counts as identified when its 90 % interval is narrower than ± this share of its range: then it is mostly
/// known to half of it. Of those within ± 0.25 a quarter were off by more than 0.05 in the studies at hand.
pub const IDENTIFIED_HALF_WIDTH: f64 = 0.1;

/// A direction in parameter space and how well the film knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Unit vector over the parameters, each measured in shares of its range.
    pub weights: Vec<f64>,
    /// Standard deviation along it that the film alone leaves, share of the range.
    pub sigma_share: f64,
    /// In words.
    pub words: String,
}

/// Mismatch of a part before and after a change: root mean square over its observed nodes and times, mm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartGain {
    /// The part.
    pub part_id: PartId,
    /// Its name.
    pub part_name: String,
    /// Measured now, mm.
    pub before_mm: f64,
    /// Predicted after the change, mm, 90 % interval.
    pub after_mm: Interval,
}

/// What a change is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Name of the parameter.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Value in the reviewed simulation.
    pub from: f64,
    /// Where to move it, with the 90 % interval given that the other parameters stay as in this change.
    pub to: Interval,
}

/// One suggested change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Rank, from 1.
    pub rank: usize,
    /// The parameters that move.
    pub moves: Vec<Move>,
    /// Over all observed nodes and times: mismatch before, root mean square, mm.
    pub before_mm: f64,
    /// The same, predicted after the change, mm.
    pub after_mm: Interval,
    /// Probability that the change lessens it, 0–1. Missing in suggestions before 0.2.
    #[serde(default)]
    pub helps: f64,
    /// By part.
    pub parts: Vec<PartGain>,
    /// Flags whose part loses at least half of its mismatch.
    pub explains: Vec<FlagId>,
    /// The other mismatch flags.
    pub leaves: Vec<FlagId>,
    /// Why, in words.
    pub why: String,
}

/// A cause to look at, by the pattern of the difference; a hypothesis, never a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// `weld`, `trigger`, `imperfection`, `material` or `contact`.
    pub cause: String,
    /// Score of the pattern, 0–1; they do not add up to 1.
    pub score: f64,
    /// What in the pattern speaks for it.
    pub because: String,
}

/// A difference that no parameter of the study explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelForm {
    /// The part.
    pub part_id: PartId,
    /// Its name.
    pub part_name: String,
    /// Where on the part, in words.
    pub place: String,
    /// Centre of the region in the undeformed simulation, mm.
    pub centre_mm: [f64; 3],
    /// First film time from which it stays three times above what is left of the film elsewhere (its median), s.
    pub onset_s: f64,
    /// Root mean square that the best explanation (reduced model, reviewed simulation or run) leaves there, mm.
    pub left_mm: f64,
    /// How many times further it stands out of its film than any run of the study does there, when it plays the test.
    pub ratio: f64,
    /// Mean difference test minus best simulation there at its worst, world axes, mm.
    pub difference_mm: [f64; 3],
    /// In one sentence.
    pub words: String,
    /// Causes to look at, most fitting first.
    pub hypotheses: Vec<Hypothesis>,
}

/// How well the reduced model knows a part: leave-one-out error, mm (root mean square over nodes and runs).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurrogateError {
    /// The part, or `all`.
    pub part_name: String,
    /// Reduced model.
    pub model_mm: f64,
    /// Plain linear regression, the first peer.
    pub linear_mm: f64,
    /// Nearest run of the study, the second peer.
    pub nearest_mm: f64,
    /// Spread of the runs about their mean: what one errs without any model.
    pub spread_mm: f64,
    /// Reduced model over the study's times.
    pub model_over_time_mm: Vec<f64>,
    /// Linear regression over the study's times.
    pub linear_over_time_mm: Vec<f64>,
    /// Nearest run over the study's times.
    pub nearest_over_time_mm: Vec<f64>,
}

/// The reduced model in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurrogateReport {
    /// Runs it rests on.
    pub runs: usize,
    /// Modes kept.
    pub modes: usize,
    /// Share of the runs' spread that they hold.
    pub energy: f64,
    /// How many modes each kind of regression won by cross-validation.
    pub regressions: Vec<(String, usize)>,
    /// The study's times, s.
    pub times_s: Vec<f64>,
    /// Leave-one-out errors: `all` first, then by part.
    pub errors: Vec<SurrogateError>,
}

/// What the answer amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionVerdict {
    /// Changes are suggested.
    Change,
    /// The simulation agrees with the film as far as both are known.
    InsideNoise,
    /// There is a mismatch, but the film does not say which parameter: no change is sure to help.
    CannotTell,
    /// Something is left that no parameter explains; changes, if any, concern the rest.
    ModelForm,
}

/// A simulation worth computing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextRun {
    /// Name for the deck generator.
    pub name: String,
    /// Values in the order of the study's parameters.
    pub values: Vec<f64>,
    /// Share of the surrogate's variance (over the posterior) that is left once this and the ones above are computed.
    pub variance_left: f64,
}

/// `suggestion.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// [`SUGGESTION_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub program_version: String,
    /// The test's name.
    pub test_id: String,
    /// The review, and each run of the study.
    pub inputs: Vec<InputDigest>,
    /// What it amounts to.
    pub verdict: SuggestionVerdict,
    /// In one sentence.
    pub headline: String,
    /// What the film says about each parameter.
    pub parameters: Vec<ParameterEstimate>,
    /// What the film can and cannot separate, best known first.
    pub directions: Vec<Direction>,
    /// Ranked changes; empty inside the noise.
    pub changes: Vec<Change>,
    /// What no parameter explains.
    pub model_form: Vec<ModelForm>,
    /// Probability-like share of the study's own runs that fit as badly as this test (conformal p-value).
    pub fit_p_value: f64,
    /// The reduced model.
    pub surrogate: SurrogateReport,
    /// Runs that were refused.
    pub refused_runs: Vec<RefusedRun>,
    /// Simulations worth computing.
    pub next_runs: Vec<NextRun>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// Where the time went: stage, s.
    pub timings: Vec<(String, f64)>,
    /// Mismatch of the review as that of a re-run will be measured: root mean square over the nodes that a camera saw, mm.
    /// The changes count nodes by picture, so their numbers differ from it. Documents of earlier versions lack it.
    #[serde(default)]
    pub reviewed_mm: Option<f64>,
}
