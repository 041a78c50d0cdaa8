//! Equal requests at the same moment, and keys that only look equal. What the store decides is in
//! [`crate::records`]; here it is asked through every command, as clients do.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use jiff::SignedDuration;
use portico_aws::Function;

use crate::{
    commands::{Answer, COMMANDS, Command, Request},
    consumers::Consumers,
    stack::MovableClock,
    world::{MANAGER, MEMBER, STRANGER, World},
};

/// How many clients send the same request at once.
const CLIENTS: usize = 50;
/// Most tries of one client, which waits as long as it is told to in between.
const TRIES_MAX: usize = 10;

/// Tries until there is an answer. Returns it, and how often it was told to wait.
async fn click(function: Function, request: Arc<Request>) -> (Answer, usize) {
    for waits in 0..TRIES_MAX {
        let answer = request.send_to(&function).await;
        if !answer.in_flight() {
            return (answer, waits);
        }
        tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap())).await;
    }
    panic!("not answered after {TRIES_MAX} tries");
}

async fn click_often(command: &Command) {
    let clock = MovableClock::new();
    let world = World::start_watched(clock.clock()).await;
    let mut consumers = Consumers::start(&world).await;
    consumers.run(&world).await;
    consumers.take_facts();
    let request = Arc::new((command.request)(&world, "double click").await);
    // Lambda runs one request at a time in a process, so equal requests at once are as many processes.
    let processes = join_all((0..CLIENTS).map(|_| world.boot(command.function))).await;
    let clicks =
        processes.iter().map(|guarded| tokio::spawn(click(guarded.function.clone(), Arc::clone(&request))));
    let seen: Vec<(Answer, usize)> = join_all(clicks).await.into_iter().map(Result::unwrap).collect();

    let first: Vec<&Answer> =
        seen.iter().map(|(answer, _)| answer).filter(|answer| !answer.replayed).collect();
    assert_eq!(first.len(), 1, "{}: answers that are no replays", command.operation);
    assert_eq!(first[0].status, command.status, "{:?}", first[0]);
    for (answer, _) in &seen {
        assert_eq!(answer, &Answer { replayed: answer.replayed, ..first[0].clone() });
    }
    clock.advance(SignedDuration::from_secs(60));
    consumers.run(&world).await;
    let effects = (command.effects)(&world, "double click", first[0]).await;
    assert_eq!(effects, command.expected, "{}", command.operation);
    assert_eq!(consumers.take_facts(), command.events, "{}", command.operation);
    // Else they would not have come at once.
    assert!(seen.iter().any(|(_, waits)| *waits > 0), "{}: nobody met the first one", command.operation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_i02_fifty_equal_requests_at_once_have_one_effect_and_one_answer() {
    for command in COMMANDS {
        click_often(command).await;
    }
}

/// One key for everything: every command of every user has it to itself.
#[tokio::test]
async fn case_i04_the_same_key_elsewhere_is_another_command() {
    let world = World::start().await;
    for command in COMMANDS {
        let function = world.boot(command.function).await.function;
        let request = (command.request)(&world, "shared").await;
        let first = request.send_to(&function).await;
        assert_eq!((first.status, first.replayed), (command.status, false), "{}", command.operation);
        // Of the same account, and of another one, which may not be let in but must not hear of the first either.
        for other in [MANAGER, MEMBER, STRANGER].into_iter().filter(|other| *other != request.sender()) {
            let answer = request.clone().by(other).send_to(&function).await;
            let kind = answer.body["type"].as_str().unwrap_or_default();
            // What one colleague has closed the other cannot close again: that is of the case, not of the key.
            let of_the_key = ["/in-flight", "/idempotency-key-reused"].iter().any(|end| kind.ends_with(end));
            assert!(!answer.replayed && !of_the_key, "{}: {answer:?}", command.operation);
            assert_ne!(answer.body, first.body, "{}", command.operation);
        }
    }
}

/// And within one command it belongs to the very bytes that were sent with it.
#[tokio::test]
async fn case_i01_a_key_with_another_body_is_refused_by_every_command() {
    let world = World::start().await;
    for command in COMMANDS {
        let function = world.boot(command.function).await.function;
        let request = (command.request)(&world, "reused").await;
        let first = request.send_to(&function).await;
        let other = request.clone().with_other_body().send_to(&function).await;
        assert_eq!(other.status, 422, "{}: {other:?}", command.operation);
        assert_eq!(
            other.body["type"].as_str().map(|kind| kind.ends_with("idempotency-key-reused")),
            Some(true)
        );
        let again = request.send_to(&function).await;
        assert_eq!(again, Answer { replayed: true, ..first }, "{}", command.operation);
    }
}
