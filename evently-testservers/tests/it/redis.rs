use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use evently_testservers::{Redis, RedisCluster, RedisSentinels, fresh_namespace, shared_redis};

#[test]
fn it_keeps_what_it_is_told_until_it_is_flushed_or_restarted() {
    let redis = Redis::start().unwrap();
    let url = redis.url();
    for forget in [Redis::flush, Redis::restart, |redis: &Redis| redis.stop().and_then(|()| redis.restart())] {
        assert_eq!(redis.query(&["set", "k", "v"]).unwrap(), "OK");
        assert_eq!(redis.query(&["get", "k"]).unwrap(), "v");
        forget(&redis).unwrap();
        assert_eq!((redis.query(&["get", "k"]).unwrap(), redis.url()), (String::new(), url.clone()));
    }
    redis.kill();
    assert!(redis.query(&["ping"]).is_err());
}

#[test]
fn an_error_of_the_server_is_one() {
    let redis = Redis::start().unwrap();
    let error = redis.query(&["no-such-command"]).unwrap_err();
    assert!(error.contains("unknown command"), "{error}");
}

#[test]
fn nobody_answers_while_it_is_paused() {
    let redis = Redis::start().unwrap();
    redis.pause();
    thread::scope(|scope| {
        let (answer, answered) = mpsc::channel();
        let redis = &redis;
        scope.spawn(move || answer.send(redis.query(&["ping"])).unwrap());
        assert!(answered.recv_timeout(Duration::from_millis(300)).is_err());
        redis.resume();
        assert_eq!(answered.recv().unwrap().unwrap(), "PONG");
    });
}

#[test]
fn a_drop_leaves_no_folder() {
    let redis = Redis::start().unwrap();
    let folder = redis.log().parent().unwrap().to_owned();
    drop(redis);
    assert!(!fs::exists(folder).unwrap());
}

#[test]
fn sentinels_put_the_replica_in_the_place_of_a_master_that_was_killed() {
    let set = RedisSentinels::start().unwrap();
    assert_eq!(set.url().matches("127.0.0.1").count(), set.sentinels().len());
    let first = set.master().unwrap();
    assert_eq!(first.query(&["set", "k", "v"]).unwrap(), "OK");
    let next = set.fail_over().unwrap();
    assert_ne!(next.port(), first.port());
    assert_eq!(next.query(&["set", "k", "w"]).unwrap(), "OK");
}

#[test]
fn a_namespace_is_nobody_elses() {
    assert_ne!(fresh_namespace(), fresh_namespace());
    assert!(shared_redis().unwrap().starts_with("redis://"));
}

#[test]
fn a_cluster_has_all_keys_among_its_nodes_and_is_whole_again_after_a_crash() {
    let cluster = RedisCluster::start().unwrap();
    let served = |node: &Redis| {
        let key = "{x}:1";
        node.query(&["set", key, "1"])
    };
    assert_eq!(cluster.nodes().iter().filter(|node| served(node).is_ok()).count(), 1, "the others say who has it");
    cluster.nodes()[1].restart().unwrap();
    assert!(cluster.wait_until_whole());
    assert_eq!(cluster.nodes().iter().filter(|node| served(node).is_ok()).count(), 1);
}
