-- Accounts and logins. Of a refresh token only its digest is kept; a session is revoked, never deleted, when a spent one comes back.

create table users (
    id blob not null,
    email text not null,
    name text not null,
    role text not null,
    created_at integer not null,
    password text not null, -- the hash, in the format of the hasher
    constraint users_pk primary key (id),
    constraint users_id_size check (length(id) = 16),
    constraint users_email_unique unique (email),
    constraint users_role check (role = 'customer' or role = 'organizer' or role = 'staff' or role = 'admin')
) strict, without rowid;

create table sessions (
    id blob not null,
    user_id blob not null,
    expires_at integer not null,
    revoked integer not null,
    constraint sessions_pk primary key (id),
    constraint sessions_id_size check (length(id) = 16),
    constraint sessions_user_fk foreign key (user_id) references users (id),
    constraint sessions_revoked check (revoked in (0, 1))
) strict, without rowid;

create table session_tokens (
    digest blob not null,
    session_id blob not null,
    spent integer not null,
    constraint session_tokens_pk primary key (digest),
    constraint session_tokens_digest_size check (length(digest) = 32),
    constraint session_tokens_session_fk foreign key (session_id) references sessions (id),
    constraint session_tokens_spent check (spent in (0, 1))
) strict, without rowid;

-- A session has one token at a time that can be spent.
create unique index session_tokens_good_unique on session_tokens (session_id) where spent = 0;
