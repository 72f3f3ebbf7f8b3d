-- What the journal says of sales. A read model: it can be thrown away and built again, so it refers to nothing.

create table sales (
    event_id uuid not null,
    hour timestamptz not null,
    section text not null, -- empty for what concerns a whole booking
    holds bigint not null,
    confirmed bigint not null,
    expired bigint not null,
    cancelled bigint not null,
    seats bigint not null,
    value bigint not null,
    captured bigint not null,
    refunded bigint not null,
    constraint sales_pk primary key (event_id, hour, section)
);

create table sales_position (
    single boolean not null default true,
    position bigint not null, -- in the journal, up to which the figures go
    constraint sales_position_pk primary key (single),
    constraint sales_position_single check (single)
);

insert into sales_position (position) values (0);
