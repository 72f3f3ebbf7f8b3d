-- What a customer has on hold is found by `idx_bookings_user_status`, and what is left of an event that was called off by its claims.

drop index bookings_open;

-- The same rows as before, said in another way: so the server does not take it for an index of all that is pending.
drop index bookings_due;
create index bookings_due on bookings (expires_at) where expires_at is not null;
