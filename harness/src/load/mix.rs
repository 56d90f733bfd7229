//! Which journey an arrival makes.

use crate::seed::{derived, unit_interval};

/// The journeys of one profile, by place among the scripts.
#[derive(Clone, Debug, PartialEq)]
pub enum Mix {
    /// One after the other.
    InTurn(Vec<usize>),
    /// By weight: places, and the sum of the weights up to and with each, the last being 1.
    Weighted(Vec<(usize, f64)>),
}

impl Mix {
    /// Journeys by their weights, which are positive.
    #[must_use]
    pub fn weighted(weights: &[(usize, f64)]) -> Self {
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let up_to = weights.iter().map(|(place, weight)| {
            sum += weight / total;
            (*place, sum)
        });
        Self::Weighted(up_to.collect())
    }

    /// The journey of arrival `number` in a profile of this seed: the same in every run.
    #[must_use]
    pub fn pick(&self, number: u64, seed: u64) -> usize {
        match self {
            Self::InTurn(places) => {
                let turn = number % (places.len().max(1) as u64);
                places.get(usize::try_from(turn).unwrap_or(0)).copied().unwrap_or(0)
            }
            Self::Weighted(up_to) => {
                let drawn = unit_interval(seed, number);
                let found = up_to.iter().find(|(_, sum)| drawn < *sum).or(up_to.last());
                found.map_or(0, |(place, _)| *place)
            }
        }
    }

    /// The journey that user `user` of a closed model makes as its own `number`th.
    #[must_use]
    pub fn pick_of(&self, user: u64, number: u64, seed: u64) -> usize {
        match self {
            Self::InTurn(_) => self.pick(user + number, seed),
            Self::Weighted(_) => {
                let place = usize::try_from(user).unwrap_or(usize::MAX);
                self.pick(number, derived(seed, "user", place))
            }
        }
    }

    /// All journeys that it may pick.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let (turns, weights) = match self {
            Self::InTurn(places) => (places.as_slice(), [].as_slice()),
            Self::Weighted(up_to) => ([].as_slice(), up_to.as_slice()),
        };
        turns.iter().copied().chain(weights.iter().map(|(place, _)| *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_in_turn_take_turns() {
        let mix = Mix::InTurn(vec![4, 7]);
        let picked: Vec<usize> = (0..5).map(|number| mix.pick(number, 1)).collect();
        assert_eq!(picked, [4, 7, 4, 7, 4]);
    }

    #[test]
    fn weights_are_kept_and_the_seed_decides() {
        let mix = Mix::weighted(&[(0, 3.0), (1, 1.0)]);
        let ones = |seed| (0..40_000).filter(|number| mix.pick(*number, seed) == 1).count();
        // 10,000 expected with standard deviation 87; the seed is fixed, so this cannot flake.
        assert!(ones(5).abs_diff(10_000) < 4 * 87, "{}", ones(5));
        assert_eq!(ones(5), ones(5));
        let first: Vec<usize> = (0..64).map(|number| mix.pick(number, 5)).collect();
        assert_ne!(first, (0..64).map(|number| mix.pick(number, 6)).collect::<Vec<_>>());
    }

    #[test]
    fn users_of_a_closed_model_draw_each_for_themselves() {
        let mix = Mix::weighted(&[(0, 1.0), (1, 1.0)]);
        let drawn = |user| (0..64).map(|own| mix.pick_of(user, own, 5)).collect::<Vec<_>>();
        assert_ne!(drawn(0)[1..], drawn(1)[..63], "not one sequence, shifted");
        let in_turn = Mix::InTurn(vec![0, 1]);
        assert_eq!((in_turn.pick_of(0, 0, 5), in_turn.pick_of(1, 0, 5)), (0, 1));
    }
}
