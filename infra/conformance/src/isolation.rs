//! `docs/isolation.md`: who gets what of whose, operation by operation.
//!
//! The table is what is promised. `tests/isolation` sends every cell of it to a running cloud and fails where the
//! answer is another one, or where an operation has no row.

use std::fmt::{self, Write as _};

use portico_http::Kind;

/// As what somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Member of a client company.
    Member,
    /// Manager of a client company.
    Manager,
    /// Billing contact of a client company.
    Billing,
    /// Agent of the consultancy.
    Agent,
    /// Admin of the consultancy.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Member, Self::Manager, Self::Billing, Self::Agent, Self::Admin];

    /// Its name in the document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Billing => "billing",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    /// Whether it is one of the consultancy.
    #[must_use]
    pub fn is_staff(self) -> bool {
        matches!(self, Self::Agent | Self::Admin)
    }
}

/// What an operation's address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A case, in the path.
    Case,
    /// A file, in the path.
    File,
    /// An archive, in the path.
    Archive,
    /// An invoice, in the path.
    Invoice,
    /// An account, in the query: a list.
    Account,
    /// Nothing: it is the caller's own account.
    Caller,
}

/// Whose what is named is, as the caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Theirs: they raised the case, or the case that the file or the invoice belongs to, or they asked for the archive.
    /// In lists: their account.
    Own,
    /// Somebody else's of the same account.
    Colleagues,
    /// Of another account.
    OtherAccounts,
    /// Staff: the record is in the account that the query names; an archive is their own too. In lists: there is such an
    /// account.
    Named,
    /// Staff: the record is in another account than the query names.
    Elsewhere,
    /// The query names no account.
    Unnamed,
    /// Well-formed, and there is none.
    Missing,
    /// No such id could be.
    Malformed,
}

impl Relation {
    /// The columns of what a role may come across.
    #[must_use]
    pub fn of(target: Target, role: Role) -> &'static [Self] {
        use Relation::{Colleagues, Elsewhere, Malformed, Missing, Named, OtherAccounts, Own, Unnamed};
        match (target, role.is_staff()) {
            (Target::Case | Target::File | Target::Archive | Target::Invoice, false) => {
                &[Own, Colleagues, OtherAccounts, Missing, Malformed]
            }
            (Target::Archive, true) => &[Named, Colleagues, Elsewhere, Unnamed, Missing, Malformed],
            (Target::Case | Target::File | Target::Invoice, true) => {
                &[Named, Elsewhere, Unnamed, Missing, Malformed]
            }
            (Target::Account, false) => &[Unnamed, Own, OtherAccounts, Missing, Malformed],
            (Target::Account, true) => &[Unnamed, Named, Missing, Malformed],
            (Target::Caller, false) => &[Unnamed, OtherAccounts],
            (Target::Caller, true) => &[Unnamed, Named],
        }
    }

    /// The head of its column.
    #[must_use]
    pub fn name(self, target: Target) -> &'static str {
        let listed = matches!(target, Target::Account | Target::Caller);
        match self {
            Self::Own if listed => "`account` = own",
            Self::Own => "own",
            Self::Colleagues => "a colleague's",
            Self::OtherAccounts if listed => "`account` = another one",
            Self::Named if listed => "`account` named",
            Self::OtherAccounts => "another account's",
            Self::Named => "of the named account",
            Self::Elsewhere => "of another than named",
            Self::Unnamed => "no `account` named",
            Self::Missing if listed => "`account` is nobody's",
            Self::Missing => "missing",
            Self::Malformed if listed => "`account` malformed",
            Self::Malformed => "malformed",
        }
    }
}

/// What the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// It is done, with this status.
    Allowed(u16),
    /// Refused, and so is the same with a record that does not exist, byte for byte.
    Refused(Kind),
    /// Refused to somebody who may see the record, so that there is nothing to hide.
    RefusedThoughSeen(Kind),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(status) => write!(f, "**{status}**"),
            Self::Refused(Kind::NotFound) => f.write_str("404"),
            Self::Refused(kind) => write!(f, "{} {}", kind.status().as_u16(), kind.slug()),
            Self::RefusedThoughSeen(kind) => write!(f, "{} {} ¹", kind.status().as_u16(), kind.slug()),
        }
    }
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Row {
    /// Method and path, as the API's description has them.
    pub operation: &'static str,
    /// What its address names.
    pub target: Target,
    /// In the order of [`Role::ALL`]; each in the order of [`Relation::of`].
    cells: [Vec<Cell>; 5],
}

impl Row {
    /// Each relation with what is promised for it.
    pub fn cells(&self, role: Role) -> impl Iterator<Item = (Relation, Cell)> {
        let place = Role::ALL.into_iter().position(|other| other == role);
        let cells = place.and_then(|place| self.cells.get(place)).into_iter().flatten();
        Relation::of(self.target, role).iter().copied().zip(cells.copied())
    }

    /// Whether there are as many cells as relations, for each role.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        Role::ALL
            .iter()
            .zip(&self.cells)
            .all(|(role, cells)| cells.len() == Relation::of(self.target, *role).len())
    }
}

use Cell::{Allowed, Refused, RefusedThoughSeen};

/// The answer for what is not there, or should look so.
const ABSENT: Cell = Refused(Kind::NotFound);
const FORBIDDEN: Cell = Refused(Kind::Forbidden);
const BAD: Cell = Refused(Kind::InvalidRequest);

/// Only what the caller raised, or is the contact of.
fn own(status: u16) -> Vec<Cell> {
    vec![Allowed(status), ABSENT, ABSENT, ABSENT, ABSENT]
}

/// Everything of the caller's account.
fn whole_account(status: u16) -> Vec<Cell> {
    vec![Allowed(status), Allowed(status), ABSENT, ABSENT, ABSENT]
}

/// Everything of the account that staff name.
fn named_account(status: u16) -> Vec<Cell> {
    vec![Allowed(status), ABSENT, BAD, ABSENT, ABSENT]
}

/// What the caller asked for in the account that staff name.
fn own_of_named_account(status: u16) -> Vec<Cell> {
    vec![Allowed(status), ABSENT, ABSENT, BAD, ABSENT, ABSENT]
}

/// For no one of that role.
fn forbidden(cells: usize) -> Vec<Cell> {
    vec![FORBIDDEN; cells]
}

/// What of the account the caller may see.
fn list(status: u16) -> Vec<Cell> {
    vec![Allowed(status), Allowed(status), ABSENT, ABSENT, BAD]
}

/// A list that is not for that role.
fn no_list() -> Vec<Cell> {
    vec![FORBIDDEN, FORBIDDEN, ABSENT, ABSENT, BAD]
}

/// A list of the account that staff name.
fn staff_list(status: u16) -> Vec<Cell> {
    vec![BAD, Allowed(status), ABSENT, BAD]
}

/// A case's own people, and staff.
fn case(operation: &'static str, status: u16) -> Row {
    let cells =
        [own(status), whole_account(status), own(status), named_account(status), named_account(status)];
    Row { operation, target: Target::Case, cells }
}

/// A case's own people, and no staff.
fn clients_case(operation: &'static str, status: u16) -> Row {
    Row {
        operation,
        target: Target::Case,
        cells: [own(status), whole_account(status), own(status), forbidden(5), forbidden(5)],
    }
}

fn invoice(operation: &'static str, status: u16) -> Row {
    Row {
        operation,
        target: Target::Invoice,
        cells: [
            vec![ABSENT; 5],
            whole_account(status),
            whole_account(status),
            named_account(status),
            named_account(status),
        ],
    }
}

/// What staff do with an invoice, and no client.
fn staffs_invoice(operation: &'static str, status: u16) -> Row {
    Row {
        operation,
        target: Target::Invoice,
        cells: [forbidden(5), forbidden(5), forbidden(5), named_account(status), named_account(status)],
    }
}

/// What clients do with an invoice, and no staff.
fn clients_invoice(operation: &'static str, status: u16) -> Row {
    Row {
        operation,
        target: Target::Invoice,
        cells: [vec![ABSENT; 5], whole_account(status), whole_account(status), forbidden(5), forbidden(5)],
    }
}

/// What staff do with an account's invoices, and no client.
fn staffs_list(operation: &'static str, status: u16) -> Row {
    Row {
        operation,
        target: Target::Account,
        cells: [no_list(), no_list(), no_list(), staff_list(status), staff_list(status)],
    }
}

fn managers_list(operation: &'static str) -> Row {
    Row {
        operation,
        target: Target::Account,
        cells: [no_list(), list(200), no_list(), staff_list(200), staff_list(200)],
    }
}

/// The caller's own account; another one that the query names is not looked at.
fn clients(operation: &'static str, status: u16) -> Row {
    let allowed = || vec![Allowed(status); 2];
    Row {
        operation,
        target: Target::Caller,
        cells: [allowed(), allowed(), allowed(), forbidden(2), forbidden(2)],
    }
}

/// Every operation, in the groups of the document.
#[must_use]
pub fn groups() -> Vec<(&'static str, Vec<Row>)> {
    let words = Row {
        operation: "PATCH /cases/{caseId}",
        target: Target::Case,
        cells: [
            own(200),
            vec![Allowed(200), RefusedThoughSeen(Kind::Forbidden), ABSENT, ABSENT, ABSENT],
            own(200),
            forbidden(5),
            forbidden(5),
        ],
    };
    let file = |operation| Row { target: Target::File, ..case(operation, 200) };
    let seen_only = RefusedThoughSeen(Kind::Forbidden);
    let erasure = Row {
        operation: "POST /files/{fileId}/erase",
        target: Target::File,
        cells: [
            vec![seen_only, ABSENT, ABSENT, ABSENT, ABSENT],
            vec![seen_only, seen_only, ABSENT, ABSENT, ABSENT],
            vec![seen_only, ABSENT, ABSENT, ABSENT, ABSENT],
            vec![seen_only, ABSENT, BAD, ABSENT, ABSENT],
            named_account(202),
        ],
    };
    let archive = Row {
        operation: "GET /archives/{archiveId}",
        target: Target::Archive,
        cells: [own(200), own(200), own(200), own_of_named_account(200), own_of_named_account(200)],
    };
    // On its way a file is its uploader's alone; for everybody else it is not there.
    let upload = |operation, own: Cell| Row {
        operation,
        target: Target::File,
        cells: [
            vec![own, ABSENT, ABSENT, ABSENT, ABSENT],
            vec![own, ABSENT, ABSENT, ABSENT, ABSENT],
            vec![own, ABSENT, ABSENT, ABSENT, ABSENT],
            vec![ABSENT, ABSENT, BAD, ABSENT, ABSENT],
            vec![ABSENT, ABSENT, BAD, ABSENT, ABSENT],
        ],
    };
    let cases = Row {
        operation: "GET /cases",
        target: Target::Account,
        cells: [list(200), list(200), list(200), staff_list(200), staff_list(200)],
    };
    let invoices = |operation| Row {
        operation,
        target: Target::Account,
        cells: [no_list(), list(200), list(200), staff_list(200), staff_list(200)],
    };
    vec![
        (
            "One case",
            vec![
                case("GET /cases/{caseId}", 200),
                case("GET /cases/{caseId}/timeline", 200),
                case("GET /cases/{caseId}/comments", 200),
                clients_case("POST /cases/{caseId}/comments", 201),
                case("GET /cases/{caseId}/files", 200),
                case("POST /cases/{caseId}/files", 201),
                case("POST /cases/{caseId}/archives", 202),
                case("PUT /cases/{caseId}/follower", 200),
                case("DELETE /cases/{caseId}/follower", 200),
                words,
                clients_case("POST /cases/{caseId}/close", 200),
                clients_case("POST /cases/{caseId}/reopen", 200),
            ],
        ),
        (
            "One file",
            vec![
                file("GET /files/{fileId}"),
                file("GET /files/{fileId}/versions"),
                file("PATCH /files/{fileId}"),
                file("DELETE /files/{fileId}"),
                file("POST /files/{fileId}/restore"),
                erasure,
                upload("GET /files/{fileId}/upload", Allowed(200)),
                upload("PUT /files/{fileId}/upload", Allowed(200)),
                // The files of the scene have arrived.
                upload("DELETE /files/{fileId}/upload", RefusedThoughSeen(Kind::WrongState)),
            ],
        ),
        ("One archive of a case's files", vec![archive]),
        (
            "One invoice",
            vec![
                invoice("GET /invoices/{invoiceId}", 200),
                invoice("GET /invoices/{invoiceId}/pdf", 303),
                invoice("GET /invoices/{invoiceId}/xml", 303),
                clients_invoice("POST /invoices/{invoiceId}/lines/{line}/disputes", 201),
                invoice("GET /invoices/{invoiceId}/disputes", 200),
                invoice("POST /invoices/{invoiceId}/disputes/{disputeId}/answers", 201),
                staffs_invoice("POST /invoices/{invoiceId}/disputes/{disputeId}/resolve", 200),
                clients_invoice("POST /invoices/{invoiceId}/disputes/{disputeId}/withdraw", 200),
                staffs_invoice("POST /invoices/{invoiceId}/issue", 201),
                staffs_invoice("POST /invoices/{invoiceId}/credit", 201),
            ],
        ),
        (
            "Lists and exports of an account",
            vec![
                cases,
                invoices("GET /invoices"),
                invoices("GET /billing/preview"),
                staffs_list("POST /invoices", 201),
                staffs_list("GET /invoices/drafts", 200),
                managers_list("GET /files/usage"),
                managers_list("GET /audit"),
                managers_list("GET /audit/export"),
            ],
        ),
        (
            "Without a record",
            vec![
                clients("POST /cases", 201),
                clients("POST /files", 201),
                clients("GET /cases/choices", 200),
                clients("POST /live/tickets", 201),
            ],
        ),
    ]
}

/// What is different for members of an account that lets its members see its money, in the groups of the document. Whatever
/// is not here is as in [`groups`], and so is everybody else.
#[must_use]
pub fn groups_where_members_see_invoices() -> Vec<(&'static str, Vec<Row>)> {
    let record = |operation, status| Row {
        cells: [whole_account(status), Vec::new(), Vec::new(), Vec::new(), Vec::new()],
        ..invoice(operation, status)
    };
    let all = |operation| Row {
        operation,
        target: Target::Account,
        cells: [list(200), Vec::new(), Vec::new(), Vec::new(), Vec::new()],
    };
    vec![
        (
            "One invoice",
            vec![record("GET /invoices/{invoiceId}", 200), record("GET /invoices/{invoiceId}/pdf", 303)],
        ),
        ("Lists of an account", vec![all("GET /invoices"), all("GET /billing/preview")]),
    ]
}

/// Every operation.
pub fn rows() -> impl Iterator<Item = Row> {
    groups().into_iter().flat_map(|(_, rows)| rows)
}

/// Whom a token stands for, if it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// No `Authorization` header.
    None,
    /// No JWT.
    Garbage,
    /// The pool's own, past its end.
    Expired,
    /// Signed with the pool's key, for another pool.
    OtherPool,
    /// An id token of the pool, where an access token is due.
    Id,
    /// Of somebody whose membership was deactivated.
    Leaver,
    /// Of a user of the pool who was never let into an account.
    Unknown,
}

impl Token {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Garbage, Self::Expired, Self::OtherPool, Self::Id, Self::Leaver, Self::Unknown];

    /// What it is called in the document.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Garbage => "no JWT",
            Self::Expired => "the pool's own, expired",
            Self::OtherPool => "of another pool, rightly signed",
            Self::Id => "an id token of the pool",
            Self::Leaver => "of a person whose membership was deactivated",
            Self::Unknown => "of a user of the pool without membership",
        }
    }

    /// How it is refused, whatever the operation.
    #[must_use]
    pub fn refusal(self) -> Kind {
        match self {
            Self::None | Self::Garbage | Self::Expired | Self::OtherPool | Self::Id => Kind::Unauthenticated,
            Self::Leaver | Self::Unknown => Kind::AccessEnded,
        }
    }
}

/// The document.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    for (title, rows) in groups() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## {title}\n");
        for staff in [false, true] {
            table(&mut text, &rows, staff);
        }
    }
    text.push_str(
        "\n## Where an account's members see its invoices\n\nThe consultancy says so in Salesforce, account by account. Then \
        this is what members get; everything else stands as above, and so does everybody else.\n",
    );
    for (title, rows) in groups_where_members_see_invoices() {
        let _ = write!(text, "\n### {title}\n");
        table_of(&mut text, &rows, "Client", &[Role::Member]);
    }
    text.push_str(
        "\n## Without access\n\nThe same for every operation above.\n\n| Token | Answer |\n|---|---|\n",
    );
    for token in Token::ALL {
        let _ = writeln!(text, "| {} | {} |", token.name(), Cell::Refused(token.refusal()));
    }
    text.push_str(BEYOND);
    text
}

fn table(text: &mut String, rows: &[Row], staff: bool) {
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| role.is_staff() == staff).collect();
    table_of(text, rows, if staff { "Staff" } else { "Client" }, &roles);
}

fn table_of(text: &mut String, rows: &[Row], side: &str, roles: &[Role]) {
    let (Some(first), Some(role)) = (rows.first(), roles.first()) else { return };
    let columns = Relation::of(first.target, *role);
    let _ = write!(text, "\n| Operation | {side} |");
    for relation in columns {
        let _ = write!(text, " {} |", relation.name(first.target));
    }
    let _ = writeln!(text, "\n|---|---|{}", "---|".repeat(columns.len()));
    for row in rows {
        for role in roles {
            let _ = write!(text, "| `{}` | {} |", row.operation, role.name());
            for (_, cell) in row.cells(*role) {
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
    }
}

const INTRODUCTION: &str = "\
<!-- Generated from the code. Do not edit: cargo run -p portico-conformance --bin documents -->

# Who gets what of whose

Every operation of the API, each role, each relation between the caller and what the request names. The rows are the \
table in `infra/conformance/src/isolation.rs`; `cargo test -p portico-conformance --test isolation` sends every cell to \
a running cloud over HTTP. An operation without a row fails that test, and so does a row without an operation.

How to read a cell:

- **200**, **201**, **303**: done.
- 404: not found. Status, headers and body are those that a record gets which never existed, byte for byte; only the id \
and the time of the request differ.
- 403 forbidden, 400 invalid-request: refused whatever the id says; a record that does not exist gets the same, byte \
for byte.
- ¹: refused to somebody who may see the record, and is told why.

Clients belong to one account. *Own* is a case that the caller raised, or what belongs to such a case; an archive is the own of who asked for it. Staff name the \
account whose records they look at with the query parameter `account`. *Malformed* stands for several: too short, too \
long, upper case, another kind's id, a path, a NUL.
";

const BEYOND: &str = "
## Beyond single records

| What | How it is shown |
|---|---|
| Lists | Read to the end as each role, they are exactly what the role may see, case by case. |
| Filters | `text`, `raised_by` and `contract` that fit only records of others answer as those that fit nothing, byte for byte. |
| Cursors | Those of another account's or another person's list lead to own records, or are refused. |
| Exports | Every line of the audit trail's export is of the own account. |
| Ids in bodies | A contract, contact or file of another account, or a file of another case, is refused as one that does not exist. |
| Files for some | A file for managers or for named people is for everybody else not there: not on the list, the timeline, in comments, nor by its id. What is on its way is its uploader's alone, and what is deleted nobody downloads. |
| Links of the store | Work as they were given, for the time that they say, and not with another key, method or parameter. |
| Live connection | Opens with an own ticket, once, within its minute; tells of a record only who may see it, and never what it says. |
| Money | Hours that are logged in Salesforce reach within 2 s who may see money, as the word that the bill has changed, and nobody else. Where members see invoices, they hear it and find the invoice on the timeline; where they do not any more, neither. |
| Leaving | Who is deactivated, or moves to another account, is refused by the next request and cut off by the next push. |
| Words | Every record has words of its own; no answer to anybody else contained them, and none at all an internal remark. |
| Effects | After everything that was refused, the records and what is announced of them are what they were before. |

## Cases of abuse

Functions in `infra/conformance/tests/isolation`:

| Case | Where |
|---|---|
| T01 foreign record by id | `case_t12_what_is_refused_looks_as_if_it_were_not_there`, `case_t01_what_is_allowed_is_done` |
| T02 foreign user edited | No operation edits a user. |
| T03 look-up through the user, not the tenant | `case_t09_who_leaves_is_out_at_once`: own cases of the account before are gone after the move |
| T04 foreign id in a body | `case_t04_foreign_ids_in_bodies_are_as_good_as_none` |
| T05 live channel | `case_t05_news_reach_who_may_see_the_record`, `case_t05_the_next_bill_reaches_who_may_see_money`, `case_t05_tickets_open_one_connection` |
| T06 lists, filters, cursors as oracle | `case_t06_lists_hold_what_one_may_see`, `case_t06_filters_tell_nothing`, `case_t06_cursors_stay_in_own_lists` |
| T07 links of files | `case_t07_links_work_only_as_given` |
| T08 internal remarks, words of others | `Scene::assert_discreet`, on every answer; `case_t08_files_are_for_whom_they_are` |
| T09 a leaver keeps access | `case_t09_who_leaves_is_out_at_once` |
| T10 eternal invitation, static token | There are no invitations; tickets lapse: `case_t05_tickets_open_one_connection` |
| T11 tokens | `case_t11_without_access_nothing_is_done`, and every forgery in `infra/local/tests/it/authorizer.rs` |
| T12 enumeration | `case_t12_what_is_refused_looks_as_if_it_were_not_there` |
";
