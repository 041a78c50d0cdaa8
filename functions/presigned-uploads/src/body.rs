//! What holds of bodies in one of the routes only.

use portico_http::{FieldCode, FileWish, Kind, Problem};

/// A file that replaces none.
pub(crate) fn new_file(wish: FileWish) -> Result<FileWish, Problem> {
    if wish.replaces.is_none() {
        return Ok(wish);
    }
    Err(refused("must be left out: a staged file belongs to no case yet, and replaces none"))
}

/// The file to be replaced is none that the caller sees in this case.
pub(crate) fn no_such_file() -> Problem {
    refused("is not a file of this case")
}

fn refused(detail: &str) -> Problem {
    let problem = Problem::new(Kind::InvalidRequest).because("Some fields were refused.");
    problem.at("/replaces", FieldCode::UnknownValue, detail)
}
