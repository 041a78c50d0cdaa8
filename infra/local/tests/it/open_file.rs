//! The page to which agents are led from Salesforce: what it is served with. What it does is seen in a browser, and what it
//! asks for in the journey.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Script, http};

#[tokio::test(flavor = "multi_thread")]
async fn the_page_asks_who_is_there_and_loads_and_asks_nothing_elsewhere() {
    let (script, seen) = Script::new().on("door", |_| Ok(json!({ "statusCode": 200, "body": "{}" })));
    let cloud = script.start().await;
    let web = &cloud.addresses().web;
    let get = async |path: &str| http().get(format!("{web}{path}")).send().await.unwrap();

    let page = get("/files/file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72?account=acct_1").await;
    assert_eq!(page.status(), StatusCode::OK);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let aws = &cloud.addresses().aws;
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains(&format!("connect-src 'self' {aws};")), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert!(header("content-type").starts_with("text/html"));
    let html = page.text().await.unwrap();
    for part in ["/open-file/script.js", "/open-file/style.css"] {
        assert!(html.contains(&format!("\"{part}\"")), "{part}");
        let loaded = get(part).await;
        assert_eq!(loaded.status(), StatusCode::OK, "{part}");
        assert_eq!(loaded.headers()["x-content-type-options"], "nosniff", "{part}");
    }
    assert!(html.contains(&format!("data-client=\"{}\"", cloud.pools()["UserPool"].client_id)), "{html}");
    assert!(html.contains("autocomplete=\"current-password\"") && html.contains("role=\"alert\""));

    // Whatever the address says, it is not in the page: the script takes it for text.
    let other = get("/files/%3Cscript%3Ealert(1)%3C%2Fscript%3E?account=%22%3E%3Cimg%3E").await;
    assert_eq!(other.text().await.unwrap(), html);
    assert_eq!(seen.count(), 0, "nobody was asked for anything yet");

    // The API is asked through this host, and decides: without a token, nothing.
    let refused = get("/open-file/files/file_01993b8e5c6a7d2f8b1e4a9c0d3f6e72?account=acct_1").await;
    assert!(matches!(refused.status().as_u16(), 401 | 403), "{}", refused.status());
    assert_eq!(seen.count(), 0);
    cloud.shutdown().await;
}
