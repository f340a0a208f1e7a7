//! Unit labels as files spell them, turned into factors to mm and s.

/// Factor from the length unit `label` to mm; `None` for a label that nobody knows.
pub(crate) fn mm_from_length(label: &str) -> Option<f64> {
    Some(match label.trim().to_ascii_lowercase().as_str() {
        "mm" | "millimeter" | "millimetre" | "millimeters" | "millimetres" => 1.0,
        "cm" | "centimeter" | "centimetre" => 10.0,
        "m" | "meter" | "metre" | "meters" | "metres" => 1000.0,
        "um" | "µm" | "μm" | "micrometer" | "micrometre" => 1e-3,
        "in" | "inch" => 25.4,
        _ => return None,
    })
}

/// Factor from the time unit `label` to s; `None` for a label that nobody knows.
pub(crate) fn s_from_time(label: &str) -> Option<f64> {
    Some(match label.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "millisecond" | "milliseconds" => 1e-3,
        "us" | "µs" | "μs" | "usec" | "microsecond" | "microseconds" => 1e-6,
        "ns" | "nanosecond" | "nanoseconds" => 1e-9,
        _ => return None,
    })
}

/// The labels of [`mm_from_length`], for messages.
pub(crate) const LENGTH_LABELS: &str = "mm, cm, m, um or in";
/// The labels of [`s_from_time`], for messages.
pub(crate) const TIME_LABELS: &str = "s, ms, us or ns";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_whatever_their_case() {
        assert_eq!(mm_from_length(" M "), Some(1000.0));
        assert_eq!(mm_from_length("cm"), Some(10.0));
        assert_eq!(s_from_time("MS"), Some(1e-3));
        assert_eq!(mm_from_length("furlong"), None);
        assert_eq!(s_from_time(""), None);
    }
}
