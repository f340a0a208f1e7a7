//! The structure between two stored states: linear in time, held at the ends.

/// The states around `time_s` and the weight of the second one.
///
/// `times_s` rises and is not empty. Before the first and after the last state the end state is held.
#[must_use]
pub fn bracket(times_s: &[f64], time_s: f64) -> (usize, usize, f64) {
    let last = times_s.len() - 1;
    let after = times_s.partition_point(|t| *t <= time_s);
    if after == 0 {
        return (0, 0, 0.0);
    }
    if after > last {
        return (last, last, 0.0);
    }
    let (a, b) = (times_s[after - 1], times_s[after]);
    (after - 1, after, (time_s - a) / (b - a))
}

/// `(1 - weight) * first + weight * second`, point by point, mm.
#[must_use]
pub fn interpolate_positions(first: &[[f32; 3]], second: &[[f32; 3]], weight: f64) -> Vec<[f32; 3]> {
    let w = weight as f32;
    first.iter().zip(second).map(|(a, b)| std::array::from_fn(|i| a[i] + w * (b[i] - a[i]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_held_and_the_middle_is_linear() {
        let t = [0.0, 1.0, 3.0];
        assert_eq!(bracket(&t, -5.0), (0, 0, 0.0));
        assert_eq!(bracket(&t, 9.0), (2, 2, 0.0));
        assert_eq!(bracket(&t, 2.0), (1, 2, 0.5));
        assert_eq!(bracket(&t, 3.0), (2, 2, 0.0));
        assert_eq!(interpolate_positions(&[[0.0; 3]], &[[2.0, 4.0, 8.0]], 0.25), vec![[0.5, 1.0, 2.0]]);
    }
}
