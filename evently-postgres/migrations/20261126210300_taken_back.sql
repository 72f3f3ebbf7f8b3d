-- What was taken back from somebody: a login that was ended, or what an account may do. Kept for an hour, so that every process learns of
-- it by one question every few seconds instead of one for each login.
--
-- Numbers of a sequence are not in the order of commits, and times are not either. So each row says which transaction has written it:
-- whoever asks is told all rows of transactions that were not over when it asked before.

create table taken_back (
    number bigint generated always as identity,
    session_id uuid,
    user_id uuid,
    tx bigint not null default pg_current_xact_id()::text::bigint,
    at timestamptz not null default clock_timestamp(),
    constraint taken_back_pk primary key (number),
    constraint taken_back_one check ((session_id is null) <> (user_id is null))
);

create index taken_back_tx on taken_back (tx);
create index taken_back_at on taken_back (at);
