//! What stays the same in a user's life: body, fitness, how it moves and which days it runs on.

use crate::model::time::UnixSeconds;
use crate::simulate::user::{Cycle, User};

const DAY_S: i64 = 86_400;

/// The habits and the body of a user.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    /// Beats a minute at rest.
    pub(super) resting: i64,
    pub(super) age: i64,
    pub(super) height_cm: i64,
    pub(super) weight_g: i64,
    /// What a body burns in a day without moving, in kilocalories.
    pub(super) bmr: i64,
    /// Centimetres a second of an easy run.
    pub(super) pace_cm: i64,
    /// Steps of an ordinary quarter of an hour.
    pub(super) steps: i64,
    /// Seconds from local midnight to falling asleep, usually.
    pub(super) bedtime_s: i64,
    /// Seconds from local midnight to the start of a run, usually.
    pub(super) run_s: i64,
    pub(super) vo2_max: f64,
    /// Milliseconds of an ordinary night.
    pub(super) variability: i64,
    run_days: [bool; 7],
}

impl Habits {
    pub(super) fn of(user: &User) -> Self {
        let mut random = user.random(&[u64::from(b'h')]);
        let (resting, age) = (random.between(47, 66), random.between(21, 62));
        let (height_cm, mass_index) = (random.between(154, 192), random.between(200, 290));
        let weight_g = height_cm * height_cm * mass_index / 100;
        // Mifflin and St Jeor, with the constant for women where cycles are tracked.
        let constant = if user.cycle == Cycle::NotTracked { 5 } else { -161 };
        let bmr = weight_g / 100 + height_cm * 25 / 4 - 5 * age + constant;
        let pace_cm = random.between(235, 340);
        // Rest days follow runs; three or four runs a week.
        let first = usize::try_from(random.below(7)).unwrap_or(0);
        let mut run_days = [false; 7];
        for step in [0, 2, 4].into_iter().chain(random.chance(50).then_some(5)) {
            run_days[(first + step) % 7] = true;
        }
        Self {
            resting,
            age,
            height_cm,
            weight_g,
            bmr,
            pace_cm,
            steps: random.between(10, 24),
            bedtime_s: random.between(-75, 15) * 60,
            run_s: random.pick(&[6, 7, 12, 17, 18]) * 3600 + 1800,
            vo2_max: (pace_cm as f64 / 6.5 * 10.0).round() / 10.0,
            variability: random.between(28, 85),
            run_days,
        }
    }

    /// Whether the user runs on weekdays like the one that begins at this midnight (UTC).
    pub(super) fn runs_on(&self, midnight: UnixSeconds) -> bool {
        self.run_days[weekday(midnight)]
    }

    /// The highest heart rate of the user's age.
    pub(super) fn heart_rate_max(&self) -> i64 {
        220 - self.age
    }
}

/// Days since Monday.
pub(super) fn weekday(midnight: UnixSeconds) -> usize {
    // 1970-01-01 was a Thursday.
    usize::try_from((midnight.0.div_euclid(DAY_S) + 3).rem_euclid(7)).unwrap_or(0)
}
