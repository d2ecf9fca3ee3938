//! Checks: data quality rulesets, and the roles with which Glue evaluates them.
//!
//! Source: "Configure IAM permissions for AWS Glue Data Quality", minimum permissions to run a data quality task.

use super::grant::{self, Grant, Items};
use super::lake_formation::{self, Uses};
use super::names::{Kind, arn};
use super::table::Catalog;
use super::{Context, Shared};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{DataQualityRuleset, DataQualityTargetTable};
use crate::cfn::iam::{Action, Principal, Statement, Unscoped};
use crate::cfn::{Arn, TagMap, Value, pseudo, sub};
use crate::lake::Ruleset;

/// What Glue calls the rules of a table.
pub(super) fn ruleset_name(cx: &Context, table: &str) -> String {
    cx.names.plain(&[table], 255)
}

pub(super) fn lower(cx: &Context, stack: &mut StackTemplate, shared: &Shared, catalog: &Catalog, ruleset: &Ruleset) {
    let Ruleset { table: id, rules, fails: _, others } = ruleset;
    let table = &cx.lake.tables[*id].name;
    let name = ruleset_name(cx, table);
    let rules: Vec<String> = rules.iter().map(|rule| format!("    {rule}")).collect();
    let target = cx.place(*id).and_then(|_| catalog.names(cx, &[*id]).pop());
    let target = target.map(|table| DataQualityTargetTable { database: catalog.database.clone(), table });
    let resource = DataQualityRuleset {
        name: name.clone(),
        description: format!("What the rows of {table} must meet"),
        ruleset: format!("Rules = [\n{}\n]", rules.join(",\n")),
        target,
        tags: TagMap(cx.tag_list()),
    };
    stack.template.add(Kind::QualityRuleset.of(table), resource);

    let mut tables = vec![*id];
    tables.extend(others);
    let own: Value<Arn<DataQualityRuleset>> = arn("glue", sub!["dataQualityRuleset/", &*name]);
    let any: Value<Arn<DataQualityRuleset>> = arn("glue", Value::literal("dataQualityRuleset/*"));
    let run = [Action::GLUE_GET_DATA_QUALITY_RULESET_EVALUATION_RUN, Action::GLUE_PUBLISH_DATA_QUALITY];
    let library = sub!["arn:", pseudo::partition(), ":s3:::aws-glue-*"];
    let statements = Grant::default()
        .through_s3a()
        .read(cx, &tables, Items::Scan)
        .and(grant::read_catalog(cx, &tables))
        .and([
            Statement::allow("ReadRules", [Action::GLUE_GET_DATA_QUALITY_RULESET], [own.pattern()]),
            // A run has no name of its own: these actions know rulesets as a whole.
            Statement::allow("FollowRun", run, [any.pattern()]),
            Statement::allow("ReadGlueLibraries", [Action::S3_GET_OBJECT], [library]),
            Statement::unscoped("PutMetrics", [Unscoped::CLOUDWATCH_PUT_METRIC_DATA]).only_if(
                "StringEquals",
                "cloudwatch:namespace",
                "Glue Data Quality".into(),
            ),
        ])
        .and(lake_formation::access(cx))
        .statements(&shared.key);
    let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
    let description = format!("What checking {table} may do");
    let role_name = cx.names.role("check", table);
    let role = grant::add_role(cx, stack, Kind::QualityRole.of(table), &role_name, &description, trust, statements);
    let tables = vec![(&tables[..], lake_formation::READ)];
    lake_formation::permit(cx, stack, catalog, &role, Uses { tables, ..Uses::default() });
}
