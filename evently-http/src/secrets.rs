//! Secrets that nobody has set: made once, and kept in the data folder.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use evently_core::ports::Ids;

use crate::config::Secrets;

/// The secrets as set, or else the one in this file, which is made if it is not there. Only its owner can read it.
pub fn set_or_kept(set: &Secrets, file: &Path, ids: &dyn Ids) -> io::Result<Secrets> {
    if !set.is_empty() {
        return Ok(set.clone());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    match private().open(file) {
        Ok(mut file) => {
            write!(file, "{:032x}{:032x}", ids.secret(), ids.secret())?;
            file.sync_all()?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let kept = fs::read_to_string(file)?.trim().to_owned();
    if kept.len() < Secrets::BYTES_MIN {
        let message =
            format!("{} has no secret of {} bytes in it; remove it to get a new one", file.display(), Secrets::BYTES_MIN);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Secrets(vec![kept]))
}

fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/auth.secret");
        let first = set_or_kept(&Secrets::default(), &file, &SystemIds::new()).unwrap();
        assert_eq!(first.0[0].len(), 64);
        assert_eq!(set_or_kept(&Secrets::default(), &file, &SystemIds::new()).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let set = Secrets(vec!["x".repeat(32)]);
        assert_eq!(set_or_kept(&set, &file, &SystemIds::new()).unwrap(), set);
    }

    #[test]
    fn a_file_without_a_secret_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.secret");
        fs::write(&file, "").unwrap();
        assert!(set_or_kept(&Secrets::default(), &file, &SystemIds::new()).unwrap_err().to_string().contains("auth.secret"));
    }
}
