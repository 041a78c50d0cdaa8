//! Every operation without a valid token, and with one of somebody who has no access.

use futures::{StreamExt as _, stream};
use portico_conformance::isolation::{self, Target, Token};
use serde_json::json;

use crate::{
    cells::path,
    client::body,
    scene::{Scene, claims, signed},
};

/// Requests at once.
const AT_ONCE: usize = 4;

fn token(scene: &Scene, kind: Token) -> Option<String> {
    let jonas = scene.person("jonas");
    let claims = claims(&scene.cloud.pools()["UserPool"], &jonas.user.to_string());
    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&scene.cloud, &claims)
    };
    match kind {
        Token::None => None,
        Token::Garbage => Some("x.y.z".to_owned()),
        Token::Expired => Some(changed("exp", json!(claims["iat"]))),
        Token::OtherPool => {
            let issuer = claims["iss"].as_str().unwrap().replace("eu-central-1_", "eu-central-1_Z");
            Some(changed("iss", json!(issuer)))
        }
        Token::Id => Some(jonas.id_token.clone()),
        Token::Leaver => Some(scene.leaver.clone()),
        Token::Unknown => Some(scene.unknown.clone()),
    }
}

/// On the member's own records: with a good token the same is allowed, see [`crate::cells`].
pub async fn case_t11_without_access_nothing_is_done(scene: &Scene) {
    // What is refused is refused for what it lacks, not for how it is made.
    let good = signed(
        &scene.cloud,
        &claims(&scene.cloud.pools()["UserPool"], &scene.person("jonas").user.to_string()),
    );
    let jonas = crate::scene::Person { token: good, ..scene.person("jonas").clone() };
    assert_eq!(scene.get(&jonas, "/cases").await.status, 200);

    let before = (scene.state("jonas").await, scene.announced().await);
    let theirs = &scene.belongings["jonas"];
    let requests = isolation::rows().flat_map(|row| Token::ALL.map(|kind| (row.clone(), kind)));
    let asked = stream::iter(requests)
        .map(async |(row, kind)| {
            let id = match row.target {
                Target::Case => theirs.case.to_string(),
                Target::File => theirs.file.clone(),
                Target::Archive => scene.archives["jonas"].clone(),
                Target::Invoice => theirs.invoice.clone(),
                Target::Account | Target::Caller => String::new(),
            };
            let path = path(row.operation, &id, None);
            let answer = scene
                .ask_with(token(scene, kind), row.operation, &path, body(row.operation, "without access"))
                .await;
            let refusal = kind.refusal();
            let what = format!("{}, token: {}", row.operation, kind.name());
            answer.assert_problem(refusal.status().as_u16(), refusal.slug(), &what);
        })
        .buffer_unordered(AT_ONCE)
        .count()
        .await;
    assert_eq!(asked, isolation::rows().count() * Token::ALL.len());
    assert_eq!((scene.state("jonas").await, scene.announced().await), before);
}
