//! What is said on a connection, as messages: PostgreSQL's and those of AMQP, however they are cut into reads.
//!
//! <https://www.postgresql.org/docs/15/protocol-message-formats.html>; <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 4.2.

/// The first thing that a client of PostgreSQL sends has no tag; this is how long it may be.
const STARTUP_MAX: usize = 10_000;
/// What it may ask for before that: that the connection is encrypted, with TLS or GSSAPI.
const ENCRYPTION: [usize; 2] = [80_877_103, 80_877_104];
/// What comes before the payload of a frame of AMQP: type, channel, size. And what comes after it.
const FRAME: (usize, u8) = (7, 0xCE);

/// A message that can be lost on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    /// A client asks PostgreSQL to commit a transaction that may have written something.
    Commit,
    /// PostgreSQL says that it has committed one.
    Committed,
    /// RabbitMQ has taken what was published on a channel: a message, or all up to one.
    Confirm,
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Postgres,
    Amqp,
    Unknown,
}

impl Language {
    /// What the server of this URL speaks.
    pub(crate) fn of(url: &str) -> Self {
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Self::Postgres,
            Some(("amqp", _)) => Self::Amqp,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
}

/// What one side says.
pub(crate) struct Messages {
    speaker: Speaker,
    form: Form,
    /// What has been heard, and where of it the next message begins.
    heard: Vec<u8>,
    begins: usize,
    /// Whether the transaction is one that only reads.
    only_reads: bool,
}

/// What the next message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A length and a code, as a client of PostgreSQL begins.
    Startup,
    /// Perhaps one byte about encryption, as PostgreSQL begins.
    Welcome,
    /// A tag and a length.
    Tagged,
    /// A frame of AMQP, or the header with which a client begins.
    Framed,
    /// Nobody knows, or it is encrypted: whatever comes is passed on.
    Bytes,
}

impl Messages {
    pub(crate) fn of(language: Language, speaker: Speaker) -> Self {
        let form = match (language, speaker) {
            (Language::Postgres, Speaker::Client) => Form::Startup,
            (Language::Postgres, Speaker::Server) => Form::Welcome,
            (Language::Amqp, _) => Form::Framed,
            (Language::Unknown, _) => Form::Bytes,
        };
        Self { speaker, form, heard: Vec::new(), begins: 0, only_reads: false }
    }

    /// Takes in what was read. Nothing is the end: what there is of a message is all that will be.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.heard.drain(..std::mem::take(&mut self.begins));
        self.heard.extend_from_slice(bytes);
        if bytes.is_empty() {
            self.form = Form::Bytes;
        }
    }

    /// The next message, once all of it has been heard, and whether it is one that can be lost.
    pub(crate) fn next(&mut self) -> Option<(Option<Message>, &[u8])> {
        let begins = self.begins;
        let (form, length) = self.length()?;
        self.begins += length;
        let message = &self.heard[begins..self.begins];
        let known = match (form, self.speaker, message) {
            (Form::Tagged, Speaker::Client, [b'Q', _, _, _, _, text @ ..]) => asks(text, &mut self.only_reads),
            (Form::Tagged, Speaker::Server, [b'C', _, _, _, _, b'C', b'O', b'M', b'M', b'I', b'T', 0]) => {
                Some(Message::Committed)
            }
            // A method (1) of the class basic (60): ack (80). Those of a client are about what it has received.
            (Form::Framed, Speaker::Server, [1, _, _, _, _, _, _, 0, 60, 0, 80, ..]) => Some(Message::Confirm),
            _ => None,
        };
        Some((known, message))
    }

    /// How the next message looks and how long it is, once all of it has been heard.
    fn length(&mut self) -> Option<(Form, usize)> {
        let rest = &self.heard[self.begins..];
        let (form, first) = (self.form, *rest.first()?);
        let (length, then) = match form {
            // Longer than it may be it is none, but the beginning of something that is encrypted.
            Form::Startup if !(8..=STARTUP_MAX).contains(&number(rest, 0)?) => (None, Form::Bytes),
            Form::Startup => {
                let (length, code) = (number(rest, 0)?, number(rest, 4)?);
                (Some(length), if ENCRYPTION.contains(&code) { Form::Startup } else { Form::Tagged })
            }
            Form::Welcome => match first {
                b'N' => (Some(1), Form::Welcome),
                b'S' | b'G' => (None, Form::Bytes),
                _ => (Some(1 + number(rest, 1)?), Form::Tagged),
            },
            Form::Tagged => (Some(1 + number(rest, 1)?), Form::Tagged),
            Form::Framed if first == b'A' => (Some(8), Form::Framed),
            Form::Framed => {
                let length = FRAME.0 + number(rest, 3)? + 1;
                let is_one = rest.get(length - 1).is_none_or(|end| *end == FRAME.1);
                (is_one.then_some(length), Form::Framed)
            }
            Form::Bytes => (None, Form::Bytes),
        };
        let Some(length) = length else {
            self.form = Form::Bytes;
            return Some((Form::Bytes, rest.len()));
        };
        (length <= rest.len()).then(|| {
            self.form = then;
            (form, length)
        })
    }
}

/// What a simple query asks for. All transactions of the store begin and end with one.
fn asks(text: &[u8], only_reads: &mut bool) -> Option<Message> {
    let text = text.to_ascii_lowercase();
    let says = |what: &[u8]| text.windows(what.len()).any(|part| part == what);
    if text.starts_with(b"begin") {
        *only_reads = says(b"read only");
    }
    (text == b"commit\0" && !*only_reads).then_some(Message::Commit)
}

/// The number in four bytes, if they are there.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?.try_into().expect("they are four");
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}
