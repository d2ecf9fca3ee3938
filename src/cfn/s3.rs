//! Simple Storage Service.

use super::iam::Policy;
use super::kms::Key;
use super::node::Tags;
use super::shape::{choice, resource, shape};
use super::template::Ref;
use super::value::{Arn, Name, Value};

resource! {
    /// A bucket. `Ref` is its name.
    "AWS::S3::Bucket" Bucket {
        name: Value<Name<Bucket>> = "BucketName",
        encryption: BucketEncryption = "BucketEncryption",
        versioning: VersioningConfiguration = "VersioningConfiguration",
        public_access: PublicAccessBlockConfiguration = "PublicAccessBlockConfiguration",
        ownership: OwnershipControls = "OwnershipControls",
        lifecycle: LifecycleConfiguration = "LifecycleConfiguration",
        logging: Option<LoggingConfiguration> = "LoggingConfiguration",
        notifications: Option<NotificationConfiguration> = "NotificationConfiguration",
        locked: Option<bool> = "ObjectLockEnabled",
        lock: Option<ObjectLockConfiguration> = "ObjectLockConfiguration",
        tags: Tags = "Tags",
    }
}

impl Ref<Bucket> {
    /// Its name.
    pub fn name(&self) -> Value<Name<Bucket>> {
        self.reference()
    }

    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Bucket>> {
        self.attribute("Arn")
    }
}

shape! {
    /// How objects are encrypted when the writer does not say.
    BucketEncryption {
        rules: Vec<ServerSideEncryptionRule> = "ServerSideEncryptionConfiguration",
    }
}

shape! {
    /// One rule of default encryption; a bucket has exactly one.
    ServerSideEncryptionRule {
        bucket_key: bool = "BucketKeyEnabled",
        default: ServerSideEncryptionByDefault = "ServerSideEncryptionByDefault",
    }
}

shape! {
    /// The algorithm, and the key if it is KMS's.
    ServerSideEncryptionByDefault {
        algorithm: SseAlgorithm = "SSEAlgorithm",
        key: Option<Value<Arn<Key>>> = "KMSMasterKeyID",
    }
}

choice! {
    /// How S3 encrypts.
    SseAlgorithm { Kms = "aws:kms", Aes256 = "AES256" }
}

impl BucketEncryption {
    /// With a KMS key, asked for once per bucket and not once per object.
    pub fn kms(key: Value<Arn<Key>>) -> Self {
        Self::with(true, ServerSideEncryptionByDefault { algorithm: SseAlgorithm::Kms, key: Some(key) })
    }

    /// With S3's own keys, the only ones that access logs can be delivered to.
    pub fn s3() -> Self {
        Self::with(false, ServerSideEncryptionByDefault { algorithm: SseAlgorithm::Aes256, key: None })
    }

    fn with(bucket_key: bool, default: ServerSideEncryptionByDefault) -> Self {
        Self { rules: vec![ServerSideEncryptionRule { bucket_key, default }] }
    }
}

shape! {
    /// Whether overwritten objects are kept.
    VersioningConfiguration { status: &'static str = "Status" }
}

impl VersioningConfiguration {
    /// They are.
    pub fn enabled() -> Self {
        Self { status: "Enabled" }
    }
}

shape! {
    /// What is refused though a policy or an ACL would make it public.
    PublicAccessBlockConfiguration {
        block_acls: bool = "BlockPublicAcls",
        block_policy: bool = "BlockPublicPolicy",
        ignore_acls: bool = "IgnorePublicAcls",
        restrict: bool = "RestrictPublicBuckets",
    }
}

impl PublicAccessBlockConfiguration {
    /// Everything.
    pub fn all() -> Self {
        Self { block_acls: true, block_policy: true, ignore_acls: true, restrict: true }
    }
}

shape! {
    /// Who owns objects.
    OwnershipControls { rules: Vec<OwnershipRule> = "Rules" }
}

shape! {
    /// One rule; a bucket has exactly one.
    OwnershipRule { ownership: &'static str = "ObjectOwnership" }
}

impl OwnershipControls {
    /// The bucket's account, and ACLs mean nothing.
    pub fn bucket_owner() -> Self {
        Self { rules: vec![OwnershipRule { ownership: "BucketOwnerEnforced" }] }
    }
}

shape! {
    /// What happens to objects as they age.
    LifecycleConfiguration { rules: Vec<LifecycleRule> = "Rules" }
}

shape! {
    /// One rule of ageing.
    LifecycleRule {
        id: String = "Id",
        status: &'static str = "Status",
        prefix: Option<String> = "Prefix",
        expiration_days: Option<u32> = "ExpirationInDays",
        transitions: Option<Vec<Transition>> = "Transitions",
        expired_delete_marker: Option<bool> = "ExpiredObjectDeleteMarker",
        noncurrent: Option<NoncurrentVersionExpiration> = "NoncurrentVersionExpiration",
        abort_multipart: Option<AbortIncompleteMultipartUpload> = "AbortIncompleteMultipartUpload",
    }
}

shape! {
    /// When objects go to a cheaper class of storage.
    Transition {
        class: &'static str = "StorageClass",
        days: u32 = "TransitionInDays",
    }
}

shape! {
    /// How versions are held.
    ObjectLockConfiguration {
        enabled: &'static str = "ObjectLockEnabled",
        rule: ObjectLockRule = "Rule",
    }
}

shape! {
    /// What holds for an object whose writer does not say.
    ObjectLockRule { retention: DefaultRetention = "DefaultRetention" }
}

shape! {
    /// For how long, and against whom.
    DefaultRetention {
        mode: &'static str = "Mode",
        days: u32 = "Days",
    }
}

shape! {
    /// When overwritten objects go.
    NoncurrentVersionExpiration { days: u32 = "NoncurrentDays" }
}

shape! {
    /// When uploads that were never finished go.
    AbortIncompleteMultipartUpload { days: u32 = "DaysAfterInitiation" }
}

shape! {
    /// Where access is logged.
    LoggingConfiguration {
        destination: Value<Name<Bucket>> = "DestinationBucketName",
        prefix: String = "LogFilePrefix",
    }
}

shape! {
    /// Who is told of changes.
    NotificationConfiguration { event_bridge: EventBridgeConfiguration = "EventBridgeConfiguration" }
}

shape! {
    /// Whether EventBridge is told.
    EventBridgeConfiguration { enabled: bool = "EventBridgeEnabled" }
}

resource! {
    /// A bucket's own policy.
    "AWS::S3::BucketPolicy" BucketPolicy {
        bucket: Value<Name<Bucket>> = "Bucket",
        policy: Policy = "PolicyDocument",
    }
}
