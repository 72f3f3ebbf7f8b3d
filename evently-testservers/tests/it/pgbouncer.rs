use evently_testservers::{PgBouncer, Postgres};

#[test]
fn it_pools_by_transaction() {
    let postgres = Postgres::start().unwrap();
    let bouncer = PgBouncer::start(&postgres).unwrap();
    postgres.create_database("other").unwrap();
    assert_eq!(bouncer.query("evently", &["select 1"]).unwrap(), "1");
    assert_eq!(bouncer.query("other", &["select current_database()"]).unwrap(), "other");
    let settings = bouncer.query("pgbouncer", &["show config"]).unwrap();
    for expected in ["pool_mode|transaction", "max_client_conn|1000", "default_pool_size|25", "reserve_pool_size|5"] {
        assert!(settings.contains(expected), "{expected} is not in {settings}");
    }
}

#[test]
fn it_finds_the_server_again_after_a_restart_of_either() {
    let postgres = Postgres::start().unwrap();
    let bouncer = PgBouncer::start(&postgres).unwrap();
    let url = bouncer.url("evently");
    bouncer.restart().unwrap();
    assert_eq!((bouncer.query("evently", &["select 1"]).unwrap(), bouncer.url("evently")), ("1".to_owned(), url));
    postgres.restart().unwrap();
    bouncer.pause();
    bouncer.resume();
    assert_eq!(bouncer.query("evently", &["select 1"]).unwrap(), "1");
    bouncer.stop().unwrap();
    assert!(bouncer.query("evently", &["select 1"]).is_err());
}
