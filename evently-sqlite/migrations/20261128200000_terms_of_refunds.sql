-- What comes back of a booking's price is what its event said when it was held. Bookings of before have none, and what the event says counts.
alter table bookings add column refund_until integer;
alter table bookings add column refund_percent integer
    constraint bookings_refunds check ((refund_until is null) = (refund_percent is null) and refund_percent between 0 and 100);
