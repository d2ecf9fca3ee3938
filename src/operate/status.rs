//! How a deployed lake is.

use std::time::Duration;

use aws_sdk_cloudformation::types::{StackDriftDetectionStatus, StackResourceDriftStatus};
use futures_util::future::try_join_all;
use serde::Serialize;

use super::ledger::{Ledger, Release, Run, StepRun};
use super::{Deployed, Error};
use crate::deploy::Session;
use crate::deploy::error::{AwsError, told};
use crate::deploy::stack::Status as StackStatus;
use crate::lake::Lake;

/// How many of the last runs are told of.
const RUNS: i32 = 5;
/// How long to wait between two looks at a detection of drift.
const PAUSE: Duration = Duration::from_secs(1);

/// How a deployed lake is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The lake.
    pub lake: String,
    /// The environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// Where the API answers.
    pub api: Option<String>,
    /// Its stacks, by name.
    pub stacks: Vec<StackState>,
    /// The last attempt of each step that ever ran.
    pub steps: Vec<StepRun>,
    /// The last runs, the newest first.
    pub runs: Vec<Run>,
    /// The last release of each model that ever had one, and what is live of it.
    pub models: Vec<Release>,
    /// Names of the endpoints that are up.
    pub endpoints: Vec<String>,
}

impl Status {
    /// How a lake is of which nothing is deployed.
    #[must_use]
    pub fn nothing(session: &Session, lake: &str, environment: &str) -> Self {
        Self {
            lake: lake.to_owned(),
            environment: environment.to_owned(),
            account: session.account.clone(),
            region: session.region.clone(),
            api: None,
            stacks: Vec::new(),
            steps: Vec::new(),
            runs: Vec::new(),
            models: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    /// Whether something was changed by hand, as far as it was looked for.
    #[must_use]
    pub fn drifted(&self) -> bool {
        self.stacks.iter().filter_map(|stack| stack.drift.as_ref()).any(|drifts| !drifts.is_empty())
    }
}

/// How a stack is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackState {
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: StackStatus,
    /// Why it is in that status.
    pub reason: Option<String>,
    /// When it was last changed: seconds since 1970.
    pub changed: i64,
    /// What was changed by hand; nothing if it was not looked for, which the status may forbid.
    pub drift: Option<Vec<Drift>>,
}

/// A resource that is not as its template says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Its id in the template.
    pub resource: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in AWS.
    pub physical: String,
    /// Whether it is gone.
    pub deleted: bool,
    /// Which of its properties differ.
    pub differences: Vec<Difference>,
}

/// A property that is not as the template says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path of the property.
    pub path: String,
    /// What the template says.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

/// Looks at everything; at drift only if asked to, because CloudFormation takes its time.
///
/// # Errors
/// AWS does not answer.
pub async fn status(session: &Session, deployed: &Deployed, lake: &Lake, drift: bool) -> Result<Status, Error> {
    let stacks = try_join_all(deployed.stacks.iter().map(|stack| async move {
        Ok::<_, AwsError>(StackState {
            name: stack.name.clone(),
            status: stack.status,
            reason: stack.reason.clone(),
            changed: stack.changed,
            drift: if drift && detectable(stack.status) { Some(drifts(session, &stack.name).await?) } else { None },
        })
    }));
    let ledger = async {
        match Ledger::of(session, deployed) {
            Ok(ledger) => tokio::try_join!(ledger.last_steps(), ledger.runs(RUNS), ledger.releases()),
            Err(_) => Ok((Vec::new(), Vec::new(), Vec::new())),
        }
    };
    let (stacks, (steps, runs, mut models)) = tokio::try_join!(stacks, ledger)?;
    for release in &mut models {
        if let Some(model) = lake.models.values().find(|model| model.in_aws == release.model) {
            release.model.clone_from(&model.name);
        }
    }
    Ok(Status {
        lake: deployed.lake.clone(),
        environment: deployed.environment.clone(),
        account: session.account.clone(),
        region: session.region.clone(),
        api: deployed.output("ApiUrl").map(str::to_owned),
        stacks,
        steps,
        runs,
        models,
        endpoints: deployed.endpoints().map(str::to_owned).collect(),
    })
}

/// Whether CloudFormation looks for drift in a stack of that status. Source: "Detect drift on an entire CloudFormation stack" of the user
/// guide.
#[must_use]
pub fn detectable(status: StackStatus) -> bool {
    matches!(
        status,
        StackStatus::CreateComplete
            | StackStatus::UpdateComplete
            | StackStatus::UpdateRollbackComplete
            | StackStatus::UpdateRollbackFailed
    )
}

/// What of a stack was changed by hand.
async fn drifts(session: &Session, stack: &str) -> Result<Vec<Drift>, AwsError> {
    const DETECT: &str = "cloudformation:DetectStackDrift";
    let begun = session.cloudformation.detect_stack_drift().stack_name(stack).send().await;
    let begun = begun.map_err(|error| told(DETECT, error))?;
    let id = begun.stack_drift_detection_id.ok_or_else(|| AwsError::malformed(DETECT))?;
    loop {
        let call = session.cloudformation.describe_stack_drift_detection_status().stack_drift_detection_id(&id);
        let answer = call.send().await;
        let answer = answer.map_err(|error| told("cloudformation:DescribeStackDriftDetectionStatus", error))?;
        // Where detection fails for some resources, what was found about the others counts.
        if answer.detection_status != Some(StackDriftDetectionStatus::DetectionInProgress) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let mut found = Vec::new();
    let filters = [StackResourceDriftStatus::Modified, StackResourceDriftStatus::Deleted];
    let mut token = None;
    loop {
        let call = session.cloudformation.describe_stack_resource_drifts().stack_name(stack);
        let call = call.set_stack_resource_drift_status_filters(Some(filters.to_vec())).set_next_token(token);
        let page = call.send().await.map_err(|error| told("cloudformation:DescribeStackResourceDrifts", error))?;
        for drift in page.stack_resource_drifts.unwrap_or_default() {
            let text = |text: Option<String>| text.unwrap_or_default();
            let differences = drift.property_differences.unwrap_or_default().into_iter().map(|difference| Difference {
                path: text(difference.property_path),
                expected: text(difference.expected_value),
                actual: text(difference.actual_value),
            });
            found.push(Drift {
                deleted: drift.stack_resource_drift_status == Some(StackResourceDriftStatus::Deleted),
                resource: text(drift.logical_resource_id),
                kind: text(drift.resource_type),
                physical: text(drift.physical_resource_id),
                differences: differences.collect(),
            });
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(found);
        }
    }
}
