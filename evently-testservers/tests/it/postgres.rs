use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use evently_testservers::Postgres;

/// The processes that work in a folder.
fn processes_in(folder: &Path) -> usize {
    let links = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path().join("cwd")).ok());
    links.filter(|directory| directory.starts_with(folder)).count()
}

fn count(postgres: &Postgres) -> String {
    postgres.query("evently", &["select count(*) from t"]).unwrap()
}

fn with_a_row(postgres: &Postgres) {
    postgres.query("evently", &["create table t (n int)", "insert into t values (1)"]).unwrap();
}

#[test]
fn it_answers_by_its_port_and_its_socket() {
    let postgres = Postgres::start().unwrap();
    assert_eq!(postgres.query("evently", &["select 1, 2"]).unwrap(), "1|2");
    let socket = postgres.socket_folder().join(format!(".s.PGSQL.{}", postgres.port()));
    assert!(socket.exists(), "{}", socket.display());
    assert_eq!(postgres.query("evently", &["show max_connections"]).unwrap(), "300");
    assert!(fs::read_to_string(postgres.log()).unwrap().contains("ready to accept connections"));
}

#[test]
fn it_is_fast_or_durable_and_takes_settings() {
    let fast = Postgres::options().set("max_connections", "7").start().unwrap();
    assert_eq!(fast.query("evently", &["show fsync", "show max_connections"]).unwrap(), "off\n7");
    let durable = Postgres::options().durable(true).set("application_name", "two words").start().unwrap();
    assert_eq!(
        durable.query("evently", &["show fsync", "show synchronous_commit", "show full_page_writes"]).unwrap(),
        "on\non\non"
    );
}

#[test]
fn a_setting_that_does_not_exist_is_an_error_with_the_log() {
    let error = Postgres::options().set("no_such_setting", "1").start().err().unwrap();
    assert!(error.contains("no_such_setting"), "{error}");
}

#[test]
fn two_run_at_once_and_know_nothing_of_each_other() {
    let (one, other) = (Postgres::start().unwrap(), Postgres::start().unwrap());
    with_a_row(&one);
    assert_eq!(other.query("evently", &["select to_regclass('t') is null"]).unwrap(), "t");
    assert_eq!(count(&one), "1");
}

#[test]
fn a_restart_keeps_the_data_and_the_port() {
    let postgres = Postgres::start().unwrap();
    with_a_row(&postgres);
    let url = postgres.url();
    postgres.stop().unwrap();
    assert!(postgres.query("evently", &["select 1"]).is_err());
    postgres.stop().unwrap();
    postgres.restart().unwrap();
    postgres.restart().unwrap();
    assert_eq!((count(&postgres), postgres.url()), ("1".to_owned(), url));
}

#[test]
fn its_port_stays_its_own_while_it_is_down() {
    let postgres = Postgres::start().unwrap();
    postgres.stop().unwrap();
    let other = Postgres::start().unwrap();
    assert_ne!(other.port(), postgres.port());
    drop(TcpListener::bind(("127.0.0.1", postgres.port())).unwrap());
    postgres.restart().unwrap();
}

#[test]
fn a_durable_server_recovers_what_was_committed_before_it_was_killed() {
    let postgres = Postgres::options().durable(true).start().unwrap();
    with_a_row(&postgres);
    // Busy, so that it does not notice by itself that the server is gone.
    thread::scope(|scope| {
        let busy = scope.spawn(|| postgres.query("evently", &["do 'begin loop end loop; end'"]));
        while postgres.query("evently", &["select 1 from pg_stat_activity where query like 'do %'"]).unwrap().is_empty() {}
        postgres.kill();
        assert!(busy.join().unwrap().is_err());
    });
    assert_eq!(processes_in(postgres.socket_folder()), 0);
    postgres.restart().unwrap();
    assert_eq!(count(&postgres), "1");
    assert!(fs::read_to_string(postgres.log()).unwrap().contains("automatic recovery in progress"));
}

#[test]
fn nobody_answers_while_it_is_paused() {
    let postgres = Postgres::start().unwrap();
    postgres.pause();
    thread::scope(|scope| {
        let (answer, answered) = mpsc::channel();
        let postgres = &postgres;
        scope.spawn(move || answer.send(postgres.query("evently", &["select 1"])).unwrap());
        assert!(answered.recv_timeout(Duration::from_millis(300)).is_err());
        postgres.resume();
        assert_eq!(answered.recv().unwrap().unwrap(), "1");
    });
}

#[test]
fn a_drop_leaves_no_process_and_no_folder() {
    for how in ["running", "paused", "stopped", "killed"] {
        let postgres = Postgres::start().unwrap();
        let folder = postgres.socket_folder().to_owned();
        match how {
            "paused" => postgres.pause(),
            "stopped" => postgres.stop().unwrap(),
            "killed" => postgres.kill(),
            _ => {}
        }
        drop(postgres);
        assert_eq!((processes_in(&folder), folder.exists()), (0, false), "{how}");
    }
}

/// What it shares in memory by a name of the whole machine, a kill would leave behind.
#[test]
fn what_it_shares_in_memory_is_in_its_folder() {
    let postgres = Postgres::start().unwrap();
    let folder = postgres.socket_folder();
    let status = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", status.lines().next().unwrap())).unwrap();
    let named: Vec<&str> = maps.lines().filter(|line| line.contains("/dev/shm/PostgreSQL")).collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn a_replica_follows_and_reads_on_when_the_first_is_gone() {
    let postgres = Postgres::start().unwrap();
    with_a_row(&postgres);
    let replica = postgres.replica().unwrap();
    assert_eq!(replica.query("evently", &["select pg_is_in_recovery()"]).unwrap(), "t");
    postgres.query("evently", &["insert into t values (2)"]).unwrap();
    while count(&replica) != "2" {}
    assert!(replica.query("evently", &["insert into t values (3)"]).is_err());
    let second = postgres.replica().unwrap();
    assert_eq!(count(&second), "2");
    postgres.kill();
    assert_eq!(count(&replica), "2");
}

#[test]
fn what_was_acknowledged_is_on_the_replica_that_is_promoted() {
    let postgres = Postgres::options().durable(true).start().unwrap();
    with_a_row(&postgres);
    let replica = postgres.replica().unwrap();
    postgres.wait_for_replica().unwrap();
    replica.pause();
    thread::scope(|scope| {
        let (answer, answered) = mpsc::channel();
        let postgres = &postgres;
        scope.spawn(move || answer.send(postgres.query("evently", &["insert into t values (2)"])).unwrap());
        assert!(answered.recv_timeout(Duration::from_millis(300)).is_err(), "only the server itself has it");
        replica.resume();
        answered.recv().unwrap().unwrap();
    });
    postgres.kill();
    replica.promote().unwrap();
    assert_eq!(count(&replica), "2");
    replica.query("evently", &["insert into t values (3)"]).unwrap();
}

#[test]
fn a_database_can_be_created() {
    let postgres = Postgres::start().unwrap();
    assert_eq!(postgres.create_database("a-b").unwrap(), postgres.admin_url("a-b"));
    assert_eq!(postgres.query("a-b", &["select current_database()"]).unwrap(), "a-b");
    let error = postgres.create_database("a-b").unwrap_err();
    assert!(error.contains("42P04"), "{error}");
}
