//! The order in which people expect labels: 2 before 10, B before AA.

use std::cmp::Ordering;

/// Compares two labels: runs of digits by their value, all else by character, and a shorter run of letters first, as rows are
/// lettered A to Z and then AA. What has more than three letters is a word, and comes behind them.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        match (rest_a.is_empty(), rest_b.is_empty()) {
            (true, true) => return a.cmp(b),
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let (run_a, tail_a) = run(rest_a);
        let (run_b, tail_b) = run(rest_b);
        let order = key(run_a).cmp(&key(run_b)).then_with(|| run_a.trim_start_matches('0').cmp(run_b.trim_start_matches('0')));
        if order != Ordering::Equal {
            return order;
        }
        (rest_a, rest_b) = (tail_a, tail_b);
    }
}

/// What a run is compared by before its characters: its kind, and how long it is. It is a key of the run alone, so that all runs have an order;
/// a rule for some pairs of them would let them go around in a circle.
fn key(run: &str) -> (Kind, usize) {
    let kind = run.chars().next().map_or(Kind::Sign, kind_of);
    let length = match kind {
        Kind::Sign => 0,
        Kind::Number => run.trim_start_matches('0').len(),
        Kind::Letters => run.chars().count().min(LETTERING + 1),
    };
    (kind, length)
}

/// What a run is made of, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Anything else.
    Sign,
    Number,
    Letters,
}

/// Rows are lettered with so many at most.
const LETTERING: usize = 3;

fn kind_of(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Number,
        c if c.is_alphabetic() => Kind::Letters,
        _ => Kind::Sign,
    }
}

/// The leading run of digits, of letters, or of anything else.
fn run(text: &str) -> (&str, &str) {
    let first = text.chars().next().map(kind_of);
    let end = text.char_indices().find(|(_, c)| Some(kind_of(*c)) != first).map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_as_people_count() {
        let mut labels = ["10", "AAAA", "2", "B", "AA", "A", "A10", "ZZZ", "_", "A2", "Box 12", "Box 3", "02"];
        labels.sort_by(|a, b| natural_order(a, b));
        assert_eq!(labels, ["_", "02", "2", "10", "A", "A2", "A10", "B", "AA", "Box 3", "Box 12", "ZZZ", "AAAA"]);
    }

    /// Sorting gives anything, or panics, where they do.
    #[test]
    fn labels_do_not_go_around_in_a_circle() {
        for [a, b, c] in [["ZZ", "AAA", "AAAA"], ["b", "AA", "_"], ["é", "zzz", "~"]] {
            let before = |a, b| natural_order(a, b).is_lt();
            assert!(!(before(a, b) && before(b, c) && before(c, a)), "{a} before {b} before {c} before {a}");
            assert!(!(before(a, c) && before(c, b) && before(b, a)), "{a} before {c} before {b} before {a}");
        }
    }
}
