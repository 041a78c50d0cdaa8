//! What every route shares: the caller, idempotent commands, problems, paging, the request log.
