//! What the org has: the parts of describe that clients read.

use serde_json::{Value, json};

use super::Version;
use crate::{
    records::is_system,
    schema::{Field, Kind, OBJECTS, Object, URL_MAX},
    value::type_name,
};

/// `GET /sobjects`
pub(super) fn everything(version: &Version) -> Value {
    let objects: Vec<Value> = OBJECTS.iter().map(|object| head(object, version)).collect();
    json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})
}

/// `GET /sobjects/{Object}`
pub(super) fn summary(object: &Object, version: &Version) -> Value {
    json!({"objectDescribe": head(object, version), "recentItems": []})
}

/// `GET /sobjects/{Object}/describe`
pub(super) fn object(object: &'static Object, version: &Version) -> Value {
    let mut described = head(object, version);
    if let Some(map) = described.as_object_mut() {
        map.insert("fields".to_owned(), object.all_fields().map(|field| describe(object, field)).collect());
    }
    described
}

fn head(object: &Object, version: &Version) -> Value {
    let url = format!("/services/data/{}/sobjects/{}", version.text, object.name);
    json!({
        "name": object.name,
        "label": object.label,
        "labelPlural": format!("{}s", object.label),
        "keyPrefix": object.prefix,
        "custom": object.name.ends_with("__c"),
        "createable": object.writable,
        "updateable": object.writable,
        "deletable": object.writable,
        "queryable": true,
        "retrieveable": true,
        "replicateable": object.writable,
        "urls": {
            "sobject": url,
            "describe": format!("{url}/describe"),
            "rowTemplate": format!("{url}/{{ID}}"),
        },
    })
}

fn describe(object: &Object, field: &Field) -> Value {
    let writable = object.writable && !field.read_only && !is_system(field);
    let (length, bytes) = match field.kind {
        Kind::Id | Kind::Reference { .. } => (18, 18),
        Kind::Text(max) | Kind::Area(max) => (max, max.saturating_mul(3)),
        Kind::AreaBytes(max) => (max, max),
        Kind::Email => (80, 240),
        Kind::Url => (URL_MAX, URL_MAX.saturating_mul(3)),
        Kind::Picklist { .. } => (255, 765),
        Kind::AutoNumber(_) => (30, 90),
        Kind::Number { .. } | Kind::Integer | Kind::Boolean | Kind::Date | Kind::DateTime => (0, 0),
    };
    let (precision, scale) = match field.kind {
        Kind::Number { digits, scale } => (digits.saturating_add(scale), scale),
        _ => (0, 0),
    };
    let (reference_to, relationship) = match field.kind {
        Kind::Reference { to, relationship, .. } => (vec![to], Some(relationship)),
        _ => (Vec::new(), None),
    };
    let (values, restricted) = match field.kind {
        Kind::Picklist { values, restricted } => (values, restricted),
        _ => (&[][..], false),
    };
    let picklist: Vec<Value> = values
        .iter()
        .map(|value| {
            let default = field.default == Some(value);
            json!({"active": true, "defaultValue": default, "label": value, "value": value})
        })
        .collect();
    json!({
        "name": field.name,
        "label": field.name.trim_end_matches("__c").replace('_', " "),
        "type": type_name(field.kind),
        "custom": field.custom(),
        "nillable": !field.required && field.kind != Kind::Boolean && !is_system(field),
        "createable": writable,
        "updateable": writable,
        "filterable": field.filterable(),
        "sortable": field.filterable(),
        "externalId": field.lookup && field.custom(),
        "idLookup": field.lookup || field.kind == Kind::Id,
        "unique": field.unique,
        "caseSensitive": false,
        "autoNumber": matches!(field.kind, Kind::AutoNumber(_)),
        "calculated": false,
        "defaultedOnCreate": field.default.is_some() || field.kind == Kind::Boolean,
        "length": length,
        "byteLength": bytes,
        "precision": precision,
        "scale": scale,
        "referenceTo": reference_to,
        "relationshipName": relationship,
        "restrictedPicklist": restricted,
        "picklistValues": picklist,
    })
}
