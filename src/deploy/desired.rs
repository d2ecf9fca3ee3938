//! What there should be: the stacks of an assembly as CloudFormation takes them.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::error::Error;
use super::observe::{ENVIRONMENT, LAKE};
use super::stack::Stack;
use crate::assembly::{Access, Assembly, OutputRef, RenderedStack, Source, StackParameter};
use crate::cfn::{FINGERPRINT, deployable, resources};
use crate::lower;
use crate::placement::MAX_BYTES;

/// The largest template that a request may hold; a larger one is read from S3. Source: "CloudFormation quotas".
pub const MAX_INLINE: usize = 51_200;

/// A stack that should be there.
#[derive(Debug, Clone)]
pub struct Desired<'a> {
    /// What it is made of.
    pub stack: &'a RenderedStack,
    /// The template as it is sent: JSON without spaces, with the fingerprint among its outputs.
    pub body: String,
    /// The hash of the template without the fingerprint, 64 hexadecimal digits.
    pub fingerprint: String,
    /// Its tags.
    pub tags: Vec<(&'static str, String)>,
    /// Whether it may not be deleted, nor what it must not lose.
    pub protected: bool,
}

/// The value of a parameter, as it is given to CloudFormation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// This value.
    Value(String),
    /// The one that it has.
    Previous,
}

/// Values of a stack's parameters, in the order of the template.
pub type Parameters = Vec<(String, Given)>;

/// The tags of the assembly's stacks, and of its bucket.
#[must_use]
pub fn tags(assembly: &Assembly) -> Vec<(&'static str, String)> {
    // The stack of the access is no part of the lake: a deploy of one does not see the other.
    if assembly.access == Access::Itself {
        return vec![("lakegen:access", format!("{}-{}", assembly.lake, assembly.environment))];
    }
    vec![(LAKE, assembly.lake.clone()), (ENVIRONMENT, assembly.environment.clone())]
}

/// The stacks of an assembly in JSON.
///
/// # Errors
/// A template is larger than CloudFormation takes.
pub fn desired(assembly: &Assembly) -> Result<Vec<Desired<'_>>, Error> {
    assembly
        .stacks
        .iter()
        .map(|stack| {
            let (body, fingerprint) = deployable(&stack.template);
            let desired = Desired { stack, body, fingerprint, tags: tags(assembly), protected: assembly.protected };
            if desired.body.len() > MAX_BYTES {
                return Err(desired.too_large());
            }
            Ok(desired)
        })
        .collect()
}

impl Desired<'_> {
    /// The stack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.stack.name
    }

    fn too_large(&self) -> Error {
        let resources = resources(&self.body);
        let largest = resources.iter().max_by_key(|(_, resource)| resource.to_string().len()).map(|(id, _)| id);
        let largest = largest.map(|id| self.origin(id).unwrap_or_else(|| id.clone())).unwrap_or_default();
        Error::TooLarge { stack: self.name().to_owned(), bytes: self.body.len(), limit: MAX_BYTES, largest }
    }

    /// What of the blueprint a resource of the stack comes from, or came from if it is to go.
    #[must_use]
    pub fn origin(&self, id: &str) -> Option<String> {
        let origin = match self.stack.template.position(id) {
            Some(_) => self.stack.origin(id).cloned(),
            None => lower::origin(id),
        };
        origin.map(|origin| origin.to_string())
    }

    /// The values of the parameters: the bucket's name, outputs of other stacks, what the stack itself keeps.
    ///
    /// # Errors
    /// The output that a parameter wants.
    pub fn parameters<'o>(
        &self,
        asset_bucket: &str,
        output: impl Fn(&OutputRef) -> Option<&'o str>,
        before: Option<&Stack>,
    ) -> Result<Parameters, OutputRef> {
        let known = |name: &str| before.is_some_and(|stack| stack.parameters.contains_key(name));
        let given = |parameter: &StackParameter| {
            let given = match &parameter.source {
                Source::AssetBucket => Given::Value(asset_bucket.to_owned()),
                Source::Output(reference) => match output(reference) {
                    Some(value) => Given::Value(value.to_owned()),
                    None => return Some(Err(reference.clone())),
                },
                Source::Kept if known(&parameter.name) => Given::Previous,
                // The template has a default.
                Source::Kept => return None,
            };
            Some(Ok((parameter.name.clone(), given)))
        };
        self.stack.parameters.iter().filter_map(given).collect()
    }

    /// Whether that is what is there: the same template, the same values, the same tags.
    #[must_use]
    pub fn is(&self, there: &Stack, parameters: &Parameters) -> bool {
        let same = |(name, given): &(String, Given)| match given {
            Given::Previous => true,
            Given::Value(value) => there.parameters.get(name) == Some(value),
        };
        there.outputs.get(FINGERPRINT) == Some(&self.fingerprint)
            && parameters.iter().all(same)
            && self.tags.iter().all(|(key, value)| there.tags.get(*key) == Some(value))
    }

    /// What tells this change of this stack from every other one: the same for a run that is repeated, another one for the
    /// next change even to the same content.
    #[must_use]
    pub fn token(&self, parameters: &Parameters, before: &Stack) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        add(&self.fingerprint);
        for (name, given) in parameters {
            add(name);
            add(match given {
                Given::Value(value) => value,
                Given::Previous => "",
            });
        }
        add(&before.id);
        add(&before.changed.to_string());
        add(before.status.name());
        hex(&hash.finalize()[..16])
    }
}

/// The outputs of the stacks that are there: stack, then output, then value.
pub type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// Digits of bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
