-- Who wrote an entry of the journal: an id that a process makes up when it opens the store, so that it can tell what others have done.

alter table journal add column writer uuid;
