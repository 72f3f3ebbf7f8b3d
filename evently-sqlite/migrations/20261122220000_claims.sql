-- One process at a time follows the journal for a consumer, and each message is acted on once.

alter table consumers add column owner blob constraint consumers_owner_size check (length(owner) = 16);
alter table consumers add column claimed_until integer constraint consumers_claimed check ((owner is null) = (claimed_until is null));

-- What was sent to the buyers is now handed on by the relay, whatever carries it.
update consumers set name = 'relay' where name = 'notifications';

create table inbox (
    consumer text not null,
    message integer not null, -- its position in the journal
    owner blob not null,
    claimed_until integer not null,
    done integer not null,
    constraint inbox_pk primary key (consumer, message),
    constraint inbox_owner_size check (length(owner) = 16),
    constraint inbox_done check (done in (0, 1))
) strict, without rowid;

-- What is done long ago is forgotten.
create index inbox_done_since on inbox (claimed_until) where done = 1;
