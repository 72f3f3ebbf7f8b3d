//! `evently db backup`: a copy of the embedded store, beside a running service too.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

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
        return Err(
            Failure::no(format_args!("{} is there already", to.display())).hint("name a new file; no backup is written over")
        );
    }
    shop::must_exist(&store)?;
    let store = compose::open_file(&store, Arc::new(SystemIds::new())).map_err(|error| shop::cannot_open(&error))?;
    let failed = |error: io::Error| Failure::file(to, &error);
    let draft = Draft::new(to)?;
    store.backup_to(draft.0.clone()).await?;
    let bytes = draft.keep_as(to).map_err(failed)?;
    Ok(Reply::new(format!("{}: {bytes} bytes", to.display()), json!({ "file": to.to_string_lossy(), "bytes": bytes })))
}

/// What becomes a backup when it is whole; it is gone when this is dropped before.
struct Draft(PathBuf);

impl Draft {
    /// Its owner's alone: every address and every ticket is in it.
    fn new(to: &Path) -> Result<Self, Failure> {
        let mut name = OsString::from(to);
        name.push(format!(".{}.draft", std::process::id()));
        let name = PathBuf::from(name);
        // What is there is of a backup that was broken off, and is nobody's to overwrite who does not know that.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name);
        opened.map_err(|error| Failure::file(&name, &error))?;
        Ok(Self(name))
    }

    /// How many bytes it has. What this has returned for survives a loss of power.
    fn keep_as(self, to: &Path) -> io::Result<u64> {
        let file = File::open(&self.0)?;
        file.sync_all()?;
        fs::rename(&self.0, to)?;
        let folder = to.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
