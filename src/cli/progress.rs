//! How far it is: a bar on a terminal, plain lines elsewhere, nothing when asked to be quiet. Always on stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::jobs::SuggestProgress;
use crate::review::Progress;
use crate::train::TrainProgress;

/// Plain lines come no more often than this within a stage.
const LINE_EVERY: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{msg:<22} [{bar:30}] {pos}/{len} {prefix}";

/// The stages of a review in words.
fn words(stage: &'static str) -> &'static str {
    match stage {
        "open" => "opening the files",
        "align" => "placing the cameras",
        "trigger" => "finding the trigger",
        "impactor" => "looking for the impactor",
        "measure" => "measuring",
        "judge" => "judging",
        "write" => "writing the findings",
        "report" => "drawing the report",
        "study" => "reading the study",
        "surrogate" => "making the reduced model",
        "film" => "reading the film",
        "estimate" => "estimating",
        "leave one out" => "letting each run play the test",
        other => other,
    }
}

/// One line of progress.
pub(super) struct ProgressLine {
    out: Out,
    state: Mutex<State>,
}

enum Out {
    Quiet,
    Bar(ProgressBar),
    Lines,
}

struct State {
    stage: &'static str,
    begun: Instant,
    done: usize,
    last_line: Instant,
}

impl ProgressLine {
    pub(super) fn for_review(quiet: bool) -> Self {
        Self::new(quiet, 0)
    }

    pub(super) fn for_training(quiet: bool, steps: usize) -> Self {
        Self::new(quiet, steps as u64)
    }

    pub(super) fn for_films(quiet: bool) -> Self {
        Self::new(quiet, 0)
    }

    fn new(quiet: bool, length: u64) -> Self {
        let out = if quiet {
            Out::Quiet
        } else if io::stderr().is_terminal() {
            let bar = ProgressBar::new(length);
            bar.set_style(ProgressStyle::with_template(TEMPLATE).expect("a wrong template is a bug"));
            Out::Bar(bar)
        } else {
            Out::Lines
        };
        let now = Instant::now();
        Self { out, state: Mutex::new(State { stage: "", begun: now, done: usize::MAX, last_line: now }) }
    }

    /// Shows where a review stands; called often, from any thread, mostly with nothing new.
    pub(super) fn show(&self, p: Progress) {
        self.step(p.stage, p.done, p.total, "pictures/s", "");
    }

    /// Shows where a suggestion stands.
    pub(super) fn show_suggestion(&self, p: SuggestProgress) {
        self.step(p.stage, p.done, p.total, "runs/s", "");
    }

    /// Shows where a training stands.
    pub(super) fn show_training(&self, p: TrainProgress) {
        let note = format!("loss {:.3}, error {:.3} px, validation {:.3} px", p.loss, p.epe_px, p.validation_px);
        self.step("training", p.step, p.steps, "steps/s", &note);
    }

    /// Shows how many pairs were measured.
    pub(super) fn show_pairs(&self, done: usize, total: usize) {
        self.step("measuring pairs", done, total, "pairs/s", "");
    }

    /// Shows how many pictures are filmed.
    pub(super) fn show_filming(&self, done: usize, total: usize) {
        self.step("filming", done, total, "pictures/s", "");
    }

    fn step(&self, stage: &'static str, done: usize, total: usize, unit: &str, note: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let new_stage = state.stage != stage;
        if !new_stage && state.done == done {
            return;
        }
        if new_stage {
            (state.stage, state.begun) = (stage, Instant::now());
        }
        state.done = done;
        let pace = pace(done, total, state.begun.elapsed(), unit);
        let tail = [pace.as_str(), note].iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>().join(", ");
        match &self.out {
            Out::Quiet => {}
            Out::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(words(stage));
                bar.set_prefix(tail);
            }
            Out::Lines => {
                if new_stage || state.last_line.elapsed() >= LINE_EVERY || (done == total && !tail.is_empty()) {
                    state.last_line = Instant::now();
                    let counted = if tail.is_empty() { String::new() } else { format!(": {done}/{total} {tail}") };
                    // Progress that nobody can read is no reason to fail.
                    let _ = writeln!(io::stderr(), "{}{counted}", words(stage));
                }
            }
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        if let Out::Bar(bar) = &self.out {
            bar.finish_and_clear();
        }
    }
}

/// Speed and time left; empty before the first step and in stages that do not count.
fn pace(done: usize, total: usize, elapsed: Duration, unit: &str) -> String {
    let seconds = elapsed.as_secs_f64();
    if done == 0 || seconds < 1e-3 {
        return String::new();
    }
    let rate = done as f64 / seconds;
    let left = (total.saturating_sub(done)) as f64 / rate;
    if done >= total { format!("{rate:.1} {unit}") } else { format!("{rate:.1} {unit}, {} left", clock(left)) }
}

fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if whole < 60 { format!("{whole} s") } else { format!("{} min {:02} s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_of_a_review_has_words() {
        for stage in ["open", "study", "align", "trigger", "impactor", "measure", "judge", "write", "report"] {
            assert!(words(stage).contains("ing"), "{stage}: {}", words(stage));
        }
    }

    #[test]
    fn the_pace_says_speed_and_time_left() {
        assert_eq!(pace(0, 70, Duration::from_secs(3), "frames/s"), "");
        assert_eq!(pace(10, 70, Duration::from_secs(5), "frames/s"), "2.0 frames/s, 30 s left");
        assert_eq!(pace(10, 710, Duration::from_secs(5), "frames/s"), "2.0 frames/s, 5 min 50 s left");
        assert_eq!(pace(70, 70, Duration::from_secs(35), "frames/s"), "2.0 frames/s");
    }
}
