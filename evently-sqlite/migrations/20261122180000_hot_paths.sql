-- What a hold writes goes to the end of a table, or stays within its event, so that it costs the same however much was sold before.

-- A customer's bookings within an event, which are few. An index that begins with the customer spreads over the whole past, and
-- dirties a page of its own for each hold.
drop index bookings_user;
create index bookings_customer on bookings (event_key, user_id, status);

-- The same holds for an index of the keys, which are random. Which row has a key is known in memory; see src/kept.rs. A key that is
-- used again after its time gets a further row, and the last one counts.
create table answers_in_order (
    answer_key integer,
    key blob not null,
    fingerprint blob not null,
    at integer not null,
    content text not null, -- the answer as JSON
    constraint answers_pk primary key (answer_key),
    constraint answers_key_size check (length(key) = 32 and length(fingerprint) = 32)
) strict;
insert into answers_in_order (answer_key, key, fingerprint, at, content)
    select answer_key, key, fingerprint, at, content from answers order by answer_key;
drop table answers;
alter table answers_in_order rename to answers;
-- Has the keys without the contents, to read them all when a process begins.
create index answers_keys on answers (answer_key, key);
