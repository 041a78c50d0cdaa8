//! What is deployed to a real org, against the field map and against the fake org that stands in for one.
//!
//! That the files are what Salesforce understands is checked where Salesforce's own types are: `make
//! salesforce-metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fake_salesforce::FakeSalesforce;
use jiff::Timestamp;
use portico_conformance::root;
use portico_salesforce::records::{
    AccountRecord, BlockRecord, CaseCommentRecord, CaseRecord, ContactRecord, ContractRecord, DiscountRecord,
    ExpenseRecord, FileRecord, InvoiceRecord, MilestoneRecord, Object, RateRecord, Record, TimeEntryRecord,
    picklists,
};
use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};
use serde_json::{Value, json};

const PRIVATE_KEY: &str = include_str!("../../../fake-salesforce/tests/it/keys/test-private.pem");
const PUBLIC_KEY: &str = include_str!("../../../fake-salesforce/tests/it/keys/test-public.pem");
/// The version that the files are written for, and the portal's client speaks.
const API: &str = "/services/data/v66.0";

/// The fake org's time: describe has none, signing in has.
const NOW: Timestamp = Timestamp::constant(1_795_309_323, 0);

/// What the portal reads of each object.
const READ: [(Object, &[&str]); 13] = [
    (AccountRecord::OBJECT, AccountRecord::FIELDS),
    (ContactRecord::OBJECT, ContactRecord::FIELDS),
    (CaseRecord::OBJECT, CaseRecord::FIELDS),
    (CaseCommentRecord::OBJECT, CaseCommentRecord::FIELDS),
    (TimeEntryRecord::OBJECT, TimeEntryRecord::FIELDS),
    (ContractRecord::OBJECT, ContractRecord::FIELDS),
    (RateRecord::OBJECT, RateRecord::FIELDS),
    (MilestoneRecord::OBJECT, MilestoneRecord::FIELDS),
    (BlockRecord::OBJECT, BlockRecord::FIELDS),
    (DiscountRecord::OBJECT, DiscountRecord::FIELDS),
    (ExpenseRecord::OBJECT, ExpenseRecord::FIELDS),
    (FileRecord::OBJECT, FileRecord::FIELDS),
    (InvoiceRecord::OBJECT, InvoiceRecord::FIELDS),
];

/// What the portal writes: the object, and whether it also changes what is there.
const WRITTEN: [(&str, bool); 4] =
    [("Case", true), ("Portal_File__c", true), ("Portal_Invoice__c", true), ("Portal_Comment__c", false)];

/// What the portal deletes: what is erased in the portal is forgotten in the org.
const DELETED: [&str; 1] = ["Portal_File__c"];

/// Deployed, and not used by the portal: what for all the same.
const NOT_USED: [(&str, &str); 1] =
    [("Portal_Contract__c.Billing_Mode__c", "says to people how the work is billed")];

/// Standard fields that no permission is needed, or possible, for.
const ALWAYS_VISIBLE: [&str; 9] = [
    "CaseNumber",
    "CreatedDate",
    "Id",
    "IsClosed",
    "IsDeleted",
    "MasterRecordId",
    "Name",
    "Status",
    "SystemModstamp",
];

/// An XML element.
#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn read(path: &Path) -> Element {
        let document = fs::read_to_string(path).unwrap();
        let mut reader = Reader::from_str(&document);
        let mut open = vec![Element::default()];
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    open.push(Element { name, ..Element::default() });
                }
                Event::Empty(start) => {
                    let name = start.name().as_ref().to_owned();
                    open.last_mut().unwrap().children.push(Element { name, ..Element::default() });
                }
                Event::End(_) => {
                    let closed = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(closed);
                }
                Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
                Event::GeneralRef(name) => {
                    let resolved = resolve_predefined_entity(&name).unwrap();
                    open.last_mut().unwrap().text.push_str(resolved);
                }
                Event::Decl(_) | Event::Comment(_) => {}
                Event::Eof => break,
                other => panic!("{}: {other:?}", path.display()),
            }
        }
        open.pop().unwrap().children.pop().unwrap()
    }

    fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    fn text(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    fn is(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    fn number(&self, name: &str) -> u64 {
        match self.text(name) {
            "" => 0,
            digits => digits.parse().unwrap(),
        }
    }
}

fn source() -> PathBuf {
    root().join("infra/salesforce/force-app/main/default")
}

/// The files of a directory of the project with their names up to the first point.
fn files(directory: &str) -> Vec<(String, Element)> {
    let mut found: Vec<(String, Element)> = fs::read_dir(source().join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
            let element = Element::read(&path);
            (name, element)
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert!(!found.is_empty(), "{directory} is empty");
    found
}

/// Every custom field by `Object.Field`.
fn fields() -> BTreeMap<String, Element> {
    let mut found = BTreeMap::new();
    for object in fs::read_dir(source().join("objects")).unwrap() {
        let object = object.unwrap().file_name().into_string().unwrap();
        for (name, field) in files(&format!("objects/{object}/fields")) {
            assert_eq!(field.text("fullName"), name, "{object}");
            found.insert(format!("{object}.{name}"), field);
        }
    }
    found
}

/// A field as far as files and describe both tell it.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    kind: &'static str,
    length: u64,
    /// Digits in all, and after the point.
    precision: (u64, u64),
    external_id: bool,
    unique: bool,
    /// Must not be empty. A checkbox never is, and says nothing here.
    required: bool,
    refers_to: Option<String>,
    /// The values of a picklist, which takes no others.
    values: Vec<String>,
}

impl Shape {
    fn deployed(field: &Element) -> Shape {
        let kind = match field.text("type") {
            "Text" => "string",
            "LongTextArea" => "textarea",
            "Url" => "url",
            "Number" | "Currency" => "double",
            "Date" => "date",
            "DateTime" => "datetime",
            "Picklist" => "picklist",
            "Checkbox" => "boolean",
            "Lookup" | "MasterDetail" => "reference",
            other => panic!("{other} is not modelled"),
        };
        Shape {
            kind,
            length: field.number("length"),
            precision: (field.number("precision"), field.number("scale")),
            external_id: field.is("externalId"),
            unique: field.is("unique"),
            required: field.is("required") || field.text("type") == "MasterDetail",
            refers_to: field.child("referenceTo").map(|to| to.text.clone()),
            values: field.child("valueSet").map(values).unwrap_or_default(),
        }
    }

    fn described(field: &Value) -> Shape {
        let kinds =
            ["string", "textarea", "url", "double", "date", "datetime", "boolean", "reference", "picklist"];
        let kind = kinds.into_iter().find(|kind| field["type"] == *kind).unwrap_or_else(|| panic!("{field}"));
        let refers_to = field["referenceTo"][0].as_str().map(str::to_owned);
        Shape {
            kind,
            // That of an id, of a web address or of a picklist is not chosen.
            length: if ["reference", "url", "picklist"].contains(&kind) {
                0
            } else {
                field["length"].as_u64().unwrap()
            },
            precision: (field["precision"].as_u64().unwrap(), field["scale"].as_u64().unwrap()),
            external_id: field["externalId"].as_bool().unwrap(),
            unique: field["unique"].as_bool().unwrap(),
            required: kind != "boolean" && !field["nillable"].as_bool().unwrap(),
            refers_to,
            values: if field["restrictedPicklist"] == true {
                let values = field["picklistValues"].as_array().unwrap().iter();
                values.map(|value| value["value"].as_str().unwrap().to_owned()).collect()
            } else {
                Vec::new()
            },
        }
    }
}

/// The values of a picklist that takes no others. None is chosen for whoever makes a record: empty means what is usual.
fn values(set: &Element) -> Vec<String> {
    assert!(set.is("restricted"));
    let definition = set.child("valueSetDefinition").unwrap();
    let value = |value: &Element| {
        assert!(!value.is("default") && value.text("label") == value.text("fullName"));
        value.text("fullName").to_owned()
    };
    definition.all("value").map(value).collect()
}

/// What the fake org says of itself, over HTTP: every object's fields.
async fn described() -> BTreeMap<String, Vec<Value>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = fake_salesforce::Clock::from_fn(|| NOW);
    let config = fake_salesforce::Config { clock, ..fake_salesforce::Config::local(PUBLIC_KEY) };
    let org = FakeSalesforce::start(config).await.unwrap();
    let address = org.address().as_str().trim_end_matches('/').to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let claims = json!({
        "iss": "portico-local",
        "sub": "integration@portico.example",
        "aud": address,
        "exp": NOW.as_second() + 120,
    });
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let assertion = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    let grant = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
    let session = http.post(format!("{address}/services/oauth2/token")).form(&grant).send().await.unwrap();
    let session: Value = session.json().await.unwrap();
    let get = async |path: &str| -> Value {
        let token = session["access_token"].as_str().unwrap();
        let answer = http.get(format!("{address}{API}{path}")).bearer_auth(token).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    };
    let mut found = BTreeMap::new();
    for object in get("/sobjects").await["sobjects"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        let described = get(&format!("/sobjects/{name}/describe")).await;
        found.insert(name.to_owned(), described["fields"].as_array().unwrap().clone());
    }
    org.shutdown().await;
    found
}

/// The files in a directory and in those below it.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Every name that ends like a custom one in these files of the portal's Salesforce crate.
fn named_in(file: Option<&str>) -> BTreeSet<String> {
    let directory = root().join("shared/salesforce/src");
    let paths = match file {
        Some(file) => vec![directory.join(file)],
        None => sources(&directory),
    };
    let mut names = BTreeSet::new();
    for path in paths {
        let text = fs::read_to_string(path).unwrap();
        // Tests make names up.
        let text = text.split("#[cfg(test)]").next().unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        names.extend(
            words.filter(|word| word.len() > "__c".len() && word.ends_with("__c")).map(str::to_owned),
        );
    }
    names
}

fn not_used() -> BTreeSet<&'static str> {
    NOT_USED.into_iter().map(|(field, _)| field).collect()
}

#[tokio::test]
async fn a_real_org_gets_the_fields_that_the_fake_one_has() {
    let described = described().await;
    let deployed = fields();
    let mut modelled = BTreeSet::new();
    for (object, fields) in &described {
        for field in fields.iter().filter(|field| field["custom"] == true) {
            let name = format!("{object}.{}", field["name"].as_str().unwrap());
            let file = deployed.get(&name).unwrap_or_else(|| panic!("{name} is modelled and not deployed"));
            assert_eq!(Shape::deployed(file), Shape::described(field), "{name}");
            if let Some(relationship) = field["relationshipName"].as_str() {
                assert_eq!(format!("{object}.{}", relationship.replace("__r", "__c")), name);
            }
            modelled.insert(name);
        }
    }
    let files: BTreeSet<String> = deployed.into_keys().collect();
    assert_eq!(files, modelled, "a field is deployed that the fake org does not have");
    for object in described.keys().filter(|object| object.ends_with("__c")) {
        let path = source().join(format!("objects/{object}/{object}.object-meta.xml"));
        let name_field = Element::read(&path).child("nameField").unwrap().text("type").to_owned();
        let has_name = described[object].iter().any(|field| field["name"] == "Name");
        assert_eq!(name_field, if has_name { "Text" } else { "AutoNumber" }, "{object}");
    }
}

/// The rules of the portal and the picklists of the org are the same, value by value.
#[test]
fn every_picklist_has_the_values_that_the_portal_knows() {
    let deployed: BTreeMap<String, Vec<String>> = fields()
        .into_iter()
        .filter(|(_, field)| field.text("type") == "Picklist")
        .map(|(name, field)| (name, values(field.child("valueSet").unwrap())))
        .collect();
    let known: BTreeMap<String, Vec<String>> = picklists()
        .into_iter()
        .map(|list| {
            let values = list.values.into_iter().map(str::to_owned).collect();
            (format!("{}.{}", list.object.name(), list.field), values)
        })
        .collect();
    assert_eq!(deployed, known);
}

#[test]
fn every_field_that_the_portal_uses_is_deployed_and_every_one_deployed_is_used() {
    let deployed = fields();
    for object in Object::ALL {
        assert!(READ.iter().any(|(known, _)| *known == object), "{} is not in the list", object.name());
    }
    for (object, fields) in READ {
        for field in fields {
            let first = field.split('.').next().unwrap().replace("__r", "__c");
            let name = format!("{}.{first}", object.name());
            assert!(
                !first.ends_with("__c") || deployed.contains_key(&name),
                "{name} is read and not deployed"
            );
        }
    }
    let objects: BTreeSet<&str> = deployed.keys().map(|name| name.split('.').next().unwrap()).collect();
    let used = named_in(None);
    for name in &used {
        let known = objects.contains(name.as_str())
            || deployed.keys().any(|field| field.split('.').nth(1) == Some(name.as_str()));
        assert!(known, "the portal names {name}, which is not deployed");
    }
    let unused: BTreeSet<&str> = deployed
        .keys()
        .filter(|name| !used.contains(name.split('.').nth(1).unwrap()))
        .map(String::as_str)
        .collect();
    assert_eq!(unused, not_used(), "deployed and not used by the portal: give a reason, or take it away");
}

#[test]
fn the_integration_user_may_do_what_the_portal_does_and_no_more() {
    let sets = files("permissionsets");
    let (_, set) = sets.iter().find(|(name, _)| name == "Portico_Integration").unwrap();
    let user: Vec<&str> = set.all("userPermissions").map(|permission| permission.text("name")).collect();
    assert_eq!(user, ["ApiEnabled"], "the loop guard is that it may not send outbound messages");
    for (name, set) in &sets {
        let sends =
            set.all("userPermissions").any(|each| each.text("name").to_lowercase().contains("outbound"));
        assert!(!sends, "{name}");
    }

    let written: BTreeMap<&str, bool> = WRITTEN.into_iter().collect();
    let in_portal = named_in(Some("portal.rs"));
    let custom_objects: BTreeSet<String> =
        files_of_objects().into_iter().filter(|object| object.ends_with("__c")).collect();
    // A case's field is called like the contract that it refers to.
    let written_by_name: BTreeSet<&str> = custom_objects
        .iter()
        .map(String::as_str)
        .filter(|object| in_portal.contains(*object) && *object != "Portal_Contract__c")
        .collect();
    let custom_written: BTreeSet<&str> =
        written.keys().copied().filter(|object| object.ends_with("__c")).collect();
    assert_eq!(custom_written, written_by_name, "what the portal writes");

    // Comments have no permissions of their own: they follow the case.
    let taken_over: BTreeSet<&str> =
        Object::ALL.into_iter().filter(|object| *object != Object::CaseComment).map(Object::name).collect();
    let mut granted = BTreeSet::new();
    for object in set.all("objectPermissions") {
        let name = object.text("object");
        granted.insert(name.to_owned());
        let writes = written.get(name);
        assert!(object.is("allowRead"), "{name}");
        assert_eq!(
            object.is("allowDelete"),
            DELETED.contains(&name),
            "{name}: the portal deletes nothing else"
        );
        assert!(!object.is("modifyAllRecords"), "{name}");
        assert_eq!(object.is("allowCreate"), writes.is_some(), "{name}");
        assert_eq!(object.is("allowEdit"), writes == Some(&true), "{name}");
        // What the user cannot see counts as deleted in the portal.
        assert!(object.is("viewAllRecords") || !taken_over.contains(name), "{name}");
    }
    for object in taken_over.iter().chain(written.keys()) {
        assert!(granted.contains(*object), "{object} is used and not granted");
    }

    let mut granted = BTreeMap::new();
    for field in set.all("fieldPermissions") {
        assert!(field.is("readable"), "{}", field.text("field"));
        granted.insert(field.text("field").to_owned(), field.is("editable"));
    }
    for (name, field) in fields() {
        let (object, short) = name.split_once('.').unwrap();
        if Shape::deployed(&field).required {
            assert!(!granted.contains_key(&name), "{name} is required: everybody has it");
            continue;
        }
        let edited = written.contains_key(object) && in_portal.contains(short);
        assert_eq!(granted.get(&name), Some(&edited), "{name}: readable, and editable only if it is written");
    }
    for (object, fields) in READ.iter().filter(|(object, _)| *object != Object::CaseComment) {
        for field in fields.iter().filter(|field| !field.contains("__") && !field.contains('.')) {
            let field = if field.starts_with("Billing") { "BillingAddress" } else { field };
            let name = format!("{}.{field}", object.name());
            assert!(ALWAYS_VISIBLE.contains(&field) || granted.contains_key(&name), "{name} is read");
        }
    }
}

/// The names of the deployed objects.
fn files_of_objects() -> BTreeSet<String> {
    let directory = fs::read_dir(source().join("objects")).unwrap();
    directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_object_that_the_portal_takes_over_says_when_it_changes() {
    let messages: BTreeMap<String, Element> = files("workflows").into_iter().collect();
    let announced: BTreeSet<&str> = fake_salesforce::actions().map(|(object, _)| object).collect();
    assert_eq!(messages.keys().map(String::as_str).collect::<BTreeSet<_>>(), announced);
    for (object, file) in &messages {
        let message = file.child("outboundMessages").unwrap();
        assert!(!message.is("includeSessionId"), "{object}: nobody is handed a session");
        assert!(message.text("endpointUrl").starts_with("https://portico.invalid/"), "{object}");
        assert!(message.text("integrationUser").ends_with("@portico.invalid"), "{object}");
    }
    let mut told = BTreeSet::new();
    for (name, flow) in files("flows") {
        let start = flow.child("start").unwrap();
        let object = start.text("object");
        assert_eq!(flow.text("status"), "Active", "{name}");
        assert_eq!(start.text("triggerType"), "RecordAfterSave", "{name}");
        assert_eq!(start.text("recordTriggerType"), "CreateAndUpdate", "{name}");
        let narrowed = ["filters", "filterFormula", "filterLogic", "doesRequireRecordChangedToMeetCriteria"];
        assert!(narrowed.iter().all(|each| start.child(each).is_none()), "{name}: a condition loses changes");
        let message = flow.child("actionCalls").unwrap().text("actionName");
        assert_eq!(message, format!("{object}.Portico_changed"), "{name}");
        assert!(told.insert(object.to_owned()), "{object} twice");
    }
    for object in Object::ALL {
        assert!(told.contains(object.name()), "{} does not say when it changes", object.name());
    }
    assert_eq!(told.len(), announced.len());
}
