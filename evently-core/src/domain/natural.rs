//! The order in which people expect labels: 2 before 10, B before AA.

use std::cmp::Ordering;

/// Compares two labels: runs of digits by their value, all else by character, and a shorter run of letters first, as rows are
/// lettered A to Z and then AA.
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
        let numbers = run_a.starts_with(digit) && run_b.starts_with(digit);
        let letters = run_a.starts_with(char::is_alphabetic) && run_b.starts_with(char::is_alphabetic);
        let order = if numbers {
            let (a, b) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        } else if letters && run_a.len() <= 3 && run_b.len() <= 3 {
            run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (rest_a, rest_b) = (tail_a, tail_b);
    }
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// The leading run of digits, of letters, or of anything else.
fn run(text: &str) -> (&str, &str) {
    let kind = |c: char| (digit(c), c.is_alphabetic());
    let first = text.chars().next().map(kind);
    let end = text.char_indices().find(|(_, c)| Some(kind(*c)) != first).map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_as_people_count() {
        let mut labels = ["10", "2", "B", "AA", "A", "A10", "A2", "Box 12", "Box 3", "02"];
        labels.sort_by(|a, b| natural_order(a, b));
        assert_eq!(labels, ["02", "2", "10", "A", "A2", "A10", "B", "AA", "Box 3", "Box 12"]);
    }
}
