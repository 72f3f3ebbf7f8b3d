-- What can be sold: layouts, venues, events, and a row for each seat of each event.

-- Rows in the order in which people count: 2 before 10.
create collation natural_order (provider = icu, locale = 'en-u-kn-true', deterministic = true);

create table layouts (
    id uuid not null,
    content text not null, -- the layout as JSON; it never changes
    constraint layouts_pk primary key (id)
);

create table venues (
    id uuid not null,
    name text not null,
    search text not null, -- the name in lower case
    layout_id uuid not null,
    constraint venues_pk primary key (id),
    constraint venues_layout_fk foreign key (layout_id) references layouts (id)
);

-- Which events there are, and in which month's partition each stands: a partitioned table has no key without its partition.
create table event_ids (
    id uuid not null,
    start_time timestamptz not null,
    constraint event_ids_pk primary key (id)
);

create table events (
    id uuid not null,
    start_time timestamptz not null,
    end_time timestamptz not null,
    status text not null, -- draft, upcoming (whenever it takes place), cancelled
    venue_id uuid not null,
    layout_id uuid not null,
    organizer_id uuid not null,
    search text not null, -- the name in lower case
    version integer not null,
    content text not null, -- the event as JSON; the columns beside it are what it is searched by
    constraint events_pk primary key (id, start_time),
    constraint events_id_fk foreign key (id) references event_ids (id),
    constraint events_venue_fk foreign key (venue_id) references venues (id),
    constraint events_layout_fk foreign key (layout_id) references layouts (id),
    constraint events_status check (status in ('draft', 'upcoming', 'cancelled')),
    constraint events_times check (start_time < end_time),
    constraint events_version check (version >= 1)
) partition by range (start_time);

-- Whatever no month has been made for.
create table events_default partition of events default;

create index events_start on events (start_time, id);
create index idx_events_upcoming on events (start_time) where status = 'upcoming';
create index events_cancelled on events (id) where status = 'cancelled';

-- Price, section and row stand in each seat, as they are asked for in the order of price. What a seat costs is decided by the event.
create table seats (
    event_id uuid not null,
    number integer not null, -- in the layout, from 0
    category smallint not null, -- position in the event's price categories
    price bigint not null,
    section text not null,
    "row" text collate natural_order not null,
    status text not null,
    booking_id uuid,
    version integer not null,
    constraint seats_pk primary key (event_id, number),
    constraint seats_event_fk foreign key (event_id) references event_ids (id),
    constraint seats_status check (status in ('available', 'reserved', 'booked', 'blocked')),
    constraint seats_owner check ((status in ('reserved', 'booked')) = (booking_id is not null)),
    constraint seats_version check (version >= 0)
) with (fillfactor = 60);

create index idx_seats_availability on seats (event_id, status) where status = 'available';
