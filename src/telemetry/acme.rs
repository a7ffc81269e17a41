//! Metrics of certificates that are ordered from an authority.

use crate::telemetry::families::group;

group! {
    /// Orders of certificates.
    pub struct AcmeMetrics {
        /// Attempts to have a certificate issued by what they came to.
        renewals: IntCounterVec = "studygate_acme_renewals_total" ["result"],
    }
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeResult {
    /// The certificate is served.
    Done,
    /// The authority was not reached, or broke off.
    Unreachable,
    /// The authority asks to wait.
    Limited,
    /// The authority has a fault of its own.
    Unavailable,
    /// The authority refuses.
    Refused,
    /// The authority could not see that the gateway answers for a name.
    Unproven,
    /// What was issued cannot be used.
    Unfit,
    /// The state could not be written.
    NotStored,
}

impl AcmeResult {
    /// Every result.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Unreachable,
        Self::Limited,
        Self::Unavailable,
        Self::Refused,
        Self::Unproven,
        Self::Unfit,
        Self::NotStored,
    ];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unreachable => "unreachable",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Unproven => "unproven",
            Self::Unfit => "unfit",
            Self::NotStored => "not_stored",
        }
    }
}

impl AcmeMetrics {
    fn at_zero(&self) {
        for result in AcmeResult::ALL {
            self.renewals.with_label_values(&[result.name()]);
        }
    }

    /// An attempt ended.
    pub fn ended(&self, result: AcmeResult) {
        self.renewals.with_label_values(&[result.name()]).inc();
    }
}
