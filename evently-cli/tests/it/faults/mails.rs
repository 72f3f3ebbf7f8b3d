//! The mails that were sent: each in a file, in the folder of the process that sent it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::load::Customer;

/// What the customers were written about a booking.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// That it is confirmed.
    pub confirmed: usize,
    /// That it is cancelled.
    pub cancelled: usize,
}

/// All mails of a house.
#[derive(Debug, Default)]
pub struct Mails {
    /// By booking.
    pub written: BTreeMap<String, Written>,
    /// Those that were handed over by more than one process. A mail server knows them by their ids.
    pub doubled: BTreeSet<String>,
}

impl Mails {
    pub fn in_folders<'a>(folders: impl Iterator<Item = &'a Path>) -> Self {
        let mut mails = Self::default();
        let mut seen = BTreeSet::new();
        for folder in folders {
            // There is none before the first mail.
            for file in fs::read_dir(folder.join("mail")).into_iter().flatten().map(Result::unwrap) {
                let name = file.file_name().into_string().unwrap();
                let Some(id) = name.strip_suffix(".eml") else { continue };
                if seen.insert(id.to_owned()) {
                    mails.count(id, &fs::read_to_string(file.path()).unwrap());
                } else {
                    mails.doubled.insert(id.to_owned());
                }
            }
        }
        mails
    }

    /// An id is the position of an entry in the journal and the booking.
    fn count(&mut self, id: &str, mail: &str) {
        let (_, booking) = id.split_once('-').unwrap();
        let subject = mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
        let written = self.written.entry(booking.to_owned()).or_default();
        match subject {
            "Your booking for Gala" => written.confirmed += 1,
            "Your booking for Gala is cancelled" => written.cancelled += 1,
            _ => assert_eq!(subject, "Your payment for Gala goes back"),
        }
    }

    /// Everything that is not as the customers were told. Each booking that was paid for is confirmed by one mail, and one says so if
    /// it was given up after that.
    pub fn contradictions(&self, customers: &[Customer]) -> Vec<String> {
        let mut unexpected = self.written.clone();
        let mut found = Vec::new();
        for (id, told) in customers.iter().flat_map(|customer| &customer.bookings) {
            let is = unexpected.remove(id).unwrap_or_default();
            let should_be = Written { confirmed: usize::from(told.paid), cancelled: usize::from(told.paid && told.cancelled) };
            if is != should_be {
                found.push(format!("of booking {id} {should_be:?} should have been written, and {is:?} was"));
            }
        }
        found.extend(unexpected.into_keys().map(|id| format!("nobody was told of booking {id}, of which was written")));
        found
    }
}
