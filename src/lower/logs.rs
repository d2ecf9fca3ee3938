//! Log groups of steps and of what answers.

use super::Context;
use crate::assembly::StackTemplate;
use crate::cfn::kms::Key;
use crate::cfn::logs::LogGroup;
use crate::cfn::{Arn, Declaration, LogicalId, Name, Ref, Retention, Value};

/// A log group's name.
pub(super) fn name(path: String) -> Value<Name<LogGroup>> {
    Value::literal(path)
}

/// Adds a log group before AWS would make it, without an end and without a key.
pub(super) fn add(
    cx: &Context,
    stack: &mut StackTemplate,
    id: LogicalId,
    name: &Value<Name<LogGroup>>,
    key: &Value<Arn<Key>>,
) -> Ref<LogGroup> {
    let group = LogGroup {
        name: name.clone(),
        // Logs of a protected environment are kept for a year.
        retention_days: if cx.environment.protected { 365 } else { 30 },
        key: key.clone(),
        tags: cx.tag_list(),
    };
    // Names are fixed: a group that stayed would stop the step from ever coming back.
    stack.template.add(id, Declaration::from(group).retention(Retention::Delete))
}
