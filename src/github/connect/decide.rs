//! What to change: from what is wanted and what there is, without a look at anything else.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::observe::{Seen, SeenEnvironment, Settings, Tip};
use super::{BRANCH, ConnectError, Environment, RULESET, Reviewer, Wanted};

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An environment, and what stands before it.
    Environment {
        /// Its name.
        name: String,
        /// Whether it is not there yet.
        new: bool,
        /// What becomes different, for people.
        differences: Vec<String>,
        /// What GitHub is told.
        #[serde(skip)]
        body: Value,
    },
    /// A branch may be deployed to an environment.
    AllowBranch {
        /// The environment.
        environment: String,
        /// The branch, as a pattern.
        pattern: String,
    },
    /// A branch may not be deployed to an environment any more.
    RefuseBranch {
        /// The environment.
        environment: String,
        /// The branch, as a pattern.
        pattern: String,
        /// The number of the rule that has allowed it.
        #[serde(skip)]
        id: u64,
    },
    /// A variable.
    Variable {
        /// The environment; none for the repository.
        environment: Option<String>,
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What it was before, if it was there.
        before: Option<String>,
    },
    /// A secret.
    Secret {
        /// The environment; none for the repository.
        environment: Option<String>,
        /// Its name.
        name: String,
        /// Whether it is not there yet.
        new: bool,
        /// What it holds.
        #[serde(skip)]
        value: Hidden,
    },
    /// The rules for the branch that is deployed.
    Rules {
        /// The branch.
        branch: String,
        /// What becomes different, for people.
        differences: Vec<String>,
        /// Their number, if they are there.
        #[serde(skip)]
        id: Option<u64>,
        /// What GitHub is told.
        #[serde(skip)]
        body: Value,
    },
    /// Files, by a pull request.
    Pull(Pull),
}

/// Something that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A pull request with files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pull {
    /// The files that a commit changes: paths and texts.
    #[serde(serialize_with = "paths")]
    pub files: Vec<(String, String)>,
    /// The number and the page of the pull request that is open already.
    pub open: Option<(u64, String)>,
    /// The branch that it is for.
    pub base: String,
    /// Whether the one that is open is for another branch.
    pub retarget: bool,
    /// The commit that the files are added to, and its tree.
    #[serde(skip)]
    pub onto: (String, String),
    /// What becomes of lakegen's branch.
    #[serde(skip)]
    pub reference: Reference,
}

/// What becomes of lakegen's branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// It is made.
    Create,
    /// It goes on: a pull request is open from it.
    Forward,
    /// It begins anew: what it held was merged or closed.
    Replace,
}

fn paths<S: serde::Serializer>(files: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|(path, _)| path))
}

/// What to change, in the order in which it is changed.
///
/// # Errors
/// A file of the repository is somebody else's.
pub fn decide(wanted: &Wanted, seen: &Seen) -> Result<Vec<Step>, ConnectError> {
    let mut steps = Vec::new();
    let nothing = SeenEnvironment::default();
    for environment in &wanted.environments {
        let found = seen.environments.get(&environment.name);
        gate(environment, found, &seen.reviewers, &mut steps);
        let settings = &found.unwrap_or(&nothing).settings;
        variables(Some(&environment.name), &environment.variables, settings, &mut steps);
    }
    secrets(wanted, seen, &mut steps);
    steps.extend(rules(wanted, seen));
    variables(None, &wanted.variables, &seen.settings, &mut steps);
    steps.extend(pull(wanted, seen)?.map(Step::Pull));
    Ok(steps)
}

fn gate(
    wanted: &Environment,
    found: Option<&SeenEnvironment>,
    numbers: &HashMap<Reviewer, u64>,
    steps: &mut Vec<Step>,
) {
    let Environment { name, reviewers, self_review, wait, branches, variables: _ } = wanted;
    let mut ids: Vec<_> = reviewers.iter().filter_map(|one| Some((kind(one).to_owned(), *numbers.get(one)?))).collect();
    ids.sort();
    let nothing = SeenEnvironment { self_review: true, ..SeenEnvironment::default() };
    let seen = found.unwrap_or(&nothing);
    let mut before = seen.reviewers.clone();
    before.sort();
    let mut differences = Vec::new();
    if before != ids {
        let names = |ids: &[(String, u64)]| {
            let names: Vec<_> = ids.iter().map(|(kind, id)| called(kind, *id, numbers)).collect();
            if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
        };
        differences.push(format!("must agree: {} → {}", names(&before), names(&ids)));
    }
    if seen.self_review != *self_review && !ids.is_empty() {
        let word = |may: bool| if may { "may" } else { "may not" };
        differences.push(format!("whoever starts a deploy {} agree → {}", word(seen.self_review), word(*self_review)));
    }
    if seen.wait != u64::from(*wait) {
        differences.push(format!("waits: {} → {wait} minutes", seen.wait));
    }
    if !seen.restricted {
        differences.push("branches: any → those that are named".to_owned());
    }
    if found.is_none() || !differences.is_empty() {
        let reviewers: Vec<_> = ids.iter().map(|(kind, id)| json!({ "type": kind, "id": id })).collect();
        let body = json!({
            "wait_timer": wait,
            "prevent_self_review": !self_review,
            "reviewers": reviewers,
            "deployment_branch_policy": { "protected_branches": false, "custom_branch_policies": true },
        });
        steps.push(Step::Environment { name: name.clone(), new: found.is_none(), differences, body });
    }
    for pattern in branches.iter().filter(|pattern| !seen.branches.iter().any(|(_, known)| known == *pattern)) {
        steps.push(Step::AllowBranch { environment: name.clone(), pattern: pattern.clone() });
    }
    for (id, pattern) in seen.branches.iter().filter(|(_, known)| !branches.contains(known)) {
        steps.push(Step::RefuseBranch { environment: name.clone(), pattern: pattern.clone(), id: *id });
    }
    // Anybody who may write can make a tag, and rules of branches do not hold for it.
    for (id, pattern) in &seen.tags {
        steps.push(Step::RefuseBranch { environment: name.clone(), pattern: format!("tag {pattern}"), id: *id });
    }
}

fn kind(reviewer: &Reviewer) -> &'static str {
    match reviewer {
        Reviewer::User(_) => "User",
        Reviewer::Team(_) => "Team",
    }
}

fn called(of: &str, id: u64, numbers: &HashMap<Reviewer, u64>) -> String {
    let known = numbers.iter().find(|(reviewer, number)| **number == id && kind(reviewer) == of);
    match known {
        Some((Reviewer::User(login), _)) => login.clone(),
        Some((Reviewer::Team(slug), _)) => format!("team {slug}"),
        None => format!("{} number {id}", of.to_lowercase()),
    }
}

fn variables(environment: Option<&String>, wanted: &[(String, String)], seen: &Settings, steps: &mut Vec<Step>) {
    for (name, value) in wanted {
        let before = seen.variables.get(name).cloned();
        if before.as_ref() != Some(value) {
            let (environment, name, value) = (environment.cloned(), name.clone(), value.clone());
            steps.push(Step::Variable { environment, name, value, before });
        }
    }
}

fn secrets(wanted: &Wanted, seen: &Seen, steps: &mut Vec<Step>) {
    for secret in &wanted.secrets {
        let settings = match &secret.environment {
            Some(environment) => seen.environments.get(environment).map(|environment| &environment.settings),
            None => Some(&seen.settings),
        };
        let new = !settings.is_some_and(|settings| settings.secrets.contains(&secret.name));
        if new || wanted.renew_secrets {
            let (environment, name) = (secret.environment.clone(), secret.name.clone());
            steps.push(Step::Secret { environment, name, new, value: Hidden(secret.value.clone()) });
        }
    }
}

/// The rules for the branch: what somebody has added to them or made stricter stays.
fn rules(wanted: &Wanted, seen: &Seen) -> Option<Step> {
    let approvals = wanted.approvals.unwrap_or_else(|| u8::from(seen.organization));
    let reference = format!("refs/heads/{}", wanted.branch);
    let mut body = json!({
        "name": RULESET,
        "target": "branch",
        "enforcement": "active",
        "conditions": { "ref_name": { "include": [], "exclude": [] } },
        "rules": [],
    });
    let before = seen.ruleset.as_ref().map(|(_, ruleset)| ruleset);
    for key in ["conditions", "rules", "bypass_actors"] {
        if let Some(value) = before.and_then(|before| before.get(key)).filter(|value| !value.is_null()) {
            body[key] = value.clone();
        }
    }
    let mut differences = Vec::new();
    if before.is_some_and(|before| before["enforcement"] != "active") {
        differences.push("is enforced".to_owned());
    }
    if let Some(include) = body["conditions"]["ref_name"]["include"].as_array_mut()
        && !include.iter().any(|one| *one == reference.as_str() || *one == "~ALL")
    {
        include.push(json!(reference));
        differences.push(format!("is for `{}`", wanted.branch));
    }
    let rules = body["rules"].as_array_mut()?;
    for (name, difference) in [("deletion", "cannot be deleted"), ("non_fast_forward", "cannot be rewritten")] {
        if !rules.iter().any(|rule| rule["type"] == name) {
            rules.push(json!({ "type": name }));
            differences.push(difference.to_owned());
        }
    }
    let agreed = format!("changes by pull requests only, {} must have agreed", people(approvals));
    match rules.iter_mut().find(|rule| rule["type"] == "pull_request") {
        Some(rule) => {
            let count = &mut rule["parameters"]["required_approving_review_count"];
            if count.as_u64().unwrap_or_default() < u64::from(approvals) {
                *count = json!(approvals);
                differences.push(agreed);
            }
        }
        None => {
            let parameters = json!({
                "required_approving_review_count": approvals,
                "dismiss_stale_reviews_on_push": true,
                "require_code_owner_review": false,
                "require_last_push_approval": false,
                "required_review_thread_resolution": false,
            });
            rules.push(json!({ "type": "pull_request", "parameters": parameters }));
            differences.push(agreed);
        }
    }
    if !wanted.checks.is_empty() {
        checks(rules, &wanted.checks, &mut differences);
    }
    let id = seen.ruleset.as_ref().map(|(id, _)| *id);
    (id.is_none() || !differences.is_empty()).then(|| Step::Rules {
        branch: wanted.branch.clone(),
        differences,
        id,
        body,
    })
}

fn checks(rules: &mut Vec<Value>, wanted: &[String], differences: &mut Vec<String>) {
    let known = rules.iter().position(|rule| rule["type"] == "required_status_checks");
    let at = known.unwrap_or_else(|| {
        let parameters = json!({ "required_status_checks": [], "strict_required_status_checks_policy": false });
        rules.push(json!({ "type": "required_status_checks", "parameters": parameters }));
        rules.len() - 1
    });
    let Some(list) = rules[at]["parameters"]["required_status_checks"].as_array_mut() else { return };
    for check in wanted {
        if !list.iter().any(|one| one["context"] == check.as_str()) {
            list.push(json!({ "context": check }));
            differences.push(format!("`{check}` must have succeeded"));
        }
    }
}

fn people(number: u8) -> String {
    match number {
        0 => "nobody".to_owned(),
        1 => "one person".to_owned(),
        more => format!("{more} people"),
    }
}

fn pull(wanted: &Wanted, seen: &Seen) -> Result<Option<Pull>, ConnectError> {
    if changed(wanted, &seen.base, &wanted.branch)?.is_empty() {
        return Ok(None);
    }
    let (reference, tip) = match (&seen.head, &seen.pull) {
        (Some(head), Some(_)) => (Reference::Forward, head),
        (Some(_), None) => (Reference::Replace, &seen.base),
        (None, _) => (Reference::Create, &seen.base),
    };
    let branch = if reference == Reference::Forward { BRANCH } else { &wanted.branch };
    let files = changed(wanted, tip, branch)?;
    let retarget = seen.pull.as_ref().is_some_and(|pull| pull.base != wanted.branch);
    let open = seen.pull.as_ref().filter(|_| reference == Reference::Forward);
    if open.is_some() && files.is_empty() && !retarget {
        return Ok(None);
    }
    Ok(Some(Pull {
        files,
        open: open.map(|pull| (pull.number, pull.url.clone())),
        base: wanted.branch.clone(),
        retarget,
        onto: (tip.commit.clone(), tip.tree.clone()),
        reference,
    }))
}

/// The files that are not as they should be: paths, and texts as they should be.
fn changed(wanted: &Wanted, tip: &Tip, branch: &str) -> Result<Vec<(String, String)>, ConnectError> {
    let mut changed = Vec::new();
    for (file, before) in wanted.files.iter().zip(&tip.files) {
        let text = (wanted.merge)(before.as_deref(), &file.block).map_err(|reason| ConnectError::File {
            path: file.path.clone(),
            branch: branch.to_owned(),
            reason,
        })?;
        if before.as_ref() != Some(&text) {
            changed.push((file.path.clone(), text));
        }
    }
    Ok(changed)
}
