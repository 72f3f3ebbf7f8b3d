-- What happened, kept for good, and who has read how far.

-- A row is written in the transaction of the change, without a position: whoever commits later may have begun earlier. Positions
-- are given afterwards, to what has been committed, by one process at a time; with them the hash of the chain.
create table journal (
    event_id uuid not null,
    sequence bigint generated always as identity,
    booking_id uuid,
    content text not null, -- the transition as JSON
    position bigint,
    hash bytea, -- SHA-256 of the hash before it and the content
    constraint journal_pk primary key (event_id, sequence),
    constraint journal_numbered check ((position is null) = (hash is null)),
    constraint journal_hash_size check (length(hash) = 32)
) with (fillfactor = 90);

create index journal_unnumbered on journal (sequence) where position is null;
create unique index journal_position_unique on journal (position) where position is not null;
create index journal_booking on journal (booking_id);

-- The end of the chain. Its row is locked by whoever gives out positions.
create table journal_head (
    single boolean not null default true,
    position bigint not null,
    hash bytea not null,
    constraint journal_head_pk primary key (single),
    constraint journal_head_single check (single),
    constraint journal_head_hash_size check (length(hash) = 32)
);

insert into journal_head (position, hash) values (0, decode(repeat('00', 32), 'hex'));

create table consumers (
    name text not null,
    position bigint not null,
    constraint consumers_pk primary key (name)
);

-- What was answered to requests with a key, so that a repetition gets the same answer.
create table answers (
    key bytea not null,
    fingerprint bytea not null,
    at timestamptz not null,
    content text not null, -- the answer as JSON
    constraint answers_pk primary key (key),
    constraint answers_key_size check (length(key) = 32 and length(fingerprint) = 32)
);

create index answers_at on answers (at);
