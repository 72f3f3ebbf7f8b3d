-- Logins that have ended are forgotten, with their tokens, without a look at those that have not.

create index sessions_end on sessions (expires_at);
create index session_tokens_session on session_tokens (session_id);
