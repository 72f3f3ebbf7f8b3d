-- What is due is asked of one gateway. What another one owes, or what was paid at a counter, must neither be looked through nor
-- stand in front.

create table refunds_by_provider (
    id blob not null,
    payment_id blob not null,
    booking_id blob not null,
    event_key integer not null,
    amount integer not null,
    currency text not null,
    reason text not null,
    succeeded_at integer,
    created_at integer not null,
    provider text not null, -- the payment's
    constraint refunds_pk primary key (id),
    constraint refunds_id_size check (length(id) = 16),
    constraint refunds_payment_fk foreign key (payment_id) references payments (id),
    constraint refunds_booking_fk foreign key (booking_id) references bookings (id),
    constraint refunds_event_fk foreign key (event_key) references events (event_key),
    constraint refunds_amount check (amount > 0)
) strict, without rowid;
insert into refunds_by_provider
    (id, payment_id, booking_id, event_key, amount, currency, reason, succeeded_at, created_at, provider)
    select r.id, r.payment_id, r.booking_id, r.event_key, r.amount, r.currency, r.reason, r.succeeded_at, r.created_at, p.provider
    from refunds r join payments p on p.id = r.payment_id;
drop table refunds;
alter table refunds_by_provider rename to refunds;
create index refunds_booking on refunds (booking_id);
create index refunds_owed on refunds (provider, created_at, id) where succeeded_at is null;

-- A payment that was given up for another is asked about as well: its gateway may still capture it.
drop index payments_undecided;
create index payments_undecided on payments (provider, created_at, id)
    where status in ('processing', 'requires_action') or (status = 'failed' and detail = 'superseded');
