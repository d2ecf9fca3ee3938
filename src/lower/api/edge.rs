//! What stands between the world and the API: a firewall, and a domain of the account's own.

use super::super::logs;
use super::super::names::Kind;
use super::{Context, regional};
use crate::assembly::StackTemplate;
use crate::cfn::apigateway::{BasePathMapping, DomainName, RestApi, Stage, log_destination};
use crate::cfn::kms::Key;
use crate::cfn::wafv2::{
    Action, FieldToMatch, LoggingConfiguration, ManagedRuleGroup, RateBased, Rule, RuleActionOverride, SingleHeader,
    Statement, VisibilityConfig, WebAcl, WebAclAssociation,
};
use crate::cfn::{Arn, Declaration, LogicalId, Ref, Text, Value, pseudo, sub};
use crate::lake::{Domain, Waf};

/// How many requests one address may send in five minutes: seven a second on average.
const REQUESTS: u32 = 2_000;

/// Puts a firewall before the stage.
pub(super) fn lower_waf(
    cx: &Context,
    stack: &mut StackTemplate,
    rest: &Ref<RestApi>,
    stage: &Ref<Stage>,
    key: &Value<Arn<Key>>,
    waf: &Waf,
) {
    let acl = match waf {
        Waf::Existing(arn) => Value::literal(arn.clone()),
        Waf::Managed => lower_acl(cx, stack, key),
    };
    let resource = sub![
        "arn:",
        pseudo::partition(),
        ":apigateway:",
        pseudo::region(),
        "::/restapis/",
        rest.api_id(),
        "/stages/",
        stage.name()
    ];
    stack.template.add(Kind::WafAssociation.fixed(), WebAclAssociation { resource, acl });
}

fn lower_acl(cx: &Context, stack: &mut StackTemplate, key: &Value<Arn<Key>>) -> Value<Arn<WebAcl>> {
    let visibility = |metric: &str| VisibilityConfig {
        metrics: true,
        metric: format!("{}-{metric}", cx.names.plain(&[], 100)),
        samples: true,
    };
    let managed = |priority, name, overrides| Rule {
        name,
        priority,
        statement: Statement { managed: Some(ManagedRuleGroup { vendor: "AWS", name, overrides }), rate: None },
        action: None,
        overridden: Some(Action::as_the_group_says()),
        visibility: visibility(name),
    };
    // The gateway takes bodies of up to 10 MB; the group would refuse those of more than 8 KB.
    let large_bodies = RuleActionOverride { name: "SizeRestrictions_BODY", action: Action::count() };
    let acl = WebAcl {
        name: cx.names.web_acl(),
        description: format!("Before the API of the lake {} in {}", cx.lake.name, cx.environment.name),
        scope: "REGIONAL",
        default: Action::allow(),
        rules: vec![
            Rule {
                name: "RequestsOfOneAddress",
                priority: 0,
                statement: Statement { managed: None, rate: Some(RateBased { limit: REQUESTS, by: "IP" }) },
                action: Some(Action::block()),
                overridden: None,
                visibility: visibility("RequestsOfOneAddress"),
            },
            managed(1, "AWSManagedRulesAmazonIpReputationList", None),
            managed(2, "AWSManagedRulesCommonRuleSet", Some(vec![large_bodies])),
            managed(3, "AWSManagedRulesKnownBadInputsRuleSet", None),
        ],
        visibility: visibility("all"),
        tags: cx.tag_list(),
    };
    let acl = stack.template.add(Kind::WafAcl.fixed(), acl);
    // WAF writes only to groups whose names begin like this.
    let group = logs::name(format!("aws-waf-logs-{}", cx.names.plain(&[], 400)));
    let log_group = logs::add(cx, stack, Kind::WafLogs.fixed(), &group, key);
    let header = |name| FieldToMatch { header: SingleHeader { name } };
    let logging = LoggingConfiguration {
        acl: acl.arn(),
        destinations: vec![log_destination(&group)],
        redacted: vec![header("authorization"), header("x-api-key")],
    };
    stack.template.add(Kind::WafLogging.fixed(), Declaration::from(logging).after(&log_group));
    acl.arn()
}

/// Lets the stage answer under a domain too.
pub(super) fn lower_domain(
    cx: &Context,
    stack: &mut StackTemplate,
    rest: &Ref<RestApi>,
    stage: &Ref<Stage>,
    domain: &Domain,
) {
    let Domain { name, certificate, base_path } = domain;
    let resource = DomainName {
        name: name.clone(),
        certificate: certificate.clone(),
        endpoint: regional(),
        security: "TLS_1_2",
        tags: cx.tag_list(),
    };
    let resource = stack.template.add(Kind::ApiDomainName.fixed(), resource);
    let mapping = BasePathMapping {
        domain: resource.name(),
        base_path: base_path.clone(),
        api: rest.api_id(),
        stage: stage.name(),
    };
    stack.template.add(Kind::ApiDomainPath.fixed(), mapping);
    let path = base_path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
    let url: Value<Text> = Value::literal(format!("https://{name}{path}"));
    stack.template.output(LogicalId::fixed("ApiDomainUrl"), "Where the API answers under its own domain", url, None);
    let target = "What the domain's DNS record must point to";
    stack.template.output(LogicalId::fixed("ApiDomainTarget"), target, resource.target(), None);
    let zone = "Hosted zone of that name, for an alias record of Route 53";
    stack.template.output(LogicalId::fixed("ApiDomainTargetZone"), zone, resource.target_zone(), None);
}
