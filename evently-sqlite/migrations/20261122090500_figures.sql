-- What the journal says of sales. A read model: it can be thrown away and built again, so it refers to nothing.

create table sales (
    event_id blob not null,
    hour integer not null,
    section text not null, -- empty for what concerns a whole booking
    holds integer not null,
    confirmed integer not null,
    expired integer not null,
    cancelled integer not null,
    seats integer not null,
    value integer not null,
    captured integer not null,
    refunded integer not null,
    constraint sales_pk primary key (event_id, hour, section)
) strict, without rowid;

create table sales_position (
    only integer not null,
    position integer not null, -- in the journal, up to which the figures go
    constraint sales_position_pk primary key (only),
    constraint sales_position_only check (only = 1)
) strict;

insert into sales_position (only, position) values (1, 0);
