//! Repeated measurements and how they are written.

use std::fmt;
use std::time::Instant;

/// Smallest, median and largest of some repeats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { least: values[0], median: values[values.len() / 2], most: values[values.len() - 1] }
    }

    /// Something that is the more the less time it takes.
    pub(crate) fn rate(self, amount: f64) -> Self {
        Self { least: amount / self.most, median: amount / self.median, most: amount / self.least }
    }

    /// What is left when a known part of a measurement is taken away.
    pub(crate) fn less(self, part: Self) -> Self {
        let minus = |v: f64| (v - part.median).max(0.0);
        Self { least: minus(self.least), median: minus(self.median), most: minus(self.most) }
    }

    /// Two measurements, one after the other.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { least: self.least + other.least, median: self.median + other.median, most: self.most + other.most }
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self { least: self.least * factor, median: self.median * factor, most: self.most * factor }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median >= 100.0 {
            0
        } else if self.median >= 10.0 {
            1
        } else {
            2
        };
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.least, self.most)
    }
}

/// Seconds of each of `repeats` runs, after one that is not counted.
pub(crate) fn seconds(repeats: usize, mut work: impl FnMut()) -> Spread {
    if repeats > 1 {
        work();
    }
    let mut all = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let begun = Instant::now();
        work();
        all.push(begun.elapsed().as_secs_f64());
    }
    Spread::of(all)
}
