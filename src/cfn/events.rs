//! EventBridge: rules on the default bus.

use std::borrow::Cow;

use super::node::{Node, Tags};
use super::shape::{resource, shape};
use super::sqs::Queue;
use super::template::Ref;
use super::value::{Arn, ArnPattern, Name, Text, Value};

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
    /// Who is told: a function or a queue.
    Target {
        id: &'static str = "Id",
        arn: Value<ArnPattern> = "Arn",
        input: Option<InputTransformer> = "InputTransformer",
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
