//! What was acknowledged survives a kill of the process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use portico_emulators::{BucketSpec, Emulators, NewMessage, Pool, QueueSpec};

use crate::cognito::{PASSWORD, claims, invite, sign_in, spec};
use crate::dynamodb::create_table;
use crate::support::{Clients, config};

/// Tells the other process that it was started by the test, and not by someone who runs ignored tests.
const STARTED: &str = "started-by-test";

/// Emulators in a process of their own, over the directory that they are started in.
struct Process {
    child: Child,
    aws: String,
    dynamodb: String,
}

impl Process {
    fn start(directory: &Path) -> Self {
        std::fs::write(directory.join(STARTED), []).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["restart::serve_until_killed", "--exact", "--ignored", "--nocapture"])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut urls = lines
            .map_while(Result::ok)
            .filter_map(|line| line.find("http://").map(|at| line[at..].trim().to_owned()));
        let (aws, dynamodb) = (urls.next().unwrap(), urls.next().unwrap());
        Self { child, aws, dynamodb }
    }

    /// SIGKILL: nothing can be written any more.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The other process of the test below, not a test.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by everything_acknowledged_survives_a_kill"]
async fn serve_until_killed() {
    if !Path::new(STARTED).exists() {
        return;
    }
    let emulators = Emulators::start(config(Some(Path::new("data")))).await.unwrap();
    emulators.create_bucket(BucketSpec::plain("portico-files")).await.unwrap();
    emulators.queues().create(QueueSpec::standard("work")).await.unwrap();
    emulators.cognito().ensure_pool(&spec()).await.unwrap();
    println!("\naws {}", emulators.aws_url());
    println!("\ndynamodb {}", emulators.dynamodb_url());
    // Longer than the test that kills it; then it ends by itself.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let clients = Clients::at(&process.aws, &process.dynamodb);
    create_table(&clients.dynamodb, "cases").await;
    clients
        .dynamodb
        .put_item()
        .table_name("cases")
        .item("account", AttributeValue::S("acct_1".into()))
        .item("id", AttributeValue::S("case_1".into()))
        .send()
        .await
        .unwrap();
    clients.secrets.create_secret().name("a").secret_string("secret").send().await.unwrap();
    let queue = clients.sqs.get_queue_url().queue_name("work").send().await.unwrap().queue_url.unwrap();
    clients.sqs.send_message().queue_url(&queue).message_body("received").send().await.unwrap();
    clients.sqs.receive_message().queue_url(&queue).send().await.unwrap();
    clients.sqs.send_message().queue_url(&queue).message_body("waiting").send().await.unwrap();
    let pool = find_pool(&clients, &process.aws).await;
    clients
        .cognito
        .admin_create_user()
        .user_pool_id(&pool.id)
        .username(crate::cognito::EMAIL)
        .send()
        .await
        .unwrap();
    let set = clients.cognito.admin_set_user_password().user_pool_id(&pool.id);
    set.username(crate::cognito::EMAIL).password(PASSWORD).permanent(true).send().await.unwrap();
    let tokens = sign_in(&clients.cognito, &pool, PASSWORD).await.unwrap().authentication_result.unwrap();
    let body = ByteStream::from_static(b"content");
    clients.s3.put_object().bucket("portico-files").key("file").body(body).send().await.unwrap();
    let begun =
        clients.s3.create_multipart_upload().bucket("portico-files").key("parts").send().await.unwrap();
    let upload = begun.upload_id.unwrap();
    let part = clients.s3.upload_part().bucket("portico-files").key("parts").upload_id(&upload);
    part.part_number(1).body(ByteStream::from_static(b"part")).send().await.unwrap();
    let objects = directory.path().join("data/objects");
    // What a write in the middle leaves behind.
    std::fs::write(objects.join("unfinished"), b"par").unwrap();
    process.kill();

    // The files are read here before another process serves them.
    let process = Process::start(directory.path());
    let clients = Clients::at(&process.aws, &process.dynamodb);
    let items = clients.dynamodb.scan().table_name("cases").send().await.unwrap();
    assert_eq!(items.count(), 1);
    let secret = clients.secrets.get_secret_value().secret_id("a").send().await.unwrap();
    assert_eq!(secret.secret_string(), Some("secret"));
    let queue = clients.sqs.get_queue_url().queue_name("work").send().await.unwrap().queue_url.unwrap();
    let waiting =
        clients.sqs.receive_message().queue_url(&queue).max_number_of_messages(10).send().await.unwrap();
    let waiting: Vec<_> = waiting.messages().iter().map(|message| message.body().unwrap()).collect();
    assert_eq!(waiting, ["waiting"], "the other one is still in flight");
    let object = clients.s3.get_object().bucket("portico-files").key("file").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"content");
    let parts = clients.s3.list_parts().bucket("portico-files").key("parts").upload_id(&upload).send().await;
    assert_eq!(parts.unwrap().parts().len(), 1);
    assert_eq!(std::fs::read_dir(objects).unwrap().count(), 2, "the object, the part and nothing else");
    let same = find_pool(&clients, &process.aws).await;
    assert_eq!((&same.id, &same.client_id), (&pool.id, &pool.client_id));
    sign_in(&clients.cognito, &same, PASSWORD).await.unwrap().authentication_result.unwrap();
    assert_eq!(
        claims(&same, tokens.access_token().unwrap()).await["token_use"],
        "access",
        "the keys are the same"
    );
    process.kill();

    // What has no wire: the stream, the event of the object, the mail of the invitation.
    let emulators = Emulators::start(config(Some(&directory.path().join("data")))).await.unwrap();
    assert_eq!(emulators.streams().read("cases", None).await.unwrap().len(), 1);
    let events = emulators.object_events().receive(10, Duration::ZERO).await.unwrap();
    assert_eq!(events.iter().map(|event| event.key.as_str()).collect::<Vec<_>>(), ["file"]);
    assert_eq!(emulators.mailbox().list(Some(crate::cognito::EMAIL), 10).await.unwrap().len(), 1);
}

async fn find_pool(clients: &Clients, aws: &str) -> Pool {
    let pools = clients.cognito.list_user_pools().max_results(10).send().await.unwrap();
    let id = pools.user_pools()[0].id().unwrap().to_owned();
    let client = clients.cognito.list_user_pool_clients().user_pool_id(&id).send().await.unwrap();
    let client_id = client.user_pool_clients()[0].client_id().unwrap().to_owned();
    let issuer = format!("https://cognito-idp.eu-central-1.amazonaws.com/{id}");
    Pool { jwks_url: format!("{aws}/{id}/.well-known/jwks.json"), id, client_id, issuer }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_opened_again_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    emulators.create_bucket(BucketSpec::plain("portico-files")).await.unwrap();
    emulators.queues().create(QueueSpec::standard("work")).await.unwrap();
    emulators.queues().send("work", NewMessage::new("kept")).await.unwrap();
    let clients = Clients::of(&emulators);
    let pool = emulators.cognito().ensure_pool(&spec()).await.unwrap();
    invite(&emulators, &clients.cognito, &pool).await;
    emulators.shutdown().await;

    let emulators = Emulators::start(config(Some(directory.path()))).await.unwrap();
    let clients = Clients::of(&emulators);
    let again = emulators.cognito().ensure_pool(&spec()).await.unwrap();
    assert_eq!((&again.id, &again.client_id), (&pool.id, &pool.client_id));
    sign_in(&clients.cognito, &again, PASSWORD).await.unwrap().authentication_result.unwrap();
    assert_eq!(emulators.queues().peek("work", 10).await.unwrap()[0].body, "kept");
    let buckets = clients.s3.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets()[0].name(), Some("portico-files"));
}
