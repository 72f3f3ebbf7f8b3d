-- What was taken back from somebody: a login that was ended, or what an account may do. Kept for an hour, so that every process learns of
-- it by one question every few seconds instead of one for each login. SQLite has one writer, so numbers are in the order of commits; the
-- last row is never deleted, so that its number is not given again.

create table taken_back (
    number integer not null,
    session_id blob,
    user_id blob,
    at integer not null default (unixepoch()), -- in seconds, by the clock of this machine
    constraint taken_back_pk primary key (number),
    constraint taken_back_one check ((session_id is null) <> (user_id is null))
) strict;

create index taken_back_at on taken_back (at);
