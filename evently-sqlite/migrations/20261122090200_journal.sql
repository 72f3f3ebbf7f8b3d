-- What happened, kept for good, and who has read how far. The journal is the outbox: its positions are given in the order of the
-- commits, because there is one writer at a time, so that a consumer's position says all.

create table journal (
    position integer,
    event_key integer not null,
    booking_id blob,
    content text not null, -- the transition as JSON
    hash blob not null, -- SHA-256 of the hash before it and the content
    constraint journal_pk primary key (position),
    constraint journal_event_fk foreign key (event_key) references events (event_key),
    constraint journal_hash_size check (length(hash) = 32)
) strict;

-- Finds the entries of an event, and those of a booking within its event.
create index journal_event on journal (event_key, booking_id);

create table consumers (
    name text not null,
    position integer not null,
    constraint consumers_pk primary key (name)
) strict, without rowid;
