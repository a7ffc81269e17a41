//! A day of a user's life by quarters of an hour, which all records of the day are made from.

use crate::model::time::UnixSeconds;
use crate::simulate::activity::{Workout, day_number, kilocalories};
use crate::simulate::habits::{Habits, weekday};
use crate::simulate::night::Night;
use crate::simulate::user::User;

/// Seconds of a quarter of an hour.
pub(super) const QUARTER_S: i64 = 900;
const QUARTERS: i64 = 96;
/// How many steps people make in each hour of the day, against each other.
const BUSTLE: [i64; 24] = [0, 0, 0, 0, 0, 2, 3, 8, 10, 5, 4, 5, 10, 7, 4, 4, 6, 11, 9, 6, 4, 3, 2, 1];

/// Everything that happens in the day.
#[derive(Clone, Debug)]
pub(super) struct Today {
    /// Midnight UTC of its date.
    pub(super) midnight: UnixSeconds,
    /// When it begins where the user lives.
    pub(super) start: UnixSeconds,
    /// As `calendarDate` writes it.
    pub(super) date: String,
    pub(super) habits: Habits,
    /// The night that ends in it.
    pub(super) night: Night,
    pub(super) run: Option<Workout>,
    /// 96 of them.
    pub(super) quarters: Vec<Quarter>,
}

/// What happens in a quarter of an hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quarter {
    pub(super) is_asleep: bool,
    pub(super) walked_steps: i64,
    pub(super) run_steps: i64,
    pub(super) run_seconds: i64,
    pub(super) distance_cm: i64,
    pub(super) kilocalories: i64,
    /// Beats a minute, on average.
    pub(super) heart_rate: i64,
}

impl Quarter {
    /// Steps walked and run.
    pub(super) fn steps(&self) -> i64 {
        self.walked_steps + self.run_steps
    }

    /// Seconds in which the user moved.
    pub(super) fn active_seconds(&self) -> i64 {
        (self.walked_steps * 60 / 105).min(QUARTER_S - self.run_seconds) + self.run_seconds
    }
}

impl Today {
    /// The day of this user whose date is that of this midnight (UTC).
    pub(super) fn of(user: &User, midnight: UnixSeconds) -> Self {
        let habits = Habits::of(user);
        let night = Night::of(user, &habits, midnight);
        let bedtime = Night::of(user, &habits, midnight.plus(86_400)).start;
        let run = Workout::of_day(user, &habits, midnight);
        let start = user.local_midnight(midnight);
        let date = midnight.date();
        let mut today = Self { midnight, start, date, habits, night, run, quarters: Vec::new() };
        today.fill(user, bedtime);
        today
    }

    /// When a quarter begins.
    pub(super) fn time_of(&self, quarter: usize) -> UnixSeconds {
        self.start.plus(i64::try_from(quarter).unwrap_or(0) * QUARTER_S)
    }

    /// The start of the quarter with the most steps that are not part of a run.
    pub(super) fn busiest_walk(&self) -> UnixSeconds {
        let idle = self.quarters.iter().enumerate().filter(|(_, quarter)| quarter.run_seconds == 0);
        self.time_of(idle.max_by_key(|(_, quarter)| quarter.walked_steps).map_or(0, |(place, _)| place))
    }

    fn fill(&mut self, user: &User, bedtime: UnixSeconds) {
        let mut random = user.random(&[u64::from(b'e'), day_number(self.midnight)]);
        // Sundays are quiet; other days differ by what there is to do.
        let eagerness = random.between(60, 150) * if weekday(self.midnight) == 6 { 7 } else { 10 } / 10;
        let burned = self.run.as_ref().map_or(0, |run| kilocalories(user, &run.totals));
        for number in 0..QUARTERS {
            let time = self.start.plus(number * QUARTER_S);
            let noise = random.between(10, 190);
            let wobble = random.between(-4, 4);
            let mut quarter = self.run_part(time, burned);
            quarter.is_asleep = time < self.night.end || time.plus(QUARTER_S) > bedtime;
            let bustle = BUSTLE[usize::try_from(number / 4).unwrap_or(0) % 24];
            if !quarter.is_asleep {
                let idle_s = QUARTER_S - quarter.run_seconds;
                quarter.walked_steps = bustle * self.habits.steps * eagerness / 100 * noise / 100 * idle_s / QUARTER_S;
            }
            quarter.distance_cm += quarter.walked_steps * self.habits.height_cm * 41 / 100;
            quarter.kilocalories += (quarter.walked_steps * self.habits.weight_g + 875_000) / 1_750_000;
            quarter.heart_rate = self.heart_rate(&quarter, wobble);
            self.quarters.push(quarter);
        }
    }

    /// The part of the day's run that falls into the quarter from `time`.
    fn run_part(&self, time: UnixSeconds, burned: i64) -> Quarter {
        let Some(run) = &self.run else { return Quarter::default() };
        let length = run.totals.seconds;
        let reached = |time: i64| (time - run.start.0).clamp(0, length);
        let (from, to) = (reached(time.0), reached(time.0 + QUARTER_S));
        // Parts of a whole that sum to it: each ends where the next begins.
        let part = |whole: i64| whole * to / length - whole * from / length;
        let metre_by_metre = |at: i64| run.points.get(usize::try_from(at).unwrap_or(0)).map_or(0, |p| p.distance_cm);
        Quarter {
            run_steps: part(run.totals.steps),
            run_seconds: to - from,
            distance_cm: metre_by_metre(to) - metre_by_metre(from),
            kilocalories: part(burned),
            ..Quarter::default()
        }
    }

    fn heart_rate(&self, quarter: &Quarter, wobble: i64) -> i64 {
        let resting = self.habits.resting;
        let calm = match quarter.is_asleep {
            true => resting + 2 + wobble / 2,
            false => resting + 16 + wobble + (quarter.walked_steps / 30).min(32),
        };
        let running = self.run.as_ref().map_or(calm, |run| run.totals.heart_rate_average);
        (calm * (QUARTER_S - quarter.run_seconds) + running * quarter.run_seconds) / QUARTER_S
    }
}
