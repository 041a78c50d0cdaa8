//! Links of the store: whoever has one has the content, so it must be good for nothing else.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use portico_aws::{Cloud, Settings};
use portico_domain::{
    files::{DOWNLOAD_WINDOW, UPLOAD_WINDOW},
    people::MembershipState,
};
use reqwest::{Method, Url};

use crate::{
    client::{Answer, answer, body},
    live,
    scene::Scene,
};

/// How long a link of this test works.
const SHORT: SignedDuration = SignedDuration::from_secs(1);
/// When it does not any more.
const AFTERWARDS: Duration = Duration::from_millis(2_500);
/// What is left of a link that was given nearly five minutes ago: enough to ask once on a busy machine.
const LAST_SECONDS: SignedDuration = SignedDuration::from_secs(5);

async fn fetch(scene: &Scene, method: Method, url: &Url) -> Answer {
    answer(scene.http.request(method, url.clone())).await
}

/// The same link with another value of a parameter, or without it.
fn changed(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut other = url.clone();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(other, _)| other == name), "{url} has no {name}");
    let mut query = other.query_pairs_mut();
    query.clear();
    for (other, old) in &pairs {
        match value {
            Some(value) if other == name => _ = query.append_pair(other, value),
            None if other == name => {}
            _ => _ = query.append_pair(other, old),
        }
    }
    drop(query);
    other
}

/// Links of somebody: to their file, and to their invoice if they have one.
async fn links(scene: &Scene, owner: &str) -> (Url, Option<Url>) {
    let (person, theirs) = (scene.person(owner), &scene.belongings[owner]);
    let file = scene.get(person, &format!("/files/{}", theirs.file)).await.json();
    let file = file["download"]["url"].as_str().unwrap().parse().unwrap();
    let pdf = scene.get(person, &format!("/invoices/{}/pdf", theirs.invoice)).await;
    (file, pdf.header("location").parse().ok())
}

pub async fn case_t07_links_work_only_as_given(scene: &Scene) {
    let (own, own_pdf) = links(scene, "mara").await;
    let own_pdf = own_pdf.unwrap();
    let (foreign, foreign_pdf) = links(scene, "priya").await;
    let (colleagues, none) = links(scene, "jonas").await;
    assert_eq!(none, None, "members get no invoice");
    let good = fetch(scene, Method::GET, &own).await;
    assert_eq!((good.status, good.text.as_str()), (200, scene.belongings["mara"].case_words.as_str()));
    assert!(good.header("content-disposition").starts_with("attachment"));
    let pdf = fetch(scene, Method::GET, &own_pdf).await;
    assert_eq!(pdf.status, 200);
    assert!(pdf.text.starts_with("%PDF-"));

    let upload = {
        let path = format!("/cases/{}/files", scene.belongings["mara"].case);
        let declared = body("POST /cases/{caseId}/files", "file-of-the-links");
        scene.ask(scene.person("mara"), "POST ", &path, declared).await.json()
    };
    let upload: Url = upload["upload"]["url"].as_str().unwrap().parse().unwrap();
    for (link, window) in [(&own, DOWNLOAD_WINDOW), (&own_pdf, DOWNLOAD_WINDOW), (&upload, UPLOAD_WINDOW)] {
        let seconds = window.as_secs().to_string();
        let told = link.query_pairs().find(|(name, _)| name == "X-Amz-Expires").unwrap().1;
        assert_eq!(told, seconds, "{link}");
    }

    let mut tries = Vec::new();
    for (link, others) in
        [(&own, vec![&foreign, &colleagues, &own_pdf]), (&own_pdf, vec![foreign_pdf.as_ref().unwrap(), &own])]
    {
        for other in others {
            let mut moved = link.clone();
            moved.set_path(other.path());
            tries.push((Method::GET, moved, "another key"));
        }
        let mut above = link.clone();
        above.set_path(link.path().rsplit_once('/').unwrap().0);
        tries.push((Method::GET, above, "what lies above"));
        let bucket = link.path().split('/').nth(1).unwrap().to_owned();
        let mut listing = link.clone();
        listing.set_path(&format!("/{bucket}"));
        tries.push((Method::GET, listing, "the whole bucket"));
        let mut bare = link.clone();
        bare.set_query(None);
        tries.push((Method::GET, bare, "no signature"));
        for (name, value) in [
            ("X-Amz-Expires", Some("604800")),
            ("X-Amz-Date", Some("20261122T000000Z")),
            ("X-Amz-Signature", Some("0000000000000000000000000000000000000000000000000000000000000000")),
            ("response-content-disposition", Some("inline")),
            ("response-content-type", Some("text/html")),
            ("X-Amz-Expires", None),
            ("X-Amz-Signature", None),
            ("response-content-disposition", None),
        ] {
            tries.push((Method::GET, changed(link, name, value), name));
        }
        for method in [Method::PUT, Method::DELETE, Method::POST] {
            tries.push((method, link.clone(), "another method"));
        }
    }
    let mut moved = upload.clone();
    moved.set_path(foreign.path());
    tries.push((Method::PUT, moved, "an upload over another's file"));
    tries.push((Method::GET, upload.clone(), "a download by an upload's link"));
    for (method, url, what) in tries {
        let refused = fetch(scene, method.clone(), &url).await;
        assert!((400..500).contains(&refused.status), "{what}: {method} {url}: {}", refused.status);
        for theirs in scene.belongings.values() {
            assert!(!refused.text.contains(&theirs.case_words), "{what}: {}", refused.text);
        }
        assert!(!refused.text.contains("%PDF"), "{what}");
    }
    let still = fetch(scene, Method::GET, &foreign).await;
    assert_eq!(still.text, scene.belongings["priya"].case_words, "nothing was overwritten");

    let key = key(&own);
    let signed = portico_aws::system_clock().now();
    let link = link(scene, &key, signed, SHORT).await;
    assert_eq!(fetch(scene, Method::GET, &link).await.status, 200);
    tokio::time::sleep(AFTERWARDS).await;
    let lapsed = fetch(scene, Method::GET, &link).await;
    assert_eq!(lapsed.status, 403, "{}", lapsed.text);
}

/// The store's key of the object that a link leads to.
fn key(link: &Url) -> String {
    link.path().splitn(3, '/').nth(2).unwrap().to_owned()
}

/// A download link as the function signs it, but at this time and for so long.
async fn link(scene: &Scene, key: &str, signed: Timestamp, window: SignedDuration) -> Url {
    let settings = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", portico_emulators::ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", portico_emulators::SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_S3", &scene.cloud.addresses().aws),
        ("FILES_BUCKET", scene.cloud.reference("FilesBucket").unwrap()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let cloud =
        Cloud::new(Settings::new(settings), portico_aws::system_clock(), portico_aws::system_random());
    let bucket = cloud.bucket("FILES_BUCKET").unwrap();
    let link = bucket.presign_download(key, "attachment", "text/plain", signed, window).await.unwrap();
    link.url.parse().unwrap()
}

/// The store knows no people: a link that was given to somebody who is removed a moment later works until its five
/// minutes are over, and that is the limit. No new one is given from that moment on.
pub async fn case_f06_a_removed_persons_link_lapses_by_itself_and_no_new_one_is_given(scene: &Scene) {
    let kai = live::kai(scene);
    let file = format!("/files/{}", scene.belongings["mara"].file);
    let words = &scene.belongings["mara"].case_words;
    live::admit(scene, "mara", MembershipState::Active).await;
    let given = scene.get(&kai, &file).await;
    assert_eq!(given.status, 200, "{}", given.text);
    let given: Url = given.json()["download"]["url"].as_str().unwrap().parse().unwrap();

    live::admit(scene, "mara", MembershipState::Deactivated).await;
    scene.get(&kai, &file).await.assert_problem(403, "access-ended", "a new link");
    let still = fetch(scene, Method::GET, &given).await;
    assert_eq!((still.status, &still.text), (200, words), "the link was given before");

    // The same link, given nearly five minutes ago: the store goes by the time in it.
    let signed = portico_aws::system_clock().now() - DOWNLOAD_WINDOW + LAST_SECONDS;
    let nearly_over = link(scene, &key(&given), signed, DOWNLOAD_WINDOW).await;
    assert_eq!(fetch(scene, Method::GET, &nearly_over).await.status, 200);
    tokio::time::sleep(LAST_SECONDS.unsigned_abs() + Duration::from_secs(1)).await;
    let lapsed = fetch(scene, Method::GET, &nearly_over).await;
    assert_eq!(lapsed.status, 403, "{}", lapsed.text);
    assert!(!lapsed.text.contains(words.as_str()), "{}", lapsed.text);
}
