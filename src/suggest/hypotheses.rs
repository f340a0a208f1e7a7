//! Causes to look at, by the pattern of a difference that no parameter explains. Hypotheses, not findings: each score
//! is how much of a rule of thumb the pattern meets.

use crate::domain::Hypothesis;

/// The pattern of a difference, each from 0 to 1 unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    /// When it begins, as a share of the film after the first motion.
    pub(super) onset_share: f64,
    /// How far the centre of the motion lies from where the model has it, in sizes of a region.
    pub(super) shift: f64,
    /// How much of the region lies where two parts meet.
    pub(super) at_joint: f64,
    /// Share of the part's regions that differ.
    pub(super) spread: f64,
    /// How evenly the difference grows with time: 1 steadily, 0 at once.
    pub(super) steadiness: f64,
    /// How near the region is to where the structure moves most.
    pub(super) near_impact: f64,
}

/// The causes, most fitting first.
pub(super) fn rank(p: &Pattern) -> Vec<Hypothesis> {
    let early = 1.0 - p.onset_share;
    let local = 1.0 - p.spread;
    let shifted = p.shift.min(1.0);
    let of = |cause: &str, score: f64, because: &str| Hypothesis {
        cause: cause.to_owned(),
        score: score.clamp(0.0, 1.0),
        because: because.to_owned(),
    };
    let mut all = vec![
        of("trigger", 0.5 * shifted + 0.3 * early + 0.2 * local, "early, and the motion sits elsewhere on the part"),
        of("weld", 0.6 * p.at_joint + 0.3 * local + 0.1 * p.onset_share, "where two parts meet, and nowhere else"),
        of(
            "imperfection",
            0.4 * local + 0.3 * (1.0 - p.steadiness) + 0.3 * (1.0 - p.at_joint) * p.onset_share,
            "local, away from joints, and sudden: a buckle that begins elsewhere",
        ),
        of("material", 0.6 * p.spread + 0.4 * p.steadiness, "spread over the part, and growing steadily"),
        of("contact", 0.5 * p.near_impact + 0.3 * early + 0.2 * local, "where the structure is hit, from early on"),
    ];
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_the_textbook_rank_their_cause_first() {
        let plain =
            Pattern { onset_share: 0.4, shift: 0.0, at_joint: 0.0, spread: 0.2, steadiness: 0.5, near_impact: 0.0 };
        let cause = |p: &Pattern| rank(p)[0].cause.clone();
        assert_eq!(cause(&Pattern { onset_share: 0.05, shift: 2.0, ..plain }), "trigger");
        assert_eq!(cause(&Pattern { at_joint: 1.0, ..plain }), "weld");
        assert_eq!(cause(&Pattern { spread: 1.0, steadiness: 1.0, ..plain }), "material");
        assert_eq!(cause(&Pattern { onset_share: 0.9, steadiness: 0.0, ..plain }), "imperfection");
        assert_eq!(cause(&Pattern { onset_share: 0.05, near_impact: 1.0, ..plain }), "contact");
    }
}
