//! What every route shares: who is calling ([`Caller`]), commands that happen once ([`Once`]), refusals
//! ([`Problem`]), pages ([`PageQuery`]) and the request log ([`finish`]).

mod body;
mod caller;
mod cases;
mod contract;
mod field;
mod finish;
mod markdown;
mod once;
mod origin;
mod page;
mod problem;
mod record;
pub mod schemas;
mod uploads;
pub mod views;

pub use body::{BODY_BYTES_MAX, Setting, read as read_body};
pub use caller::{Caller, ClientCaller};
pub use cases::{Amended, Amendment, RACES_MAX, files_shown, invoices_shown, listed_file, visible_case};
pub use contract::{
    AccountChoice, AmendmentRefusals, CommandRefusals, IdempotencyKey, ListRefusals, RecordBodyRefusals,
    RecordCommandRefusals, RecordFileRefusals, RecordRefusals, RecordSettingRefusals, SharedComponents,
    SignedInRefusals,
};
pub use field::{FieldCode, FieldError, FieldRefusal, Unfit};
pub use finish::finish;
pub use once::{KEY_LENGTH_MAX, Made, Once, repeated};
pub use page::{PageBody, PageQuery, cursor_refused};
pub use problem::{Fields, Kind, Problem, ProblemBody};
pub use record::on_record;
pub use uploads::{
    CaseFileBody, FileBody, FileWish, PartUpload, Upload, VisibilityBody, known_category, read_visibility,
};
