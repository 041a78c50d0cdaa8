//! POST /cases: a signed-in client raises a case.
