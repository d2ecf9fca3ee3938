//! EventBridge: rules on the default bus.

use std::borrow::Cow;

use super::node::{Node, Tags};
use super::shape::{resource, shape};
use super::sqs::Queue;
use super::template::Ref;
use super::value::{Arn, Name, Text, Value};

resource! {
    /// What is heard, and who is told. `Ref` is its name.
    "AWS::Events::Rule" Rule {
        name: Value<Name<Rule>> = "Name",
        description: String = "Description",
        pattern: Option<Node> = "EventPattern",
        schedule: Option<String> = "ScheduleExpression",
        state: &'static str = "State",
        targets: Vec<Target> = "Targets",
        tags: Tags = "Tags",
    }
}

resource! {
    /// A rule that fills queues. `Ref` is its name.
    "AWS::Events::Rule" QueueRule {
        name: Value<Name<QueueRule>> = "Name",
        description: String = "Description",
        pattern: Node = "EventPattern",
        state: &'static str = "State",
        targets: Vec<QueueTarget> = "Targets",
        tags: Tags = "Tags",
    }
}

impl Ref<QueueRule> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<QueueRule>> {
        self.attribute("Arn")
    }
}

shape! {
    /// A queue that gets a part of each event.
    QueueTarget {
        id: &'static str = "Id",
        queue: Value<Arn<Queue>> = "Arn",
        input: InputTransformer = "InputTransformer",
        retry: RetryPolicy = "RetryPolicy",
        failed: DeadLetterConfig = "DeadLetterConfig",
    }
}

shape! {
    /// What becomes of an event: parts of it by JSON path, and the text that they are put into.
    InputTransformer {
        paths: Vec<(Cow<'static, str>, Value<Text>)> = "InputPathsMap",
        template: &'static str = "InputTemplate",
    }
}

impl Ref<Rule> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<Rule>> {
        self.attribute("Arn")
    }
}

shape! {
    /// Who is told.
    Target {
        id: &'static str = "Id",
        function: Value<Arn<super::lambda::Function>> = "Arn",
        retry: RetryPolicy = "RetryPolicy",
        failed: DeadLetterConfig = "DeadLetterConfig",
    }
}

shape! {
    /// For how long, and how often, delivering is tried.
    RetryPolicy {
        seconds: u32 = "MaximumEventAgeInSeconds",
        attempts: u32 = "MaximumRetryAttempts",
    }
}

shape! {
    /// Where events go that could not be delivered.
    DeadLetterConfig { queue: Value<Arn<Queue>> = "Arn" }
}
