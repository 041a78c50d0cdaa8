//! The WebSocket's `$connect` and `$disconnect`.

use portico_domain::Random;
use portico_store::Person;
use serde_json::json;

use super::Sample;
use crate::{
    stack::now,
    world::{MEMBER, World, user},
};

/// The connection in the files.
const CONNECTION: &str = "Synthetic0Conn=";

async fn member(world: &World) -> portico_store::ClientPerson {
    match world.store.identify(&user(MEMBER)).await.unwrap() {
        Some(Person::Client(person)) => person,
        other => panic!("{other:?}"),
    }
}

async fn listening(world: &World) -> Vec<String> {
    let listeners = world.store.listeners(&world.tenant()).await.unwrap();
    listeners.into_iter().map(|listener| listener.connection).collect()
}

pub async fn connects(sample: &Sample) {
    let world = &sample.world;
    // The ticket in the file.
    let random = Random::new(|buffer| buffer.fill(0x7e));
    world.store.issue_live_ticket(&member(world).await, &random, now()).await.unwrap();
    assert_eq!(sample.run().await, json!({ "statusCode": 200 }));
    assert_eq!(listening(world).await, [CONNECTION]);
}

pub async fn refuses_an_unknown_ticket(sample: &Sample) {
    assert_eq!(sample.run().await, json!({ "statusCode": 401 }));
    assert!(listening(&sample.world).await.is_empty());
}

pub async fn disconnects(sample: &Sample) {
    let world = &sample.world;
    world.store.connect(CONNECTION, &member(world).await, now()).await.unwrap();
    assert_eq!(sample.run().await, json!({ "statusCode": 200 }));
    assert!(listening(world).await.is_empty());
}
