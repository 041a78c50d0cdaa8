//! POST /cases/{caseId}/files and GET /files/{fileId}: links straight to the store.
