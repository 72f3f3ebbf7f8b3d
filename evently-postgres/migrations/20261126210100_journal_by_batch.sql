-- What one transaction records of an event stands in one row, a line for each entry, and gets its positions in one go. With a row for each
-- entry a third of what a hold wrote was journal.

alter table journal
    add column entries integer not null default 1, -- lines of the content; the position is that of the last one
    add constraint journal_entries check (entries >= 1);

-- Rows of many entries are long, and not worth the time that it takes to compress them.
alter table journal
    alter column entries drop default,
    alter column content set storage external;

-- Which rows are about a booking stands in the booking, which is written anyway when something happens to it.
alter table bookings add column journal bigint[] not null default '{}'; -- sequences

update bookings b set journal = j.sequences
    from (select event_id, booking_id, array_agg(sequence order by sequence) as sequences from journal group by event_id, booking_id) j
    where j.event_id = b.event_id and j.booking_id = b.id;

alter table journal drop column booking_id;
