//! A client that speaks HTTP/1.1 over one connection, a request at a time. It is what the load generator and the tests need and
//! no more: it shares the machine with the service that it drives, so it does as little as it can.

use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Where a service is, such as `http://127.0.0.1:8080`.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host and port, as they stand in the `Host` header.
    authority: Arc<str>,
}

impl Target {
    /// Reads an address. Only plain HTTP is spoken, and there is no path.
    pub fn parse(url: &str) -> Result<Self, String> {
        let right = || format!("`{url}` is not the address of a service; one looks like http://127.0.0.1:8080");
        let rest = url.strip_prefix("http://").ok_or_else(right)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() || rest.contains(['/', '?', '#', '@']) || rest.contains(char::is_whitespace) {
            return Err(right());
        }
        let has_no_port = rest.ends_with(']') || !rest.contains(':');
        let (host, port) = if has_no_port { (rest, "80") } else { rest.rsplit_once(':').unwrap_or_default() };
        // An IPv6 address has colons of its own, and stands in brackets for it.
        let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_host = in_brackets.map_or(!host.is_empty() && !host.contains([':', '[', ']']), |host| host.contains(':'));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if !is_host || !is_port {
            return Err(right());
        }
        Ok(Self { authority: format!("{host}:{port}").into() })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        Self::parse(url)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The access token.
    pub token: Option<&'a str>,
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// A JSON document.
    pub body: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A read.
    pub const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, token: None, key: None, body: None }
    }

    /// A write.
    pub const fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self { method: "POST", path, token: None, key: None, body: Some(body) }
    }

    /// The same request by somebody.
    #[must_use]
    pub const fn by(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// The same request, whose answer is kept under `key`.
    #[must_use]
    pub const fn keyed(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    fn write(&self, target: &Target, out: &mut Vec<u8>) {
        let mut line = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        line(&[self.method, " ", self.path, " HTTP/1.1\r\nhost: ", &target.authority, "\r\n"]);
        if let Some(token) = self.token {
            line(&["authorization: Bearer ", token, "\r\n"]);
        }
        if let Some(key) = self.key {
            line(&["idempotency-key: ", key, "\r\n"]);
        }
        match self.body {
            Some(body) => {
                line(&["content-type: application/json\r\ncontent-length: ", &body.len().to_string(), "\r\n\r\n"]);
                out.extend_from_slice(body);
            }
            None => line(&["\r\n"]),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    bytes: Vec<u8>,
    body_at: usize,
}

impl Answer {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }

    /// A header; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = str::from_utf8(&self.bytes[..self.body_at]).ok()?;
        head.lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// How long the service asks to wait before asking again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.parse().ok().map(Duration::from_secs)
    }
}

/// There is no answer. Whether the request was carried out, nobody knows.
#[derive(Debug)]
pub enum Lost {
    /// No connection came about, so that nothing was asked.
    Connect(io::Error),
    /// The connection broke.
    Broken(io::Error),
    /// No answer came in time.
    TimedOut,
    /// What came is no HTTP.
    Garbled,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Garbled => f.write_str("the answer is no HTTP"),
        }
    }
}

impl std::error::Error for Lost {}

/// A connection, which is made when it is first needed and again after it was lost.
#[derive(Debug)]
pub struct Connection {
    target: Target,
    patience: Duration,
    stream: Option<TcpStream>,
    out: Vec<u8>,
}

impl Connection {
    /// A connection to be. It waits no longer than `patience` for an answer.
    pub const fn new(target: Target, patience: Duration) -> Self {
        Self { target, patience, stream: None, out: Vec::new() }
    }

    /// Connects now, so that it takes no time later.
    pub async fn connect(&mut self) -> Result<(), Lost> {
        if self.stream.is_none() {
            let connecting = TcpStream::connect(&*self.target.authority);
            let stream = timeout(self.patience, connecting).await.map_err(|_| Lost::TimedOut)?.map_err(Lost::Connect)?;
            stream.set_nodelay(true).map_err(Lost::Connect)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and waits for its answer.
    pub async fn send(&mut self, request: &Request<'_>) -> Result<Answer, Lost> {
        self.connect().await?;
        let mut stream = self.stream.take().ok_or(Lost::Garbled)?;
        self.out.clear();
        request.write(&self.target, &mut self.out);
        let exchange = async {
            stream.write_all(&self.out).await.map_err(Lost::Broken)?;
            receive(&mut stream).await
        };
        let (answer, goes_on) = timeout(self.patience, exchange).await.map_err(|_| Lost::TimedOut)??;
        // A connection on which something went wrong is not used again: the next answer might be to this request.
        if goes_on {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunked,
}

struct Head {
    status: u16,
    bytes: usize,
    framing: Framing,
    goes_on: bool,
}

/// Reads one answer, and says whether another may follow on the same connection.
pub async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Answer, bool), Lost> {
    let mut bytes = Vec::with_capacity(4096);
    let mut head = None;
    loop {
        if stream.read_buf(&mut bytes).await.map_err(Lost::Broken)? == 0 {
            return Err(Lost::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        if head.is_none() {
            head = read_head(&bytes)?;
        }
        let Some(Head { status, bytes: body_at, framing, goes_on }) = &head else { continue };
        let came = &bytes[*body_at..];
        let whole = match framing {
            Framing::Length(length) => came.split_at_checked(*length).map(|(body, rest)| (body.to_vec(), rest)),
            Framing::Chunked => unchunked(came)?,
        };
        if let Some((body, rest)) = whole {
            // What nobody has asked for would be taken for the next answer.
            let goes_on = *goes_on && rest.is_empty();
            bytes.truncate(*body_at);
            bytes.extend(body);
            return Ok((Answer { status: *status, bytes, body_at: *body_at }, goes_on));
        }
    }
}

fn read_head(bytes: &[u8]) -> Result<Option<Head>, Lost> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).map_err(|_| Lost::Garbled)? else { return Ok(None) };
    let status = parsed.code.filter(|status| (100..1000).contains(status)).ok_or(Lost::Garbled)?;
    let value =
        |name: &str| parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let framing = match value("content-length") {
        Some(text) => Framing::Length(str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Lost::Garbled)?),
        None if value("transfer-encoding").is_some() => Framing::Chunked,
        None => Framing::Length(0),
    };
    let goes_on = !value("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    Ok(Some(Head { status, bytes: length, framing, goes_on }))
}

/// A body, once all of it is there, and what comes behind it.
type Body<'b> = Option<(Vec<u8>, &'b [u8])>;

/// The body that is sent in these chunks.
fn unchunked(mut bytes: &[u8]) -> Result<Body<'_>, Lost> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((at, size)) = httparse::parse_chunk_size(bytes).map_err(|_| Lost::Garbled)? else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(|_| Lost::Garbled)?;
        let chunk = bytes.get(at..).and_then(|rest| rest.split_at_checked(size));
        let Some((chunk, [_, _, rest @ ..])) = chunk else { return Ok(None) };
        if size == 0 {
            return Ok(Some((body, rest)));
        }
        body.extend_from_slice(chunk);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_path_and_no_secrets() {
        assert_eq!(Target::parse("http://127.0.0.1:8080/").unwrap().to_string(), "http://127.0.0.1:8080");
        assert_eq!(Target::parse("http://localhost").unwrap().to_string(), "http://localhost:80");
        for url in ["", "127.0.0.1:8080", "https://localhost", "http://", "http://a/b", "http://u:p@host", "http://a b"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        for url in ["http://:8080", "http://host:abc", "http://host:", "http://host:65536", "http://host:+80", "http://a:b:80"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        for url in ["http://[::1", "http://::1", "http://[::1]x:80", "http://]", "http://[]:80"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        for (url, address) in [("http://[::1]", "http://[::1]:80"), ("http://[::1]:8080", "http://[::1]:8080")] {
            assert_eq!(Target::parse(url).unwrap().to_string(), address);
        }
    }

    #[test]
    fn chunks_are_put_together_once_all_are_there() {
        let whole = b"4\r\nWiki\r\n6\r\npedia \r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            assert!(unchunked(&whole[..cut]).unwrap().is_none(), "{cut}");
        }
        assert_eq!(unchunked(whole).unwrap(), Some((b"Wikipedia ".to_vec(), &b""[..])));
        assert!(unchunked(b"x\r\n").is_err());
    }

    #[test]
    fn a_head_says_how_long_its_body_is() {
        let head = read_head(b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nConnection: close\r\n\r\n").unwrap().unwrap();
        assert!(matches!(head.framing, Framing::Length(12)));
        let empty = read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert!(matches!(empty.framing, Framing::Length(0)));
        assert_eq!((head.status, head.goes_on), (201, false));
        assert!(read_head(b"HTTP/1.1 201 Created\r\nContent-Le").unwrap().is_none());
        assert!(read_head(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 099 Odd\r\n\r\n").is_err());
    }

    /// The body of the answer that begins this text, and whether another may follow.
    async fn received(text: &str) -> Result<(String, bool), Lost> {
        let (answer, goes_on) = receive(&mut text.as_bytes()).await?;
        Ok((String::from_utf8(answer.body().to_vec()).unwrap(), goes_on))
    }

    #[tokio::test]
    async fn lengths_that_cannot_be_counted_are_no_panic() {
        let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nWiki\r\n0\r\n\r\n";
        assert!(received(chunk).await.is_err());
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nWiki";
        assert!(received(length).await.is_err());
    }

    /// What comes with an answer is the answer to nothing that was asked.
    #[tokio::test]
    async fn what_nobody_asked_for_is_no_part_of_an_answer() {
        for (head, body) in [("Content-Length: 4", "Wiki"), ("Transfer-Encoding: chunked", "4\r\nWiki\r\n0\r\n\r\n")] {
            let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}");
            assert_eq!(received(&answer).await.unwrap(), ("Wiki".to_owned(), true));
            assert_eq!(received(&(answer + "HTTP/1.1 200 OK\r\n")).await.unwrap(), ("Wiki".to_owned(), false));
        }
    }
}
