//! Why CloudFormation could not do it: the first cause, and what to do about it.

use std::fmt;

use serde::Serialize;

use super::progress::Work;
use super::stack::Status;

/// Something that happened to a resource, or to the stack itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The logical id.
    pub id: String,
    /// The type.
    pub kind: String,
    /// The name in AWS, if it has one yet.
    pub physical: String,
    /// The status, as AWS writes it.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether it is the stack's own.
    pub is_stack: bool,
    /// The token of the request that began the operation.
    pub token: Option<String>,
    /// What tells the event from all others.
    pub event: String,
}

impl Incident {
    /// Whether an operation on the stack begins with it.
    #[must_use]
    pub fn begins_operation(&self) -> bool {
        let user = self.reason.as_deref().is_some_and(|reason| reason.eq_ignore_ascii_case("user initiated"));
        self.is_stack
            && match Status::parse(&self.status) {
                Some(
                    Status::CreateInProgress
                    | Status::UpdateInProgress
                    | Status::DeleteInProgress
                    | Status::ImportInProgress
                    | Status::ReviewInProgress,
                ) => true,
                Some(Status::RollbackInProgress | Status::UpdateRollbackInProgress) => user,
                _ => false,
            }
    }

    /// Whether it says that something went wrong, and not only that something else did.
    fn is_cause(&self) -> bool {
        let consequence =
            ["cancelled", "canceled", "The following resource(s) failed", "were not updated successfully"];
        let reason = self.reason.as_deref().unwrap_or_default();
        self.status.ends_with("_FAILED") && !consequence.iter().any(|words| reason.contains(words))
    }
}

/// Why an operation on a stack failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The stack.
    pub stack: String,
    /// What was being done to it.
    #[serde(skip)]
    pub work: Work,
    /// How it ended.
    pub status: Status,
    /// The first resource that failed; none if the stack as a whole did.
    pub resource: Option<FailedResource>,
    /// Why, in AWS's words.
    pub reason: String,
    /// Where in the blueprint the resource comes from: `blueprints/lake.yaml:42`.
    pub place: Option<String>,
}

/// A resource that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedResource {
    /// Its logical id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// Its name in AWS, if it has one.
    pub physical: String,
}

impl Cause {
    /// Whether a bucket could not be deleted because there was something in it.
    #[must_use]
    pub fn is_full_bucket(&self) -> bool {
        self.reason.contains("not empty")
    }

    /// The first cause among what happened during an operation.
    #[must_use]
    pub fn of(stack: &str, work: Work, status: Status, reason: Option<&str>, incidents: &[Incident]) -> Self {
        let first = incidents.iter().find(|incident| !incident.is_stack && incident.is_cause());
        let of_stack = || {
            let said = incidents.iter().filter(|incident| incident.is_stack && !incident.begins_operation());
            let said = said.filter_map(|incident| incident.reason.as_deref()).next();
            said.or(reason).unwrap_or("AWS gives no reason").to_owned()
        };
        Self {
            stack: stack.to_owned(),
            work,
            status,
            resource: first.map(|incident| FailedResource {
                id: incident.id.clone(),
                kind: incident.kind.clone(),
                physical: incident.physical.clone(),
            }),
            reason: first.map_or_else(of_stack, |incident| {
                incident.reason.clone().unwrap_or_else(|| format!("{} without a reason", incident.status))
            }),
            place: None,
        }
    }

    /// One line: what to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let kind = self.resource.as_ref().map(|resource| resource.kind.as_str());
        hint(kind.unwrap_or_default(), &self.reason).or_else(|| match (self.status, &self.resource) {
            (Status::UpdateRollbackFailed, Some(FailedResource { id, .. })) if self.work == Work::RollBack => {
                Some(format!(
                    "mend what the reason names and deploy again; or give {id} up: `aws cloudformation \
                     continue-update-rollback --stack-name {} --resources-to-skip {id}`, then deploy",
                    self.stack
                ))
            }
            (Status::UpdateRollbackFailed, _) => Some(
                "mend what the reason names and deploy again: lakegen continues the rollback first, then updates"
                    .into(),
            ),
            (Status::DeleteFailed, Some(FailedResource { id, .. })) => Some(format!(
                "mend what the reason names and run the command again; or leave {id} behind: `aws cloudformation delete-stack \
                 --stack-name {} --retain-resources {id}`",
                self.stack
            )),
            (Status::RollbackComplete | Status::RollbackFailed | Status::CreateFailed, _) => {
                Some("mend it and deploy again: what is left of the stack is cleared away first".into())
            }
            _ => None,
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, work, status, resource, reason, place } = self;
        write!(formatter, "{} the stack `{stack}` ended in {}", work.doing(), status.name())?;
        if let Some(FailedResource { id, kind, .. }) = resource {
            write!(formatter, ", because {kind} {id} failed")?;
        }
        if let Some(place) = place {
            write!(formatter, " ({place})")?;
        }
        write!(formatter, ": {reason}")
    }
}

/// What the usual reasons mean for a resource of that type, if it was one, and what to do about them.
#[must_use]
pub fn hint(kind: &str, reason: &str) -> Option<String> {
    if let Some(permission) = missing_permission(reason) {
        return Some(permission);
    }
    // AWS does not say of everything what it is: `shop-dev-raw already exists`.
    let lower = format!("{kind}: {reason}").to_lowercase();
    let has = |words: &[&str]| words.iter().all(|word| lower.contains(word));
    let table: [(&[&str], &str); 17] = [
        (
            &["sibling", "variable path part"],
            "API Gateway renames no parameter of a path: leave the routes with it out, deploy, and write them again with the new name",
        ),
        (
            &["aws::iam::oidcprovider:", "already exists"],
            "the account has a provider for GitHub already: write `oidc_provider: adopt` for the environment, below `github`",
        ),
        (
            &["-access-boundary", "not attachable"],
            "the stack `access` of the environment holds the boundary of the lake's roles: deploy it once with `--stack access`",
        ),
        (
            &["bucket", "not empty"],
            "empty the bucket, all versions too, or keep it with `protected: true`; then run the command again",
        ),
        (
            &["aws::s3::bucket:", "already exists"],
            "names of buckets are global and this one is taken: choose another `name` for the lake, the environment or the zone; a \
             bucket of your own becomes the zone's with `adopt`",
        ),
        (&["already exists in stack"], "another stack has it: two lakes or environments share a name"),
        (
            &["already exists"],
            "something of that name was made outside of this stack: delete it, or choose another name",
        ),
        (&["cannot be assumed"], "IAM takes seconds until a new role can be used: deploy again"),
        (&["is not authorized to assume"], "IAM takes seconds until a new role can be used: deploy again"),
        (&["unable to assume"], "IAM takes seconds until a new role can be used: deploy again"),
        (&["role", "does not exist"], "IAM takes seconds until a new role is known everywhere: deploy again"),
        (&["concurrent"], "somebody changes the same thing at the same time: deploy again"),
        (&["rate exceeded"], "AWS was asked too often: deploy again"),
        (
            &["limit"],
            "a quota of the account is used up: ask for more in the Service Quotas console, or remove what is not used",
        ),
        (
            &["quota"],
            "a quota of the account is used up: ask for more in the Service Quotas console, or remove what is not used",
        ),
        (&["nosuchkey"], "an asset has gone from the asset bucket: deploy again, it is uploaded anew"),
        (&["is in", "_in_progress"], "another operation is under way: run the command again, it waits"),
    ];
    let found = table.iter().find(|(words, _)| has(words));
    found.map(|(_, hint)| (*hint).to_owned())
}

/// The policy statement that AWS's message about a missing permission asks for.
#[must_use]
pub fn missing_permission(message: &str) -> Option<String> {
    let rest = message.split("is not authorized to perform: ").nth(1)?;
    let action = rest.split([' ', ',', '(']).next().filter(|action| action.contains(':'))?;
    let resource = rest.split("on resource: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let resource = resource.unwrap_or("*").trim_end_matches(['.', ',', ')', ';']);
    let who = message.split("User: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let who = who.map_or_else(String::new, |who| format!(" {who}"));
    Some(format!("allow{who}: {{\"Effect\": \"Allow\", \"Action\": \"{action}\", \"Resource\": \"{resource}\"}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(id: &str, status: &str, reason: &str) -> Incident {
        Incident {
            id: id.to_owned(),
            kind: "AWS::Glue::Job".to_owned(),
            physical: String::new(),
            status: status.to_owned(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            is_stack: id == "stack",
            token: None,
            event: String::new(),
        }
    }

    #[test]
    fn the_first_cause_is_not_what_followed_from_it() {
        let incidents = [
            incident("stack", "UPDATE_IN_PROGRESS", "User Initiated"),
            incident("A", "UPDATE_IN_PROGRESS", ""),
            incident("B", "UPDATE_FAILED", "Resource update cancelled"),
            incident("C", "UPDATE_FAILED", "Role arn:aws:iam::1:role/x cannot be assumed"),
            incident("D", "UPDATE_FAILED", "something later"),
            incident("stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [C, D]."),
            incident("stack", "UPDATE_ROLLBACK_COMPLETE", ""),
        ];
        let cause = Cause::of("lake-dev-processing", Work::Update, Status::UpdateRollbackComplete, None, &incidents);
        assert_eq!(
            cause.to_string(),
            "updating the stack `lake-dev-processing` ended in UPDATE_ROLLBACK_COMPLETE, because AWS::Glue::Job C failed: \
             Role arn:aws:iam::1:role/x cannot be assumed"
        );
        assert_eq!(cause.hint().unwrap(), "IAM takes seconds until a new role can be used: deploy again");
    }

    #[test]
    fn a_stack_that_fails_as_a_whole_says_why() {
        let incidents = [
            incident("stack", "CREATE_IN_PROGRESS", "User Initiated"),
            incident("stack", "CREATE_FAILED", "Validation failed with 1 error(s)."),
        ];
        let cause = Cause::of("s", Work::Create, Status::CreateFailed, None, &incidents);
        assert_eq!((cause.resource, cause.reason.as_str()), (None, "Validation failed with 1 error(s)."));
    }

    #[test]
    fn a_missing_permission_is_named_with_the_statement_that_grants_it() {
        let said = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: glue:CreateJob on resource: \
                    arn:aws:glue:eu-west-1:111122223333:job/x because no identity-based policy allows the glue:CreateJob action";
        let expected = "allow arn:aws:iam::111122223333:user/alice: {\"Effect\": \"Allow\", \"Action\": \"glue:CreateJob\", \
                        \"Resource\": \"arn:aws:glue:eu-west-1:111122223333:job/x\"}";
        assert_eq!(hint("AWS::Glue::Job", said).as_deref(), Some(expected));
    }

    #[test]
    fn the_usual_reasons_have_hints() {
        let (bucket, job) = ("AWS::S3::Bucket", "AWS::Glue::Job");
        for (kind, reason, word) in [
            (bucket, "lake-dev-raw already exists", "global"),
            ("AWS::S3::BucketPolicy", "The bucket policy already exists on bucket x", "made outside of this stack"),
            (bucket, "The bucket you tried to delete is not empty", "empty the bucket"),
            (job, "The role defined for the function cannot be assumed by Lambda.", "IAM takes seconds"),
            (job, "Number of jobs exceeds the limit", "quota"),
            ("AWS::Lambda::Function", "Error occurred while GetObject. S3 Error Code: NoSuchKey.", "uploaded anew"),
            (job, "Rate exceeded", "too often"),
            (
                "AWS::ApiGateway::Resource",
                "A sibling ({customer}) of this resource already has a variable path part -- only one is allowed",
                "leave the routes with it out",
            ),
            (
                "AWS::IAM::OIDCProvider",
                "Provider with url https://token.actions.githubusercontent.com already exists.",
                "`oidc_provider: adopt`",
            ),
            (
                "AWS::IAM::Role",
                "Scope ARN: arn:aws:iam::1:policy/shop-dev-access-boundary does not exist or is not attachable.",
                "`--stack access`",
            ),
        ] {
            assert!(hint(kind, reason).unwrap_or_default().contains(word), "{reason}: {:?}", hint(kind, reason));
        }
        assert_eq!(hint(job, "Invalid property Foo"), None);
    }
}
