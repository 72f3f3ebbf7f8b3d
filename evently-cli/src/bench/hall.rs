//! What the buyers see of the hall: every seat, but for those that an answer has said are taken.

use std::collections::HashMap;

/// The seats as far as the buyers know.
#[derive(Debug)]
pub struct Hall {
    ids: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Seats that are free as far as anybody knows, in no order.
    free: Vec<usize>,
    /// For each seat its place in `free`, if it is there.
    places: Vec<Option<usize>>,
    /// No seat before this one is free.
    first: usize,
}

impl Hall {
    /// A hall with all its seats free.
    pub fn new(ids: Vec<String>) -> Self {
        let numbers = ids.iter().cloned().zip(0..).collect();
        let all = 0..ids.len();
        Self { numbers, free: all.clone().collect(), places: all.map(Some).collect(), first: 0, ids }
    }

    /// The id of a seat.
    pub fn id(&self, seat: usize) -> &str {
        &self.ids[seat]
    }

    /// The seat with this id.
    pub fn seat(&self, id: &str) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    /// Any free seats, beside each other if it can be; nothing if there are not so many.
    pub fn choose(&self, random: &mut fastrand::Rng, quantity: usize) -> Option<Vec<usize>> {
        if self.free.len() < quantity {
            return None;
        }
        let mut chosen = vec![self.free[random.usize(..self.free.len())]];
        while chosen.len() < quantity {
            let beside = chosen[chosen.len() - 1] + 1;
            let beside = self.places.get(beside).is_some_and(Option::is_some).then_some(beside);
            let next = beside.filter(|seat| !chosen.contains(seat)).unwrap_or_else(|| self.free[random.usize(..self.free.len())]);
            if !chosen.contains(&next) {
                chosen.push(next);
            }
        }
        Some(chosen)
    }

    /// The free seats that everybody wants; nothing if there are not so many.
    pub fn best(&mut self, quantity: usize) -> Option<Vec<usize>> {
        while self.places.get(self.first).is_some_and(Option::is_none) {
            self.first += 1;
        }
        let free = (self.first..self.ids.len()).filter(|seat| self.places[*seat].is_some());
        let best = free.take(quantity).collect::<Vec<_>>();
        (best.len() == quantity).then_some(best)
    }

    /// The seats that everybody wanted when it began.
    pub fn first(&self, quantity: usize) -> Option<Vec<usize>> {
        (quantity <= self.ids.len()).then(|| (0..quantity).collect())
    }

    /// Crosses a seat off.
    pub fn take(&mut self, seat: usize) {
        if let Some(place) = self.places[seat].take() {
            self.free.swap_remove(place);
            if let Some(&moved) = self.free.get(place) {
                self.places[moved] = Some(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hall(seats: usize) -> Hall {
        Hall::new((0..seats).map(|seat| format!("seat {seat}")).collect())
    }

    #[test]
    fn every_seat_is_chosen_once_and_then_there_is_none() {
        let (mut hall, mut random) = (hall(101), fastrand::Rng::with_seed(7));
        let mut taken = Vec::new();
        while let Some(chosen) = hall.choose(&mut random, 2) {
            for &seat in &chosen {
                hall.take(seat);
            }
            taken.extend(chosen);
        }
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), 100);
        assert!(hall.best(2).is_none());
        assert_eq!(hall.best(1).map(|best| best.len()), Some(1));
    }

    #[test]
    fn the_best_seats_are_the_first_that_are_free() {
        let mut hall = hall(5);
        assert_eq!(hall.best(2), Some(vec![0, 1]));
        hall.take(0);
        hall.take(2);
        assert_eq!(hall.best(2), Some(vec![1, 3]));
        assert_eq!(hall.seat("seat 3"), Some(3));
    }
}
