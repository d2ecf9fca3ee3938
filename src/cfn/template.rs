//! A template: what is added to it, and the references one gets back.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use super::node::{IntoNode, Node};
use super::value::Value;
use super::{json, yaml};

/// The name of something inside one template: letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalId(Cow<'static, str>);

impl LogicalId {
    /// A name written by hand.
    pub const fn fixed(id: &'static str) -> Self {
        Self(Cow::Borrowed(id))
    }

    /// A name that the blueprint has written.
    pub fn written(id: &str) -> Self {
        Self(Cow::Owned(id.to_owned()))
    }

    /// The name of the thing called `name` among its `kind`: the kind, then the name in PascalCase.
    ///
    /// Different names (`[a-z][a-z0-9_]*`) of a kind have different ids, because `_` can be read back: before a letter it
    /// makes the letter a capital; anywhere else it is written `Zu`, and so that nothing else reads like that, a capital
    /// `Z` is written `Zz`.
    pub fn of(kind: &'static str, name: &str) -> Self {
        let mut id = String::from(kind);
        let mut characters = name.chars().peekable();
        let mut capital = true;
        while let Some(character) = characters.next() {
            match character {
                '_' if characters.peek().is_some_and(char::is_ascii_lowercase) => capital = true,
                '_' => id.push_str("Zu"),
                'z' if capital => {
                    id.push_str("Zz");
                    capital = false;
                }
                _ if capital => {
                    id.push(character.to_ascii_uppercase());
                    capital = false;
                }
                _ => id.push(character),
            }
        }
        Self(Cow::Owned(id))
    }

    /// The name of which [`LogicalId::of`] makes this id, if it is an id of that kind.
    pub fn name(kind: &str, id: &str) -> Option<String> {
        let mut name = String::new();
        let mut characters = id.strip_prefix(kind)?.chars();
        while let Some(character) = characters.next() {
            match character {
                'Z' => match characters.next()? {
                    'u' => name.push('_'),
                    'z' if name.is_empty() => name.push('z'),
                    'z' => name.push_str("_z"),
                    _ => return None,
                },
                'A'..='Y' => {
                    if !name.is_empty() {
                        name.push('_');
                    }
                    name.push(character.to_ascii_lowercase());
                }
                _ => name.push(character),
            }
        }
        (!name.is_empty()).then_some(name)
    }

    /// The name of the thing known as `text`, which may hold anything: the kind, what is readable of the text, and `digest`,
    /// which tells apart what reads the same.
    pub fn digested(kind: &'static str, text: &str, digest: &str) -> Self {
        let mut id = String::from(kind);
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let (first, rest) = word.split_at(1);
            id.push_str(&first.to_ascii_uppercase());
            id.push_str(rest);
        }
        id.truncate(120);
        id.push_str(digest);
        Self(Cow::Owned(id))
    }

    /// The name as it stands in the template.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_text(self) -> Node {
        Node::Text(self.0)
    }
}

impl fmt::Display for LogicalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A type of AWS's that a template can hold.
pub trait Resource: IntoNode {
    /// Its CloudFormation type, such as `AWS::S3::Bucket`.
    const TYPE: &'static str;
}

/// What one gets for adding an `R` to a template; the only way to its attributes.
pub struct Ref<R> {
    id: LogicalId,
    of: PhantomData<fn() -> R>,
}

impl<R> Ref<R> {
    /// The resource's name inside its template.
    pub fn id(&self) -> &LogicalId {
        &self.id
    }

    pub(super) fn reference<T>(&self) -> Value<T> {
        Value::reference(self.id.clone())
    }

    pub(super) fn attribute<T>(&self, attribute: &'static str) -> Value<T> {
        Value::attribute(self.id.clone(), attribute)
    }
}

impl<R> Clone for Ref<R> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), of: PhantomData }
    }
}

impl<R> fmt::Debug for Ref<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ref({})", self.id)
    }
}

/// What becomes of a resource that leaves its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It is deleted with what it holds.
    Delete,
    /// It stays. Only a stack that fails while it is first created takes it along, or its name would be taken for ever.
    Retain,
}

/// A condition of a template, received from [`Template::when_given`].
#[derive(Clone, Debug)]
pub struct Condition(LogicalId);

impl Condition {
    /// A property that is there only while this holds.
    pub fn only<T>(&self, value: T) -> Only<T> {
        Only { condition: self.clone(), value }
    }
}

/// A property that is there only while a condition holds; received from [`Condition::only`].
#[derive(Clone, Debug)]
pub struct Only<T> {
    condition: Condition,
    value: T,
}

impl<T: IntoNode> IntoNode for Only<T> {
    fn into_node(self) -> Option<Node> {
        let nothing = Node::map([("Ref", Node::text("AWS::NoValue"))]);
        let cases = vec![self.condition.0.into_text(), self.value.into_node()?, nothing];
        Some(Node::map([("Fn::If", Node::List(cases))]))
    }
}

/// A resource with the attributes that CloudFormation, not its service, reads.
#[derive(Clone, Debug)]
pub struct Declaration<R> {
    resource: R,
    depends_on: Vec<LogicalId>,
    condition: Option<Condition>,
    retention: Option<Retention>,
}

impl<R> Declaration<R> {
    /// Created after `other`, though nothing in its properties says so.
    pub fn after<O>(mut self, other: &Ref<O>) -> Self {
        self.depends_on.push(other.id.clone());
        self
    }

    /// Created only if `condition` holds.
    pub fn when(mut self, condition: &Condition) -> Self {
        self.condition = Some(condition.clone());
        self
    }

    /// Kept or deleted when it leaves the stack.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }
}

impl<R: Resource> From<R> for Declaration<R> {
    fn from(resource: R) -> Self {
        Self { resource, depends_on: Vec::new(), condition: None, retention: None }
    }
}

/// A value that one stack gives to others through whoever deploys them.
pub struct Output<T> {
    id: LogicalId,
    of: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    /// The output's name inside its template.
    pub fn id(&self) -> &LogicalId {
        &self.id
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Output({})", self.id)
    }
}

/// In which notation a template is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// YAML with long-form intrinsics
    #[default]
    Yaml,
    /// JSON
    Json,
}

impl Format {
    /// The ending of file names, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Json => "json",
        }
    }
}

/// Named things in the order in which they were added.
pub(super) type Section = Vec<(Cow<'static, str>, Node)>;

/// A CloudFormation template, in the order in which it was put together.
#[derive(Clone, Debug)]
pub struct Template {
    description: String,
    parameters: Section,
    conditions: Section,
    resources: Section,
    outputs: Section,
    ids: BTreeSet<LogicalId>,
}

impl Template {
    /// An empty template.
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            parameters: Section::new(),
            conditions: Section::new(),
            resources: Section::new(),
            outputs: Section::new(),
            ids: BTreeSet::new(),
        }
    }

    /// Adds a resource and hands out the reference to it.
    ///
    /// Panics if `id` is taken: ids follow from kinds and names that are unique, so that would be a bug of lakegen's.
    pub fn add<R: Resource>(&mut self, id: LogicalId, resource: impl Into<Declaration<R>>) -> Ref<R> {
        assert!(self.ids.insert(id.clone()), "two resources of one template are called {id}");
        let Declaration { resource, depends_on, condition, retention } = resource.into();
        let mut entry = vec![(Cow::Borrowed("Type"), Node::text(R::TYPE))];
        let mut attribute = |name, node| entry.push((Cow::Borrowed(name), node));
        if !depends_on.is_empty() {
            attribute("DependsOn", Node::List(depends_on.into_iter().map(LogicalId::into_text).collect()));
        }
        if let Some(Condition(condition)) = condition {
            attribute("Condition", condition.into_text());
        }
        if let Some(retention) = retention {
            let (deletion, replacement) = match retention {
                Retention::Delete => ("Delete", "Delete"),
                Retention::Retain => ("RetainExceptOnCreate", "Retain"),
            };
            attribute("DeletionPolicy", Node::text(deletion));
            attribute("UpdateReplacePolicy", Node::text(replacement));
        }
        if let Some(properties) = resource.into_node() {
            attribute("Properties", properties);
        }
        self.resources.push((id.0.clone(), Node::Map(entry)));
        Ref { id, of: PhantomData }
    }

    /// The reference to a resource that was added before, if there is one of that name.
    pub fn known<R>(&self, id: LogicalId) -> Option<Ref<R>> {
        self.has(&id).then_some(Ref { id, of: PhantomData })
    }

    /// Adds a resource as the blueprint has it, behind what CloudFormation calls its attributes. One whose id is taken is left out:
    /// check has refused it.
    pub fn add_raw(&mut self, id: LogicalId, ty: &str, attributes: Vec<(&'static str, Node)>) {
        if self.ids.insert(id.clone()) {
            let mut entry = vec![(Cow::Borrowed("Type"), Node::text(ty.to_owned()))];
            entry.extend(attributes.into_iter().map(|(name, node)| (Cow::Borrowed(name), node)));
            self.resources.push((id.0, Node::Map(entry)));
        }
    }

    /// Merges `properties` into those of a resource.
    pub fn merge(&mut self, id: &LogicalId, properties: Node) {
        let found = self.resources.iter_mut().find(|(known, _)| *known == id.0);
        if let Some((_, resource)) = found {
            resource.merge(Node::map([("Properties", properties)]));
        }
    }

    /// Whether it holds a resource of that name.
    pub fn has(&self, id: &LogicalId) -> bool {
        self.ids.contains(id)
    }

    /// The parameter called `id`, added when it is first asked for; whoever deploys must give it.
    pub fn parameter<T>(&mut self, id: LogicalId, description: &'static str) -> Value<T> {
        if self.parameters.iter().all(|(known, _)| *known != id.0) {
            let entry = Node::map([("Type", Node::text("String")), ("Description", Node::text(description))]);
            self.parameters.push((id.0.clone(), entry));
        }
        Value::reference(id)
    }

    /// Adds a parameter that is `default` unless whoever deploys gives it.
    pub fn parameter_or<T>(&mut self, id: LogicalId, default: &str, description: &'static str) -> Value<T> {
        let default = ("Default", Node::text(default.to_owned()));
        let entry = [("Type", Node::text("String")), default, ("Description", Node::text(description))];
        self.parameters.push((id.0.clone(), Node::map(entry)));
        Value::reference(id)
    }

    /// Adds the condition that a parameter is not empty.
    pub fn when_given<T>(&mut self, id: LogicalId, parameter: Value<T>) -> Condition {
        let operands = parameter.into_node().into_iter().chain([Node::text("")]).collect();
        let equals = Node::map([("Fn::Equals", Node::List(operands))]);
        self.conditions.push((id.0.clone(), Node::map([("Fn::Not", Node::List(vec![equals]))])));
        Condition(id)
    }

    /// Adds an output.
    pub fn output<T>(
        &mut self,
        id: LogicalId,
        description: impl Into<String>,
        value: Value<T>,
        condition: Option<&Condition>,
    ) -> Output<T> {
        let mut entry = vec![(Cow::Borrowed("Description"), Node::text(description.into()))];
        if let Some(Condition(condition)) = condition {
            entry.push((Cow::Borrowed("Condition"), condition.clone().into_text()));
        }
        entry.extend(value.into_node().map(|node| (Cow::Borrowed("Value"), node)));
        self.outputs.push((id.0.clone(), Node::Map(entry)));
        Output { id, of: PhantomData }
    }

    /// How many resources it holds.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether it holds no resource.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Whether anything in it names the parameter `id`.
    pub fn mentions(&self, id: &str) -> bool {
        let sections = [&self.conditions, &self.resources, &self.outputs];
        sections.into_iter().flatten().any(|(_, node)| node.mentions(id))
    }

    /// Takes a parameter out.
    pub fn forget(&mut self, id: &str) {
        self.parameters.retain(|(known, _)| known != id);
    }

    /// The template as a file's content, the same bytes for the same template, of which `keep` keeps what is needed.
    pub fn render<T>(self, format: Format, keep: impl FnOnce(String) -> T) -> Rendered<T> {
        let Self { description, parameters, conditions, resources, outputs, ids: _ } = self;
        let head = [("AWSTemplateFormatVersion", "2010-09-09"), ("Description", description.as_str())];
        let sections = [
            ("Parameters", &parameters),
            ("Conditions", &conditions),
            ("Resources", &resources),
            ("Outputs", &outputs),
        ];
        let sections = sections.into_iter().filter(|(_, section)| !section.is_empty());
        // More than resources take on average, because growing copies everything.
        let mut text = String::with_capacity(resources.len() * 4096);
        match format {
            Format::Yaml => yaml::document(head, sections, &mut text),
            Format::Json => json::document(head, sections, &mut text),
        }
        let ids = |section: Section| section.into_iter().map(|(id, _)| id).collect();
        Rendered { format, text: keep(text), resources: ids(resources), outputs: ids(outputs) }
    }
}

/// A template that has become text, and what is still to be known of it.
#[derive(Clone, Debug)]
pub struct Rendered<T = String> {
    /// The notation of the text
    pub format: Format,
    /// The content of its file, or what is left of it
    pub text: T,
    resources: Vec<Cow<'static, str>>,
    outputs: Vec<Cow<'static, str>>,
}

impl<T> Rendered<T> {
    /// How many resources it holds.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether it holds no resource.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The place of a resource in the order in which they were added.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.resources.iter().position(|known| known == id)
    }

    /// The names of its outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_read_like_the_names() {
        for (name, id) in [
            ("features", "JobFeatures"),
            ("buy_again", "JobBuyAgain"),
            ("ab", "JobAb"),
            ("a_b", "JobAB"),
            ("a_1", "JobAZu1"),
            ("a1", "JobA1"),
            ("a_", "JobAZu"),
            ("a__b", "JobAZuB"),
            ("zoo", "JobZzoo"),
            ("a_zu", "JobAZzu"),
        ] {
            assert_eq!(LogicalId::of("Job", name).as_str(), id);
            assert_eq!(LogicalId::name("Job", id).as_deref(), Some(name));
        }
        for id in ["Job", "RoleA", "JobAZx", "JobAZ"] {
            assert_eq!(LogicalId::name("Job", id), None, "{id}");
        }
    }

    proptest! {
        #[test]
        fn different_names_have_different_ids(a in "[az][auz01_]{0,6}", b in "[az][auz01_]{0,6}") {
            prop_assume!(a != b);
            prop_assert_ne!(LogicalId::of("Job", &a), LogicalId::of("Job", &b));
        }

        #[test]
        fn names_are_read_back(name in "[az][auz01_]{0,6}") {
            let id = LogicalId::of("Job", &name);
            prop_assert_eq!(LogicalId::name("Job", id.as_str()), Some(name));
        }

        #[test]
        fn ids_are_letters_and_digits(name in "[a-z][a-z0-9_]{0,39}", path in "\\PC{0,300}") {
            for id in [LogicalId::of("Job", &name), LogicalId::digested("Path", &path, "0a1b2c3d")] {
                prop_assert!(id.as_str().chars().all(|c| c.is_ascii_alphanumeric()), "{}", id);
                prop_assert!(id.as_str().len() <= 255);
            }
        }
    }
}
