//! `evently db backup`: a copy of the embedded store, beside a running service too.

use std::{fs::File, io, path::Path, sync::Arc};

use evently_http::{compose, config::Config, ids::SystemIds};
use serde_json::json;

use crate::{failure::Failure, reply::Reply, shop};

/// Writes a backup that is not there yet, whole or not at all.
pub async fn write(config: &Config, to: &Path) -> Result<Reply, Failure> {
    let Some(store) = config.store_file() else {
        return Err(Failure::usage("the store is on PostgreSQL, which brings its own backups").hint(
            "`pg_dump --format=custom --file=FILE URL` copies the database; for one that loses nothing see pg_basebackup",
        ));
    };
    if to.exists() {
        return Err(is_there(to));
    }
    shop::must_exist(&store)?;
    let store = compose::open_file(&store, Arc::new(SystemIds::new())).map_err(|error| shop::cannot_open(&error))?;
    let failed = |error: io::Error| Failure::file(to, &error);
    let folder = to.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    // Its owner's alone, as every address and every ticket is in it; and gone if it does not become whole.
    let draft = tempfile::Builder::new().prefix("backup").suffix(".draft").tempfile_in(folder).map_err(failed)?;
    store.backup_to(draft.path()).await?;
    // What this says is there survives a loss of power, with its name.
    draft.as_file().sync_all().map_err(failed)?;
    let file = draft.persist_noclobber(to).map_err(|failure| match failure.error.kind() {
        io::ErrorKind::AlreadyExists => is_there(to),
        _ => failed(failure.error),
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok(Reply::new(format!("{}: {bytes} bytes", to.display()), json!({ "file": to.to_string_lossy(), "bytes": bytes })))
}

fn is_there(to: &Path) -> Failure {
    Failure::no(format_args!("{} is there already", to.display())).hint("name a new file; no backup is written over")
}
