//! The users that the arrivals of one load thread draw from.

use std::collections::VecDeque;
use std::ops::Range;

/// Users who are idle, and those who have not come yet.
#[derive(Debug)]
pub(super) struct Pool<U> {
    idle: VecDeque<U>,
    /// Numbers of users who have not come yet.
    fresh: std::iter::StepBy<Range<u32>>,
    /// Whether all users are used before one is used again.
    all: bool,
}

impl<U> Pool<U> {
    /// The users whose numbers are in `numbers`; `all` of them are used before one is used again,
    /// or else a new one only comes when nobody is idle.
    pub(super) fn new(numbers: std::iter::StepBy<Range<u32>>, all: bool) -> Self {
        Self { idle: VecDeque::new(), fresh: numbers, all }
    }

    /// Lets so many users come before they are needed.
    pub(super) fn prepare(&mut self, count: u32, make: impl Fn(u32) -> U) {
        for number in self.fresh.by_ref().take(count as usize) {
            self.idle.push_back(make(number));
        }
    }

    /// Who is idle; `None` when all are busy.
    pub(super) fn draw(&mut self, make: impl FnOnce(u32) -> U) -> Option<U> {
        if self.all
            && let Some(number) = self.fresh.next()
        {
            return Some(make(number));
        }
        self.idle.pop_front().or_else(|| self.fresh.next().map(make))
    }

    /// Takes back who is done.
    pub(super) fn put_back(&mut self, user: U) {
        self.idle.push_back(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_users_come_before_one_comes_again_where_their_number_was_written() {
        let mut pool = Pool::new((0..6).step_by(2), true);
        let drawn: Vec<_> = (0..5)
            .map(|_| {
                let user = pool.draw(|number| number);
                user.inspect(|user| pool.put_back(*user))
            })
            .collect();
        assert_eq!(drawn, [Some(0), Some(2), Some(4), Some(0), Some(2)]);
    }

    #[test]
    fn no_more_users_come_than_are_needed_otherwise() {
        let mut pool = Pool::new((0..2).step_by(1), false);
        let first = pool.draw(|number| number);
        pool.put_back(0);
        assert_eq!((first, pool.draw(|number| number)), (Some(0), Some(0)));
        assert_eq!((pool.draw(|number| number), pool.draw(|number| number)), (Some(1), None));
    }

    #[test]
    fn users_made_beforehand_are_drawn_first() {
        let mut pool = Pool::new((0..4).step_by(1), false);
        pool.prepare(2, |number| number);
        assert_eq!(
            (0..3).map(|_| pool.draw(|it| it)).collect::<Vec<_>>(),
            [Some(0), Some(1), Some(2)]
        );
    }
}
