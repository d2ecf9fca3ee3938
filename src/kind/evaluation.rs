//! How a model is scored on what it has never seen.

use std::fmt;
use std::str::FromStr;

use crate::check::{Check, unique};
use crate::decode::{Named, Scalar, alternatives, section};
use crate::kind::table::ColumnType;
use crate::lake::{Id, Table};
use crate::source::{Span, Spanned};

section! {
    /// How a model is scored: it ranks the candidates of a test table, beside rankings that cost nothing.
    "an evaluation"
    pub struct EvaluationSpec {
        /// The table of the candidates, with the label and every feature; the model never saw it.
        /// Example: `test_set`.
        test: Spanned<String>,
        /// The columns that make one ranking, like a user and an order. Intervals come from drawing again by the first of them.
        /// Example: `[user_id, order_id]`.
        group: Vec<Spanned<String>>,
        /// The column with what is ranked.
        /// Example: `product_id`.
        item: Spanned<String>,
        /// What should have been at the top.
        /// Example: `{ table: bought, repeat: reordered }`.
        targets: Spanned<TargetsSpec>,
        /// What is measured; the first decides whether the model beats its baselines.
        /// Example: `["ndcg@10", "recall@10", logloss]`.
        metrics: Vec<Spanned<String>>,
        /// What the model is held against.
        /// Example: `{ popularity: { score: orders, table: product_counts } }`.
        baselines: Named<BaselineSpec>,
        /// A column of the test table: how much is known of a group, by which the results are told apart.
        /// Default: none.
        /// Example: `orders_before`.
        history: Option<Spanned<String>>,
    }
}

section! {
    /// What should have been at the top, candidates or not.
    "targets"
    pub struct TargetsSpec {
        /// A table with the group's columns and the item's.
        /// Example: `bought`.
        table: Spanned<String>,
        /// A column that is 1 where the item is nothing new to the group.
        /// Default: none.
        /// Example: `reordered`.
        repeat: Option<Spanned<String>>,
        /// Only this part is asked for.
        /// Default: none; everything is.
        /// Example: `repeat`.
        only: Option<Spanned<PartSpec>>,
        /// Only rows where these columns have these values.
        /// Example: `{ split: test }`.
        filter as "where": Named<Scalar>,
    }
}

alternatives! {
    /// A part of the targets.
    #[derive(Copy, Eq)]
    "a part of the targets"
    pub enum PartSpec {
        /// What is nothing new to the group.
        Repeat = "repeat",
        /// What is new to the group.
        Explore = "explore",
    }
}

section! {
    /// A ranking that costs nothing.
    "a baseline"
    pub struct BaselineSpec {
        /// The column by which it ranks, the highest first.
        /// Example: `popularity`.
        score: Spanned<String>,
        /// The table that has this column beside the item's, and beside those of the group's that it depends on.
        /// Default: the test table.
        /// Example: `bought`.
        table: Option<Spanned<String>>,
    }
}

/// How a model is scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The candidates.
    pub test: Id<Table>,
    /// The columns that make one ranking.
    pub group: Vec<String>,
    /// The column with what is ranked.
    pub item: String,
    /// What should have been at the top: a table with the group's columns and the item's.
    pub targets: Id<Table>,
    /// The targets' column that is 1 where the item is nothing new.
    pub repeat: Option<String>,
    /// The part of the targets that is asked for; all when none is named.
    pub only: Option<PartSpec>,
    /// Only the targets where these columns have these values.
    pub filter: Vec<(String, String)>,
    /// What is measured; the first decides.
    pub metrics: Vec<Metric>,
    /// What the model is held against.
    pub baselines: Vec<Baseline>,
    /// The test table's column that says how much is known of a group.
    pub history: Option<String>,
}

/// A ranking that costs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The name.
    pub name: String,
    /// The column by which it ranks.
    pub score: String,
    /// Where that column is, when not in the test table.
    pub table: Option<Id<Table>>,
    /// The group's columns that this table has; without any, the ranking is the same for everyone.
    pub by: Vec<String>,
}

/// A measure of a ranking, or of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Gain discounted by rank, by that of the best ranking; the best has at most k items too.
    Ndcg(u32),
    /// The part of the targets among the first k.
    Recall(u32),
    /// Whether a target is among the first k.
    Hit(u32),
    /// One by the rank of the first target among the first k.
    Mrr(u32),
    /// Mean over the targets of the precision where each is found.
    Map,
    /// F1 of the set with the highest expected F1, where nothing is right when nothing comes true.
    F1,
    /// Mean negative logarithm of the probability of what came true.
    LogLoss,
    /// The probability that a candidate that came true has a higher score than one that did not.
    Auc,
    /// The part of the targets that are candidates at all.
    CandidateRecall,
}

/// More than anybody looks at.
const MAX_RANK: u32 = 1000;

impl FromStr for Metric {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, rank) = match text.split_once('@') {
            Some((name, rank)) => (name, Some(rank.parse().ok().filter(|k| (1..=MAX_RANK).contains(k)).ok_or(())?)),
            None => (text, None),
        };
        match (name, rank) {
            ("ndcg", Some(k)) => Ok(Self::Ndcg(k)),
            ("recall", Some(k)) => Ok(Self::Recall(k)),
            ("hit", Some(k)) => Ok(Self::Hit(k)),
            ("mrr", Some(k)) => Ok(Self::Mrr(k)),
            ("map", None) => Ok(Self::Map),
            ("f1", None) => Ok(Self::F1),
            ("logloss", None) => Ok(Self::LogLoss),
            ("auc", None) => Ok(Self::Auc),
            ("candidate_recall", None) => Ok(Self::CandidateRecall),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ndcg(k) => write!(f, "ndcg@{k}"),
            Self::Recall(k) => write!(f, "recall@{k}"),
            Self::Hit(k) => write!(f, "hit@{k}"),
            Self::Mrr(k) => write!(f, "mrr@{k}"),
            Self::Map => f.write_str("map"),
            Self::F1 => f.write_str("f1"),
            Self::LogLoss => f.write_str("logloss"),
            Self::Auc => f.write_str("auc"),
            Self::CandidateRecall => f.write_str("candidate_recall"),
        }
    }
}

impl Metric {
    /// Whether every ranking has it, so that baselines can be held against it.
    #[must_use]
    pub fn compares(self) -> bool {
        match self {
            Self::Ndcg(_) | Self::Recall(_) | Self::Hit(_) | Self::Mrr(_) | Self::Map => true,
            Self::F1 | Self::LogLoss | Self::Auc | Self::CandidateRecall => false,
        }
    }
}

impl PartSpec {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Explore => "explore",
        }
    }
}

/// What a model says about itself, as far as its evaluation depends on it.
pub(super) struct Of<'a> {
    /// Where the evaluation is written.
    pub at: Span,
    pub label: &'a Spanned<String>,
    pub entities: &'a [Spanned<String>],
    /// The tables that it learns from, with where they are named.
    pub channels: &'a [(&'a Spanned<String>, Id<Table>)],
    pub features: &'a [String],
}

impl EvaluationSpec {
    pub(super) fn check(&self, of: &Of<'_>, cx: &mut Check<'_>) -> Option<Evaluation> {
        let files = |name: &Spanned<String>, cx: &mut Check<'_>| {
            let id = cx.table(name)?;
            cx.refuse_without_files(name, id, "an evaluation");
            Some(id)
        };
        let test = files(&self.test, cx);
        if let Some(test) = test {
            self.unseen(test, of, cx);
        }
        let spec = &self.targets.value;
        let targets = files(&spec.table, cx);
        for (list, key, example) in [
            (&self.group, "group", "the columns that make one ranking: `group: [user_id, order_id]`"),
            (&self.metrics, "metrics", "what is measured: `metrics: [\"ndcg@10\", \"recall@10\"]`"),
        ] {
            unique(list, cx);
            if list.is_empty() {
                cx.error(of.at, format!("an evaluation needs the key `{key}`")).help(format!("name {example}"));
            }
        }
        for column in self.group.iter().chain([&self.item]) {
            let here = test.and_then(|test| column_type(test, column, cx));
            let there = targets.and_then(|targets| column_type(targets, column, cx));
            same_type(column, here, there, cx);
            if !of.entities.iter().any(|entity| entity.value == column.value) && of.features.contains(&column.value) {
                cx.error(column.span, format!("`{}` tells rows apart, and is a feature as well", column.value)).help(
                    format!("add it to the model's `entities`: the model would learn `{}` by heart", column.value),
                );
            }
        }
        if let Some(repeat) = &spec.repeat
            && let Some(targets) = targets
        {
            flag(column_type(targets, repeat, cx), repeat, cx);
        }
        if let (Some(only), None) = (&spec.only, &spec.repeat) {
            cx.error(only.span, "nothing tells the parts of the targets apart")
                .help("add `repeat:`, the column of the targets that is 1 where the item is nothing new");
        }
        for (column, _) in &spec.filter.0 {
            targets.and_then(|targets| column_type(targets, column, cx));
        }
        if let (Some(history), Some(test)) = (&self.history, test) {
            number(column_type(test, history, cx), history, cx);
        }
        let metrics = self.metrics(cx);
        let baselines: Vec<Baseline> =
            self.baselines.0.iter().filter_map(|(name, spec)| spec.as_ref()?.check(name, self, test, cx)).collect();
        if let (Some(first), Some(written)) = (metrics.first(), self.metrics.first())
            && !first.compares()
            && !self.baselines.0.is_empty()
        {
            cx.error(written.span, format!("a baseline has no `{first}`, and the first metric decides"))
                .help("begin with one that every ranking has, like `ndcg@10`");
        }
        let test = test?;
        Some(Evaluation {
            test,
            group: self.group.iter().map(|column| column.value.clone()).collect(),
            item: self.item.value.clone(),
            targets: targets?,
            repeat: spec.repeat.as_ref().map(|column| column.value.clone()),
            only: spec.only.as_ref().map(|only| only.value),
            filter: spec
                .filter
                .0
                .iter()
                .filter_map(|(column, value)| Some((column.value.clone(), value.as_ref()?.0.clone())))
                .collect(),
            metrics,
            baselines,
            history: self.history.as_ref().map(|column| column.value.clone()),
        })
    }

    /// The test table is no channel, and has the label and every feature.
    fn unseen(&self, test: Id<Table>, of: &Of<'_>, cx: &mut Check<'_>) {
        if let Some((channel, _)) = of.channels.iter().find(|(_, table)| *table == test) {
            cx.error(self.test.span, format!("the model learns from `{}`, so that it is no test", self.test.value))
                .related(channel.span, "a channel of the training")
                .help("keep apart some whom the training never sees, in a table of their own");
            return;
        }
        if let Some(Some(table)) = cx.tables.get(test.index()).cloned() {
            if table.column(of.label).is_none() {
                cx.no_column(of.label.span, of.label, test);
            }
            let missing: Vec<&String> = of.features.iter().filter(|name| table.column(name).is_none()).collect();
            if let Some(first) = missing.first() {
                let others = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
                cx.error(self.test.span, format!("`{}` lacks the feature `{first}`{others}", self.test.value))
                    .help("the test table has every column that the model learns from");
            }
        }
    }

    fn metrics(&self, cx: &mut Check<'_>) -> Vec<Metric> {
        let mut metrics = Vec::new();
        for written in &self.metrics {
            match written.parse() {
                Ok(metric) => metrics.push(metric),
                Err(()) => {
                    cx.error(written.span, format!("`{}` is not a metric of an evaluation", written.value)).help(
                        format!(
                            "there are `ndcg@k`, `recall@k`, `hit@k` and `mrr@k` with k from 1 to {MAX_RANK}, `map`, `f1`, `logloss`, `auc` and `candidate_recall`"
                        ),
                    );
                }
            }
        }
        metrics
    }
}

impl BaselineSpec {
    fn check(
        &self,
        name: &Spanned<String>,
        evaluation: &EvaluationSpec,
        test: Option<Id<Table>>,
        cx: &mut Check<'_>,
    ) -> Option<Baseline> {
        let named = cx.name(name, "a baseline");
        if name.value == "model" {
            cx.error(name.span, "`model` is what the baselines are held against").help("rename the baseline");
        }
        let table = match &self.table {
            Some(table) => {
                let id = cx.table(table)?;
                cx.refuse_without_files(table, id, "an evaluation");
                Some(id)
            }
            None => None,
        };
        if let Some(table) = table.or(test) {
            number(column_type(table, &self.score, cx), &self.score, cx);
        }
        let mut by = Vec::new();
        if let (Some(id), Some(written)) = (table, &self.table) {
            let known = cx.tables.get(id.index()).cloned().flatten()?;
            by.extend(evaluation.group.iter().map(|column| column.value.clone()).filter(|c| known.column(c).is_some()));
            if known.column(&evaluation.item).is_none() {
                let places = cx.declarations(&[id], &evaluation.item);
                cx.error(written.span, format!("`{}` has no column `{}`", written.value, evaluation.item.value))
                    .help("a baseline of its own table says a score for each item")
                    .places(places);
            }
        }
        named.map(|()| Baseline { name: name.value.clone(), score: self.score.value.clone(), table, by })
    }
}

/// The type of a table's column; that there is none is noted.
pub(super) fn column_type(table: Id<Table>, column: &Spanned<String>, cx: &mut Check<'_>) -> Option<ColumnType> {
    let known = cx.tables.get(table.index())?.as_ref()?;
    let found = known.column(column).map(|column| column.ty);
    if found.is_none() {
        cx.no_column(column.span, column, table);
    }
    found
}

fn number(ty: Option<ColumnType>, column: &Spanned<String>, cx: &mut Check<'_>) {
    if let Some(ty) = ty
        && !ty.is_number()
    {
        cx.error(column.span, format!("`{}` is {ty}, not a number", column.value));
    }
}

/// 0 or 1, true or false.
pub(super) fn flag(ty: Option<ColumnType>, column: &Spanned<String>, cx: &mut Check<'_>) {
    if let Some(ty) = ty
        && !ty.is_number()
        && ty != ColumnType::Boolean
    {
        cx.error(column.span, format!("`{}` is {ty}, neither a number nor a boolean", column.value));
    }
}

fn same_type(column: &Spanned<String>, here: Option<ColumnType>, there: Option<ColumnType>, cx: &mut Check<'_>) {
    if let (Some(here), Some(there)) = (here, there)
        && here != there
        && !(here.is_integer() && there.is_integer())
    {
        cx.error(column.span, format!("`{}` is {here} in the test table and {there} in the targets", column.value));
    }
}
