//! A small seeded generator (SplitMix64): the same place gives the same numbers, whatever was drawn elsewhere.

/// Numbers that depend on a seed alone; not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers at this place (user, day, type …) of a seed's world.
    pub fn at(seed: u64, place: &[u64]) -> Self {
        let mut random = Self(seed);
        for step in place {
            random.0 = random.bits() ^ step.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of a remainder is below 2^-40 for every range used here.
        self.bits().checked_rem(end).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included; `low` where the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).map_or(1, |width| width + 1);
        low.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }

    /// A number from `low` to `high` with this many decimals.
    pub fn decimal(&mut self, low: f64, high: f64, decimals: i32) -> f64 {
        let share = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        let scale = 10_f64.powi(decimals);
        ((low + (high - low) * share) * scale).round() / scale
    }

    /// Whether something happens that happens in this many of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// This many lower-case hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[(self.bits() >> 60) as usize])).collect()
    }

    /// One of these.
    ///
    /// # Panics
    /// Where there is none to choose from.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_place_gives_the_same_numbers_and_another_place_others() {
        let draw = |seed, place: &[u64]| {
            let mut random = Random::at(seed, place);
            [random.bits(), random.bits()]
        };
        assert_eq!(draw(7, &[1, 2]), draw(7, &[1, 2]));
        assert_ne!(draw(7, &[1, 2]), draw(7, &[2, 1]));
        assert_ne!(draw(7, &[1, 2]), draw(8, &[1, 2]));
    }

    #[test]
    fn draws_stay_within_their_ranges() {
        let mut random = Random::at(3, &[]);
        for _ in 0..1000 {
            assert!((-5..=5).contains(&random.between(-5, 5)));
            assert!((1.5..=2.5).contains(&random.decimal(1.5, 2.5, 3)));
            assert!(random.below(7) < 7);
        }
        assert_eq!((random.below(0), random.between(4, 4)), (0, 4));
    }
}
