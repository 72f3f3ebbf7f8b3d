//! The program where the system lets it open few files.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::program::Program;

fn answers(stream: &mut TcpStream) -> bool {
    let mut status = [0; 12];
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n").is_ok()
        && stream.read_exact(&mut status).is_ok()
        && status == *b"HTTP/1.1 200"
}

/// The service under these limits of a shell.
fn limited(limits: &str) -> Program {
    Program::start(limits, &["--listen", "127.0.0.1:0"])
}

#[test]
fn it_takes_all_that_the_system_allows() {
    let service = limited("ulimit -Sn 64");
    let mut streams = (0..200).map(|_| service.connect()).collect::<Vec<_>>();
    assert!(streams.iter_mut().all(answers));
}

#[test]
fn where_that_is_too_little_it_says_so_and_goes_on_with_fewer_connections() {
    let service = limited("ulimit -n 150");
    assert!(service.said.contains("there is room for 50 connections"), "{}", service.said);
    let mut streams = (0..200).map(|_| service.connect()).collect::<Vec<_>>();
    let answered = streams.iter_mut().filter_map(|stream| answers(stream).then_some(())).count();
    assert_eq!(answered, 50);
    drop(streams);
    // It notices in its own time that they have gone.
    assert!((0..10_000).any(|_| answers(&mut service.connect())));
}
