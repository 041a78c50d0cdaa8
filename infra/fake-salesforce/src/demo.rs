//! The seed: the org's users always, and on request two client companies whose ids never change.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params, types::Value as Cell};

use crate::{
    error::ApiError,
    id::RecordId,
    org::Org,
    records::{self, Actor, Row, Unit},
    schema::{CASE_STATUSES, OBJECTS, Object},
    store::{self, Outcome},
};

/// The user of the API. Its changes send no outbound messages while the loop guard is on.
pub const INTEGRATION_USER_ID: &str = "005Fk0000000001IAA";
/// The user of the console.
pub const AGENT_USER_ID: &str = "005Fk0000000002IAA";
/// The name of the console's user.
pub const AGENT_NAME: &str = "Sam Keller";

/// Numbers up to this one belong to constant ids; new records get higher ones.
const CONSTANT_IDS: i64 = 999;

/// A client company of the demo.
#[derive(Clone, Copy, Debug)]
pub struct DemoAccount {
    /// Id of the Account.
    pub id: &'static str,
    /// Its `Portal_Account_Id__c`, a UUID.
    pub portal_account_id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Two people who work there.
    pub contacts: [DemoContact; 2],
    /// Id of the `Portal_Contract__c`.
    pub contract_id: &'static str,
    /// Three cases.
    pub case_ids: [&'static str; 3],
}

/// A person of a client company.
#[derive(Clone, Copy, Debug)]
pub struct DemoContact {
    /// Id of the Contact.
    pub id: &'static str,
    /// First name.
    pub first_name: &'static str,
    /// Last name.
    pub last_name: &'static str,
    /// E-mail address.
    pub email: &'static str,
}

/// A German logistics company: EUR 120 an hour, 19% VAT.
pub const NORDHAVEN: DemoAccount = DemoAccount {
    id: "001Fk0000000001IAA",
    portal_account_id: "019a0d3c-5a00-7000-8000-000000000001",
    name: "Nordhaven Logistics",
    contacts: [
        DemoContact {
            id: "003Fk0000000001IAA",
            first_name: "Mara",
            last_name: "Lindqvist",
            email: "mara.lindqvist@nordhaven.example",
        },
        DemoContact {
            id: "003Fk0000000002IAA",
            first_name: "Jonas",
            last_name: "Weber",
            email: "jonas.weber@nordhaven.example",
        },
    ],
    contract_id: "a02Fk0000000001IAA",
    case_ids: ["500Fk0000000001IAA", "500Fk0000000002IAA", "500Fk0000000003IAA"],
};

/// An American laboratory: USD 150 an hour, no tax.
pub const BRIGHTWATER: DemoAccount = DemoAccount {
    id: "001Fk0000000002IAA",
    portal_account_id: "019a0d3c-5a00-7000-8000-000000000002",
    name: "Brightwater Labs",
    contacts: [
        DemoContact {
            id: "003Fk0000000003IAA",
            first_name: "Priya",
            last_name: "Shah",
            email: "priya.shah@brightwater.example",
        },
        DemoContact {
            id: "003Fk0000000004IAA",
            first_name: "Daniel",
            last_name: "Ortiz",
            email: "daniel.ortiz@brightwater.example",
        },
    ],
    contract_id: "a02Fk0000000002IAA",
    case_ids: ["500Fk0000000004IAA", "500Fk0000000005IAA", "500Fk0000000006IAA"],
};

struct Contract {
    id: &'static str,
    account: DemoAccount,
    address: [&'static str; 4],
    currency: &'static str,
    tax_percent: f64,
    terms_days: f64,
    time_zone: &'static str,
    purchase_order: &'static str,
    rates: [(&'static str, &'static str, f64); 2],
}

const CONTRACTS: [Contract; 2] = [
    Contract {
        id: NORDHAVEN.contract_id,
        account: NORDHAVEN,
        address: ["Speicherstrasse 14", "Hamburg", "20457", "Germany"],
        currency: "EUR",
        tax_percent: 19.0,
        terms_days: 30.0,
        time_zone: "Europe/Berlin",
        purchase_order: "PO-2026-118",
        rates: [
            ("a03Fk0000000001IAA", "Consultant", 120.0),
            ("a03Fk0000000002IAA", "Senior Consultant", 160.0),
        ],
    },
    Contract {
        id: BRIGHTWATER.contract_id,
        account: BRIGHTWATER,
        address: ["88 Harbor Street", "Portland", "97209", "United States"],
        currency: "USD",
        tax_percent: 0.0,
        terms_days: 15.0,
        time_zone: "America/Los_Angeles",
        purchase_order: "BW-4471",
        rates: [
            ("a03Fk0000000003IAA", "Consultant", 150.0),
            ("a03Fk0000000004IAA", "Senior Consultant", 195.0),
        ],
    },
];

struct DemoCase {
    id: &'static str,
    account: DemoAccount,
    contact: &'static str,
    subject: &'static str,
    description: &'static str,
    status: &'static str,
    priority: &'static str,
    kind: &'static str,
    /// Days before the org started.
    opened: i64,
    comments: &'static [Comment],
    time: &'static [Time],
}

/// Days before the start, published, by the agent (or by the client through the portal), text.
type Comment = (i64, bool, bool, &'static str);
/// Days before the start, minutes, role, description.
type Time = (i64, f64, &'static str, &'static str);

const CASES: [DemoCase; 6] = [
    DemoCase {
        id: NORDHAVEN.case_ids[0],
        account: NORDHAVEN,
        contact: NORDHAVEN.contacts[0].id,
        subject: "Customs report shows last month's tariffs",
        description: "The weekly customs report still uses the tariff table of October. Since the 1st our brokers correct about 40 lines by hand.\n\nSteps: open Reports > Customs, pick the current week, compare column F with the published table.",
        status: "Working",
        priority: "High",
        kind: "Problem",
        opened: 6,
        comments: &[
            (
                6,
                true,
                false,
                "Mara Lindqvist via the portal:\n\nThe file of last week is attached to the mail of Monday, in case you need an example.",
            ),
            (
                5,
                true,
                true,
                "Thank you, that helps. The report reads a cached copy of the tariff table. We are changing it to the live one and will rerun the two weeks.",
            ),
            (
                5,
                false,
                true,
                "Cache was introduced for the May outage. Check with Lena before removing it for everyone.",
            ),
            (
                2,
                true,
                true,
                "The live table is in the test system. Could you compare week 46 there and tell us if any line is off?",
            ),
        ],
        time: &[
            (5, 90.0, "Consultant", "Traced the report to the cached tariff table"),
            (3, 210.0, "Senior Consultant", "Replaced the cache by the live table, reran two weeks"),
            (2, 45.0, "Consultant", "Test system prepared for week 46"),
        ],
    },
    DemoCase {
        id: NORDHAVEN.case_ids[1],
        account: NORDHAVEN,
        contact: NORDHAVEN.contacts[1].id,
        subject: "New dispatcher role with read access to the yard plan",
        description: "From December two dispatchers should see the yard plan without being able to move slots.",
        status: "New",
        priority: "Medium",
        kind: "Change Request",
        opened: 1,
        comments: &[],
        time: &[],
    },
    DemoCase {
        id: NORDHAVEN.case_ids[2],
        account: NORDHAVEN,
        contact: NORDHAVEN.contacts[0].id,
        subject: "Label printer in hall 3 prints twice",
        description: "Every parcel label comes out twice since the update on Friday. Hall 1 and 2 are fine.",
        status: "Resolved",
        priority: "Medium",
        kind: "Problem",
        opened: 19,
        comments: &[
            (
                18,
                true,
                true,
                "Hall 3 still had the old queue beside the new one, so each job went to both. The old queue is removed.",
            ),
            (18, true, false, "Confirmed, one label per parcel. Thanks!"),
        ],
        time: &[(18, 60.0, "Consultant", "Removed the duplicate print queue of hall 3")],
    },
    DemoCase {
        id: BRIGHTWATER.case_ids[0],
        account: BRIGHTWATER,
        contact: BRIGHTWATER.contacts[0].id,
        subject: "Sample intake form rejects barcodes with a dash",
        description: "Barcodes of our new supplier look like BW-22-0193. The intake form says \"invalid barcode\" & clears the whole page.",
        status: "Waiting on Customer",
        priority: "High",
        kind: "Problem",
        opened: 9,
        comments: &[
            (
                8,
                true,
                true,
                "The form accepts the dash now in the preview. Which check digit does the supplier use? Their sheet names two.",
            ),
            (
                8,
                false,
                true,
                "Clearing the page on an invalid code is a separate defect, noted for the next sprint.",
            ),
        ],
        time: &[
            (8, 120.0, "Consultant", "Barcode pattern extended, preview deployed"),
            (7, 30.0, "Consultant", "Call about check digits"),
        ],
    },
    DemoCase {
        id: BRIGHTWATER.case_ids[1],
        account: BRIGHTWATER,
        contact: BRIGHTWATER.contacts[1].id,
        subject: "Freezer alarm mails arrive an hour late",
        description: "Alarm at 02:10, mail at 03:12. The validated limit is five minutes.",
        status: "Escalated",
        priority: "High",
        kind: "Problem",
        opened: 3,
        comments: &[
            (
                3,
                true,
                true,
                "We see the delay as well: the relay queues mails while its greylisting runs. A direct route is being set up tonight.",
            ),
            (2, false, true, "QA wants a deviation report. Draft is with Ines."),
        ],
        time: &[
            (3, 150.0, "Senior Consultant", "Traced the delay to the mail relay"),
            (2, 240.0, "Senior Consultant", "Direct route with monitoring, night work"),
        ],
    },
    DemoCase {
        id: BRIGHTWATER.case_ids[2],
        account: BRIGHTWATER,
        contact: BRIGHTWATER.contacts[1].id,
        subject: "Question: can results be exported as CSV?",
        description: "For the annual review we would like all results of one study in one file.",
        status: "Closed",
        priority: "Low",
        kind: "Question",
        opened: 27,
        comments: &[(
            26,
            true,
            true,
            "Yes: Studies > Export > CSV. Up to 50,000 rows a file; larger studies are split.",
        )],
        time: &[(26, 15.0, "Consultant", "Answered a question about the export")],
    },
];

/// Writes the users and the status list, and into an empty store the demo.
pub(crate) fn seed(org: &Org, demo_data: bool) -> Result<(), ApiError> {
    let (now, agent) = (org.clock.now(), org.agent_actor());
    let quiet = Actor { notifies: false, ..agent };
    let username = org.username.clone();
    org.store.run_blocking(|transaction| {
        let written = write(transaction, now, &quiet, &username, demo_data);
        let outcome = if written.is_ok() { Outcome::Commit } else { Outcome::Rollback };
        (written, outcome)
    })?
}

fn write(
    connection: &Connection,
    now: Timestamp,
    quiet: &Actor,
    username: &str,
    demo_data: bool,
) -> Result<(), ApiError> {
    for object in OBJECTS {
        store::skip_to(connection, &format!("id.{}", object.prefix), CONSTANT_IDS)?;
    }
    let unit = Unit::new(connection, now, quiet.clone());
    let users = object("User")?;
    if store::is_empty(connection, users)? {
        for (id, name, login) in [
            (INTEGRATION_USER_ID, "Portal Integration", username),
            (AGENT_USER_ID, AGENT_NAME, "sam.keller@consultancy.example"),
        ] {
            let row = Row::from([
                ("Name", text(name)),
                ("Username", text(login)),
                ("Email", text(login)),
                ("IsActive", Cell::Integer(1)),
            ]);
            insert(&unit, users, id, row)?;
        }
    }
    connection
        .execute("UPDATE \"User\" SET Username = ?2 WHERE Id = ?1", params![INTEGRATION_USER_ID, username])?;
    let statuses = object("CaseStatus")?;
    if store::is_empty(connection, statuses)? {
        for (order, (name, closed)) in (1_i64..).zip(CASE_STATUSES) {
            let row = Row::from([
                ("ApiName", text(name)),
                ("MasterLabel", text(name)),
                ("IsClosed", Cell::Integer(i64::from(closed))),
                ("IsDefault", Cell::Integer(i64::from(name == "New"))),
                ("SortOrder", Cell::Integer(order)),
            ]);
            records::insert(&unit, statuses, None, row)?;
        }
    }
    if demo_data && store::is_empty(connection, object("Account")?)? {
        write_companies(connection, now, quiet)?;
        write_cases(connection, now, quiet)?;
    }
    Ok(())
}

fn write_companies(connection: &Connection, now: Timestamp, quiet: &Actor) -> Result<(), ApiError> {
    let unit = Unit::new(connection, days_before(now, 60), quiet.clone());
    for contract in &CONTRACTS {
        let account = contract.account;
        let [street, city, postal_code, country] = contract.address;
        let row = Row::from([
            ("Name", text(account.name)),
            ("Portal_Account_Id__c", text(account.portal_account_id)),
            ("BillingStreet", text(street)),
            ("BillingCity", text(city)),
            ("BillingPostalCode", text(postal_code)),
            ("BillingCountry", text(country)),
        ]);
        insert(&unit, object("Account")?, account.id, row)?;
        for contact in account.contacts {
            let row = Row::from([
                ("AccountId", text(account.id)),
                ("FirstName", text(contact.first_name)),
                ("LastName", text(contact.last_name)),
                ("Email", text(contact.email)),
            ]);
            insert(&unit, object("Contact")?, contact.id, row)?;
        }
        let [(_, _, rate), _] = contract.rates;
        let row = Row::from([
            ("Name", text(&format!("{} support 2026", account.name))),
            ("Account__c", text(account.id)),
            ("Currency__c", text(contract.currency)),
            ("Hourly_Rate__c", Cell::Real(rate)),
            ("Tax_Rate__c", Cell::Real(contract.tax_percent)),
            ("Payment_Terms_Days__c", Cell::Real(contract.terms_days)),
            ("Valid_From__c", text("2026-01-01")),
            ("Valid_To__c", text("2027-12-31")),
            ("Time_Zone__c", text(contract.time_zone)),
            ("Purchase_Order__c", text(contract.purchase_order)),
            ("Billing_Mode__c", text("Time and materials")),
        ]);
        insert(&unit, object("Portal_Contract__c")?, contract.id, row)?;
        for (id, role, hourly) in contract.rates {
            let row = Row::from([
                ("Contract__c", text(contract.id)),
                ("Role__c", text(role)),
                ("Hourly_Rate__c", Cell::Real(hourly)),
                ("Valid_From__c", text("2026-01-01")),
            ]);
            insert(&unit, object("Portal_Rate__c")?, id, row)?;
        }
    }
    Ok(())
}

fn write_cases(connection: &Connection, now: Timestamp, quiet: &Actor) -> Result<(), ApiError> {
    let client = Actor { user: parse(INTEGRATION_USER_ID)?, notifies: false };
    let (mut comment_number, mut time_number) = (0, 0);
    for case in &CASES {
        // Somebody has taken every case but the new one.
        let owner = if case.status == "New" { INTEGRATION_USER_ID } else { AGENT_USER_ID };
        let row = Row::from([
            ("Subject", text(case.subject)),
            ("Description", text(case.description)),
            ("Status", text(case.status)),
            ("Priority", text(case.priority)),
            ("Type", text(case.kind)),
            ("Origin", text("Email")),
            ("AccountId", text(case.account.id)),
            ("ContactId", text(case.contact)),
            ("OwnerId", text(owner)),
        ]);
        let unit = Unit::new(connection, days_before(now, case.opened), client.clone());
        insert(&unit, object("Case")?, case.id, row)?;
        // Two comments of one day stay in their order.
        let mut minute = 0;
        for (days, published, by_agent, body) in case.comments {
            comment_number += 1;
            minute += 20;
            let at = days_before(now, *days) + SignedDuration::from_mins(minute);
            let author = if *by_agent { quiet } else { &client };
            let row = Row::from([
                ("ParentId", text(case.id)),
                ("CommentBody", text(body)),
                ("IsPublished", Cell::Integer(i64::from(*published))),
            ]);
            let id = RecordId::numbered("00a", comment_number);
            records::insert(
                &Unit::new(connection, at.min(now), author.clone()),
                object("CaseComment")?,
                Some(id),
                row,
            )?;
        }
        for (days, minutes, role, description) in case.time {
            time_number += 1;
            let at = days_before(now, *days);
            let day = at.to_zoned(jiff::tz::TimeZone::UTC).date();
            let row = Row::from([
                ("Case__c", text(case.id)),
                ("Work_Date__c", text(&day.to_string())),
                ("Minutes__c", Cell::Real(*minutes)),
                ("Description__c", text(description)),
                ("Person__c", text(AGENT_NAME)),
                ("Role__c", text(role)),
                ("Billable__c", Cell::Integer(1)),
            ]);
            let id = RecordId::numbered("a01", time_number);
            records::insert(
                &Unit::new(connection, at, quiet.clone()),
                object("Time_Entry__c")?,
                Some(id),
                row,
            )?;
        }
    }
    Ok(())
}

fn days_before(now: Timestamp, days: i64) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(now)
}

fn object(name: &str) -> Result<&'static Object, ApiError> {
    Object::named(name).ok_or_else(ApiError::not_found)
}

fn parse(id: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(id).map_err(|error| ApiError::bad("MALFORMED_ID", format!("{id}: {error}")))
}

fn insert(unit: &Unit<'_>, object: &'static Object, id: &str, row: Row) -> Result<(), ApiError> {
    records::insert(unit, object, Some(parse(id)?), row)?;
    Ok(())
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}
