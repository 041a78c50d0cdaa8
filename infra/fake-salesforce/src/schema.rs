//! The one table of what this org knows: objects, fields, limits, relationships, outbound actions.
//!
//! The rest of the crate reads this table; a new field is one line here. Standard objects follow the
//! Object Reference for the Salesforce Platform, custom ones the metadata that Portico installs.

/// What happens to a record when the record it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    /// It is deleted as well (master-detail, contacts of an account).
    Cascade,
    /// The reference is emptied (look-up).
    Clear,
    /// The delete is refused (a contact with cases).
    Restrict,
}

/// Most characters of a web address.
pub(crate) const URL_MAX: usize = 255;

/// Most characters of a text area that is not a long one.
const SHORT_AREA_MAX: usize = 255;

/// The type of a field, with its bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// The record's own id.
    Id,
    /// The id of a record of `to`; `relationship` is its name in SOQL and in nested JSON.
    Reference { to: &'static str, relationship: &'static str, on_delete: OnDelete },
    /// A single line of at most so many characters.
    Text(usize),
    /// Many lines of at most so many characters; long ones cannot be filtered or sorted by.
    Area(usize),
    /// Many lines of at most so many UTF-8 bytes; cannot be filtered or sorted.
    AreaBytes(usize),
    /// An e-mail address.
    Email,
    /// A web address of at most 255 characters.
    Url,
    /// One of a list; a restricted list refuses other values.
    Picklist { values: &'static [&'static str], restricted: bool },
    /// A number with so many digits before and after the point. Shown as a double, as Salesforce does (`90.0`).
    Number { digits: u32, scale: u32 },
    /// A whole number (only on read-only objects).
    Integer,
    /// True or false, never null.
    Boolean,
    /// A day without a time zone.
    Date,
    /// A point in time with a resolution of one second.
    DateTime,
    /// A counter shown with this many digits.
    AutoNumber(usize),
}

/// One field of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Field {
    /// API name.
    pub name: &'static str,
    pub kind: Kind,
    /// Must not be null.
    pub required: bool,
    /// May not be written by a client.
    pub read_only: bool,
    /// May be used in `/sobjects/{Object}/{Field}/{value}` (external id or `idLookup`).
    pub lookup: bool,
    /// No two live records share a value (letter case is ignored).
    pub unique: bool,
    /// The value of a new record when the client gives none.
    pub default: Option<&'static str>,
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Field {
        Field { name, kind, required: false, read_only: false, lookup: false, unique: false, default: None }
    }

    const fn required(mut self) -> Field {
        self.required = true;
        self
    }

    const fn read_only(mut self) -> Field {
        self.read_only = true;
        self
    }

    const fn lookup(mut self) -> Field {
        self.lookup = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Field {
        self.default = Some(value);
        self
    }

    /// Long text can neither be filtered nor sorted by.
    pub(crate) fn filterable(&self) -> bool {
        match self.kind {
            Kind::Area(max) => max <= SHORT_AREA_MAX,
            Kind::AreaBytes(_) => false,
            _ => true,
        }
    }

    /// Custom fields and objects end so.
    pub(crate) fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }
}

/// A configured outbound message: which fields it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    /// `04k...`, constant.
    pub id: &'static str,
    /// Sent besides `Id`, in this order; null ones are left out.
    pub fields: &'static [&'static str],
}

/// One object.
#[derive(Debug)]
pub(crate) struct Object {
    pub name: &'static str,
    pub label: &'static str,
    /// The first three characters of its record ids.
    pub prefix: &'static str,
    /// Own fields; every object has [`SYSTEM`] as well.
    pub fields: &'static [Field],
    /// Clients may create, change and delete records.
    pub writable: bool,
    /// What is sent when a record changes.
    pub action: Option<Action>,
}

impl Object {
    /// The object of this API name; letter case is ignored, as Salesforce does.
    pub(crate) fn named(name: &str) -> Option<&'static Object> {
        OBJECTS.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The object whose ids start like this.
    pub(crate) fn with_prefix(prefix: &str) -> Option<&'static Object> {
        OBJECTS.iter().find(|object| object.prefix == prefix)
    }

    /// All fields: the system's, then its own.
    pub(crate) fn all_fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        SYSTEM.iter().chain(self.fields.iter())
    }

    /// The field of this API name; letter case is ignored.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field behind a relationship name, e.g. `Account` -> `AccountId`.
    pub(crate) fn relationship(&self, name: &str) -> Option<(&'static Field, &'static Object)> {
        self.all_fields().find_map(|field| match field.kind {
            Kind::Reference { to, relationship, .. } if relationship.eq_ignore_ascii_case(name) => {
                Object::named(to).map(|target| (field, target))
            }
            _ => None,
        })
    }

    /// Every reference in the org that points at this object.
    pub(crate) fn referrers(
        &self,
    ) -> impl Iterator<Item = (&'static Object, &'static Field, OnDelete)> + use<'_> {
        OBJECTS.iter().flat_map(move |object| {
            object.fields.iter().filter_map(move |field| match field.kind {
                Kind::Reference { to, on_delete, .. } if to == self.name => Some((object, field, on_delete)),
                _ => None,
            })
        })
    }
}

/// The values of `CaseStatus` and whether a case in that status is closed. Several are: a client must not
/// hard-code one.
pub(crate) const CASE_STATUSES: [(&str, bool); 6] = [
    ("New", false),
    ("Working", false),
    ("Waiting on Customer", false),
    ("Escalated", false),
    ("Resolved", true),
    ("Closed", true),
];

const CASE_STATUS_VALUES: &[&str] =
    &["New", "Working", "Waiting on Customer", "Escalated", "Resolved", "Closed"];

/// True when a case in this status is closed.
pub(crate) fn closes_case(status: &str) -> bool {
    CASE_STATUSES.iter().any(|(name, closed)| *closed && name.eq_ignore_ascii_case(status))
}

const fn text(name: &'static str, max: usize) -> Field {
    Field::new(name, Kind::Text(max))
}

/// An external id that is also unique, which is what makes an upsert idempotent.
const fn external_id(name: &'static str) -> Field {
    let mut field = Field::new(name, Kind::Text(64)).lookup();
    field.unique = true;
    field
}

const fn parent(
    name: &'static str,
    relationship: &'static str,
    to: &'static str,
    on_delete: OnDelete,
) -> Field {
    Field::new(name, Kind::Reference { to, relationship, on_delete })
}

/// A custom currency field: 16 digits before the point, 2 after.
const fn currency(name: &'static str) -> Field {
    Field::new(name, Kind::Number { digits: 16, scale: 2 })
}

const fn number(name: &'static str, digits: u32, scale: u32) -> Field {
    Field::new(name, Kind::Number { digits, scale })
}

const fn date(name: &'static str) -> Field {
    Field::new(name, Kind::Date)
}

/// A picklist that accepts other values too, as standard picklists do by default.
const fn open_list(name: &'static str, values: &'static [&'static str]) -> Field {
    Field::new(name, Kind::Picklist { values, restricted: false })
}

/// A picklist that takes no other value.
const fn closed_list(name: &'static str, values: &'static [&'static str]) -> Field {
    Field::new(name, Kind::Picklist { values, restricted: true })
}

const TAX_TREATMENTS: &[&str] = &["Taxed", "Reverse charge", "Exempt"];

/// The fields of every object.
pub(crate) const SYSTEM: &[Field] = &[
    Field::new("Id", Kind::Id).read_only(),
    Field::new("IsDeleted", Kind::Boolean).read_only(),
    Field::new("CreatedDate", Kind::DateTime).read_only(),
    parent("CreatedById", "CreatedBy", "User", OnDelete::Restrict).read_only(),
    Field::new("LastModifiedDate", Kind::DateTime).read_only(),
    parent("LastModifiedById", "LastModifiedBy", "User", OnDelete::Restrict).read_only(),
    Field::new("SystemModstamp", Kind::DateTime).read_only(),
];

use OnDelete::{Cascade, Clear, Restrict};

/// Every object of this org.
pub(crate) const OBJECTS: &[Object] = &[
    Object {
        name: "Account",
        label: "Account",
        prefix: "001",
        fields: &[
            text("Name", 255).required(),
            external_id("Portal_Account_Id__c"),
            Field::new("Portal_Members_See_Invoices__c", Kind::Boolean).default("false"),
            Field::new("BillingStreet", Kind::Area(255)),
            text("BillingCity", 40),
            text("BillingPostalCode", 20),
            text("BillingCountry", 80),
            parent("MasterRecordId", "MasterRecord", "Account", Clear).read_only(),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000001IAA",
            fields: &["Name", "Portal_Account_Id__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "Contact",
        label: "Contact",
        prefix: "003",
        fields: &[
            parent("AccountId", "Account", "Account", Cascade),
            text("FirstName", 40),
            text("LastName", 80).required(),
            text("Name", 121).read_only(),
            Field::new("Email", Kind::Email).lookup(),
            parent("MasterRecordId", "MasterRecord", "Contact", Clear).read_only(),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000002IAA",
            fields: &["AccountId", "Email", "FirstName", "LastName", "SystemModstamp"],
        }),
    },
    Object {
        name: "Case",
        label: "Case",
        prefix: "500",
        fields: &[
            Field::new("CaseNumber", Kind::AutoNumber(8)).read_only(),
            text("Subject", 255),
            Field::new("Description", Kind::Area(32_000)),
            Field::new("Status", Kind::Picklist { values: CASE_STATUS_VALUES, restricted: true })
                .required()
                .default("New"),
            open_list("Priority", &["High", "Medium", "Low"]).default("Medium"),
            open_list("Type", &["Question", "Problem", "Feature Request", "Change Request"]),
            open_list("Origin", &["Portal", "Phone", "Email", "Web"]),
            parent("AccountId", "Account", "Account", Cascade),
            parent("ContactId", "Contact", "Contact", Restrict),
            parent("OwnerId", "Owner", "User", Restrict),
            Field::new("IsClosed", Kind::Boolean).read_only(),
            Field::new("ClosedDate", Kind::DateTime).read_only(),
            external_id("Portal_Request_Id__c"),
            parent("Portal_Contract__c", "Portal_Contract__r", "Portal_Contract__c", Clear),
            Field::new("Portal_Solved_By_Client__c", Kind::Boolean).default("false"),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000003IAA",
            fields: &[
                "AccountId",
                "CaseNumber",
                "ContactId",
                "IsClosed",
                "Portal_Request_Id__c",
                "Status",
                "SystemModstamp",
            ],
        }),
    },
    Object {
        name: "CaseComment",
        label: "Case Comment",
        prefix: "00a",
        fields: &[
            parent("ParentId", "Parent", "Case", Cascade).required(),
            // 4,000 bytes, not characters: the one standard limit that counts UTF-8.
            Field::new("CommentBody", Kind::AreaBytes(4_000)),
            Field::new("IsPublished", Kind::Boolean),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000004IAA",
            fields: &["IsPublished", "ParentId", "SystemModstamp"],
        }),
    },
    Object {
        name: "Time_Entry__c",
        label: "Time Entry",
        prefix: "a01",
        fields: &[
            parent("Case__c", "Case__r", "Case", Cascade).required(),
            date("Work_Date__c").required(),
            number("Minutes__c", 6, 0).required(),
            Field::new("Description__c", Kind::Area(32_000)),
            text("Person__c", 80),
            text("Role__c", 80),
            text("Work_Type__c", 80),
            Field::new("Started_At__c", Kind::DateTime),
            Field::new("Outside_Hours__c", Kind::Boolean).default("false"),
            Field::new("Billable__c", Kind::Boolean).default("true"),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000005IAA",
            fields: &["Case__c", "Minutes__c", "SystemModstamp", "Work_Date__c"],
        }),
    },
    Object {
        name: "Portal_Contract__c",
        label: "Portal Contract",
        prefix: "a02",
        fields: &[
            text("Name", 80).required(),
            parent("Account__c", "Account__r", "Account", Cascade).required(),
            text("Currency__c", 3).required(),
            currency("Hourly_Rate__c"),
            number("Tax_Rate__c", 3, 2),
            number("Payment_Terms_Days__c", 3, 0),
            date("Valid_From__c"),
            date("Valid_To__c"),
            text("Time_Zone__c", 64),
            text("Purchase_Order__c", 80),
            text("Billing_Mode__c", 40),
            parent("Amends__c", "Amends__r", "Portal_Contract__c", Restrict),
            closed_list("Billed_By__c", &["Case", "Month"]),
            closed_list("Pricing__c", &["Rate card", "Graduated tiers", "Volume tiers", "Fixed fees"]),
            number("Retainer_Hours__c", 6, 2),
            currency("Retainer_Fee__c"),
            currency("Overage_Rate__c"),
            number("Roll_Over_Hours__c", 6, 2),
            number("Roll_Over_Months__c", 2, 0),
            closed_list("Increment__c", &["1 minute", "6 minutes", "15 minutes", "30 minutes"]),
            closed_list("Rounding__c", &["Up", "Nearest"]),
            closed_list("Rounded_Together__c", &["Entry", "Day", "Case", "Invoice"]),
            number("Least_Minutes__c", 4, 0),
            closed_list("Hours_Billed__c", &["As shown", "Exact minutes"]),
            number("After_Hours_Factor__c", 2, 4),
            text("After_Hours__c", 255),
            number("Markup_Percent__c", 4, 2),
            currency("Minimum_Charge__c"),
            currency("Cap_Amount__c"),
            closed_list("Cap_Of__c", &["Whole contract", "Month"]),
            closed_list("Tax_Treatment__c", TAX_TREATMENTS),
            closed_list("Fees_Tax_Treatment__c", TAX_TREATMENTS),
            number("Fees_Tax_Rate__c", 3, 2),
            closed_list("Expenses_Tax_Treatment__c", TAX_TREATMENTS),
            number("Expenses_Tax_Rate__c", 3, 2),
            closed_list("Tax_Rounding__c", &["Document", "Line"]),
            number("Late_Interest__c", 3, 2),
            currency("Late_Fee__c"),
        ],
        writable: true,
        action: Some(Action { id: "04kFk0000000006IAA", fields: &["Account__c", "Name", "SystemModstamp"] }),
    },
    Object {
        name: "Portal_Rate__c",
        label: "Portal Rate",
        prefix: "a03",
        fields: &[
            parent("Contract__c", "Contract__r", "Portal_Contract__c", Cascade).required(),
            text("Role__c", 80),
            text("Work_Type__c", 80),
            text("Person__c", 80),
            number("Above_Hours__c", 6, 2),
            currency("Hourly_Rate__c").required(),
            date("Valid_From__c"),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000007IAA",
            fields: &["Contract__c", "Role__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "Portal_File__c",
        label: "Portal File",
        prefix: "a04",
        fields: &[
            text("Name", 80),
            parent("Case__c", "Case__r", "Case", Cascade).required(),
            external_id("Portal_File_Id__c"),
            text("Storage_Key__c", 255),
            number("Size__c", 18, 0),
            text("Sha256__c", 64),
            text("State__c", 40),
            number("Version__c", 4, 0),
            text("Category__c", 40),
            text("Uploader__c", 255),
            Field::new("Portal_Link__c", Kind::Url),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000008IAA",
            fields: &["Case__c", "Portal_File_Id__c", "State__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "Portal_Invoice__c",
        label: "Portal Invoice",
        prefix: "a05",
        fields: &[
            external_id("Portal_Invoice_Id__c"),
            text("Number__c", 80),
            parent("Account__c", "Account__r", "Account", Restrict),
            parent("Case__c", "Case__r", "Case", Clear),
            text("Currency__c", 3),
            currency("Net__c"),
            currency("Tax__c"),
            currency("Gross__c"),
            date("Issued_On__c"),
            text("State__c", 40),
            currency("Held__c"),
            number("Disputes_Open__c", 4, 0),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000009IAA",
            fields: &["Account__c", "Number__c", "Portal_Invoice_Id__c", "State__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "Portal_Comment__c",
        label: "Portal Comment",
        prefix: "a07",
        fields: &[
            external_id("Portal_Comment_Id__c"),
            parent("Case__c", "Case__r", "Case", Cascade).required(),
        ],
        writable: true,
        action: None,
    },
    Object {
        name: "Milestone__c",
        label: "Milestone",
        prefix: "a06",
        fields: &[
            parent("Contract__c", "Contract__r", "Portal_Contract__c", Cascade).required(),
            text("Name", 80).required(),
            currency("Amount__c").required(),
            date("Due_On__c"),
            date("Completed_On__c"),
            parent("Case__c", "Case__r", "Case", Clear),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000010IAA",
            fields: &["Case__c", "Completed_On__c", "Contract__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "Portal_Block__c",
        label: "Portal Block",
        prefix: "a08",
        fields: &[
            parent("Contract__c", "Contract__r", "Portal_Contract__c", Cascade).required(),
            date("Bought_On__c").required(),
            number("Hours__c", 6, 2).required(),
            currency("Price__c").required(),
            date("Expires_On__c"),
        ],
        writable: true,
        action: Some(Action { id: "04kFk0000000011IAA", fields: &["Contract__c", "SystemModstamp"] }),
    },
    Object {
        name: "Portal_Discount__c",
        label: "Portal Discount",
        prefix: "a09",
        fields: &[
            text("Name", 80).required(),
            parent("Contract__c", "Contract__r", "Portal_Contract__c", Cascade).required(),
            number("Order__c", 2, 0),
            closed_list("Applies_To__c", &["Work", "Work and fees", "Everything"]),
            number("Percent__c", 3, 2),
            currency("Amount__c"),
            currency("From_Amount__c"),
        ],
        writable: true,
        action: Some(Action { id: "04kFk0000000012IAA", fields: &["Contract__c", "Name", "SystemModstamp"] }),
    },
    Object {
        name: "Portal_Expense__c",
        label: "Portal Expense",
        prefix: "a10",
        fields: &[
            parent("Account__c", "Account__r", "Account", Cascade).required(),
            parent("Contract__c", "Contract__r", "Portal_Contract__c", Clear),
            parent("Case__c", "Case__r", "Case", Clear),
            date("Incurred_On__c").required(),
            currency("Cost__c").required(),
            text("Currency__c", 3).required(),
            Field::new("Description__c", Kind::Area(32_000)),
            text("Person__c", 80),
            Field::new("Billable__c", Kind::Boolean).default("true"),
        ],
        writable: true,
        action: Some(Action {
            id: "04kFk0000000013IAA",
            fields: &["Account__c", "Case__c", "Incurred_On__c", "SystemModstamp"],
        }),
    },
    Object {
        name: "User",
        label: "User",
        prefix: "005",
        fields: &[
            text("Name", 121).read_only(),
            text("Username", 80).read_only(),
            text("Email", 128).read_only(),
            Field::new("IsActive", Kind::Boolean).read_only(),
        ],
        writable: false,
        action: None,
    },
    Object {
        name: "CaseStatus",
        label: "Case Status Value",
        prefix: "01J",
        fields: &[
            text("ApiName", 255).read_only(),
            text("MasterLabel", 255).read_only(),
            Field::new("IsClosed", Kind::Boolean).read_only(),
            Field::new("IsDefault", Kind::Boolean).read_only(),
            Field::new("SortOrder", Kind::Integer).read_only(),
        ],
        writable: false,
        action: None,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::RecordId;

    #[test]
    fn every_reference_action_and_prefix_holds_together() {
        let mut prefixes = BTreeSet::new();
        let mut actions = BTreeSet::new();
        for object in OBJECTS {
            assert!(prefixes.insert(object.prefix), "{} shares a prefix", object.name);
            let mut names = BTreeSet::new();
            for field in object.all_fields() {
                assert!(names.insert(field.name.to_ascii_lowercase()), "{}.{}", object.name, field.name);
                if let Kind::Reference { to, .. } = field.kind {
                    assert!(Object::named(to).is_some(), "{}.{}", object.name, field.name);
                }
            }
            if let Some(action) = object.action {
                assert_eq!(RecordId::parse(action.id).unwrap().as_str(), action.id);
                assert!(actions.insert(action.id));
                for name in action.fields {
                    assert_eq!(object.field(name).unwrap().name, *name);
                }
            }
        }
    }

    #[test]
    fn the_status_list_and_its_closed_flags_agree() {
        let names: Vec<&str> = CASE_STATUSES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, CASE_STATUS_VALUES);
        assert!(CASE_STATUSES.iter().filter(|(_, closed)| *closed).count() > 1);
    }
}
