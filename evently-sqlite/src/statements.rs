//! All statements are constants, declared by [`statements!`], so that one test can prepare each of them on the migrated schema.

/// Declares statements, and lists them for the tests.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $sql;)*

        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $sql)),*];
    };
}

pub(crate) use statements;

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::{accounts, audit, bookings, catalog, chores, figures, inbox, kept, ledger, outbox, schema, sessions};

    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
    }

    fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        [
            accounts::STATEMENTS,
            audit::STATEMENTS,
            bookings::STATEMENTS,
            catalog::STATEMENTS,
            chores::STATEMENTS,
            figures::STATEMENTS,
            inbox::STATEMENTS,
            kept::STATEMENTS,
            ledger::STATEMENTS,
            outbox::STATEMENTS,
            sessions::STATEMENTS,
        ]
        .into_iter()
        .flatten()
    }

    /// How SQLite goes about a statement, a step to a line.
    fn plan(connection: &Connection, name: &str) -> String {
        let (_, sql) = all().find(|(known, _)| *known == name).expect("there is such a statement");
        let mut explain = connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>("detail")).collect::<Result<Vec<_>, _>>();
        steps.unwrap().join("\n")
    }

    #[test]
    fn every_statement_prepares_on_the_migrated_schema() {
        let connection = migrated();
        for (name, sql) in all() {
            assert!(connection.prepare(sql).is_ok(), "{name}: {:?}", connection.prepare(sql).err());
        }
    }

    #[test]
    fn no_two_statements_have_the_same_name() {
        let mut names = all().map(|(name, _)| name).collect::<Vec<_>>();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn hot_statements_use_the_index_that_was_made_for_them() {
        let connection = migrated();
        for (name, step) in [
            ("SEAT", "SEARCH seats USING INTEGER PRIMARY KEY (rowid=?)"),
            ("UPDATE_SEAT", "SEARCH seats USING INTEGER PRIMARY KEY (rowid=?)"),
            ("BOOKING", "SEARCH b USING PRIMARY KEY (id=?)"),
            ("UPDATE_BOOKING", "SEARCH bookings USING PRIMARY KEY (id=?)"),
            ("HELD_SEATS", "SEARCH bookings USING INDEX bookings_customer (event_key=? AND user_id=? AND status=?)"),
            ("CODE_TAKEN", "USING COVERING INDEX bookings_code_unique (code=?)"),
            ("TICKET_BY_CODE", "SEARCH t USING INDEX sqlite_autoindex_tickets_2 (code=?)"),
            ("TICKETS", "SEARCH t USING INDEX sqlite_autoindex_tickets_3 (booking_id=?)"),
            ("ANSWER", "SEARCH answers USING INTEGER PRIMARY KEY (rowid=?)"),
            ("KEPT_SINCE", "SEARCH answers USING COVERING INDEX answers_keys (answer_key>?)"),
            ("DUE_HOLDS", "SEARCH bookings USING COVERING INDEX bookings_due (expires_at<?)"),
            ("CALLED_OFF", "SEARCH b USING COVERING INDEX bookings_event (event_key=? AND status=?)"),
            ("CALLED_OFF", "USING COVERING INDEX events_cancelled"),
            ("UNDECIDED_PAYMENTS", "SEARCH p USING INDEX payments_undecided (provider=? AND (created_at,id)>(?,?))"),
            ("OWED_REFUNDS", "SEARCH r USING INDEX refunds_owed (provider=? AND (created_at,id)>(?,?))"),
            ("FORGET_TOKENS", "SEARCH s USING COVERING INDEX sessions_end (expires_at<?)"),
            ("FORGET_TOKENS", "SEARCH t USING COVERING INDEX session_tokens_session (session_id=?)"),
            ("FORGET_SESSIONS", "SEARCH s USING COVERING INDEX sessions_end (expires_at<?)"),
            ("FORGET_SESSIONS", "SEARCH t USING COVERING INDEX session_tokens_session (session_id=?)"),
            ("FORGET_MESSAGES", "SEARCH inbox USING COVERING INDEX inbox_done_since (claimed_until<?)"),
            ("FORGET_ANSWERS", "SEARCH answers USING INTEGER PRIMARY KEY (rowid=?)"),
            ("FORGET_ANSWERS_OF_THE_FUTURE", "SEARCH answers USING INTEGER PRIMARY KEY (rowid=?)"),
            ("BOOKINGS_OF_USER", "SEARCH b USING COVERING INDEX bookings_customer (event_key=? AND user_id=?)"),
            ("BOOKINGS_OF_EVENT", "USING COVERING INDEX bookings_event (event_key=?"),
            ("BOOKINGS", "SEARCH b USING PRIMARY KEY (id<?)"),
            ("HISTORY", "SEARCH journal USING INDEX journal_event (event_key=? AND booking_id=?)"),
            ("EVENTS", "USING INDEX events_start ((start_time,id)>(?,?) AND start_time<?)"),
            ("SEAT_MAP", "SEARCH seats USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            ("ENTRIES", "SEARCH journal USING INTEGER PRIMARY KEY (rowid>?)"),
        ] {
            let plan = plan(&connection, name);
            assert!(plan.contains(step), "{name} should have the step\n{step}\nand has the plan\n{plan}");
        }
    }
}
