-- Accounts and logins. Of a refresh token only its digest is kept.

create table users (
    id uuid not null,
    email text not null,
    name text not null,
    role text not null,
    created_at timestamptz not null,
    password text not null, -- the hash, in the format of the hasher
    constraint users_pk primary key (id),
    constraint users_email_unique unique (email),
    constraint users_role check (role in ('customer', 'organizer', 'staff', 'admin'))
);

create table sessions (
    id uuid not null,
    user_id uuid not null,
    expires_at timestamptz not null,
    revoked boolean not null,
    constraint sessions_pk primary key (id),
    constraint sessions_user_fk foreign key (user_id) references users (id)
);

-- Logins that have ended are forgotten, with their tokens, without a look at those that have not.
create index sessions_expires on sessions (expires_at);

create table session_tokens (
    digest bytea not null,
    session_id uuid not null,
    spent boolean not null,
    constraint session_tokens_pk primary key (digest),
    constraint session_tokens_digest_size check (length(digest) = 32),
    constraint session_tokens_session_fk foreign key (session_id) references sessions (id) on delete cascade
);

-- A session has one token at a time that can be spent.
create unique index session_tokens_good_unique on session_tokens (session_id) where not spent;
create index session_tokens_session on session_tokens (session_id);
