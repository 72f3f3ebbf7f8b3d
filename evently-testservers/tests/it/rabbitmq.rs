use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use evently_testservers::RabbitMq;

/// Where an answer is to come.
const SOON: Duration = Duration::from_secs(30);
/// Where none is.
const NEVER: Duration = Duration::from_millis(500);

/// The processes that work in a folder.
fn processes_in(folder: &Path) -> usize {
    let links = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path().join("cwd")).ok());
    links.filter(|directory| directory.starts_with(folder)).count()
}

/// What it says first to one who speaks its protocol.
fn greeting(broker: &RabbitMq, patience: Duration) -> std::io::Result<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", broker.port()))?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut first = [0];
    stream.read_exact(&mut first)?;
    Ok(first[0])
}

/// One test for all, because it starts slowly.
#[test]
fn it_answers_stands_still_crashes_and_comes_back_and_leaves_nothing() {
    let broker = RabbitMq::start().unwrap();
    let (folder, url) = (broker.folder().to_owned(), broker.url());
    assert_eq!(greeting(&broker, SOON).unwrap(), 1);
    assert_eq!(broker.evaluate("1 + 2.").unwrap(), "3");
    assert!(broker.evaluate("what is this").is_err());

    broker.pause();
    assert!(greeting(&broker, NEVER).is_err(), "nobody answers");
    broker.resume();
    assert_eq!(greeting(&broker, SOON).unwrap(), 1);

    broker.kill();
    assert_eq!(processes_in(&folder), 0, "its name server goes with it");
    assert!(greeting(&broker, NEVER).is_err());
    broker.restart().unwrap();
    assert_eq!((greeting(&broker, SOON).unwrap(), broker.url()), (1, url));

    broker.stop().unwrap();
    broker.stop().unwrap();
    assert!(greeting(&broker, NEVER).is_err());
    broker.restart().unwrap();
    drop(broker);
    assert_eq!((processes_in(&folder), folder.exists()), (0, false));
}
