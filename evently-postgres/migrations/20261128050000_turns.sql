-- Nothing is ever in it. Batches lock it as they begin, so that those that were in each other's way come one after the other.
create table turns ();
