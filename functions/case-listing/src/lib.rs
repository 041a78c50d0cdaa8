//! GET /cases and GET /cases/{caseId}: what a client may see of the account's cases.
