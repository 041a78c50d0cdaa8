//! DynamoDB, S3, Cognito, SQS, Secrets Manager and SES in this process, for laptops and tests.
