//! Which row of `answers` has a key.
//!
//! Keys are random, so that an index of them in the file dirties a page for each answer, spread over a day's worth of them: more
//! than all else that a hold writes. In memory it is a map of a day's keys, about 40 bytes each, made from the file and from
//! nothing else: every transaction first reads what has been committed since the one before, by this process or another.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use crate::{error::Fault, statements::statements};

statements! {
    /// Committed rows keep their numbers, because forgetting leaves the last one.
    KEPT_SINCE = "select answer_key, key from answers where answer_key > ?1 order by answer_key";
    FIRST_KEPT = "select answer_key from answers order by answer_key limit 1";
}

#[derive(Default)]
pub(crate) struct KeptAnswers {
    rows: HashMap<Prefix, i64>,
    /// The last row that has been read.
    last: i64,
}

/// Half of a digest still tells all keys apart.
type Prefix = [u8; 16];

fn prefix(key: &[u8; 32]) -> Prefix {
    *key.first_chunk().expect("it is longer")
}

impl KeptAnswers {
    /// Reads what has been committed since the last time. To be called in a transaction before it writes answers of its own: one that
    /// fails takes its numbers back.
    pub(crate) fn catch_up(&mut self, connection: &Connection) -> Result<(), Fault> {
        let mut since = connection.prepare_cached(KEPT_SINCE)?;
        let mut rows = since.query([self.last])?;
        while let Some(row) = rows.next()? {
            self.last = row.get(0)?;
            self.rows.insert(prefix(&row.get(1)?), self.last);
        }
        self.drop_forgotten(connection)
    }

    /// The last row with this key, if it has not been forgotten.
    pub(crate) fn row(&self, key: &[u8; 32]) -> Option<i64> {
        self.rows.get(&prefix(key)).copied()
    }

    fn drop_forgotten(&mut self, connection: &Connection) -> Result<(), Fault> {
        let first = connection.prepare_cached(FIRST_KEPT)?.query_row([], |row| row.get::<_, i64>(0)).optional()?;
        let kept = first.map_or(0, |first| usize::try_from(self.last - first + 1).unwrap_or_default());
        // Not at once, so that each is looked at a few times and not every time.
        if self.rows.len() > 2 * kept + 1024 {
            self.rows.retain(|_, row| first.is_some_and(|first| *row >= first));
            self.rows.shrink_to_fit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    const ROWS: u16 = 5000;

    fn key(n: u16) -> [u8; 32] {
        let [high, low] = n.to_be_bytes();
        std::array::from_fn(|i| [high, low][i % 2])
    }

    #[test]
    fn what_is_forgotten_in_the_file_leaves_the_memory_as_well() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let insert = "insert into answers (key, fingerprint, at, content) values (?1, ?1, 0, '')";
        for n in 0..ROWS {
            connection.execute(insert, [key(n)]).unwrap();
        }
        let mut kept = KeptAnswers::default();
        kept.catch_up(&connection).unwrap();
        assert_eq!(kept.row(&key(0)), Some(1));
        connection.execute("delete from answers where answer_key < ?1", [ROWS]).unwrap();
        kept.catch_up(&connection).unwrap();
        assert_eq!((kept.row(&key(0)), kept.row(&key(ROWS - 1))), (None, Some(ROWS.into())));
        assert_eq!(kept.rows.len(), 1);
    }
}
