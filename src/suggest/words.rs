//! Sentences of the answer.

use crate::domain::{Interval, StudyParameter, written_unit};

/// A number with as many digits as its range deserves.
pub(super) fn number(value: f64, range: f64) -> String {
    let decimals = (2.0 - range.abs().max(1e-12).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `impact_speed 7.6 → 8.1 m/s (7.9 to 8.3)`.
pub(super) fn moved(parameter: &StudyParameter, from: f64, to: &Interval) -> String {
    // A narrow interval has digits of its own.
    let range = (parameter.upper - parameter.lower).min(10.0 * (to.upper - to.lower));
    let n = |v| number(v, range);
    let unit = written_unit(&parameter.unit);
    format!("{} {} \u{2192} {}{unit} ({} to {})", parameter.name, n(from), n(to.value), n(to.lower), n(to.upper))
}

/// `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_interval_keeps_its_digits() {
        let parameter = StudyParameter {
            name: "impact_offset".to_owned(),
            unit: "mm".to_owned(),
            lower: -70.0,
            upper: 70.0,
            nominal: None,
            kind: None,
        };
        let to = Interval { value: 6.529, lower: 3.389, upper: 9.667 };
        assert_eq!(moved(&parameter, 0.0, &to), "impact_offset 0 \u{2192} 6.5 mm (3.4 to 9.7)");
        let wide = Interval { value: 6.529, lower: -31.6, upper: 49.2 };
        assert_eq!(moved(&parameter, 0.0, &wide), "impact_offset 0 \u{2192} 7 mm (-32 to 49)");
    }

    #[test]
    fn numbers_have_the_digits_of_their_range() {
        assert_eq!((number(1.23456, 0.7).as_str(), number(270.03, 140.0).as_str()), ("1.235", "270"));
        assert_eq!(number(0.9, 0.35), "0.9");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
