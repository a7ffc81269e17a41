//! How a group of metric families is declared: a struct whose fields' doc comments are the help texts.

use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    core::Collector,
};

/// Upper bounds of durations, in seconds: from a disk's fsync to the 30 s after which a sender gives up.
const DURATION_BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0];

/// A kind of metric family.
pub(crate) trait Family: Collector + Clone {
    /// A family of this kind.
    fn make(name: &str, help: &str, labels: &[&str]) -> Self;
}

macro_rules! plain {
    ($($kind:ident),*) => {$(
        impl Family for $kind {
            fn make(name: &str, help: &str, labels: &[&str]) -> Self {
                debug_assert!(labels.is_empty(), "this kind has no labels");
                $kind::with_opts(Opts::new(name, help)).expect("metric names are constants of the program")
            }
        }
    )*};
}

macro_rules! labelled {
    ($($kind:ident),*) => {$(
        impl Family for $kind {
            fn make(name: &str, help: &str, labels: &[&str]) -> Self {
                $kind::new(Opts::new(name, help), labels).expect("metric names are constants of the program")
            }
        }
    )*};
}

plain!(IntCounter, IntGauge, Counter, Gauge);
labelled!(IntCounterVec, IntGaugeVec);

impl Family for Histogram {
    fn make(name: &str, help: &str, labels: &[&str]) -> Self {
        debug_assert!(labels.is_empty(), "this kind has no labels");
        let options = HistogramOpts::new(name, help).buckets(DURATION_BOUNDS.to_vec());
        Histogram::with_opts(options).expect("metric names are constants of the program")
    }
}

impl Family for HistogramVec {
    fn make(name: &str, help: &str, labels: &[&str]) -> Self {
        let options = HistogramOpts::new(name, help).buckets(DURATION_BOUNDS.to_vec());
        HistogramVec::new(options, labels).expect("metric names are constants of the program")
    }
}

/// Declares a group: each field's doc comment becomes the help text of its family.
macro_rules! group {
    (
        $(#[doc = $about:literal])*
        pub struct $group:ident {
            $(#[doc = $help:literal] $field:ident: $kind:ident = $name:literal [$($label:literal),*],)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        pub struct $group {
            $(#[doc = $help] pub $field: prometheus::$kind,)*
        }

        impl $group {
            /// The group, registered; once per registry.
            pub fn register(registry: &crate::telemetry::registry::Registry) -> Self {
                let group = Self {
                    $($field: crate::telemetry::families::Family::make($name, $help.trim(), &[$($label),*]),)*
                };
                $(registry.add(group.$field.clone());)*
                group.at_zero();
                group
            }
        }
    };
}

pub(crate) use group;
