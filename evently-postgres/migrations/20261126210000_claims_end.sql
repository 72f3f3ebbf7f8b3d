-- A claim stands here as long as it is live, and its seat is the key: a second one cannot be stored, whatever was read before. What a
-- booking had claimed until it ended stands in the booking itself. For each of its seats a hold writes one index entry instead of two.

delete from booking_items where not live;

drop index booking_items_live_unique;

alter table booking_items
    drop constraint booking_items_pk,
    drop column live,
    add constraint booking_items_pk primary key (event_id, seat);
