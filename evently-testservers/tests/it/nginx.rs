use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use evently_testservers::Nginx;

/// What it answers to a request without TLS.
fn answer(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET / HTTP/1.0\r\nhost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn it_answers_for_instances_that_are_down() {
    let nginx = Nginx::before([1, 2, 3]).unwrap();
    assert!(answer(nginx.http_port()).unwrap().starts_with("HTTP/1.1 308 "));
    assert!(nginx.certificate().starts_with("-----BEGIN CERTIFICATE-----"));
    nginx.restart().unwrap();
    assert!(answer(nginx.http_port()).unwrap().starts_with("HTTP/1.1 308 "));
    nginx.stop().unwrap();
    assert!(answer(nginx.http_port()).is_err());
}

#[test]
fn a_drop_leaves_no_folder_and_no_worker() {
    let nginx = Nginx::before([1, 2, 3]).unwrap();
    let folder = nginx.log().parent().unwrap().to_owned();
    let (http, https) = (nginx.http_port(), nginx.https_port());
    drop(nginx);
    assert!(!fs::exists(folder).unwrap());
    for port in [http, https] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "somebody still listens");
    }
}
