//! What a model learns: its label, whom a row is about, its features, and where the past ends. What of the future a blueprint shows
//! to reach the features is refused here.

use std::collections::{BTreeSet, HashMap};

use crate::check::{Check, unique};
use crate::decode::section;
use crate::kind::evaluation::{Evaluation, Of, column_type, flag};
use crate::kind::model::ModelSpec;
use crate::lake::{Home, Id, Model, StepId, Table};
use crate::source::Spanned;

section! {
    /// Where what is known ends and what is foretold begins.
    "a cut"
    pub struct CutSpec {
        /// The tables with what is foretold, in every form: raw, and cleaned or joined.
        /// Example: `[next_orders]`.
        after: Vec<Spanned<String>>,
        /// The column of tables made from those that says as of when a row is known. A table without it that is made from them
        /// may not lead to features.
        /// Default: none.
        /// Example: `order_number`.
        column: Option<Spanned<String>>,
        /// The column with when it happens that is foretold: that of `column` always lies before it. Evaluations count the rows
        /// where it does not.
        /// Default: none.
        /// Example: `next_order_number`.
        before: Option<Spanned<String>>,
        /// Steps that look only at what lies before the cut by themselves, so that their tables need no such column.
        /// Example: `[product_counts]`.
        through: Vec<Spanned<String>>,
        /// Columns of what is foretold that are known when the model is asked, like the hour of the day.
        /// Example: `[hour]`.
        known: Vec<Spanned<String>>,
    }
}

/// What a model learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// The column that is 1 where what is foretold came true.
    pub label: String,
    /// The columns that say whom and what a row is about.
    pub entities: Vec<String>,
    /// The other columns of the channel `train`, in their order.
    pub features: Vec<String>,
    /// Where what is known ends.
    pub cut: Option<Cut>,
    /// How it is scored.
    pub evaluation: Option<Evaluation>,
}

/// Where what is known ends and what is foretold begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The tables with what is foretold.
    pub after: Vec<Id<Table>>,
    /// The column that says as of when a row is known.
    pub column: Option<String>,
    /// The column with when it happens that is foretold, an entity: the cut's column always lies before it.
    pub before: Option<String>,
    /// Steps that look only at what lies before the cut by themselves.
    pub through: Vec<StepId>,
    /// Columns of what is foretold that are known when the model is asked.
    pub known: Vec<String>,
}

/// The channel whose table names the features.
const TRAIN: &str = "train";

/// What a model's section says about its learning.
pub(super) struct LearningSpec<'a> {
    pub name: &'a Spanned<String>,
    pub spec: &'a ModelSpec,
}

impl<'a> LearningSpec<'a> {
    /// `Some(None)` when nothing is said; `reads` are the model's channels.
    pub(super) fn check(&self, reads: &[Option<(String, Id<Table>)>], cx: &mut Check<'_>) -> Option<Option<Learning>> {
        let ModelSpec { label, entities, cut, evaluate, .. } = self.spec;
        let Some(label) = label else {
            let first = evaluate.as_ref().map(|one| one.span).or(cut.as_ref().map(|one| one.span));
            if let Some(at) = first.or(entities.first().map(|one| one.span)) {
                cx.error(at, format!("the model `{}` does not say what it foretells", self.name.value))
                    .help("name the column of its training table that is 1 where it came true: `label: label`");
            }
            return Some(None);
        };
        let channels = self.channels(reads);
        let Some((_, train)) = channels.iter().find(|(channel, _)| channel.value == TRAIN).copied() else {
            cx.error(label.span, format!("the model `{}` has no channel `train`", self.name.value))
                .help("its features are the columns of that channel's table: `reads: { train: … }`");
            return None;
        };
        flag(column_type(train, label, cx), label, cx);
        unique(entities, cx);
        if entities.is_empty() {
            cx.error(label.span, format!("the model `{}` does not say whom its rows are about", self.name.value))
                .help("name these columns, which are no features: `entities: [user_id, product_id]`");
        }
        if let Some(column) = cut.as_ref().and_then(|cut| cut.value.column.as_ref())
            && cut.as_ref().is_some_and(|cut| cut.value.before.is_some())
        {
            column_type(train, column, cx);
        }
        for entity in entities {
            if entity.value == label.value {
                cx.error(entity.span, format!("`{}` is the label", label.value)).related(label.span, "here");
            }
            column_type(train, entity, cx);
        }
        let features = self.features(train, cx)?;
        if !entities.is_empty() {
            self.identities(train, &features, cx);
        }
        self.channels_agree(&channels, &features, cx);
        let cut = cut.as_ref().and_then(|cut| cut.value.check(self, &features, cx));
        let evaluation = evaluate.as_ref().and_then(|evaluation| {
            let of = Of { at: evaluation.span, label, entities, channels: &channels, features: &features };
            evaluation.value.check(&of, cx)
        });
        Some(Some(Learning {
            label: label.value.clone(),
            entities: entities.iter().map(|entity| entity.value.clone()).collect(),
            features,
            cut,
            evaluation,
        }))
    }

    /// The channels whose tables are known.
    fn channels(&self, reads: &[Option<(String, Id<Table>)>]) -> Vec<(&'a Spanned<String>, Id<Table>)> {
        let tables = self.spec.reads.0.iter().zip(reads);
        tables.filter_map(|((channel, _), read)| Some((channel, read.as_ref()?.1))).collect()
    }

    /// The columns of the training table that are neither label, entity nor cut.
    fn features(&self, train: Id<Table>, cx: &Check<'_>) -> Option<Vec<String>> {
        let ModelSpec { label, entities, cut, .. } = self.spec;
        let cut = cut.as_ref().and_then(|cut| cut.value.column.as_ref());
        let apart = |name: &str| label.iter().chain(entities).chain(cut).any(|column| column.value == name);
        let columns = cx.columns(train)?.into_iter().map(|(name, _)| name);
        Some(columns.filter(|name| !apart(name)).collect())
    }

    /// A feature that says who a row is about is learned by heart.
    fn identities(&self, train: Id<Table>, features: &[String], cx: &mut Check<'_>) {
        let models = cx.blueprint.models.0.iter().filter(|(name, _)| name.value != self.name.value);
        let elsewhere: HashMap<&str, &Spanned<String>> = models
            .filter_map(|(_, spec)| spec.as_ref())
            .flat_map(|spec| &spec.entities)
            .map(|entity| (entity.as_str(), entity))
            .collect();
        let key: BTreeSet<String> = match cx.tables.get(train.index()) {
            Some(Some(table)) => table.primary_key().map(|column| column.name.clone()).collect(),
            Some(None) | None => BTreeSet::new(),
        };
        for feature in features {
            let other = elsewhere.get(feature.as_str());
            if !key.contains(feature) && other.is_none() {
                continue;
            }
            let place = cx.declaration(train, feature).unwrap_or(self.name.span);
            let noted = cx.error(
                place,
                format!("`{feature}` says who a row is about, and would be a feature of `{}`", self.name.value),
            );
            let noted = noted.help("add it to the model's `entities`, so that it is not learned by heart");
            if let Some(other) = other {
                noted.related(other.span, "an entity of another model");
            }
        }
    }

    /// No two channels have the same examples, and all that have the label have the features.
    fn channels_agree(&self, channels: &[(&Spanned<String>, Id<Table>)], features: &[String], cx: &mut Check<'_>) {
        let Some(label) = &self.spec.label else { return };
        for (at, (channel, id)) in channels.iter().enumerate() {
            let Some(Some(table)) = cx.tables.get(id.index()).cloned() else { continue };
            if table.column(label).is_none() {
                continue;
            }
            if let Some((first, _)) = channels.iter().take(at).find(|(_, other)| other == id) {
                cx.error(channel.span, format!("`{}` and `{}` are the same examples", first.value, channel.value))
                    .related(first.span, "first here")
                    .help("what a model is measured on, it may not have learned: give each a table of its own");
            }
            if let Some(lost) = features.iter().find(|name| table.column(name).is_none()) {
                cx.error(channel.span, format!("`{}` lacks the feature `{lost}`", table.name))
                    .help("tables with the label have every feature that the channel `train` has");
            }
        }
    }
}

impl CutSpec {
    fn check(&self, of: &LearningSpec<'_>, features: &[String], cx: &mut Check<'_>) -> Option<Cut> {
        if self.after.is_empty() {
            let at = of.spec.cut.as_ref().map_or(of.name.span, |cut| cut.span);
            cx.error(at, "a cut needs the key `after`").help("name the tables with what is foretold");
        }
        unique(&self.after, cx);
        let after = cx.tables(&self.after)?;
        unique(&self.through, cx);
        let through: Vec<StepId> = self.through.iter().filter_map(|name| cx.step(name)).collect();
        for column in &self.known {
            let there = |id: &Id<Table>| {
                cx.columns(*id).is_none_or(|columns| columns.iter().any(|(name, _)| *name == column.value))
            };
            if !after.iter().any(there)
                && let Some(first) = after.first()
            {
                cx.no_column(column.span, column, *first);
            }
        }
        if let Some(before) = &self.before {
            if self.column.is_none() {
                cx.error(before.span, "nothing is said to lie before it")
                    .help("name the column that does: `column: known_orders`");
            }
            if !of.spec.entities.iter().any(|entity| entity.value == before.value) {
                cx.error(before.span, format!("`{}` is no entity of `{}`", before.value, of.name.value))
                    .help("when it happens that is foretold is part of what a row is about: add it to `entities`");
            }
        }
        // A feature that is named as what is foretold has it is that of what is foretold, in all likelihood.
        for feature in features.iter().filter(|feature| !self.known.iter().any(|known| known.value == **feature)) {
            let train = of.spec.reads.0.iter().find(|(channel, _)| channel.value == TRAIN);
            let train = train.and_then(|(_, table)| cx.find_table(table.as_ref()?));
            let source =
                self.after.iter().zip(&after).find_map(|(name, id)| Some((name, cx.declaration(*id, feature)?)));
            if let (Some((name, declared)), Some(train)) = (source, train) {
                let place = cx.declaration(train, feature).unwrap_or(of.name.span);
                cx.error(place, format!("the feature `{feature}` of `{}` is a column of what it foretells", of.name.value))
                    .related(declared, format!("`{}` has it", name.value))
                    .help(format!("rename it if it is about the past; if it is known when the model is asked, add `known: [{feature}]` to its cut"));
            }
        }
        Some(Cut {
            after,
            column: self.column.as_ref().map(|column| column.value.clone()),
            before: self.before.as_ref().map(|column| column.value.clone()),
            through,
            known: self.known.iter().map(|column| column.value.clone()).collect(),
        })
    }
}

/// What steps read.
type Reads = [(StepId, Vec<Id<Table>>)];

/// Refuses features that are made from what is foretold without going through the cut.
///
/// The steps that write tables with the label, or the targets, may read what is foretold: they give the label. Whatever else they read,
/// and whatever other channels hold, must not come from it, but through tables with the cut's column or steps that apply the cut themselves.
pub(crate) fn leaks(models: &[Option<Model>], reads: &Reads, cx: &mut Check<'_>) {
    for (at, model) in models.iter().enumerate() {
        let Some(Model { reads: channels, learning: Some(learning), .. }) = model else { continue };
        let Some(cut) = &learning.cut else { continue };
        let Some(spec) = cx.blueprint.models.0.get(at).and_then(|(_, spec)| spec.as_ref()) else { continue };
        let written = spec.cut.as_ref().map(|cut| &cut.value.after);
        let lineage = Lineage { cut, reads };
        let labelled = |id: &Id<Table>| matches!(cx.tables.get(id.index()), Some(Some(table)) if table.column(&learning.label).is_some());
        let tested = learning.evaluation.iter().flat_map(|evaluation| [evaluation.test, evaluation.targets]);
        let targets: Vec<Id<Table>> = learning.evaluation.iter().map(|evaluation| evaluation.targets).collect();
        let mut paths = BTreeSet::new();
        for table in channels.iter().map(|(_, table)| *table).chain(tested) {
            if labelled(&table) || targets.contains(&table) {
                let inputs = lineage.inputs(table, cx).into_iter().filter(|input| !cut.after.contains(input));
                paths.extend(inputs.filter_map(|input| lineage.path(input, cx)));
            } else {
                paths.extend(lineage.path(table, cx));
            }
        }
        for path in paths {
            let name = |id: &Id<Table>| cx.blueprint.tables.0.get(id.index()).map_or("", |(name, _)| name.as_str());
            let (Some(future), Some(last)) = (path.last(), path.first()) else { continue };
            let words: Vec<String> = path.iter().rev().map(|id| format!("`{}`", name(id))).collect();
            let (future, last_name) = (*future, name(last).to_owned());
            let place = written.and_then(|list| list.iter().find(|one| cx.find_table(one) == Some(future)));
            let Some(place) = place.map(|one| one.span) else { continue };
            let message = format!(
                "what is foretold reaches what `{}` learns from: {}",
                cx.blueprint.models.0[at].0.value,
                words.join(" → ")
            );
            let column = cut.column.as_deref().unwrap_or("as_of");
            let step = cx.writers.get(last).map_or("", |(writer, _)| cx.step_name(*writer));
            let help = format!(
                "let `{last_name}` have the cut's `column`, like `{column}`; if `{step}` looks only at what lies before the cut, say so: `through: [{step}]`"
            );
            let made: Vec<_> = path
                .iter()
                .rev()
                .filter_map(|id| Some((cx.writers.get(id)?.1, format!("`{}` is made here", name(id)))))
                .skip(usize::from(cx.writers.contains_key(&future)))
                .collect();
            cx.error(place, message).help(help).places(made);
        }
    }
}

struct Lineage<'a> {
    cut: &'a Cut,
    reads: &'a Reads,
}

impl Lineage<'_> {
    /// The tables that a table is made from.
    fn inputs(&self, table: Id<Table>, cx: &Check<'_>) -> Vec<Id<Table>> {
        if let Some(Some(Table { home: Home::View { reads, .. }, .. })) = cx.tables.get(table.index()) {
            return reads.clone();
        }
        let Some((writer, _)) = cx.writers.get(&table) else { return Vec::new() };
        self.reads.iter().find(|(step, _)| step == writer).map(|(_, tables)| tables.clone()).unwrap_or_default()
    }

    /// From a table back to what is foretold, when no table on the way has the cut's column; the shortest way.
    fn path(&self, table: Id<Table>, cx: &Check<'_>) -> Option<Vec<Id<Table>>> {
        let mut from: HashMap<Id<Table>, Option<Id<Table>>> = HashMap::from([(table, None)]);
        let mut queue = std::collections::VecDeque::from([table]);
        while let Some(at) = queue.pop_front() {
            if self.cut.after.contains(&at) {
                let mut path: Vec<Id<Table>> =
                    std::iter::successors(Some(at), |id| from.get(id).copied().flatten()).collect();
                path.reverse();
                return Some(path);
            }
            let knows = |column: &String| matches!(cx.tables.get(at.index()), Some(Some(known)) if known.column(column).is_some());
            let applied = |(writer, _): &(StepId, _)| self.cut.through.contains(writer);
            if self.cut.column.as_ref().is_some_and(knows) || cx.writers.get(&at).is_some_and(applied) {
                continue;
            }
            for input in self.inputs(at, cx) {
                from.entry(input).or_insert_with(|| {
                    queue.push_back(input);
                    Some(at)
                });
            }
        }
        None
    }
}
