//! Profiles: DataBrew datasets, the rules for them, profile jobs and their schedules.

use super::grant::{self, Grant, Items};
use super::names::{Kind, arn};
use super::recipe::{schedule, write_logs};
use super::table::Catalog;
use super::{Context, Shared, recipe};
use crate::assembly::StackTemplate;
use crate::cfn::databrew::{
    self, ColumnSelector, Dataset, Job, JobSample, Ruleset, S3Location, Substitution, Threshold, Validation,
};
use crate::cfn::iam::{Principal, Statement};
use crate::cfn::{Arn, Value, sub};
use crate::kind::profile;
use crate::lake::{Profile, Rule};

/// Where profiles are written in the work bucket.
pub(super) const REPORTS: &str = "profiles/";

pub(super) fn lower(cx: &Context, stack: &mut StackTemplate, shared: &Shared, catalog: &Catalog, profile: &Profile) {
    let Profile { name, reads, dataset: from, rows, schedule: cron, rules } = profile;
    let physical = cx.names.profile(name);
    let Some(dataset) = recipe::dataset(cx, *reads, from, &physical) else { return };
    let dataset = stack.template.add(Kind::ProfileDataset.of(name), dataset);

    let rules: Vec<_> = rules.iter().map(rule).collect();
    let validations = (!rules.is_empty()).then(|| {
        let target: Value<Arn<Dataset>> = arn("databrew", sub!["dataset/", dataset.name()]);
        let ruleset = Ruleset { name: Value::literal(physical.clone()), target, rules, tags: cx.tag_list() };
        let ruleset = stack.template.add(Kind::ProfileRules.of(name), ruleset);
        vec![Validation { ruleset: arn("databrew", sub!["ruleset/", ruleset.name()]), mode: "CHECK_ALL" }]
    });

    let prefix = format!("{REPORTS}{name}/");
    let statements = Grant::default()
        .read(cx, &[*reads], Items::Scan)
        .work(&shared.work_bucket, &prefix)
        .and(recipe::find_dataset(cx, *reads, from))
        .and([write_logs(&physical)])
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("databrew.amazonaws.com"));
    let description = format!("What the profile {name} may do");
    let role_name = cx.names.role("profile", name);
    let role = grant::add_role(cx, stack, Kind::ProfileRole.of(name), &role_name, &description, trust, statements);
    recipe::permit_dataset(cx, stack, catalog, &role, *reads, from);

    let job = Job {
        name: Value::literal(physical.clone()),
        kind: "PROFILE",
        role: role.arn(),
        dataset: dataset.name(),
        recipe: None,
        outputs: None,
        report: Some(S3Location { bucket: shared.work_bucket.clone(), key: prefix }),
        sample: Some(match rows {
            Some(rows) => JobSample { mode: "CUSTOM_ROWS", size: Some(*rows) },
            None => JobSample { mode: "FULL_DATASET", size: None },
        }),
        validations,
        encryption: "SSE-KMS",
        key: shared.key.clone(),
        logs: "ENABLE",
        capacity: recipe::NODES,
        retries: 0,
        timeout_minutes: recipe::TIMEOUT_MINUTES,
        tags: cx.tag_list(),
    };
    let job = stack.template.add(Kind::ProfileJob.of(name), job);
    if let Some(cron) = cron {
        schedule(cx, stack, Kind::ProfileSchedule.of(name), physical, cron, &job);
    }
}

fn rule(rule: &Rule) -> databrew::Rule {
    let Rule { name, check, values, columns, threshold } = rule;
    let values: Vec<_> = values
        .iter()
        .map(|(reference, value)| Substitution { reference: reference.clone(), value: value.clone() })
        .collect();
    let columns: Vec<_> = columns.iter().map(|name| ColumnSelector { name: name.clone() }).collect();
    databrew::Rule {
        name: name.clone(),
        check: check.clone(),
        values: (!values.is_empty()).then_some(values),
        columns: (!columns.is_empty()).then_some(columns),
        threshold: threshold.as_ref().map(|profile::Threshold { comparison, unit, value }| Threshold {
            kind: comparison,
            unit,
            value: value.clone(),
        }),
    }
}
