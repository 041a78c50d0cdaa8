//! DynamoDB, S3, Cognito, SQS, Secrets Manager and SES in this process, for laptops and tests.
//!
//! The functions talk to them only over HTTP, with the official SDKs and `AWS_ENDPOINT_URL_*`; nothing else differs
//! from AWS. What needs no HTTP is a Rust API: event source mappings receive from [`Queues`], [`Streams`] and
//! [`ObjectEvents`], and people read the [`Mailbox`].
//!
//! Everything is kept in one directory and whatever was acknowledged survives a kill of the process.

mod aws_port;
mod clock;
pub mod cognito;
mod copies;
mod emulators;
mod json_protocol;
pub mod mail;
pub mod objects;
pub mod queues;
pub mod secrets;
mod store;
pub mod streams;

pub use cognito::{Cognito, CognitoError, Pool, PoolSpec};
pub use copies::{Copies, CopyError, Renamed};
pub use emulators::{Config, Emulators, StartError};
pub use mail::{Mail, Mailbox};
pub use objects::{
    BucketSpec, LifecycleRule, ObjectContent, ObjectCreated, ObjectError, ObjectEvents, Objects,
};
pub use portico_domain::Clock;
pub use queues::{Depth, Message, NewMessage, QueueError, QueueSpec, Queues, Redrive};
pub use secrets::{SecretError, Secrets};
pub use store::StoreError;
pub use streams::{StreamError, StreamRecord, Streams};

/// The access key of every client of the emulators.
pub const ACCESS_KEY_ID: &str = "PORTICOLOCALACCESSKEY";

/// The secret of [`ACCESS_KEY_ID`]; no secret at all, it is the same on every laptop.
pub const SECRET_ACCESS_KEY: &str = "portico-local-secret-access-key";
