//! What is parked at the broker.

use evently_http::messages::{Topology, Work};
use evently_testservers::{fresh_namespace, shared_rabbitmq};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueuePurgeOptions},
};
use serde_json::json;

use crate::evently::Evently;

async fn park(channel: &Channel, topology: &Topology, id: &str) {
    let (how, properties) = (BasicPublishOptions::default(), BasicProperties::default().with_message_id(id.into()));
    let parked = topology.parked(Work::Analytics);
    channel.basic_publish("".into(), parked.into(), how, b"what is this", properties).await.unwrap().await.unwrap();
}

/// The ids of the parked messages.
fn parked(evently: &Evently) -> Vec<String> {
    let listed = evently.json(&["queue", "list", "analytics"]);
    let mut ids =
        listed["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    ids.sort();
    ids
}

#[tokio::test]
async fn of_parked_messages_only_the_one_that_is_named_is_dropped_or_replayed() {
    let url = tokio::task::spawn_blocking(shared_rabbitmq).await.unwrap().unwrap();
    let prefix = fresh_namespace();
    let topology = Topology::try_new(&prefix).unwrap();
    let evently = Evently::new().with("EVENTLY__RABBITMQ__URL", &url).with("EVENTLY__RABBITMQ__PREFIX", &prefix);
    assert_eq!(parked(&evently), Vec::<String>::new());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for id in ["6", "7", "8", "9"] {
        park(&channel, &topology, id).await;
    }
    assert_eq!(evently.json(&["queue", "list", "jobs"]), json!({ "items": [] }), "those of another queue");
    assert_eq!(evently.run(&["queue", "list"]).stdout.lines().count(), 5);
    assert_eq!(evently.run(&["queue", "list", "--limit", "2"]).stdout.lines().count(), 3);
    assert_eq!(evently.json(&["queue", "drop", "analytics", "7"]), json!({ "queue": "analytics", "dropped": 1 }));
    assert_eq!(parked(&evently), ["6", "8", "9"]);
    assert_eq!(evently.json(&["queue", "replay", "analytics", "8"]), json!({ "queue": "analytics", "replayed": 1 }));
    assert_eq!(parked(&evently), ["6", "9"]);
    assert_eq!(evently.run(&["queue", "drop", "analytics", "7"]).code, 1, "it is gone");
    assert_eq!(evently.json(&["queue", "drop", "analytics", "--all"]), json!({ "queue": "analytics", "dropped": 2 }));
    assert_eq!(parked(&evently), Vec::<String>::new());
    let queue = topology.queue(Work::Analytics);
    assert_eq!(channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.unwrap(), 1, "what was replayed");
}
