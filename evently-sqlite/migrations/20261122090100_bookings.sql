-- What is sold: bookings, the money that moves for them, and their tickets.

create table bookings (
    id blob not null,
    event_key integer not null,
    user_id blob not null,
    status text not null,
    seats text not null, -- JSON: [[number, price], …] in the order of the numbers
    seat_count integer not null,
    amount integer not null, -- the sum of the prices, in minor units
    currency text not null,
    code text,
    hold_until integer,
    payment_id blob, -- of a pending booking the payment under way, of a confirmed one what paid for it
    payment_until integer,
    expires_at integer,
    confirmed_at integer,
    created_at integer not null,
    version integer not null,
    constraint bookings_pk primary key (id),
    constraint bookings_id_size check (length(id) = 16),
    constraint bookings_event_fk foreign key (event_key) references events (event_key),
    constraint bookings_payment_fk foreign key (payment_id) references payments (id),
    constraint bookings_status check (
        status = 'pending' or status = 'confirmed' or status = 'expired' or status = 'cancelled' or status = 'refunded'
    ),
    constraint bookings_seats check (seat_count > 0),
    constraint bookings_pending check (
        case when status = 'pending'
            then hold_until is not null
                and (payment_id is null) = (payment_until is null)
                and expires_at = max(hold_until, coalesce(payment_until, hold_until))
            else hold_until is null and payment_until is null and expires_at is null
        end
    ),
    constraint bookings_confirmed check (
        case when status = 'confirmed' then confirmed_at is not null and code is not null else confirmed_at is null end
    ),
    constraint bookings_paid check (payment_id is null or status in ('pending', 'confirmed')),
    constraint bookings_version check (version >= 1)
) strict, without rowid;

-- Answers how many seats a customer has on hold at an event without a look at the rows, and lists a customer's bookings. One
-- index for both: users come in any order, so that every index that begins with them costs a page of its own for each hold.
create index bookings_user on bookings (user_id, status, event_key, expires_at, seat_count);
-- An index of its own instead of a constraint, so that holds, which have no code, do not stand in it.
create unique index bookings_code_unique on bookings (code) where code is not null;
create index bookings_event on bookings (event_key, status);
create index bookings_due on bookings (expires_at) where status = 'pending';

create table payments (
    id blob not null,
    booking_id blob not null,
    event_key integer not null,
    amount integer not null,
    currency text not null,
    status text not null,
    detail text, -- the client secret while action is required, the reason of a failure
    succeeded_at integer,
    provider text not null,
    reference text,
    refunded integer not null,
    created_at integer not null,
    constraint payments_pk primary key (id),
    constraint payments_id_size check (length(id) = 16),
    constraint payments_booking_fk foreign key (booking_id) references bookings (id),
    constraint payments_event_fk foreign key (event_key) references events (event_key),
    constraint payments_status check (
        status = 'processing' or status = 'requires_action' or status = 'succeeded' or status = 'failed'
    ),
    constraint payments_detail check ((status in ('requires_action', 'failed')) = (detail is not null)),
    constraint payments_succeeded check ((status = 'succeeded') = (succeeded_at is not null)),
    constraint payments_refunded check (
        refunded between 0 and case status when 'succeeded' then amount else 0 end
    )
) strict, without rowid;

create index payments_booking on payments (booking_id);
create index payments_undecided on payments (created_at) where status in ('processing', 'requires_action');

create table refunds (
    id blob not null,
    payment_id blob not null,
    booking_id blob not null,
    event_key integer not null,
    amount integer not null,
    currency text not null,
    reason text not null,
    succeeded_at integer,
    created_at integer not null,
    constraint refunds_pk primary key (id),
    constraint refunds_id_size check (length(id) = 16),
    constraint refunds_payment_fk foreign key (payment_id) references payments (id),
    constraint refunds_booking_fk foreign key (booking_id) references bookings (id),
    constraint refunds_event_fk foreign key (event_key) references events (event_key),
    constraint refunds_amount check (amount > 0)
) strict, without rowid;

create index refunds_booking on refunds (booking_id);
create index refunds_owed on refunds (created_at) where succeeded_at is null;

create table tickets (
    id blob not null,
    booking_id blob not null,
    event_key integer not null,
    seat integer not null,
    code text not null,
    status text not null,
    used_at integer,
    used_by blob,
    constraint tickets_pk primary key (id),
    constraint tickets_id_size check (length(id) = 16),
    constraint tickets_code_unique unique (code),
    constraint tickets_booking_seat_unique unique (booking_id, seat),
    constraint tickets_booking_fk foreign key (booking_id) references bookings (id),
    constraint tickets_event_fk foreign key (event_key) references events (event_key),
    constraint tickets_status check (status = 'valid' or status = 'checked_in' or status = 'void'),
    constraint tickets_used check (
        (status = 'checked_in') = (used_at is not null) and (used_at is null) = (used_by is null)
    )
) strict, without rowid;

-- One seat, one ticket that opens the door.
create unique index tickets_valid_unique on tickets (event_key, seat) where status = 'valid';

create table gateway_messages (
    provider text not null,
    message text not null,
    taken_in_at integer not null,
    constraint gateway_messages_pk primary key (provider, message)
) strict, without rowid;
