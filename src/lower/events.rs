//! What lakegen's own functions hear: rules and their targets, and the queues that keep what was given up, with an alarm on each.

use super::Context;
use super::names::Kind;
use crate::assembly::StackTemplate;
use crate::cfn::cloudwatch::{Alarm, Dimension};
use crate::cfn::events::{DeadLetterConfig, InputTransformer, RetryPolicy, Rule, Target};
use crate::cfn::iam::{Action, Policy, Principal, Statement};
use crate::cfn::sns::Topic;
use crate::cfn::sqs::{Queue, QueuePolicy};
use crate::cfn::{Arn, ArnPattern, Declaration, LogicalId, Node, Ref, Value};

/// After this many seconds an event that could not be delivered is given up.
pub(super) const HOUR: u32 = 3_600;
/// SQS keeps no message longer.
pub(super) const FORTNIGHT: u32 = 1_209_600;

/// What a rule waits for.
pub(super) enum When {
    /// Events like this pattern
    Event(Node),
    /// The clock: `cron(…)` or `rate(…)`
    Clock(String),
}

/// Whom a rule tells.
pub(super) struct Hearer<'a> {
    /// Its name within the rule.
    pub id: &'static str,
    /// A function or a queue.
    pub arn: Value<ArnPattern>,
    /// What of the event it is told; all of it without this.
    pub input: Option<InputTransformer>,
    /// Where events go that cannot be delivered.
    pub failed: &'a Ref<Queue>,
}

/// The pattern of events of one kind whose detail is like `detail`.
pub(super) fn pattern(source: &'static str, kind: &'static str, detail: Node) -> Node {
    let one = |text: &'static str| Node::List(vec![Node::text(text)]);
    Node::map([("source", one(source)), ("detail-type", one(kind)), ("detail", detail)])
}

/// Adds a rule.
pub(super) fn rule(
    cx: &Context,
    stack: &mut StackTemplate,
    (id, name): (LogicalId, String),
    description: String,
    when: When,
    hearer: Hearer,
) -> Ref<Rule> {
    let Hearer { id: target, arn, input, failed } = hearer;
    let (pattern, schedule) = match when {
        When::Event(pattern) => (Some(pattern), None),
        When::Clock(expression) => (None, Some(expression)),
    };
    let rule = Rule {
        name: Value::literal(name),
        description,
        pattern,
        schedule,
        state: "ENABLED",
        targets: vec![Target {
            id: target,
            arn,
            input,
            retry: RetryPolicy { seconds: HOUR, attempts: 10 },
            failed: DeadLetterConfig { queue: failed.arn() },
        }],
        tags: cx.tag_list(),
    };
    stack.template.add(id, rule)
}

/// Adds the queue of what was given up, and the alarm on it. `what` was given up, in the plural and as a sentence begins.
pub(super) fn failures(
    cx: &Context,
    stack: &mut StackTemplate,
    (queue, alarm): (Kind, Kind),
    (name, what): (String, &str),
    topic: Option<Value<Arn<Topic>>>,
) -> Ref<Queue> {
    let failed = Queue {
        name: Value::literal(name.clone()),
        retention_seconds: FORTNIGHT,
        visibility_seconds: None,
        redrive: None,
        encrypted: true,
        tags: cx.tag_list(),
    };
    let failed = stack.template.add(queue.fixed(), Declaration::from(failed).retention(cx.retention()));
    let rings = Alarm {
        name: Value::literal(name),
        description: format!("{what} of {} were given up; the queue of this name holds them", cx.lake.name),
        namespace: "AWS/SQS",
        metric: "ApproximateNumberOfMessagesVisible",
        dimensions: vec![Dimension::queue(&failed.name())],
        statistic: Some("Maximum"),
        percentile: None,
        period_seconds: 300,
        periods: 1,
        comparison: "GreaterThanThreshold",
        threshold: 0.0,
        missing: "notBreaching",
        actions: topic.map(|topic| vec![topic]),
        tags: cx.tag_list(),
    };
    stack.template.add(alarm.fixed(), rings);
    failed
}

/// Lets rules put events into a queue. `operator` says how their ARNs compare with `rules`.
pub(super) fn open(
    stack: &mut StackTemplate,
    (kind, sid): (Kind, &'static str),
    queue: &Ref<Queue>,
    (operator, rules): (&'static str, Value<Arn<Rule>>),
) {
    let send = Statement::allow(sid, [Action::SQS_SEND_MESSAGE], [queue.arn().pattern()])
        .to(Principal::Service("events.amazonaws.com"))
        .only_if(operator, "aws:SourceArn", rules.text());
    stack.template.add(kind.fixed(), QueuePolicy { queues: vec![queue.url()], policy: Policy(vec![send]) });
}
