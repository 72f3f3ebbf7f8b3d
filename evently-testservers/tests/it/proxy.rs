use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use evently_testservers::Proxy;

/// A server that says everything back.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("echo://somebody@127.0.0.1:{}/there", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // It ends when one of both does.
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    url
}

fn connect(proxy: &Proxy) -> TcpStream {
    let url = proxy.url();
    let address = url.split_once('@').unwrap().1.strip_suffix("/there").unwrap();
    patient(TcpStream::connect(address).unwrap())
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn say(mut stream: &TcpStream, what: impl AsRef<[u8]>) {
    stream.write_all(what.as_ref()).unwrap();
}

fn hear(stream: &TcpStream, length: usize) -> String {
    String::from_utf8(read(stream, length)).unwrap()
}

fn read(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// The other side hears this, and nothing else before it.
fn hears(stream: &TcpStream, what: &[u8]) {
    assert_eq!(read(stream, what.len()).escape_ascii().to_string(), what.escape_ascii().to_string());
}

fn ends(mut stream: &TcpStream) {
    match stream.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

fn nothing_comes(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
}

#[test]
fn it_carries_what_both_say() {
    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    say(&stream, "hello");
    assert_eq!((hear(&stream, 5), proxy.sent_bytes(), proxy.connections()), ("hello".to_owned(), 5, 1));
}

#[test]
fn who_was_through_is_cut_off_and_nobody_gets_through_while_it_is_closed() {
    let proxy = Proxy::before(&echo()).unwrap();
    let before = connect(&proxy);
    say(&before, "hello");
    hear(&before, 5);
    proxy.close();
    ends(&before);
    ends(&connect(&proxy));
    proxy.open();
    let after = connect(&proxy);
    say(&after, "hello");
    assert_eq!(hear(&after, 5), "hello");
    proxy.cut();
    ends(&after);
    let anew = connect(&proxy);
    say(&anew, "again");
    assert_eq!(hear(&anew, 5), "again");
}

#[test]
fn what_is_held_comes_later_and_whole() {
    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    proxy.hold();
    say(&stream, "hello");
    nothing_comes(&stream);
    proxy.open();
    assert_eq!(hear(&stream, 5), "hello");
}

#[test]
fn what_is_stranded_stays_so_and_others_come_through() {
    let proxy = Proxy::before(&echo()).unwrap();
    let stranded = connect(&proxy);
    say(&stranded, "hello");
    hear(&stranded, 5);
    proxy.strand();
    say(&stranded, "hello");
    let other = connect(&proxy);
    say(&other, "other");
    assert_eq!(hear(&other, 5), "other");
    nothing_comes(&stranded);
    proxy.cut();
    ends(&stranded);
}

#[test]
fn answers_can_be_swallowed_and_late() {
    let played = Played::speaking("echo");
    let (client, server) = played.connected();
    played.proxy.swallow_answers();
    say(&client, "hello");
    hears(&server, b"hello");
    say(&server, "hello");
    nothing_comes(&client);
    assert_eq!(played.proxy.sent_bytes(), 5);

    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    proxy.delay(Duration::from_secs(2));
    say(&stream, "there");
    nothing_comes(&stream);
    assert_eq!(hear(&stream, 5), "there");
    proxy.delay(Duration::from_hours(1));
    say(&stream, "again");
    nothing_comes(&stream);
    proxy.open();
    assert_eq!(hear(&stream, 5), "again", "what is late by now is not waited for any longer");
}

/// It is not there yet, wherever it is on its way.
#[test]
fn what_is_late_is_held_and_swallowed_like_everything_else() {
    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    proxy.delay(Duration::from_hours(1));
    say(&stream, "hello");
    nothing_comes(&stream);
    proxy.hold();
    nothing_comes(&stream);
    proxy.open();
    assert_eq!(hear(&stream, 5), "hello");
    proxy.delay(Duration::from_hours(1));
    say(&stream, "again");
    nothing_comes(&stream);
    proxy.swallow_answers();
    nothing_comes(&stream);
    proxy.open();
    say(&stream, "there");
    assert_eq!(hear(&stream, 5), "there", "the one before is lost for good");
}

#[test]
fn a_half_closed_connection_is_still_heard() {
    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    say(&stream, "hello");
    hear(&stream, 5);
    proxy.half_close();
    ends(&stream);
    let before = proxy.sent_bytes();
    say(&stream, "x");
    while proxy.sent_bytes() == before {
        thread::yield_now();
    }
}

/// A server whose part the test plays.
struct Played {
    listener: TcpListener,
    proxy: Proxy,
}

impl Played {
    fn speaking(language: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{language}://somebody@127.0.0.1:{}/there", listener.local_addr().unwrap().port());
        Self { listener, proxy: Proxy::before(&url).unwrap() }
    }

    /// A client and its server.
    fn connected(&self) -> (TcpStream, TcpStream) {
        let client = connect(&self.proxy);
        (client, patient(self.listener.accept().unwrap().0))
    }

    /// The same where they have introduced themselves, and a transaction has begun.
    fn begun(&self) -> (TcpStream, TcpStream) {
        let (client, server) = self.connected();
        for (speaker, listener, what) in [
            (&client, &server, startup()),
            (&server, &client, tagged(b'R', &[0; 4])),
            (&client, &server, query("begin isolation level serializable")),
            (&server, &client, done("BEGIN")),
        ] {
            say(speaker, &what);
            hears(listener, &what);
        }
        (client, server)
    }
}

fn startup() -> Vec<u8> {
    let content = b"user\0somebody\0\0";
    let length = 8 + u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes(), &196_608_u32.to_be_bytes(), &content[..]].concat()
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = 4 + u32::try_from(content.len()).unwrap();
    [&[tag], &length.to_be_bytes()[..], content].concat()
}

fn query(sql: &str) -> Vec<u8> {
    tagged(b'Q', format!("{sql}\0").as_bytes())
}

fn done(what: &str) -> Vec<u8> {
    tagged(b'C', format!("{what}\0").as_bytes())
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    [&[kind, 0, 1], &size.to_be_bytes()[..], payload, &[0xCE]].concat()
}

/// That what was published as this has been taken.
fn ack(number: u64) -> Vec<u8> {
    frame(1, &[&[0, 60, 0, 80][..], &number.to_be_bytes(), &[0]].concat())
}

#[test]
fn a_message_goes_on_when_all_of_it_has_come() {
    let of_postgres = Played::speaking("postgres");
    let of_rabbitmq = Played::speaking("amqp");
    for ((client, server), messages) in [
        (of_postgres.connected(), [startup(), query("select 1"), tagged(b'X', b"")]),
        (of_rabbitmq.connected(), [b"AMQP\x00\x00\x09\x01".to_vec(), frame(3, b"said"), frame(8, b"")]),
    ] {
        for message in messages {
            for part in [&message[..2], &message[2..message.len() - 1]] {
                say(&client, part);
                nothing_comes(&server);
            }
            say(&client, &message[message.len() - 1..]);
            hears(&server, &message);
        }
        say(&client, &frame(3, b"half")[..6]);
        drop(client);
        hears(&server, &frame(3, b"half")[..6]);
        ends(&server);
    }
}

#[test]
fn several_messages_in_one_read_are_several() {
    let played = Played::speaking("postgres");
    let (client, server) = played.begun();
    played.proxy.lose_answer_to_commit();
    let before = [done("INSERT 0 1"), tagged(b'Z', b"T")].concat();
    let after = [done("COMMIT"), tagged(b'Z', b"I")].concat();
    say(&server, [&before[..], &after].concat());
    hears(&client, &before);
    ends(&client);
    assert!(played.proxy.has_lost_it());
}

#[test]
fn an_answer_to_a_commit_is_found_in_pieces() {
    let played = Played::speaking("postgresql");
    let message = done("COMMIT");
    for at in 1..message.len() {
        let (client, server) = played.begun();
        played.proxy.lose_answer_to_commit();
        say(&server, &message[..at]);
        nothing_comes(&client);
        assert!(!played.proxy.has_lost_it(), "all of it was to come, and {at} bytes have");
        say(&server, &message[at..]);
        ends(&client);
        ends(&server);
        assert!(played.proxy.has_lost_it(), "{at}");
    }
}

#[test]
fn as_many_answers_are_lost_as_were_to_be_with_their_connections() {
    let played = Played::speaking("postgres");
    played.proxy.lose_answers_to_commits(2);
    for losing_it in [1, 2] {
        let (client, server) = played.begun();
        assert!(!played.proxy.has_lost_it(), "{losing_it}");
        say(&server, done("COMMIT"));
        ends(&client);
    }
    assert!(played.proxy.has_lost_it());
    let (client, server) = played.begun();
    say(&server, done("COMMIT"));
    hears(&client, &done("COMMIT"));
}

#[test]
fn an_answer_is_lost_and_then_nobody_gets_through() {
    let played = Played::speaking("postgres");
    let ((client, server), (other, _)) = (played.begun(), played.begun());
    played.proxy.lose_answer_to_commit_and_close();
    say(&server, done("COMMIT"));
    ends(&client);
    ends(&other);
    ends(&connect(&played.proxy));
    played.proxy.open();
    played.begun();
}

#[test]
fn of_a_commit_that_is_lost_nothing_gets_to_the_server() {
    let played = Played::speaking("postgres");
    let (client, server) = played.begun();
    played.proxy.lose_commit();
    let before = [query("insert"), query("select 'commit'")].concat();
    let commit = query("COMMIT");
    say(&client, [&before[..], &commit[..9]].concat());
    hears(&server, &before);
    nothing_comes(&server);
    assert!(!played.proxy.has_lost_it());
    say(&client, &commit[9..]);
    ends(&server);
    ends(&client);
    assert!(played.proxy.has_lost_it());
    let (client, server) = played.begun();
    say(&client, &commit);
    hears(&server, &commit);
}

#[test]
fn a_commit_of_nothing_is_not_the_one_to_be_lost() {
    let played = Played::speaking("postgres");
    let (client, server) = played.begun();
    played.proxy.lose_commit();
    let only_reads = [query("begin read only; set local statement_timeout = 1"), query("commit")].concat();
    say(&client, &only_reads);
    hears(&server, &only_reads);
    let begins = query("BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE");
    say(&client, [&begins[..], &query("commit")].concat());
    hears(&server, &begins);
    ends(&server);
}

#[test]
fn what_only_looks_like_a_message_is_none() {
    let (committed, acked) = (done("COMMIT"), ack(1));
    let played = Played::speaking("postgres");
    let (client, server) = played.begun();
    played.proxy.lose_answer_to_commit();
    for message in [tagged(b'D', &committed), done("COMMIT PREPARED"), done("ROLLBACK")] {
        say(&server, &message);
        hears(&client, &message);
    }
    say(&client, &committed);
    hears(&server, &committed);
    played.proxy.lose_commit();
    say(&server, query("commit"));
    hears(&client, &query("commit"));
    assert!(!played.proxy.has_lost_it());

    let played = Played::speaking("amqp");
    let (client, server) = played.connected();
    played.proxy.lose_confirm();
    let refused = frame(1, &[0, 60, 0, 120, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    for message in [frame(3, &acked), frame(3, &acked[7..]), refused] {
        say(&server, &message);
        hears(&client, &message);
    }
    // What a consumer has acted on.
    say(&client, &acked);
    hears(&server, &acked);
    assert!(!played.proxy.has_lost_it());
}

#[test]
fn one_confirmation_is_swallowed_and_everything_else_goes_on() {
    let played = Played::speaking("amqp");
    let (client, server) = played.connected();
    played.proxy.lose_confirm();
    // The first is in two reads, and in the second one there are others.
    say(&server, [&frame(8, b""), &ack(1)[..5]].concat());
    hears(&client, &frame(8, b""));
    nothing_comes(&client);
    assert!(!played.proxy.has_lost_it());
    say(&server, [&ack(1)[5..], &ack(2), &frame(3, b"said")].concat());
    hears(&client, &[ack(2), frame(3, b"said")].concat());
    assert!(played.proxy.has_lost_it());
    say(&server, ack(3));
    hears(&client, &ack(3));
    say(&client, frame(3, b"heard"));
    hears(&server, &frame(3, b"heard"));
}

#[test]
fn who_asks_for_encryption_is_understood_until_it_begins() {
    let [tls, gssapi] = [80_877_103_u32, 80_877_104].map(|code| [8_u32.to_be_bytes(), code.to_be_bytes()].concat());
    let played = Played::speaking("postgres");
    let (client, server) = played.connected();
    for asked in [&gssapi, &tls] {
        say(&client, asked);
        hears(&server, asked);
        say(&server, "N");
        hears(&client, b"N");
    }
    say(&client, startup());
    hears(&server, &startup());
    played.proxy.lose_answer_to_commit();
    say(&server, [tagged(b'R', &[0; 4]), done("COMMIT")].concat());
    hears(&client, &tagged(b'R', &[0; 4]));
    ends(&client);

    let (client, server) = played.connected();
    say(&client, &tls);
    hears(&server, &tls);
    say(&server, "S");
    hears(&client, b"S");
    // Nobody but them knows where that ends.
    for hello in [b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x03\x00\x7a\x02"] {
        say(&client, hello);
        hears(&server, hello);
        say(&server, hello);
        hears(&client, hello);
    }
}
