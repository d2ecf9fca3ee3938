//! What is deployed of a lake to an environment.

use super::Error;
use crate::deploy::observe::{ENVIRONMENT, LAKE};
use crate::deploy::stack::Stack;
use crate::deploy::{Session, observe};

/// The stacks of a lake in an environment, whatever its blueprint says now.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The lake's name.
    pub lake: String,
    /// The environment's name.
    pub environment: String,
    /// The stacks by name; at least one.
    pub stacks: Vec<Stack>,
}

impl Deployed {
    /// Finds the stacks by their tags.
    ///
    /// # Errors
    /// There are none, or AWS does not answer.
    pub async fn find(session: &Session, lake: &str, environment: &str) -> Result<Self, Error> {
        let mut stacks = observe::all(session).await?;
        let tagged = |stack: &Stack, key: &str, value: &str| stack.tags.get(key).is_some_and(|found| found == value);
        stacks.retain(|stack| tagged(stack, LAKE, lake) && tagged(stack, ENVIRONMENT, environment));
        let (lake, environment) = (lake.to_owned(), environment.to_owned());
        if stacks.is_empty() {
            let (account, region) = (session.account.clone(), session.region.clone());
            return Err(Error::NotDeployed { lake, environment, account, region });
        }
        stacks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { lake, environment, stacks })
    }

    /// The value of an output, whichever stack has it.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&str> {
        self.stacks.iter().find_map(|stack| stack.outputs.get(name)).map(String::as_str)
    }

    /// Names of the endpoints that are up.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.stacks.iter().filter_map(|stack| stack.outputs.get("EndpointName")).map(String::as_str)
    }

    /// Where the model is that answers at an endpoint; nothing while none was released.
    #[must_use]
    pub fn live_model(&self, endpoint: &str) -> Option<&str> {
        let named = |stack: &&Stack| stack.outputs.get("EndpointName").is_some_and(|name| name == endpoint);
        self.stacks.iter().find(named)?.parameters.get("ModelData").map(String::as_str)
    }

    /// The value of an output.
    ///
    /// # Errors
    /// No stack has it; `what` says what it would be of.
    pub fn require(&self, name: &str, what: &'static str) -> Result<&str, Error> {
        self.output(name).ok_or_else(|| Error::Lacks { environment: self.environment.clone(), what })
    }
}
