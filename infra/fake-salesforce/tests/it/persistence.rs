use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use fake_salesforce::{Clock, Config, FakeSalesforce, OutboundConfig, OutboundFaults, StartError, demo};
use serde_json::json;

use crate::harness::{PUBLIC_KEY, Receiver, Remote, TestOrg, config};

#[tokio::test]
async fn a_restart_keeps_records_counters_and_the_queue() {
    let directory = tempfile::tempdir().unwrap();
    let data = Some(directory.path().join("salesforce.sqlite"));
    let receiver = Receiver::start(Vec::new()).await;
    let outbound = Some(OutboundConfig { loop_guard: false, ..receiver.outbound() });
    let config = || Config {
        data: data.clone(),
        outbound: outbound.clone(),
        demo_data: true,
        clock: Clock::wall(),
        ..config()
    };
    let first = TestOrg::start(config()).await;
    first.org.set_outbound_faults(OutboundFaults { paused: true, ..OutboundFaults::default() });
    let case = first.create("Case", json!({"Subject": "Before the restart"})).await;
    let token = first.token.clone();
    // Dropped, not shut down: every task is aborted where it stands.
    drop(first);

    let second = TestOrg::start(config()).await;
    let read = second.get(&format!("/sobjects/Case/{case}")).await;
    assert_eq!(read.body["Subject"], json!("Before the restart"));
    let message = receiver.wait(1).await.remove(0);
    assert_eq!(message.all("sf:Id"), std::slice::from_ref(&case));
    let next = second.create("Case", json!({})).await;
    assert_ne!(next, case);
    let read = second.get(&format!("/sobjects/Case/{next}")).await;
    assert_eq!(read.body["CaseNumber"], json!("00000008"), "numbers go on");
    let count = second.query("SELECT COUNT() FROM Account").await;
    assert_eq!(count.body["totalSize"], json!(2), "the demo is written once");
    let old = second.http.get(format!("{}/services/data/v66.0/limits", second.base)).bearer_auth(token);
    assert_eq!(old.send().await.unwrap().status().as_u16(), 401, "sessions end with the process");
    second.org.shutdown().await;
}

/// A process that is killed when the test is done with it, or fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program itself, killed without warning and started again on the same file.
#[tokio::test]
async fn a_killed_process_loses_no_commit() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    std::fs::write(&key, PUBLIC_KEY).unwrap();
    let run = || {
        let mut process = Command::new(env!("CARGO_BIN_EXE_fake-salesforce"))
            .args(["--port", "0", "--public-key"])
            .arg(&key)
            .arg("--data")
            .arg(directory.path().join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let base = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("address=").map(|(_, rest)| rest.to_owned()))
            .and_then(|rest| {
                rest.split_whitespace().next().map(|base| base.trim_end_matches('/').to_owned())
            });
        (Killed(process), base.unwrap())
    };
    let (process, base) = run();
    let org = Remote::sign_in(base).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        let answer = org.post("/sobjects/Case", json!({"Subject": format!("Case {n}")})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        ids.push(answer.id());
    }
    // SIGKILL, right after the last answer.
    drop(process);

    let (_process, base) = run();
    let org = Remote::sign_in(base).await;
    for id in &ids {
        assert_eq!(org.get(&format!("/sobjects/Case/{id}")).await.status, 200);
    }
}

#[tokio::test]
async fn the_demo_has_the_promised_ids() {
    let org = TestOrg::demo().await;
    for account in [demo::NORDHAVEN, demo::BRIGHTWATER] {
        let read =
            org.get(&format!("/sobjects/Account/Portal_Account_Id__c/{}", account.portal_account_id)).await;
        assert_eq!((&read.body["Id"], &read.body["Name"]), (&json!(account.id), &json!(account.name)));
        for contact in account.contacts {
            let read = org.get(&format!("/sobjects/Contact/{}", contact.id)).await;
            assert_eq!(read.body["AccountId"], json!(account.id));
            assert_eq!(read.body["Name"], json!(format!("{} {}", contact.first_name, contact.last_name)));
            assert_eq!(read.body["Email"], json!(contact.email));
        }
        let contract = org.get(&format!("/sobjects/Portal_Contract__c/{}", account.contract_id)).await;
        assert_eq!(contract.body["Account__c"], json!(account.id));
        let rates = org
            .query(&format!(
                "SELECT COUNT() FROM Portal_Rate__c WHERE Contract__c = '{}'",
                account.contract_id
            ))
            .await;
        assert_eq!(rates.body["totalSize"], json!(2));
        for case in account.case_ids {
            let read = org.get(&format!("/sobjects/Case/{case}")).await;
            assert_eq!(read.body["AccountId"], json!(account.id));
        }
    }
    for user in [demo::INTEGRATION_USER_ID, demo::AGENT_USER_ID] {
        assert_eq!(org.get(&format!("/sobjects/User/{user}")).await.status, 200);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_and_a_taken_port_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("salesforce.sqlite");
    std::fs::write(&file, "this is not a database, and long enough to be read as one".repeat(50)).unwrap();
    let config = || Config { data: Some(file.clone()), ..config() };
    assert!(matches!(FakeSalesforce::start(config()).await, Err(StartError::Store(_))));
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let config = Config { data: None, listen, ..config() };
    assert!(matches!(FakeSalesforce::start(config).await, Err(StartError::Listen(_))));
}
