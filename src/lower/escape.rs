//! The escape hatch: resources in CloudFormation's own words, and changes to generated ones.

use std::borrow::Cow;

use super::names::{Kind, arn, bucket_arn, database_arn, endpoint_arn, function_arn, role_arn};
use super::storage::Kept;
use super::{Context, KEY};
use crate::assembly::{Origin, StackTemplate};
use crate::cfn::databrew;
use crate::cfn::dynamodb;
use crate::cfn::glue;
use crate::cfn::iam::Role;
use crate::cfn::lambda;
use crate::cfn::s3::Bucket;
use crate::cfn::{self, IntoNode, LogicalId, Node, Ref, Text, Value, pseudo, sub};
use crate::lake::{Generated, Home, Id, Override, Piece, Raw, Reference, Referent, Resource, StepId, Table};

/// Adds the blueprint's resources to their stack, and its changes to what is there.
pub(super) fn lower(cx: &Context, stack: &mut StackTemplate, kept: &Kept) {
    for resource in &cx.lake.resources {
        if stack.name == cx.stack_name(resource.stack.part(), 1) {
            add(cx, stack, kept, resource);
        }
    }
    for Override { of, name, properties } in &cx.lake.overrides {
        let id = id(*of, name);
        if stack.template.has(&id) {
            // By name only: generated resources wait for each other already, and must not do so in a circle.
            let mut site = Site { cx, stack, kept, refers: false };
            let properties = site.node(properties);
            stack.template.merge(&id, properties);
        }
    }
}

/// The logical id of a resource that is made of the thing called `name`.
pub(super) fn id(of: Generated, name: &str) -> LogicalId {
    let kind = match of {
        Generated::ZoneBucket => Kind::ZoneBucket,
        Generated::ZonePolicy => Kind::ZonePolicy,
        Generated::CatalogTable => Kind::CatalogTable,
        Generated::ItemTable => Kind::ItemTable,
        Generated::Crawler => Kind::GlueCrawler,
        Generated::CrawlerRole => Kind::CrawlerRole,
        Generated::CrawlerLogs => Kind::CrawlerLogs,
        Generated::NamedQuery => Kind::AthenaQuery,
        Generated::QueryRole => Kind::QueryRole,
        Generated::RecipeDataset => Kind::RecipeDataset,
        Generated::RecipeJob => Kind::RecipeJob,
        Generated::RecipeRole => Kind::RecipeRole,
        Generated::Job => Kind::GlueJob,
        Generated::JobRole => Kind::JobRole,
        Generated::ModelRole => Kind::ModelRole,
        Generated::Function => Kind::FunctionCode,
        Generated::FunctionRole => Kind::FunctionRole,
        Generated::FunctionLogs => Kind::FunctionLogs,
    };
    kind.of(name)
}

fn add(cx: &Context, stack: &mut StackTemplate, kept: &Kept, resource: &Resource) {
    let Resource { id, stack: _, ty, properties, depends_on, deletion, replacement } = resource;
    stack.comes_from(Some(Origin { section: "resources", name: Some(id.clone()) }));
    let mut attributes = Vec::new();
    if !depends_on.is_empty() {
        attributes.push(("DependsOn", Node::List(depends_on.iter().cloned().map(Node::text).collect())));
    }
    for (name, policy) in [("DeletionPolicy", deletion), ("UpdateReplacePolicy", replacement)] {
        attributes.extend(policy.map(|policy| (name, Node::text(policy.as_str()))));
    }
    if let Some(properties) = properties {
        let mut site = Site { cx, stack, kept, refers: true };
        attributes.push(("Properties", site.node(properties)));
    }
    stack.template.add_raw(LogicalId::written(id), ty, attributes);
    stack.comes_from(None);
}

/// Where a value is put.
struct Site<'a, 'b> {
    cx: &'a Context<'b>,
    stack: &'a mut StackTemplate,
    kept: &'a Kept,
    /// Whether it may refer to what is in the same stack.
    refers: bool,
}

impl Site<'_, '_> {
    /// The reference to something that is in the same stack.
    fn known<R>(&self, id: LogicalId) -> Option<Ref<R>> {
        if self.refers { self.stack.template.known(id) } else { None }
    }

    fn node(&mut self, raw: &Raw) -> Node {
        match raw {
            Raw::Null => Node::map([("Ref", Node::text("AWS::NoValue"))]),
            Raw::Bool(value) => Node::Bool(*value),
            Raw::Integer(value) => Node::Integer(*value),
            Raw::Decimal(digits) => Node::Decimal(digits.clone()),
            Raw::Text(pieces) => {
                let value: Value<Text> = Value::concat(pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => cfn::Piece::from(text),
                    Piece::Reference(reference) => self.value(*reference).into(),
                    Piece::Pseudo(name) => pseudo::named(name).into(),
                }));
                value.into_node().unwrap_or_else(|| Node::text(""))
            }
            Raw::Notation(pieces) => {
                let mut piece = |piece: &Piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Reference(reference) => self.value(*reference).notation(),
                    Piece::Pseudo(name) => format!("${{{name}}}"),
                };
                Node::text(pieces.iter().map(&mut piece).collect::<String>())
            }
            Raw::List(items) => Node::List(items.iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => {
                let entry = |(key, raw): &(String, Raw)| (Cow::Owned(key.clone()), self.node(raw));
                Node::Map(entries.iter().map(entry).collect())
            }
        }
    }

    /// A name or an ARN: of what is in the same stack by reference, so that it is there before, and of anything else put together.
    fn value(&mut self, reference: Reference) -> Value<Text> {
        let Reference { to, arn: wants_arn } = reference;
        let either = |name: Value<Text>, arn: Value<Text>| if wants_arn { arn } else { name };
        match to {
            Referent::Lake => Value::literal(self.cx.lake.name.clone()),
            Referent::Environment => Value::literal(self.cx.names.environment().to_owned()),
            Referent::Key if self.stack.name == self.cx.stack_name(crate::placement::Part::Storage, 1) => {
                self.kept.key_here.text()
            }
            Referent::Key => self.stack.import(&self.kept.key, KEY).text(),
            Referent::Database => {
                let name = self.cx.names.database();
                either(Value::literal(name.clone()), database_arn(&name).text())
            }
            Referent::Zone(id) => {
                let zone = &self.cx.lake.zones[id];
                if let Some(bucket) = self.known::<Bucket>(Kind::ZoneBucket.of(&zone.in_aws)) {
                    return either(bucket.name().text(), bucket.arn().text());
                }
                let name = self.cx.names.zone_bucket(zone);
                either(name.text(), bucket_arn(&name).text())
            }
            Referent::Table(id) => self.table(id, wants_arn),
            Referent::Step(step) => {
                let name = self.cx.lake.step_in_aws(step);
                let (kind, physical, service, of) = match step {
                    StepId::Crawler(_) => (Kind::GlueCrawler, self.cx.names.plain(&[name], 255), "glue", "crawler/"),
                    StepId::Job(_) => (Kind::GlueJob, self.cx.names.plain(&[name], 255), "glue", "job/"),
                    StepId::Recipe(_) => (Kind::RecipeJob, self.cx.names.recipe(name), "databrew", "job/"),
                    StepId::Model(_) => {
                        let endpoint = self.cx.names.endpoint(name);
                        return either(Value::literal(endpoint.clone()), endpoint_arn(&endpoint).text());
                    }
                    // Check refuses it: a query has no name in AWS.
                    StepId::Query(_) => return Value::literal(name.to_owned()),
                };
                let arn = arn::<Text>(service, sub![of, &*physical]).text();
                let here = match step {
                    StepId::Job(_) => self.known::<glue::Job>(kind.of(name)).map(|job| job.name().text()),
                    StepId::Recipe(_) => self.known::<databrew::Job>(kind.of(name)).map(|job| job.name().text()),
                    _ => None,
                };
                either(here.unwrap_or_else(|| Value::literal(physical)), arn)
            }
            Referent::StepRole(step) => {
                let name = self.cx.lake.step_in_aws(step);
                let kind = match step {
                    StepId::Crawler(_) => Kind::CrawlerRole,
                    StepId::Query(_) => Kind::QueryRole,
                    StepId::Recipe(_) => Kind::RecipeRole,
                    StepId::Job(_) => Kind::JobRole,
                    StepId::Model(_) => Kind::ModelRole,
                };
                self.role(kind.of(name), &self.cx.names.role(step.kind(), name), wants_arn)
            }
            Referent::Function(id) => {
                let name = &self.cx.lake.functions[id].name;
                if let Some(function) = self.known::<lambda::Function>(Kind::FunctionCode.of(name)) {
                    return either(function.name().text(), function.arn().text());
                }
                let physical = self.cx.names.function(name);
                either(Value::literal(physical.clone()), function_arn(&physical).text())
            }
            Referent::FunctionRole(id) => {
                let name = &self.cx.lake.functions[id].name;
                self.role(Kind::FunctionRole.of(name), &self.cx.names.role("function", name), wants_arn)
            }
        }
    }

    fn table(&self, id: Id<Table>, wants_arn: bool) -> Value<Text> {
        let table = &self.cx.lake.tables[id];
        match &table.home {
            Home::DynamoDb { key: _ } => {
                let name = self.cx.names.items(table);
                match (self.known::<dynamodb::Table>(Kind::ItemTable.of(&table.in_aws)), wants_arn) {
                    (Some(here), true) => here.arn().text(),
                    (Some(here), false) => here.name().text(),
                    (None, true) => arn::<Text>("dynamodb", sub!["table/", &name]).text(),
                    (None, false) => name.text(),
                }
            }
            Home::Zone { .. } | Home::View { .. } if wants_arn => {
                arn::<Text>("glue", sub!["table/", self.cx.names.database(), "/", &*table.name]).text()
            }
            Home::Zone { .. } | Home::View { .. } => {
                let here = self.known::<glue::Table>(Kind::CatalogTable.of(&table.name));
                here.map_or_else(|| Value::literal(table.name.clone()), |here| here.name().text())
            }
        }
    }

    fn role(&self, id: LogicalId, physical: &str, wants_arn: bool) -> Value<Text> {
        match (self.known::<Role>(id), wants_arn) {
            (Some(here), true) => here.arn().text(),
            (Some(here), false) => here.name().text(),
            (None, true) => role_arn(physical).text(),
            (None, false) => Value::literal(physical.to_owned()),
        }
    }
}
