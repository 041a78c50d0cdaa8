//! The cloud in one place: settings, boot, DynamoDB, S3, queues, secrets, push.
