//! Account, region, names and ids of the cloud on this machine.

use jiff::Timestamp;
use portico_domain::{Clock, Random};

/// The region that every ARN and client names.
pub const REGION: &str = "eu-central-1";

/// The account that every ARN names: the one that AWS's own emulators and documents use.
pub const ACCOUNT: &str = "000000000000";

/// What goes before logical ids in names of tables, queues and buckets, as a stack's name does on AWS.
pub const STACK: &str = "portico";

/// The name of a table, a queue, a function or a secret.
#[must_use]
pub fn name(logical_id: &str) -> String {
    format!("{STACK}-{logical_id}")
}

/// The name of a bucket: bucket names have no upper case.
#[must_use]
pub fn bucket_name(logical_id: &str) -> String {
    name(logical_id).to_ascii_lowercase()
}

/// The ARN of a function.
#[must_use]
pub fn function_arn(logical_id: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", name(logical_id))
}

/// The ARN of a standard queue.
#[must_use]
pub fn queue_arn(logical_id: &str) -> String {
    arn_of_queue(&name(logical_id))
}

/// The name of a FIFO queue, as CloudFormation makes it.
#[must_use]
pub fn fifo_queue_name(logical_id: &str) -> String {
    format!("{}.fifo", name(logical_id))
}

/// The ARN of the queue of this name.
#[must_use]
pub(crate) fn arn_of_queue(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// The ARN of a table.
#[must_use]
pub fn table_arn(logical_id: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", name(logical_id))
}

/// The ARN of a table's stream.
#[must_use]
pub fn stream_arn(logical_id: &str) -> String {
    format!("{}/stream/local", table_arn(logical_id))
}

/// The name of the table in a stream's ARN.
#[must_use]
pub fn table_of_stream(arn: &str) -> Option<&str> {
    arn.split_once(":table/")?.1.split_once("/stream/").map(|(table, _)| table)
}

/// The last part of an ARN: the name of a queue or a pool's id.
#[must_use]
pub fn last_part(arn: &str) -> Option<&str> {
    arn.rsplit([':', '/']).next().filter(|part| !part.is_empty())
}

/// A random UUID, as AWS gives to each request and invocation.
#[must_use]
pub fn request_id(random: &Random) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(random.secret().split_at(16).0);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// An X-Ray trace header: version, seconds since 1970, 96 random bits.
#[must_use]
pub fn trace_id(clock: &Clock, random: &Random) -> String {
    let random = hex::encode(random.secret().split_at(12).0);
    format!("Root=1-{:08x}-{random}", clock.now().as_second())
}

/// `22/Nov/2026:01:02:03 +0000`, the form of API Gateway.
#[must_use]
pub fn request_time(now: Timestamp) -> String {
    now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// The ARN of a secret, without the suffix that Secrets Manager adds; both forms name it.
#[must_use]
pub fn secret_arn(logical_id: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{}", name(logical_id))
}

/// The ARN of a malware protection plan.
#[must_use]
pub fn malware_protection_plan_arn(logical_id: &str) -> String {
    format!("arn:aws:guardduty:{REGION}:{ACCOUNT}:malware-protection-plan/{logical_id}")
}

/// The ARN of a user pool.
#[must_use]
pub fn pool_arn(pool_id: &str) -> String {
    format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{pool_id}")
}
