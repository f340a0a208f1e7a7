//! The answer: everything put together, in the order in which it may be said.

use nalgebra::DVector;
use rayon::prelude::*;

use super::calibrate::{Calibration, calibrate};
use super::changes::{ChangeInput, rank_changes};
use super::estimate::{Estimator, Posterior};
use super::features::FeaturePlan;
use super::form::{FormInput, unexplained};
use super::gain::Gains;
use super::identify::directions;
use super::leave_out::surrogate_report;
use super::next::{NextRunsInput, next_runs};
use super::words::{list, moved};
use super::{FieldError, Sight, StudyFields, Surrogate};
use crate::domain::{
    Change, Flag, IDENTIFIED_HALF_WIDTH, Interval, ModelForm, ParameterEstimate, SUGGESTION_SCHEMA_VERSION, Study,
    Suggestion, SuggestionVerdict, Verdict,
};

/// Samples that stand for the posterior where each costs something.
const SAMPLES: usize = 600;
/// The simulation agrees when its misfit is no further above the best than that of this share of the left-out runs.
const AGREES: f64 = 0.9;

/// A film whose misfit widens the intervals by more than this is told of.
const WORSE: f64 = 1.3;

/// Why no answer can be given.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// A field of the study could not be read.
    #[error("cannot read a field of the study")]
    Field {
        /// Why.
        source: FieldError,
    },
    /// The film shows too little of the study's mesh.
    #[error(
        "the review observed {found} nodes in pictures well enough to compare, at least {expected} are needed; look at \
         its warnings: film nearer, or with a camera that sees the parts that move"
    )]
    TooLittleSeen {
        /// Nodes in pictures.
        found: usize,
        /// Needed.
        expected: usize,
    },
}

impl SuggestError {
    /// True when the review or the study is at fault.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        matches!(self, Self::TooLittleSeen { .. })
    }
}

/// What an answer rests on.
pub struct SuggestInput<'a> {
    /// The study.
    pub fields: &'a dyn StudyFields,
    /// Its reduced model.
    pub surrogate: &'a Surrogate,
    /// What the cameras saw.
    pub sight: &'a Sight,
    /// Name of the test.
    pub test_id: &'a str,
    /// The review's flags.
    pub flags: &'a [Flag],
    /// Undeformed simulation, mm.
    pub rest_mm: &'a [[f32; 3]],
    /// Parameters of the reviewed simulation, in the study's order and units.
    pub simulated: &'a [f64],
    /// Less than this is no finding, mm.
    pub tolerance_mm: f64,
    /// How many next runs are wanted.
    pub next_runs: usize,
    /// Runs being computed, and runs that failed; values in the study's order and units.
    pub pending: &'a [Vec<f64>],
    /// See `pending`.
    pub failed: &'a [Vec<f64>],
}

/// Fewest nodes in pictures.
const FEWEST_PLACES: usize = 60;

/// Answers which parameters bring the simulation to the test. Inputs, timings and program version are the caller's to add.
///
/// # Errors
/// [`SuggestError`].
pub fn suggest(input: &SuggestInput<'_>) -> Result<Suggestion, SuggestError> {
    let study = input.fields.study();
    if input.sight.observed() < FEWEST_PLACES {
        return Err(SuggestError::TooLittleSeen { found: input.sight.observed(), expected: FEWEST_PLACES });
    }
    let shares = study.shares();
    let plan = FeaturePlan::new(input.sight);
    let evidence = plan.evidence(input.sight);
    let film = plan.of_test(input.sight);
    let estimator = Estimator::fit(&shares, &evidence);
    let (posterior, calibration) = rayon::join(
        || estimator.posterior(&film),
        || calibrate(&shares, &evidence, &plan.films_of_runs(input.sight, &shares, 0xca11)),
    );
    let here: Vec<f64> = study.parameters.iter().zip(input.simulated).map(|(p, v)| p.share_of(*v)).collect();
    let form = unexplained(&FormInput {
        sight: input.sight,
        fields: input.fields,
        surrogate: input.surrogate,
        shares: &shares,
        calibration: &calibration,
        best: &posterior.mean(),
        rest_mm: input.rest_mm,
        tolerance_mm: input.tolerance_mm,
    });
    let gains = Gains::new(input.sight, input.fields, input.surrogate, &shares, &posterior.mean());
    let tests = calibration.widened(&posterior, posterior.samples.len() / SAMPLES);
    let agrees = agrees(&estimator, &film, &here, &posterior, &calibration);
    let parameters = estimates(study, input.simulated, &posterior, &calibration);
    let changes = if agrees {
        Vec::new()
    } else {
        rank_changes(&ChangeInput {
            study,
            estimator: &estimator,
            film: &film,
            posterior: &posterior,
            calibration: &calibration,
            gains: &gains,
            tests: &tests,
            here: &here,
            flags: input.flags,
        })
    };
    let flagged = input.flags.iter().any(|f| f.verdict == Verdict::Mismatch);
    let verdict = verdict(agrees, flagged, &changes, &form.forms);
    let pending: Vec<Vec<f64>> = input.pending.iter().map(|v| to_shares(study, v)).collect();
    let failed: Vec<Vec<f64>> = input.failed.iter().map(|v| to_shares(study, v)).collect();
    let next = next_runs(&NextRunsInput {
        parameters: &study.parameters,
        runs: &shares,
        pending: &pending,
        failed: &failed,
        posterior: &tests,
        count: input.next_runs,
    });
    let widening = calibration.widening.iter().sum::<f64>() / calibration.widening.len() as f64;
    Ok(Suggestion {
        schema_version: SUGGESTION_SCHEMA_VERSION,
        program_version: String::new(),
        test_id: input.test_id.to_owned(),
        inputs: Vec::new(),
        verdict,
        headline: headline(verdict, &changes, &form.forms, &parameters, study),
        directions: directions(&estimator, &posterior.mean(), widening, &study.parameters),
        parameters,
        changes,
        model_form: form.forms,
        fit_p_value: form.p_value,
        reviewed_mm: None,
        surrogate: surrogate_report(input.fields, input.surrogate),
        refused_runs: study.refused.clone(),
        next_runs: next,
        warnings: warnings(study, &calibration, &posterior, input.sight),
        timings: Vec::new(),
    })
}

fn to_shares(study: &Study, values: &[f64]) -> Vec<f64> {
    study.parameters.iter().zip(values).map(|(p, v)| p.share_of(*v)).collect()
}

/// Whether the simulation's own parameters explain the film as well as true ones do.
fn agrees(
    estimator: &Estimator,
    film: &DVector<f64>,
    here: &[f64],
    posterior: &Posterior,
    calibration: &Calibration,
) -> bool {
    let excess = estimator.misfit(film, here) - posterior.misfit();
    let mut usual = calibration.excess.clone();
    usual.sort_by(f64::total_cmp);
    let rank = (AGREES * usual.len() as f64).ceil() as usize;
    excess <= usual[rank.clamp(1, usual.len()) - 1]
}

fn estimates(
    study: &Study,
    simulated: &[f64],
    posterior: &Posterior,
    calibration: &Calibration,
) -> Vec<ParameterEstimate> {
    let one = |i: usize| {
        let (parameter, share) = (&study.parameters[i], calibration.interval(posterior, i));
        let value = |s: f64| parameter.value_at(s);
        ParameterEstimate {
            parameter: parameter.clone(),
            simulated: simulated.get(i).copied(),
            estimate: Interval { value: value(share.value), lower: value(share.lower), upper: value(share.upper) },
            half_width_share: share.half_width(),
            identified: share.half_width() <= IDENTIFIED_HALF_WIDTH,
            widening: calibration.widening_of(posterior, i),
            leave_one_out_rms_share: calibration.rms[i],
        }
    };
    (0..study.parameters.len()).into_par_iter().map(one).collect()
}

/// Where the review found a mismatch and the simulation's own parameters still fit, it is the reduced model that is too
/// coarse, not the simulation that is right.
fn verdict(agrees: bool, flagged: bool, changes: &[Change], forms: &[ModelForm]) -> SuggestionVerdict {
    match (forms.is_empty(), changes.is_empty(), agrees && !flagged) {
        (false, _, _) => SuggestionVerdict::ModelForm,
        (true, false, _) => SuggestionVerdict::Change,
        (true, true, true) => SuggestionVerdict::InsideNoise,
        (true, true, false) => SuggestionVerdict::CannotTell,
    }
}

fn headline(
    verdict: SuggestionVerdict,
    changes: &[Change],
    forms: &[ModelForm],
    parameters: &[ParameterEstimate],
    study: &Study,
) -> String {
    let change = changes.first().map(|c| {
        let moves: Vec<String> = c
            .moves
            .iter()
            .filter_map(|m| {
                let p = study.parameters.iter().find(|p| p.name == m.name)?;
                Some(moved(p, m.from, &m.to))
            })
            .collect();
        let (before, after) = (c.before_mm, c.after_mm);
        format!(
            "{}: mismatch {before:.1} mm \u{2192} {:.1} mm ({:.1} to {:.1}) predicted",
            list(&moves),
            after.value,
            after.lower,
            after.upper
        )
    });
    match verdict {
        SuggestionVerdict::Change => change.unwrap_or_default(),
        SuggestionVerdict::InsideNoise => {
            "no change: the simulation's own parameters explain the film as well as true ones would".to_owned()
        }
        SuggestionVerdict::CannotTell => {
            let known: Vec<String> = parameters.iter().filter(|p| p.identified).map(said).collect();
            let known =
                if known.is_empty() { "none of the parameters".to_owned() } else { format!("only {}", list(&known)) };
            format!(
                "a mismatch, but no change is sure to help: this study and this film identify {known}; \
                 compute the next runs"
            )
        }
        SuggestionVerdict::ModelForm => {
            let worst = forms.first().map_or("", |f| f.words.as_str());
            let rest = change.map_or(String::new(), |c| format!("; of the rest: {c}"));
            format!("model form: no parameter of the study explains {worst}{rest}")
        }
    }
}

/// An identified parameter: its move where the simulation has another value.
fn said(p: &ParameterEstimate) -> String {
    let other = p.simulated.filter(|from| !(p.estimate.lower..=p.estimate.upper).contains(from));
    other.map_or_else(|| p.parameter.name.clone(), |from| moved(&p.parameter, from, &p.estimate))
}

fn warnings(study: &Study, calibration: &Calibration, posterior: &Posterior, sight: &Sight) -> Vec<String> {
    let mut all = study.warnings.clone();
    let widest = (0..study.parameters.len())
        .map(|i| (i, calibration.widening_by_misfit(posterior, i)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    if let Some((parameter, widened)) = widest.filter(|(_, widened)| *widened > WORSE) {
        all.push(format!(
            "no parameters fit this film as well as the study's own runs fit each other: intervals are wider for that, that of \
             {} {widened:.1} times. The structure, or the impactor beside it, does what no run does: look at the flags and at \
             what is named as model form before you act",
            study.parameters[parameter].name
        ));
    }
    if sight.hits.test.way_mm.is_empty() {
        all.push(
            "the way of the impactor is no evidence here, because the review did not follow it or not every run's record \
             tells of it (`impactor` and `curves`): how fast it was shows in the structure alone"
                .into(),
        );
    }
    let (runs, dimensions) = (study.runs.len(), study.parameters.len());
    if runs < 4 * dimensions {
        all.push(format!(
            "{runs} runs for {dimensions} parameters are few: a parameter is known only where its effect stands out of the \
             reduced model's error; the intervals hold that doubt"
        ));
    }
    let wide: Vec<String> = study
        .parameters
        .iter()
        .zip(&calibration.widening)
        .filter(|(_, w)| **w > 2.0)
        .map(|(p, w)| format!("{} ({w:.1} times)", p.name))
        .collect();
    if !wide.is_empty() {
        all.push(format!(
            "the study's own runs, each left out, were farther off than the sampler thought: intervals are widened for {}",
            list(&wide)
        ));
    }
    if !repeats(study) {
        all.push(
            "no run of the study is repeated: the solver's own scatter is known only as part of the reduced model's error"
                .to_owned(),
        );
    }
    all
}

/// Whether two runs have the same parameters.
fn repeats(study: &Study) -> bool {
    let shares = study.shares();
    let same = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-6);
    (1..shares.len()).any(|i| shares[..i].iter().any(|other| same(&shares[i], other)))
}
