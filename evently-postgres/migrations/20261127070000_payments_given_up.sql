-- A payment that was given up because its gateway knew nothing of it is asked about for some time still.
drop index payments_undecided;
create index payments_undecided on payments (provider, created_at, id)
    where status in ('processing', 'requires_action') or (status = 'failed' and detail in ('superseded', 'no_answer'));
