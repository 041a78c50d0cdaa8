//! What every route shares: who is calling ([`Caller`]), commands that happen once ([`Once`]), refusals
//! ([`Problem`]), pages ([`PageQuery`]) and the request log ([`finish`]).

mod caller;
mod finish;
mod once;
mod origin;
mod page;
mod problem;
mod record;
pub mod views;

pub use caller::{Caller, ClientCaller};
pub use finish::finish;
pub use once::{Made, Once, repeated};
pub use page::{PageBody, PageQuery, cursor_refused};
pub use problem::{FieldError, Fields, Kind, Problem, ProblemBody};
pub use record::on_record;
