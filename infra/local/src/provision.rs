//! Makes the template's tables, queues, buckets, pools and secrets, and says what their names stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portico_emulators::{BucketSpec, Emulators, LifecycleRule, Pool, PoolSpec, QueueSpec, Redrive};
use serde_json::{Value as Json, json};

use crate::identity;
use crate::json_client::{Answer, JsonClient, Service};
use crate::malware::Plan;
use crate::template::{Kind, Scope, Template, TemplateError};

/// Why the template's resources could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A queue.
    #[error("the queue {queue}: {source}")]
    Queue {
        /// Its logical id.
        queue: String,
        /// What the emulator said.
        source: portico_emulators::QueueError,
    },
    /// A queue whose dead letters go to a queue that the template does not have.
    #[error("the queue {queue}: its dead letters go to {target}, which is no queue of the template")]
    DeadLetters {
        /// Its logical id.
        queue: String,
        /// The ARN.
        target: String,
    },
    /// A bucket.
    #[error("the bucket {bucket}: {source}")]
    Bucket {
        /// Its logical id.
        bucket: String,
        /// What the emulator said.
        source: portico_emulators::ObjectError,
    },
    /// A malware protection plan for a bucket that the template does not have.
    #[error("the malware protection plan {plan}: {bucket} is no bucket of the template")]
    Unprotected {
        /// Its logical id.
        plan: String,
        /// The name.
        bucket: String,
    },
    /// A pool.
    #[error("the user pool {pool}: {source}")]
    Pool {
        /// Its logical id.
        pool: String,
        /// What the emulator said.
        source: portico_emulators::CognitoError,
    },
    /// A pool without exactly one client.
    #[error("the user pool {pool} has {clients} clients: the emulator serves exactly one")]
    Clients {
        /// Its logical id.
        pool: String,
        /// How many.
        clients: usize,
    },
    /// DynamoDB did not answer.
    #[error("DynamoDB: {0}")]
    Http(#[from] reqwest::Error),
    /// DynamoDB refused a table.
    #[error("the table {table}: DynamoDB refused {operation}: {answer}")]
    Table {
        /// Its logical id.
        table: String,
        /// `CreateTable` or `UpdateTimeToLive`.
        operation: &'static str,
        /// What it said.
        answer: String,
    },
    /// The table of an earlier start has other keys, indexes or another stream than the template's.
    #[error(
        "the table {table} has changed in the template since the data directory was made: delete the directory"
    )]
    Changed {
        /// Its logical id.
        table: String,
    },
    /// A secret's value could not be kept.
    #[error("the secret {secret}: {source}")]
    Secret {
        /// Its logical id.
        secret: String,
        /// What the emulator said.
        source: portico_emulators::SecretError,
    },
    /// A value for a secret that the template does not have.
    #[error("there is a value for the secret {0}, which the template does not have")]
    NoSuchSecret(String),
}

/// Names and ARNs of everything that has one before it is made: what the template may refer to.
pub(crate) fn name_resources(
    template: &Template,
    scope: &mut Scope,
    aws_url: &str,
) -> Result<(), TemplateError> {
    for (name, value) in [
        ("AWS::AccountId", identity::ACCOUNT),
        ("AWS::Partition", "aws"),
        ("AWS::Region", identity::REGION),
        ("AWS::StackName", identity::STACK),
        ("AWS::URLSuffix", "amazonaws.com"),
    ] {
        scope.refer(name, value);
    }
    for resource in template.resources()? {
        let id = resource.logical_id.as_str();
        let name = identity::name(id);
        match resource.kind {
            Kind::Bucket => {
                let name = identity::bucket_name(id);
                scope.attribute(id, "Arn", format!("arn:aws:s3:::{name}"));
                scope.refer(id, name);
            }
            Kind::Function => {
                scope.attribute(id, "Arn", identity::function_arn(id));
                scope.refer(id, name);
            }
            Kind::MalwareProtectionPlan => {
                scope.attribute(id, "Arn", identity::malware_protection_plan_arn(id));
                scope.refer(id, id);
            }
            Kind::Queue => {
                let name = template.queue_name(id);
                scope.attribute(id, "Arn", identity::arn_of_queue(&name));
                scope.attribute(id, "QueueName", name.as_str());
                scope.refer(id, format!("{aws_url}/{}/{name}", identity::ACCOUNT));
            }
            Kind::Table => {
                scope.attribute(id, "Arn", identity::table_arn(id));
                scope.attribute(id, "StreamArn", identity::stream_arn(id));
                scope.refer(id, name);
            }
            Kind::Secret => scope.refer(id, identity::secret_arn(id)),
            // Their host names are made of these.
            Kind::RestApi | Kind::WebSocketApi => scope.refer(id, id),
            // Known once they are made.
            Kind::Pool | Kind::PoolClient => {}
        }
    }
    Ok(())
}

/// Makes the user pools; their ids are the emulator's.
pub(crate) async fn make_pools(
    template: &Template,
    scope: &mut Scope,
    emulators: &Emulators,
) -> Result<BTreeMap<String, Pool>, ProvisionError> {
    let mut pools = BTreeMap::new();
    let clients = template.of_kind(Kind::PoolClient)?;
    for id in template.of_kind(Kind::Pool)? {
        let settings = template.pool(&id, scope)?;
        // A client names its pool by `!Ref`; a stand-in shows whose it is before the pool has its id.
        let mut preview = scope.clone();
        for pool in template.of_kind(Kind::Pool)? {
            preview.refer(pool.as_str(), pool.as_str());
        }
        let mut own = Vec::new();
        for client_id in &clients {
            let client = template.pool_client(client_id, &preview)?;
            if client.user_pool_id == id {
                own.push((client_id, client));
            }
        }
        let [(client_id, client)] = own.as_slice() else {
            return Err(ProvisionError::Clients { pool: id, clients: own.len() });
        };
        let spec = PoolSpec {
            access_token_seconds: client.access_token_seconds(),
            id_token_seconds: client.id_token_seconds(),
            refresh_token_seconds: client.refresh_token_seconds(),
            password_length: settings.policies.password_policy.minimum_length,
            auth_flows: client.explicit_auth_flows.clone(),
            ..PoolSpec::new(identity::name(&id), identity::name(client_id))
        };
        let pool = emulators
            .cognito()
            .ensure_pool(&spec)
            .await
            .map_err(|source| ProvisionError::Pool { pool: id.clone(), source })?;
        scope.refer(id.as_str(), pool.id.as_str());
        scope.attribute(&id, "Arn", identity::pool_arn(&pool.id));
        scope.refer(client_id.as_str(), pool.client_id.as_str());
        pools.insert(id, pool);
    }
    Ok(pools)
}

/// Makes the queues, those for dead letters first.
pub(crate) async fn make_queues(
    template: &Template,
    scope: &Scope,
    emulators: &Emulators,
) -> Result<(), ProvisionError> {
    let ids = template.of_kind(Kind::Queue)?;
    let mut queues = Vec::new();
    for id in &ids {
        queues.push((id, template.queue(id, scope)?));
    }
    // Twice: a queue that feeds one with a redrive policy of its own needs that one to exist.
    queues.sort_by_key(|(_, queue)| queue.redrive_policy.is_some());
    for (id, queue) in &queues {
        create_queue(id, template.queue_name(id), queue, None, emulators).await?;
    }
    for (id, queue) in &queues {
        let Some(policy) = &queue.redrive_policy else { continue };
        let arn = |known| identity::arn_of_queue(&template.queue_name(known));
        if !ids.iter().any(|known| arn(known) == policy.dead_letter_target_arn) {
            let target = policy.dead_letter_target_arn.clone();
            return Err(ProvisionError::DeadLetters { queue: (*id).clone(), target });
        }
        let target = identity::last_part(&policy.dead_letter_target_arn).unwrap_or_default().to_owned();
        let redrive = Redrive { queue: target, max_receives: policy.max_receive_count };
        create_queue(id, template.queue_name(id), queue, Some(redrive), emulators).await?;
    }
    Ok(())
}

async fn create_queue(
    id: &str,
    name: String,
    queue: &crate::template::Queue,
    redrive: Option<Redrive>,
    emulators: &Emulators,
) -> Result<(), ProvisionError> {
    let spec = QueueSpec {
        visibility: Duration::from_secs(queue.visibility_timeout.into()),
        delay: Duration::from_secs(queue.delay_seconds.into()),
        retention: Duration::from_secs(queue.message_retention_period.into()),
        redrive,
        fifo: queue.fifo_queue,
        content_based_deduplication: queue.content_based_deduplication,
        ..QueueSpec::standard(name)
    };
    let failed = |source| ProvisionError::Queue { queue: id.to_owned(), source };
    emulators.queues().create(spec).await.map_err(failed)
}

/// Makes the buckets; returns the names of those that notify EventBridge.
pub(crate) async fn make_buckets(
    template: &Template,
    scope: &Scope,
    emulators: &Emulators,
) -> Result<Vec<String>, ProvisionError> {
    let mut notifying = Vec::new();
    for id in template.of_kind(Kind::Bucket)? {
        let bucket = template.bucket(&id, scope)?;
        let name = identity::bucket_name(&id);
        let rules = bucket.rules().map(|rule| LifecycleRule {
            prefix: rule.prefix.clone(),
            abort_uploads_after: rule.abort_uploads_after(),
            expire_after: rule.expiration_in_days,
            expire_noncurrent_after: rule.expire_noncurrent_after(),
            remove_lone_markers: rule.expired_object_delete_marker,
        });
        let spec =
            BucketSpec { name: name.clone(), versioned: bucket.is_versioned(), rules: rules.collect() };
        let created = emulators.create_bucket(spec).await;
        created.map_err(|source| ProvisionError::Bucket { bucket: id, source })?;
        if bucket.notifies() {
            notifying.push(name);
        }
    }
    Ok(notifying)
}

/// What is scanned for malware.
pub(crate) fn malware_plans(template: &Template, scope: &Scope) -> Result<Vec<Plan>, ProvisionError> {
    let buckets = template.of_kind(Kind::Bucket)?;
    let mut plans = Vec::new();
    for id in template.of_kind(Kind::MalwareProtectionPlan)? {
        let protected = template.malware_protection_plan(&id, scope)?.protected_resource.s3_bucket;
        if !buckets.iter().any(|known| identity::bucket_name(known) == protected.bucket_name) {
            return Err(ProvisionError::Unprotected { plan: id, bucket: protected.bucket_name });
        }
        plans.push(Plan {
            arn: identity::malware_protection_plan_arn(&id),
            bucket: protected.bucket_name,
            prefixes: protected.object_prefixes,
        });
    }
    Ok(plans)
}

/// The origins from which browsers may call the buckets. The emulator has one list for all of them.
pub(crate) fn bucket_origins(template: &Template, scope: &Scope) -> Result<Vec<String>, TemplateError> {
    let mut origins = Vec::new();
    for id in template.of_kind(Kind::Bucket)? {
        for rule in template.bucket(&id, scope)?.cors() {
            origins.extend(rule.allowed_origins.iter().cloned());
        }
    }
    origins.sort();
    origins.dedup();
    Ok(origins)
}

/// Checks that the template has every secret for which there is a value, and keeps the values.
pub(crate) async fn fill_secrets(
    template: &Template,
    scope: &Scope,
    values: &BTreeMap<String, String>,
    emulators: &Emulators,
) -> Result<(), ProvisionError> {
    let known = template.of_kind(Kind::Secret)?;
    for id in &known {
        template.secret(id, scope)?;
    }
    for (id, value) in values {
        if !known.contains(id) {
            return Err(ProvisionError::NoSuchSecret(id.clone()));
        }
        let name = identity::name(id);
        // A new version at every start would push out the previous one, which a rotation needs.
        if emulators.secrets().get(&name).await.ok().as_ref() == Some(value) {
            continue;
        }
        let kept = emulators.secrets().put(&name, value).await;
        kept.map_err(|source| ProvisionError::Secret { secret: id.clone(), source })?;
    }
    Ok(())
}

/// Makes the tables, with their indexes, streams and expiry.
pub(crate) async fn make_tables(
    template: &Template,
    scope: &Scope,
    http: &reqwest::Client,
    dynamodb_url: &str,
) -> Result<(), ProvisionError> {
    let client = JsonClient { http, url: dynamodb_url.to_owned(), service: Service::DynamoDb };
    for id in template.of_kind(Kind::Table)? {
        let table = template.table(&id, scope)?;
        let mut create = json!({
            "TableName": identity::name(&id),
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": table.attribute_definitions,
            "KeySchema": table.key_schema,
        });
        if let (Some(create), Some(indexes)) = (create.as_object_mut(), &table.global_secondary_indexes) {
            create.insert("GlobalSecondaryIndexes".to_owned(), indexes.clone());
        }
        if let (Some(create), Some(stream)) = (create.as_object_mut(), &table.stream_specification) {
            let stream = json!({ "StreamEnabled": true, "StreamViewType": stream.stream_view_type });
            create.insert("StreamSpecification".to_owned(), stream);
        }
        let dynamodb = DynamoDb { client: &client, table: &id };
        if dynamodb.exists().await? {
            dynamodb.check_existing(&create).await?;
            continue;
        }
        dynamodb.ask("CreateTable", &create).await?;
        if let Some(expiry) = &table.time_to_live_specification {
            let update = json!({ "TableName": identity::name(&id), "TimeToLiveSpecification": expiry });
            dynamodb.ask("UpdateTimeToLive", &update).await?;
        }
    }
    Ok(())
}

/// DynamoDB, asked about one table.
struct DynamoDb<'a> {
    client: &'a JsonClient<'a>,
    table: &'a str,
}

impl DynamoDb<'_> {
    /// Whether an earlier start made the table. Names are listed in their order, so the page after the name just
    /// before this one begins with it.
    async fn exists(&self) -> Result<bool, ProvisionError> {
        let name = identity::name(self.table);
        let mut before = name.clone();
        before.pop();
        let listed =
            self.ask("ListTables", &json!({ "ExclusiveStartTableName": before, "Limit": 100 })).await?;
        let names = listed.get("TableNames").and_then(Json::as_array);
        Ok(names.is_some_and(|names| names.iter().any(|listed| listed == name.as_str())))
    }

    /// A table of an earlier start must be the one of the template: DynamoDB cannot change keys.
    async fn check_existing(&self, create: &Json) -> Result<(), ProvisionError> {
        let name = json!({ "TableName": create.get("TableName") });
        let described = self.ask("DescribeTable", &name).await?;
        let described = described.get("Table").unwrap_or(&Json::Null);
        let index_names = |table: &Json| -> BTreeSet<String> {
            let indexes = table.get("GlobalSecondaryIndexes").and_then(Json::as_array);
            let names = indexes.into_iter().flatten().filter_map(|index| index.get("IndexName")?.as_str());
            names.map(ToOwned::to_owned).collect()
        };
        let same_keys = described.get("KeySchema") == create.get("KeySchema");
        let streams = |table: &Json| table.pointer("/StreamSpecification/StreamViewType").cloned();
        if same_keys && index_names(described) == index_names(create) && streams(described) == streams(create)
        {
            return Ok(());
        }
        Err(ProvisionError::Changed { table: self.table.to_owned() })
    }

    async fn ask(&self, operation: &'static str, input: &Json) -> Result<Json, ProvisionError> {
        match self.client.ask(operation, input).await? {
            Answer::Done(answer) => Ok(answer),
            Answer::Refused(answer) => {
                Err(ProvisionError::Table { table: self.table.to_owned(), operation, answer })
            }
        }
    }
}
