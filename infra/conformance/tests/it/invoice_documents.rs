//! What is kept of an issued invoice: a PDF and an e-invoice, each written once, in the dress of the brand.

use bytes::Bytes;
use portico_aws::{Bucket, Kept};
use portico_domain::billing::{Invoice, StoredDocument};
use sha2::{Digest as _, Sha256};

use crate::{
    samples::text,
    world::{World, lambda_event},
};

const FUNCTION: &str = "invoice-rendering";
const BRAND: &str = r#"{
    "seller": { "name": "Nordlicht Consulting", "address": ["Hamburg"], "country": "DE", "vat_number": "DE811223344" },
    "language": "de"
}"#;
/// More than any of these documents has.
const BYTES_MAX: u64 = 10_000_000;

async fn render(world: &World, brand: &str) {
    let guard = world.guard(world.grants(FUNCTION)).await;
    let mut variables = world.variables(FUNCTION);
    variables.insert("SELLER_BRAND".to_owned(), brand.to_owned());
    let function = world.boot_with(FUNCTION, variables, &guard).await.unwrap();
    let event = text("invoice-rendering-invoice-issued");
    let answer = function.invoke(lambda_event(&event)).await.unwrap();
    assert_eq!(answer.get(), r#"{"batchItemFailures":[]}"#);
    assert_eq!(guard.denied(), []);
}

fn bucket(world: &World) -> Bucket {
    world.stack.cloud().bucket("INVOICES_BUCKET").unwrap()
}

async fn stored(world: &World, invoice: &Invoice) -> Invoice {
    world.store.invoice(&world.tenant(), invoice.id).await.unwrap().unwrap()
}

async fn content(world: &World, document: &StoredDocument) -> Bytes {
    let content = bucket(world).whole(&document.key, BYTES_MAX).await.unwrap().unwrap();
    assert_eq!(document.size, u64::try_from(content.len()).unwrap());
    assert_eq!(document.sha256, hex::encode(Sha256::digest(&content)));
    content
}

async fn e_invoice(world: &World, invoice: &Invoice) -> String {
    let rendered = stored(world, invoice).await.rendered.unwrap();
    assert_eq!(rendered.key, invoice.document_key());
    let e_invoice = rendered.e_invoice.unwrap();
    assert_eq!(e_invoice.key, invoice.e_invoice_key());
    String::from_utf8(content(world, &e_invoice).await.to_vec()).unwrap()
}

#[tokio::test]
async fn an_invoice_wears_its_brand() {
    let world = World::start().await;
    bucket(&world).put("brands/nordlicht.json", "application/json", BRAND.into()).await.unwrap();
    let invoice = world.issue_invoice().await;
    render(&world, "nordlicht").await;
    let xml = e_invoice(&world, &invoice).await;
    assert!(xml.contains("<ram:Name>Nordlicht Consulting</ram:Name>"), "{xml}");
    assert!(xml.contains("Zahlbar bis"), "in the brand's language: {xml}");
}

#[tokio::test]
async fn a_brand_that_is_missing_or_broken_is_the_plain_one() {
    for content in [None, Some("{}"), Some("not JSON")] {
        let world = World::start().await;
        if let Some(content) = content {
            bucket(&world).put("brands/nordlicht.json", "application/json", content.into()).await.unwrap();
        }
        let invoice = world.issue_invoice().await;
        render(&world, "nordlicht").await;
        let xml = e_invoice(&world, &invoice).await;
        assert!(xml.contains("<ram:Name>Aldermoor Consulting</ram:Name>"), "{content:?}: {xml}");
    }
}

/// An attempt died after it had kept the e-invoice, and since then the function was deployed anew.
#[tokio::test]
async fn what_was_kept_stands() {
    let world = World::start().await;
    let invoice = world.issue_invoice().await;
    let kept = "<kept>before</kept>";
    let put = bucket(&world).put_new(&invoice.e_invoice_key(), "application/xml", kept.into()).await;
    assert_eq!(put.unwrap(), Kept::New);
    render(&world, "").await;
    assert_eq!(e_invoice(&world, &invoice).await, kept);
    let rendered = stored(&world, &invoice).await.rendered.unwrap();
    let again = bucket(&world).put_new(&rendered.key, "application/pdf", "other".into()).await;
    assert_eq!(again.unwrap(), Kept::There);
    let pdf = bucket(&world).whole(&rendered.key, BYTES_MAX).await.unwrap().unwrap();
    assert_eq!(rendered.sha256, hex::encode(Sha256::digest(&pdf)));
    // A message that comes twice changes nothing.
    render(&world, "").await;
    assert_eq!(stored(&world, &invoice).await.version, 2);
}
