-- What can be sold: layouts, venues, events, and a row for each seat of each event.
--
-- Here and later a check says `status = 'a' or status = 'b' or …`: for an `in` of more than two SQLite builds a temporary table,
-- at every insert anew.
--
-- An event has a short integer key beside its id, which the keys of its seats begin with: they stand together in the order of
-- their numbers.

create table layouts (
    layout_key integer,
    id blob not null,
    content text not null, -- the layout as JSON; it never changes
    constraint layouts_pk primary key (layout_key),
    constraint layouts_id_unique unique (id),
    constraint layouts_id_size check (length(id) = 16)
) strict;

create table venues (
    id blob not null,
    name text not null,
    search text not null, -- the name in lower case
    layout_id blob not null,
    constraint venues_pk primary key (id),
    constraint venues_id_size check (length(id) = 16),
    constraint venues_layout_fk foreign key (layout_id) references layouts (id)
) strict, without rowid;

create table events (
    event_key integer,
    id blob not null,
    venue_id blob not null,
    layout_id blob not null,
    organizer_id blob not null,
    stage text not null,
    start_time integer not null, -- this and all times: microseconds since 1970 in UTC
    end_time integer not null,
    search text not null, -- the name in lower case
    version integer not null,
    content text not null, -- the event as JSON; the columns beside it are what it is searched by
    constraint events_pk primary key (event_key),
    constraint events_id_unique unique (id),
    constraint events_id_size check (length(id) = 16),
    constraint events_stage check (stage = 'draft' or stage = 'published' or stage = 'cancelled'),
    constraint events_times check (start_time < end_time),
    constraint events_version check (version >= 1),
    constraint events_venue_fk foreign key (venue_id) references venues (id),
    constraint events_layout_fk foreign key (layout_id) references layouts (id)
) strict;

create index events_start on events (start_time, id);
create index events_cancelled on events (event_key) where stage = 'cancelled';

-- The row of a seat is the claim on it: there is one, it names one booking or none, and so two live claims on a seat cannot
-- be stored. The booking is not a foreign key, because seats are reserved before their booking is written.
--
-- Event and number are one integer, because that is what SQLite finds and rewrites a row by fastest.
create table seats (
    seat_key integer, -- event_key << 28 | number
    event_key integer not null generated always as (seat_key >> 28) virtual,
    number integer not null generated always as (seat_key & 0xfffffff) virtual, -- in the layout, from 0
    category integer not null, -- position in the event's price categories
    status integer not null, -- 0 available, 1 reserved, 2 booked, 3 blocked
    booking_id blob,
    version integer not null,
    constraint seats_pk primary key (seat_key),
    constraint seats_status check (status between 0 and 3),
    constraint seats_owner check ((status in (1, 2)) = (booking_id is not null)),
    constraint seats_owner_size check (booking_id is null or length(booking_id) = 16)
) strict;
