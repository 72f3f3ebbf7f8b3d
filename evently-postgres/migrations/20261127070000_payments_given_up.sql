-- A payment that was given up because its gateway knew nothing of it is asked about for some time still. The new index is there before the
-- old one goes, so that nobody who reads waits for it.
create index payments_undecided_or_given_up on payments (provider, created_at, id)
    where status in ('processing', 'requires_action') or (status = 'failed' and detail in ('superseded', 'no_answer'));
drop index payments_undecided;
alter index payments_undecided_or_given_up rename to payments_undecided;
