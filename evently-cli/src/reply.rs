//! What a command says on stdout when it has done its work.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;

/// What a command says, in both forms.
#[derive(Debug)]
pub struct Reply {
    body: Body,
    yes: bool,
}

#[derive(Debug)]
enum Body {
    Said {
        people: String,
        json: Value,
    },
    /// A file, which is the same for everybody.
    File(Vec<u8>),
}

impl Reply {
    /// Text for people, and the same for machines.
    pub fn new(people: impl Into<String>, json: Value) -> Self {
        Self { body: Body::Said { people: people.into(), json }, yes: true }
    }

    /// What something looks like that was done to the thing of this id. That it cannot be shown is no failure: whoever tried again would do
    /// it twice.
    pub fn after(done: impl fmt::Display, id: impl Serialize, shown: Result<Self, Failure>) -> Self {
        shown.unwrap_or_else(|failure| {
            talk(failure.after("it cannot be shown"));
            Self::new(done.to_string(), json!({ "id": id }))
        })
    }

    /// A file.
    pub const fn file(content: Vec<u8>) -> Self {
        Self { body: Body::File(content), yes: true }
    }

    /// The same reply, which is a no unless `yes`.
    #[must_use]
    pub fn only_if(self, yes: bool) -> Self {
        Self { yes, ..self }
    }

    /// Whether the process shall end well.
    #[cfg(test)]
    pub const fn is_yes(&self) -> bool {
        self.yes
    }

    /// Writes it to stdout in one piece. What the process shall end with.
    pub fn print(self, json: bool) -> Result<ExitCode, Failure> {
        let text = match self.body {
            Body::Said { json: document, .. } if json => {
                let mut text = serde_json::to_vec_pretty(&document).expect("a JSON value can be written");
                text.push(b'\n');
                text
            }
            Body::Said { people, .. } => with_line_end(people).into_bytes(),
            Body::File(content) => content,
        };
        let mut stdout = io::stdout().lock();
        match stdout.write_all(&text).and_then(|()| stdout.flush()) {
            // Whoever was reading has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::away(format_args!("stdout: {error}"))),
            _ => Ok(if self.yes { ExitCode::SUCCESS } else { Failure::no("").exit_code() }),
        }
    }
}

fn with_line_end(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Says something to whoever sits in front of it: on stderr, where it is in nobody's way.
pub fn talk(line: impl fmt::Display) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
}
