-- What was answered to requests with a key, so that a repetition gets the same answer. Rows are appended, and a replaced one
-- moves to the end, so that the oldest come first.

create table answers (
    answer_key integer,
    key blob not null,
    fingerprint blob not null,
    at integer not null,
    content text not null, -- the answer as JSON
    constraint answers_pk primary key (answer_key),
    constraint answers_key_unique unique (key),
    constraint answers_key_size check (length(key) = 32 and length(fingerprint) = 32)
) strict;
