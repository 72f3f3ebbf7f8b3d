-- One process at a time follows the journal for a consumer, and each message is acted on once.

alter table consumers
    add column owner uuid,
    add column claimed_until timestamptz,
    add constraint consumers_claimed check ((owner is null) = (claimed_until is null));

-- What was sent to the buyers is now handed on by the relay, whatever carries it.
update consumers set name = 'relay' where name = 'notifications';

create table inbox (
    consumer text not null,
    message bigint not null, -- its position in the journal
    owner uuid not null,
    claimed_until timestamptz not null,
    done boolean not null,
    constraint inbox_pk primary key (consumer, message)
);

-- What is done long ago is forgotten.
create index inbox_done_since on inbox (claimed_until) where done;
