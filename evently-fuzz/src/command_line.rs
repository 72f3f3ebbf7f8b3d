//! What is said on the command line.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    sync::{LazyLock, Mutex, PoisonError},
};

use clap::Command;

/// Building it takes much longer than reading with it.
static COMMAND: LazyLock<Mutex<Command>> = LazyLock::new(|| {
    let mut command = evently_cli::command_line();
    command.build();
    Mutex::new(command)
});

/// Arguments, a line each.
pub fn arguments(bytes: &[u8]) {
    let arguments = bytes.split(|byte| *byte == b'\n').map(OsStr::from_bytes);
    let arguments = std::iter::once(OsStr::new("evently")).chain(arguments);
    let mut command = COMMAND.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => assert!(matches.subcommand_name().is_some(), "there is nothing to do"),
        Err(told) => assert!(!told.to_string().trim().is_empty()),
    }
}
