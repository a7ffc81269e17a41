//! What goes wrong at a simulated callback, and how often.

use std::fmt;

use crate::simulate::random::Random;

/// One thing that goes wrong while a callback is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error of this status, with Garmin's error body.
    Status(u16),
    /// 429, with or without a `Retry-After` of this many seconds.
    TooManyRequests {
        /// The header's seconds.
        retry_after_s: Option<u32>,
    },
    /// The whole answer, in small pieces with rests between them.
    Slow,
    /// The connection breaks off in the middle of the body.
    Cut,
    /// A `Content-Length` of more bytes than come.
    LengthTooLong,
    /// A `Content-Length` of half the bytes, and no more come.
    LengthTooShort,
    /// The connection closes before the head.
    Closed,
    /// A redirect to this URL.
    Redirect(String),
}

/// How often each fault happens, and to how many attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Each fault with its probability in per mille; together at most 1000.
    pub per_mille: Vec<(Fault, u16)>,
    /// Only the first attempts at an offer, this many, meet one; all further are answered well.
    pub attempts: u32,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nearly half of the first two attempts at everything fail or are slow, in ways that pass: the data stay there
    /// for whoever asks again.
    pub fn passing() -> Self {
        let statuses = [500, 502, 503].map(|status| (Fault::Status(status), 40));
        let mut per_mille = vec![
            (Fault::TooManyRequests { retry_after_s: None }, 60),
            (Fault::TooManyRequests { retry_after_s: Some(1) }, 60),
            (Fault::Slow, 60),
            (Fault::Cut, 60),
            (Fault::LengthTooLong, 60),
            (Fault::Closed, 60),
        ];
        per_mille.extend(statuses);
        Self { per_mille, attempts: 2 }
    }

    /// The passing faults, and those after which a receiver must not ask again: refusals, answers that lie about
    /// their length, and redirects to `elsewhere`.
    pub fn all(elsewhere: &str) -> Self {
        let mut faults = Self::passing();
        faults.per_mille.extend([400, 401, 403, 410, 412].map(|status| (Fault::Status(status), 20)));
        faults.per_mille.push((Fault::LengthTooShort, 20));
        faults.per_mille.push((Fault::Redirect(elsewhere.to_owned()), 20));
        faults
    }

    /// What happens to an attempt (the first is 0), by these numbers.
    pub(super) fn draw(&self, attempt: u32, mut random: Random) -> Option<Fault> {
        if attempt >= self.attempts {
            return None;
        }
        let mut draw = random.below(1000);
        for (fault, share) in &self.per_mille {
            let share = u64::from(*share);
            if draw < share {
                return Some(fault.clone());
            }
            draw -= share;
        }
        None
    }
}

/// A word for it, the same for every run; a redirect's target stays out.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::TooManyRequests { retry_after_s: None } => f.write_str("429"),
            Self::TooManyRequests { retry_after_s: Some(_) } => f.write_str("429 with Retry-After"),
            Self::Slow => f.write_str("slow"),
            Self::Cut => f.write_str("cut"),
            Self::LengthTooLong => f.write_str("length too long"),
            Self::LengthTooShort => f.write_str("length too short"),
            Self::Closed => f.write_str("closed"),
            Self::Redirect(_) => f.write_str("redirect"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_they_should_and_spare_later_attempts() {
        let faults = Faults { per_mille: vec![(Fault::Cut, 300), (Fault::Closed, 200)], attempts: 1 };
        let drawn: Vec<_> = (0..1000).map(|place| faults.draw(0, Random::at(1, &[place]))).collect();
        let count = |fault: &Fault| drawn.iter().flatten().filter(|drawn| *drawn == fault).count();
        assert!((240..360).contains(&count(&Fault::Cut)), "{}", count(&Fault::Cut));
        assert!((150..250).contains(&count(&Fault::Closed)), "{}", count(&Fault::Closed));
        assert!((0..1000).all(|place| faults.draw(1, Random::at(1, &[place])).is_none()));
    }

    #[test]
    fn shares_leave_room_for_good_answers() {
        for faults in [Faults::none(), Faults::passing(), Faults::all("https://127.0.0.1:1/")] {
            assert!(faults.per_mille.iter().map(|(_, share)| share).sum::<u16>() < 1000);
        }
    }
}
