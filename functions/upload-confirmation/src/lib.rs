//! S3 event: an uploaded object becomes a file of its case.
