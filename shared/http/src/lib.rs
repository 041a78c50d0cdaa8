//! What every route shares: who is calling ([`Caller`]), commands that happen once ([`Once`]), refusals
//! ([`Problem`]), pages ([`PageQuery`]) and the request log ([`finish`]).

mod body;
mod caller;
mod contract;
mod field;
mod finish;
mod once;
mod page;
mod problem;
pub mod schemas;
pub mod views;

pub use caller::{Caller, ClientCaller};
pub use contract::{
    AccountChoice, CommandRefusals, IdempotencyKey, ListRefusals, RecordCommandRefusals, RecordRefusals,
    SharedComponents, SignedInRefusals,
};
pub use field::{FieldCode, FieldError, FieldRefusal};
pub use finish::finish;
pub use once::{BODY_BYTES_MAX, KEY_LENGTH_MAX, Made, Once, repeated};
pub use page::{PageBody, PageQuery, cursor_refused};
pub use problem::{Fields, Kind, Problem, ProblemBody};
