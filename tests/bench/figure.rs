//! A measured figure and what it must reach.

use std::fmt;

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// It stands there for the reader.
    Told,
}

/// A figure, ready to print.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    bound: Bound,
}

impl Figure {
    pub(crate) fn at_most(what: impl Into<String>, value: f64, unit: &'static str, bound: f64) -> Self {
        Self { what: what.into(), value, unit, bound: Bound::AtMost(bound) }
    }

    pub(crate) fn at_least(what: impl Into<String>, value: f64, unit: &'static str, bound: f64) -> Self {
        Self { what: what.into(), value, unit, bound: Bound::AtLeast(bound) }
    }

    pub(crate) fn told(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, bound: Bound::Told }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<64} {:>12.3} {:<8}", self.what, self.value, self.unit)?;
        let (sign, bound, reached) = match self.bound {
            Bound::AtMost(bound) => ("≤", bound, self.value <= bound),
            Bound::AtLeast(bound) => ("≥", bound, self.value >= bound),
            Bound::Told => return Ok(()),
        };
        write!(f, " {sign} {bound:<8} {}", if reached { "reached" } else { "MISSED" })
    }
}

/// The middle one; of an even count the higher of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
