-- What is sold: bookings, the money that moves for them, and their tickets. The key of every table that grows with the sales begins
-- with the event, so that they can be spread over machines by event.
--
-- Where a row comes with each hold its event is not a foreign key: events are never removed, and the check takes the server a third
-- of the time that a hold takes it in all.

create table bookings (
    event_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    status text not null,
    seats integer[] not null, -- numbers, ascending
    prices bigint[] not null, -- of each seat, in minor units
    amount bigint not null, -- the sum of the prices
    currency text not null,
    code text,
    hold_until timestamptz,
    payment_id uuid, -- of a pending booking the payment under way, of a confirmed one what paid for it
    payment_until timestamptz,
    expires_at timestamptz,
    confirmed_at timestamptz,
    created_at timestamptz not null,
    version integer not null,
    constraint bookings_pk primary key (event_id, id),
    constraint bookings_status check (status in ('pending', 'confirmed', 'expired', 'cancelled', 'refunded')),
    constraint bookings_seats check (cardinality(seats) > 0 and cardinality(seats) = cardinality(prices)),
    constraint bookings_pending check (
        case when status = 'pending'
            then hold_until is not null
                and (payment_id is null) = (payment_until is null)
                and expires_at = greatest(hold_until, payment_until)
            else hold_until is null and payment_until is null and expires_at is null
        end
    ),
    constraint bookings_confirmed check (
        case when status = 'confirmed' then confirmed_at is not null and code is not null else confirmed_at is null end
    ),
    constraint bookings_paid check (payment_id is null or status in ('pending', 'confirmed')),
    constraint bookings_version check (version >= 1)
) with (fillfactor = 80);

create index bookings_id on bookings (id);
create index idx_bookings_user_status on bookings (user_id, status);
-- What a customer has on hold at an event, which each hold asks; and what is left of an event that was called off.
create index bookings_open on bookings (event_id, user_id) where status in ('pending', 'confirmed');
create index bookings_due on bookings (expires_at) where status = 'pending';

-- A code is said on the telephone, without the event.
create table booking_codes (
    code text not null,
    booking_id uuid not null,
    constraint booking_codes_pk primary key (code)
);

-- Which booking has a claim on which seat. The unique index is what no mistake of ours gets past: two live claims on one seat
-- cannot be stored, whatever was read before.
create table booking_items (
    event_id uuid not null,
    booking_id uuid not null,
    seat integer not null,
    live boolean not null,
    constraint booking_items_pk primary key (event_id, booking_id, seat)
) with (fillfactor = 80);

create unique index booking_items_live_unique on booking_items (event_id, seat) where live;

create table payments (
    event_id uuid not null,
    id uuid not null,
    booking_id uuid not null,
    amount bigint not null,
    currency text not null,
    status text not null,
    detail text, -- the client secret while action is required, the reason of a failure
    succeeded_at timestamptz,
    provider text not null,
    reference text,
    refunded bigint not null,
    created_at timestamptz not null,
    constraint payments_pk primary key (event_id, id),
    constraint payments_booking_fk foreign key (event_id, booking_id) references bookings (event_id, id),
    constraint payments_status check (status in ('processing', 'requires_action', 'succeeded', 'failed')),
    constraint payments_detail check ((status in ('requires_action', 'failed')) = (detail is not null)),
    constraint payments_succeeded check ((status = 'succeeded') = (succeeded_at is not null)),
    constraint payments_refunded check (refunded between 0 and case status when 'succeeded' then amount else 0 end)
);

create index payments_id on payments (id);
create index payments_booking on payments (booking_id);
-- What is due is asked of one gateway: what others owe, or what was paid at a counter, must neither be looked through nor stand in
-- front. A payment that was given up for another is asked about as well: its gateway may still capture it.
create index payments_undecided on payments (provider, created_at, id)
    where status in ('processing', 'requires_action') or (status = 'failed' and detail = 'superseded');

create table refunds (
    event_id uuid not null,
    id uuid not null,
    payment_id uuid not null,
    booking_id uuid not null,
    amount bigint not null,
    currency text not null,
    reason text not null,
    succeeded_at timestamptz,
    created_at timestamptz not null,
    provider text not null, -- the payment's
    constraint refunds_pk primary key (event_id, id),
    constraint refunds_payment_fk foreign key (event_id, payment_id) references payments (event_id, id),
    constraint refunds_amount check (amount > 0)
);

create index refunds_id on refunds (id);
create index refunds_booking on refunds (booking_id);
create index refunds_owed on refunds (provider, created_at, id) where succeeded_at is null;

create table tickets (
    event_id uuid not null,
    id uuid not null,
    booking_id uuid not null,
    seat integer not null,
    code text not null,
    status text not null,
    used_at timestamptz,
    used_by uuid,
    constraint tickets_pk primary key (event_id, id),
    constraint tickets_booking_seat_unique unique (event_id, booking_id, seat),
    constraint tickets_booking_fk foreign key (event_id, booking_id) references bookings (event_id, id),
    constraint tickets_status check (status in ('valid', 'checked_in', 'void')),
    constraint tickets_used check ((status = 'checked_in') = (used_at is not null) and (used_at is null) = (used_by is null))
);

-- One seat, one ticket that opens the door.
create unique index tickets_valid_unique on tickets (event_id, seat) where status = 'valid';
create index tickets_id on tickets (id);
create index tickets_booking on tickets (booking_id);
create index tickets_code on tickets (code);

create table gateway_messages (
    provider text not null,
    message text not null,
    taken_in_at timestamptz not null,
    constraint gateway_messages_pk primary key (provider, message)
);
