use std::collections::HashSet;
use std::thread;

use evently_testservers::{Database, SharedPostgres, fresh_database, shared_postgres};

fn server() -> &'static SharedPostgres {
    shared_postgres().unwrap()
}

fn exists(database: &str) -> bool {
    let admin = fresh_database().unwrap();
    admin.query(&[&format!("select count(*) from pg_database where datname = '{database}'")]).unwrap() == "1"
}

/// As a store's tests do.
fn with_schema(template: &str) -> Database {
    if let Some(copy) = server().copy_of(template).unwrap() {
        return copy;
    }
    let draft = server().fresh_database().unwrap();
    draft.execute("create table t (n int)").unwrap();
    draft.into_template(template).unwrap();
    server().copy_of(template).unwrap().unwrap()
}

#[test]
fn a_fresh_database_is_dropped_with_its_owner() {
    let database = server().fresh_database().unwrap();
    assert_eq!(database.query(&["select current_database()"]).unwrap(), database.name());
    assert_eq!(database.url(), server().admin_url(database.name()));
    let name = database.name().to_owned();
    assert!(exists(&name));
    drop(database);
    assert!(!exists(&name));
}

#[test]
fn there_is_no_copy_of_a_template_that_nobody_made() {
    assert!(server().copy_of("nobody").unwrap().is_none());
}

#[test]
fn many_who_need_the_same_template_at_once_all_get_a_copy() {
    // The server may have one from before.
    let template = server().fresh_database().unwrap().name().to_owned();
    let threads: Vec<_> =
        (0..8).map(|_| template.clone()).map(|template| thread::spawn(move || with_schema(&template))).collect();
    let copies: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let names: HashSet<_> = copies.iter().map(Database::name).collect();
    assert_eq!(names.len(), 8);
    for copy in &copies {
        assert_eq!(copy.query(&["insert into t values (1) returning n"]).unwrap(), "1");
    }
    assert_eq!(with_schema(&template).query(&["select count(*) from t"]).unwrap(), "0");
}
