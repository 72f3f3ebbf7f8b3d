//! When an event was over, as its journal says it.

use std::time::Duration;

use super::may_come_before;
use crate::{
    domain::{Entry, Fact, Timestamp},
    ports::EventRecords,
};

/// All that an event has said of its end, in the order of its journal.
pub(super) struct Ends {
    said: Vec<Said>,
    decided_beside: Option<Duration>,
}

struct Said {
    position: u64,
    at: Timestamp,
    /// Nothing in an entry of an earlier version.
    end: Option<Timestamp>,
}

impl Ends {
    pub fn of(records: &EventRecords) -> Self {
        let said = |Entry { position, transition }: &Entry| match transition.fact {
            Fact::Event { end_time, .. } => Some(Said { position: *position, at: transition.at, end: end_time }),
            _ => None,
        };
        Self { said: records.journal.iter().filter_map(said).collect(), decided_beside: records.decided_beside }
    }

    /// Whether the event was over for what the entry tells. Nothing where that is not known: where an entry does not say it, or an edit beside
    /// this one makes a difference.
    pub fn over(&self, Entry { position, transition }: &Entry) -> Option<bool> {
        let before = self.said.partition_point(|said| said.position < *position);
        let mut over = None;
        for said in self.said[..before].iter().rev() {
            let is_over = said.end? <= transition.at;
            if over.is_some_and(|after| after != is_over) {
                return None;
            }
            over = Some(is_over);
            if !may_come_before(transition.at, Some(said.at), self.decided_beside) {
                break;
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn it_is_as_was_said_before_the_entry_or_not_known_where_an_edit_beside_it_makes_a_difference() {
        const BESIDE: Option<Duration> = Some(Duration::from_mins(1));
        let mut story = Story::begin();
        story.wait(Duration::from_hours(1));
        story.end_at(story.now + Duration::from_hours(1));
        story.hold(0);
        let mut records = story.read();
        let (first, edited, held) = (2, 3, 4);
        let at = records.journal[held].transition.at;
        let (over, goes_on) = (Some(at), Some(at + Duration::from_micros(1)));
        for (before, by_then, decided_beside, expected) in [
            (over, goes_on, None, Some(false)),
            (goes_on, over, None, Some(true)),
            (None, over, None, Some(true)),
            (over, None, None, None),
            (None, None, BESIDE, None),
            (over, goes_on, BESIDE, None),
            (goes_on, over, BESIDE, None),
            (None, goes_on, BESIDE, None),
            (over, over, BESIDE, Some(true)),
            (goes_on, goes_on, BESIDE, Some(false)),
        ] {
            for (entry, end) in [(first, before), (edited, by_then)] {
                let Fact::Event { end_time, .. } = &mut records.journal[entry].transition.fact else { unreachable!() };
                *end_time = end;
            }
            records.decided_beside = decided_beside;
            let is = Ends::of(&records).over(&records.journal[held]);
            assert_eq!(is, expected, "{before:?}, then {by_then:?}, beside {decided_beside:?}");
        }
    }
}
