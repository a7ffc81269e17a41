//! The "on hold" of an endpoint: what comes meanwhile waits, in order, for seven days at most.

use std::collections::VecDeque;

use crate::model::time::UnixSeconds;

/// How long Garmin keeps what waits for an endpoint on hold, in seconds.
pub const KEPT_S: i64 = 7 * 86_400;

/// What goes out, or waits.
#[derive(Debug)]
pub struct Outbox<T> {
    is_held: bool,
    waiting: VecDeque<(UnixSeconds, T)>,
    lost: usize,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { is_held: false, waiting: VecDeque::new(), lost: 0 }
    }
}

impl<T> Outbox<T> {
    /// From now on everything waits.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// Whether everything waits.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Takes one thing that comes at `now`; gives it back where it may go out at once.
    pub fn put(&mut self, now: UnixSeconds, thing: T) -> Option<T> {
        if !self.is_held {
            return Some(thing);
        }
        self.waiting.push_back((now, thing));
        self.forget(now);
        None
    }

    /// Ends the hold; what waited and is not too old, in the order it came.
    pub fn release(&mut self, now: UnixSeconds) -> Vec<T> {
        self.is_held = false;
        self.forget(now);
        self.waiting.drain(..).map(|(_, thing)| thing).collect()
    }

    /// How many things waited too long.
    pub fn lost(&self) -> usize {
        self.lost
    }

    fn forget(&mut self, now: UnixSeconds) {
        while self.waiting.front().is_some_and(|(came, _)| now > came.plus(KEPT_S)) {
            self.waiting.pop_front();
            self.lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_793_509_200);

    #[test]
    fn what_is_held_comes_out_in_order_at_the_release() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.put(NOW, 0), Some(0));
        outbox.hold();
        for number in 1..4 {
            assert_eq!(outbox.put(NOW.plus(i64::from(number)), number), None);
        }
        assert_eq!(outbox.release(NOW.plus(10)), [1, 2, 3]);
        assert_eq!(outbox.put(NOW.plus(11), 4), Some(4));
        assert_eq!(outbox.lost(), 0);
    }

    #[test]
    fn what_waits_longer_than_seven_days_is_lost() {
        let mut outbox = Outbox::default();
        outbox.hold();
        outbox.put(NOW, "old");
        outbox.put(NOW.plus(1), "in time");
        assert_eq!(outbox.release(NOW.plus(KEPT_S + 1)), ["in time"]);
        assert_eq!(outbox.lost(), 1);
    }
}
