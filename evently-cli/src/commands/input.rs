//! What is read from files and from whoever sits in front of it.

use std::{
    fs::File,
    io::{self, BufRead, IsTerminal, Read, Write},
    path::Path,
};

use rustix::{
    process::{Signal, getpid, kill_process},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr},
};

use crate::failure::Failure;

/// The content of a file, or of stdin if it is called `-`; no more than one byte beyond `most`.
pub fn file(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut content)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut content))
    };
    read.map(|_| content).map_err(|error| Failure::file(path, &error))
}

/// The first line of stdin.
pub fn line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure::away(format_args!("stdin: {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A password that is typed twice and shown never.
pub fn new_password() -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for a password").hint("give it on stdin with --password-stdin"));
    }
    let first = hidden("Password: ")?;
    if hidden("Once more: ")? == first { Ok(first) } else { Err(Failure::usage("the passwords are not the same")) }
}

fn hidden(prompt: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::away(format_args!("terminal: {error}"));
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}").and_then(|()| stderr.flush()).map_err(failed)?;
    let shown = Shown::hide().map_err(|error| failed(error.into()))?;
    let typed = typed();
    drop(shown);
    // The end of the line was not shown either.
    writeln!(stderr).map_err(failed)?;
    let mut typed = typed.map_err(failed)?;
    if typed.last() == Some(&CTRL_C) {
        // Whoever started this program learns how it ended.
        kill_process(getpid(), Signal::INT).map_err(|error| failed(error.into()))?;
    }
    typed.pop_if(|last| *last == b'\n');
    String::from_utf8(typed).map_err(|_| Failure::usage("a password is text"))
}

/// What a terminal hands over at once: a line, with its end.
fn typed() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let typed = stdin.fill_buf()?.to_vec();
    stdin.consume(typed.len());
    Ok(typed)
}

const CTRL_C: u8 = 3;

/// A terminal that shows again what is typed when this is dropped.
struct Shown(Termios);

impl Shown {
    /// From now on Ctrl-C ends a line, as the signal would end this process without showing anything again.
    fn hide() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Or a plan that is cut off is taken for a whole one.
    #[test]
    fn a_file_that_is_too_long_is_seen_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.csv");
        std::fs::write(&path, "123456").unwrap();
        for (most, read) in [(4, "12345"), (5, "123456"), (6, "123456"), (usize::MAX, "123456")] {
            assert_eq!(file(&path, most).unwrap(), read.as_bytes(), "{most}");
        }
    }
}
