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
    let address = url.strip_prefix("echo://somebody@").unwrap().strip_suffix("/there").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn hear(mut stream: &TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
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
    let proxy = Proxy::before(&echo()).unwrap();
    let stream = connect(&proxy);
    proxy.swallow_answers();
    say(&stream, "hello");
    nothing_comes(&stream);
    assert_eq!(proxy.sent_bytes(), 5);
    proxy.delay(Duration::from_millis(400));
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

#[test]
fn certain_answers_are_lost_with_their_connections_as_many_as_were_to_be() {
    let proxy = Proxy::before(&echo()).unwrap();
    proxy.lose_answers_with(b"commit", 2);
    for losing_it in [1, 2] {
        let stream = connect(&proxy);
        say(&stream, "hello");
        assert_eq!((hear(&stream, 5), proxy.has_lost_it()), ("hello".to_owned(), false), "{losing_it}");
        say(&stream, "a commit");
        ends(&stream);
    }
    assert!(proxy.has_lost_it());
    let other = connect(&proxy);
    say(&other, "a commit");
    assert_eq!(hear(&other, 8), "a commit");
}
