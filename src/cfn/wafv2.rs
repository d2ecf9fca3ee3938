//! WAF: what stands before an API.

use super::node::{Node, Tags};
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, ArnPattern, Name, Value};

resource! {
    /// A list of rules that requests must pass.
    "AWS::WAFv2::WebACL" WebAcl {
        name: Value<Name<WebAcl>> = "Name",
        description: String = "Description",
        scope: &'static str = "Scope",
        default: Action = "DefaultAction",
        rules: Vec<Rule> = "Rules",
        visibility: VisibilityConfig = "VisibilityConfig",
        tags: Tags = "Tags",
    }
}

impl Ref<WebAcl> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<WebAcl>> {
        self.attribute("Arn")
    }
}

shape! {
    /// What becomes of a request, or of what a rule or group says of it.
    Action {
        allow: Option<Node> = "Allow",
        block: Option<Node> = "Block",
        count: Option<Node> = "Count",
        none: Option<Node> = "None",
    }
}

impl Action {
    /// Nothing: what is left out.
    const NOTHING: Self = Self { allow: None, block: None, count: None, none: None };

    /// The request passes.
    pub fn allow() -> Self {
        Self { allow: Some(Node::map([])), ..Self::NOTHING }
    }

    /// The request is refused.
    pub fn block() -> Self {
        Self { block: Some(Node::map([])), ..Self::NOTHING }
    }

    /// The request is counted and goes on.
    pub fn count() -> Self {
        Self { count: Some(Node::map([])), ..Self::NOTHING }
    }

    /// What the rules of a group say holds.
    pub fn as_the_group_says() -> Self {
        Self { none: Some(Node::map([])), ..Self::NOTHING }
    }
}

shape! {
    /// One rule. A group of rules has an override, another rule an action.
    Rule {
        name: &'static str = "Name",
        priority: u32 = "Priority",
        statement: Statement = "Statement",
        action: Option<Action> = "Action",
        overridden: Option<Action> = "OverrideAction",
        visibility: VisibilityConfig = "VisibilityConfig",
    }
}

shape! {
    /// What a rule looks at.
    Statement {
        managed: Option<ManagedRuleGroup> = "ManagedRuleGroupStatement",
        rate: Option<RateBased> = "RateBasedStatement",
    }
}

shape! {
    /// A group of rules that AWS keeps.
    ManagedRuleGroup {
        vendor: &'static str = "VendorName",
        name: &'static str = "Name",
        overrides: Option<Vec<RuleActionOverride>> = "RuleActionOverrides",
    }
}

shape! {
    /// Another action for one rule of a group.
    RuleActionOverride {
        name: &'static str = "Name",
        action: Action = "ActionToUse",
    }
}

shape! {
    /// How many requests an address may send in five minutes.
    RateBased {
        limit: u32 = "Limit",
        by: &'static str = "AggregateKeyType",
    }
}

shape! {
    /// What is counted and kept of the requests that a rule saw.
    VisibilityConfig {
        metrics: bool = "CloudWatchMetricsEnabled",
        metric: String = "MetricName",
        samples: bool = "SampledRequestsEnabled",
    }
}

resource! {
    /// Puts a list of rules before something.
    "AWS::WAFv2::WebACLAssociation" WebAclAssociation {
        resource: Value<ArnPattern> = "ResourceArn",
        acl: Value<Arn<WebAcl>> = "WebACLArn",
    }
}

resource! {
    /// Writes down the requests that a list of rules saw.
    "AWS::WAFv2::LoggingConfiguration" LoggingConfiguration {
        acl: Value<Arn<WebAcl>> = "ResourceArn",
        destinations: Vec<Value<ArnPattern>> = "LogDestinationConfigs",
        redacted: Vec<FieldToMatch> = "RedactedFields",
    }
}

shape! {
    /// A part of a request.
    FieldToMatch { header: SingleHeader = "SingleHeader" }
}

shape! {
    /// A header.
    SingleHeader { name: &'static str = "Name" }
}
