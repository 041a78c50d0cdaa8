//! Brands: what is taken, and what is refused with which words.

use crate::extraction::text;
use crate::work::{Dice, issued};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use portico_invoice::{
    BRAND_BYTES_MAX, Brand, BrandError, BrandName, LOGO_BYTES_MAX, Language, LogoError, Voucher, compose,
    render,
};
use serde_json::{Value, json};

const EXAMPLES: [&[u8]; 3] = [
    include_bytes!("../../brands/nordlicht.json"),
    include_bytes!("../../brands/atelier-verde.json"),
    include_bytes!("../../brands/hollis-and-wren.json"),
];

fn read(brand: &Value) -> Result<Brand, BrandError> {
    Brand::from_json(&serde_json::to_vec(brand).unwrap())
}

/// A brand with one field changed.
fn with(pointer: &str, value: Value) -> Result<Brand, BrandError> {
    let mut brand: Value = serde_json::from_slice(EXAMPLES[0]).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    brand.pointer_mut(parent).unwrap()[field] = value;
    read(&brand)
}

fn svg(inner: &str) -> Value {
    json!({ "svg": format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 10 10\">{inner}</svg>") })
}

#[test]
fn the_examples_are_brands_and_are_worn() {
    let mut dice = Dice(4);
    let issued = issued(&mut dice, 1);
    let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
    for (example, own) in EXAMPLES.iter().zip(["20457Hamburg", "Trabajodeconsultor", "Feenote"]) {
        let brand = Brand::from_json(example).unwrap();
        let document = compose(voucher, &brand, &issued.buyer, brand.language).unwrap().document;
        let page = text(&render(&document).unwrap());
        let number = brand.seller.vat_number.as_ref().unwrap().as_str();
        assert!(page.contains(number), "the VAT number is on every invoice");
        assert!(page.contains(&crate::extraction::squeeze(&brand.imprint[0])), "{page}");
        // The label, if the invoice has the word.
        let has =
            document.lines.iter().any(|line| line.description.is_empty()) || own != "Trabajodeconsultor";
        assert!(!has || page.contains(own), "{own} is not in {page}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    for (pointer, value, expected) in [
        ("/seller/country", json!("Germany"), "seller.country: a country is written as its two letters"),
        ("/seller/vat_number", json!("811223344"), "seller.vat_number: a VAT number is"),
        ("/seller/name", json!("  "), "seller.name: must not be empty"),
        ("/seller/name", json!("x".repeat(201)), "seller.name: must have at most 200 characters"),
        ("/seller/nmae", json!("x"), "seller.nmae: unknown field `nmae`"),
        ("/account/iban", json!("DE88 3704 0044 0532 0130 00"), "account.iban: not an IBAN"),
        ("/account/bic", json!("X"), "account.bic: a BIC has"),
        ("/language", json!("nl"), "language: documents are written in en, de, fr or es"),
        ("/look/accent", json!("red"), "look.accent: a colour is written as"),
        (
            "/look/accent",
            json!("#ffcc00"),
            "look: the contrast of #ffcc00 on #ffffff is 1.51 : 1, text needs 4.50 : 1",
        ),
        ("/look/band", json!("#0b4f6c"), "look: the contrast of #0b4f6c on #0b4f6c is 1.00 : 1"),
        (
            "/look/font",
            json!("Comic Sans"),
            "look.font: unknown variant `Comic Sans`, expected `Inter` or `Libertinus Serif`",
        ),
        ("/look/logo", json!({}), "look.logo: either svg or png"),
        ("/imprint", json!(["a", "b", "c", "d"]), "imprint has 4 entries, at most 3 are taken"),
        ("/labels", json!({ "de": { "rechnung": "x" } }), "labels: there is no label rechnung"),
        ("/labels", json!({ "de": { "page": "Seite" } }), "labels: the label page must contain {page}"),
        (
            "/labels",
            json!({ "de": { "invoice": "請求書" } }),
            "labels: the label invoice has characters that no font has",
        ),
    ] {
        let error = with(pointer, value).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{pointer}: {error}");
    }
    assert_eq!(
        Brand::from_json(&vec![b' '; BRAND_BYTES_MAX + 1]),
        Err(BrandError::TooLarge(BRAND_BYTES_MAX + 1))
    );
    assert!(matches!(Brand::from_json(b"not JSON"), Err(BrandError::Json { .. })));
    assert!(matches!(Brand::from_json(&[EXAMPLES[0], b"{}"].concat()), Err(BrandError::Json { .. })));
    for name in ["nordlicht", "a", "4-seasons"] {
        assert_eq!(name.parse::<BrandName>().unwrap().to_string(), name);
    }
    for name in ["", "-a", "A", "a/b", "..", "a.json", &"a".repeat(64)] {
        assert!(name.parse::<BrandName>().is_err(), "{name}");
    }
}

#[test]
fn a_logo_draws_and_does_nothing_else() {
    let refused = |logo: Value| match with("/look/logo", logo) {
        Err(BrandError::Logo(error)) => error,
        other => panic!("{other:?}"),
    };
    with("/look/logo", svg("<path d=\"M0 0L10 10\" stroke=\"#000000\"/>")).unwrap();
    with(
        "/look/logo",
        svg("<defs><linearGradient id=\"g\"/></defs><rect width=\"9\" height=\"9\" fill=\"url(#g)\"/>"),
    )
    .unwrap();
    for (inner, element) in [
        ("<image href=\"file:///etc/passwd\"/>", "image"),
        ("<script>1</script>", "script"),
        ("<text>x</text>", "text"),
        ("<use href=\"#a\"/>", "use"),
        ("<style>@import url(http://x)</style>", "style"),
        ("<foreignObject/>", "foreignObject"),
        ("<a href=\"http://x\"/>", "a"),
        ("<filter id=\"f\"/>", "filter"),
    ] {
        assert_eq!(refused(svg(inner)), LogoError::Element(element.to_owned()));
    }
    for (inner, attribute) in [
        ("<rect onload=\"x\"/>", "onload"),
        ("<rect fill=\"url(http://x/#a)\"/>", "fill"),
        ("<rect fill=\"url(#a) url( 'x')\"/>", "fill"),
        ("<rect style=\"fill:url(x)\"/>", "style"),
        ("<rect fill=\"&#117;rl(x)\"/>", "fill"),
        ("<g xlink:href=\"x\"/>", "xlink:href"),
    ] {
        assert_eq!(refused(svg(inner)), LogoError::Attribute(attribute.to_owned()), "{inner}");
    }
    let bomb = "<!DOCTYPE svg [<!ENTITY a \"aaaa\">]><svg viewBox=\"0 0 1 1\"/>";
    assert_eq!(refused(json!({ "svg": bomb })), LogoError::Declaration);
    assert_eq!(refused(svg(&"<g/>".repeat(2_000))), LogoError::TooManyElements);
    assert!(matches!(refused(json!({ "svg": "x".repeat(LOGO_BYTES_MAX + 1) })), LogoError::TooLarge(_)));
    assert_eq!(refused(json!({ "svg": "plain text" })), LogoError::Malformed);
    assert!(matches!(refused(json!({ "svg": "<g/>" })), LogoError::Undrawable(_)));
    assert_eq!(refused(json!({ "png": "?" })), LogoError::Base64);
    assert_eq!(refused(json!({ "png": BASE64_STANDARD.encode("GIF89a") })), LogoError::NotPng);
    let mut huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    huge.extend([0, 1, 0, 0, 0, 0, 0, 1, 8, 6, 0, 0, 0]);
    assert_eq!(
        refused(json!({ "png": BASE64_STANDARD.encode(&huge) })),
        LogoError::Pixels { width: 65_536, height: 1 }
    );
    huge[17] = 0;
    huge[19] = 1;
    assert!(matches!(refused(json!({ "png": BASE64_STANDARD.encode(&huge) })), LogoError::Undrawable(_)));
}

#[test]
fn a_bitmap_is_a_logo() {
    // One red pixel.
    let pixel =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
    let brand = with("/look/logo", json!({ "png": pixel })).unwrap();
    let issued = issued(&mut Dice(6), 1);
    let voucher = Voucher::Invoice { invoice: &issued.invoice, positions: &issued.positions };
    render(&compose(voucher, &brand, &issued.buyer, Language::German).unwrap().document).unwrap();
}
