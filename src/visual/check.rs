//! From nodes as written to a graph: names resolved, columns and their types followed from node to node.

use std::collections::HashMap;

use super::sql::literal;
use super::{Graph, How, Node, NodeColumn, Operation, identifier};
use crate::check::{Check, unique};
use crate::decode::{Named, Scalar};
use crate::diagnostic::{Diagnostic, did_you_mean, listed};
use crate::kind::table::column_type;
use crate::kind::visual::{
    AggregateSpec, AggregationSpec, ColumnsSpec, ConditionSpec, DeriveSpec, DropDuplicatesSpec, FillSpec, FilterSpec,
    HowSpec, JoinSpec, MappingSpec, NodeSpec, SqlSpec, TargetSpec, UnionSpec,
};
use crate::lake::{ColumnType, Home, Id, Table};
use crate::source::{Span, Spanned};
use crate::sql;

/// Names that the script uses itself, and words of Python.
const TAKEN: [&str; 24] = [
    "and", "args", "as", "assert", "async", "await", "break", "class", "def", "del", "elif", "except", "finally",
    "global", "import", "is", "lambda", "main", "parser", "pass", "raise", "return", "spark", "yield",
];
const MORE_TAKEN: [&str; 14] = [
    "argparse", "continue", "else", "for", "from", "if", "in", "nonlocal", "not", "or", "table", "try", "while", "with",
];

type Columns = Option<Vec<NodeColumn>>;

/// Checks the nodes of the job `job`.
pub(crate) fn check(nodes: &Named<NodeSpec>, job: &Spanned<String>, cx: &mut Check<'_>) -> Option<Graph> {
    let before = cx.errors();
    let Named(written) = nodes;
    let places: HashMap<&str, usize> = written.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect();
    for (name, _) in written {
        cx.name(name, "a node");
        if TAKEN.contains(&name.as_str()) || MORE_TAKEN.contains(&name.as_str()) {
            cx.error(name.span, format!("a node is a variable of the script, and `{}` is taken", name.value))
                .help("rename it");
        }
    }
    let inputs: Vec<Vec<Option<usize>>> = written
        .iter()
        .map(|(_, spec)| {
            let references = spec.iter().flat_map(NodeSpec::inputs);
            references.map(|reference| input(reference, written, &places, cx)).collect()
        })
        .collect();
    let order = order(written, &inputs, cx)?;
    let mut flow = Flow { cx, columns: vec![None; written.len()], origins: vec![Vec::new(); written.len()], at: 0 };
    let mut operations: Vec<Option<Operation>> = vec![None; written.len()];
    for &at in &order {
        let (name, Some(spec)) = &written[at] else { continue };
        let known: Option<Vec<usize>> = inputs[at].iter().copied().collect();
        flow.behind(at, spec, &inputs[at]);
        let (operation, columns) = flow.node(name, spec, known.as_deref());
        operations[at] = operation;
        flow.columns[at] = columns;
    }
    let columns = flow.columns;
    let understood = cx.errors() == before;
    ends(written, &inputs, job, cx);
    if !understood {
        return None;
    }
    let position: HashMap<usize, usize> = order.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let nodes = order.iter().map(|&at| {
        let operation = operations[at].take()?.moved(&position);
        Some(Node { name: written[at].0.value.clone(), operation, columns: columns[at].clone()? })
    });
    nodes.collect::<Option<Vec<_>>>().map(|nodes| Graph { nodes })
}

fn input(
    reference: &Spanned<String>,
    written: &[(Spanned<String>, Option<NodeSpec>)],
    places: &HashMap<&str, usize>,
    cx: &mut Check<'_>,
) -> Option<usize> {
    let Some(&at) = places.get(reference.as_str()) else {
        let mut names: Vec<&str> = places.keys().copied().collect();
        names.sort_unstable();
        let table = cx
            .find_table(reference)
            .map(|_| format!("read the table with a node: `{{ source: {} }}`", reference.value));
        let help = did_you_mean(reference, names).or(table);
        cx.push(Diagnostic::error(reference.span, format!("no node named `{}`", reference.value)).maybe_help(help));
        return None;
    };
    if let (target, Some(NodeSpec::Target(_))) = &written[at] {
        cx.error(reference.span, format!("`{}` writes a table and gives no rows", reference.value))
            .help("name the node that it writes")
            .related(target.span, "the target");
        return None;
    }
    Some(at)
}

/// The nodes, each behind its inputs, and otherwise as they are written.
fn order(
    written: &[(Spanned<String>, Option<NodeSpec>)],
    inputs: &[Vec<Option<usize>>],
    cx: &mut Check<'_>,
) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::with_capacity(written.len());
    let mut placed = vec![false; written.len()];
    loop {
        let ready =
            (0..written.len()).find(|at| !placed[*at] && inputs[*at].iter().flatten().all(|input| placed[*input]));
        match ready {
            Some(at) => {
                placed[at] = true;
                order.push(at);
            }
            None if order.len() == written.len() => return Some(order),
            None => {
                let waiting: Vec<&str> =
                    (0..written.len()).filter(|at| !placed[*at]).map(|at| written[at].0.as_str()).collect();
                let first = (0..written.len()).find(|at| !placed[*at]).map_or(Span::default(), |at| written[at].0.span);
                cx.error(first, format!("the nodes {} wait for each other", listed(&waiting)))
                    .help("rows flow one way, from sources to targets");
                return None;
            }
        }
    }
}

fn ends(
    written: &[(Spanned<String>, Option<NodeSpec>)],
    inputs: &[Vec<Option<usize>>],
    job: &Spanned<String>,
    cx: &mut Check<'_>,
) {
    if !written.iter().any(|(_, spec)| matches!(spec, Some(NodeSpec::Target(_)) | None)) {
        cx.error(job.span, format!("the job `{}` writes nothing", job.value))
            .help("end with a node like `result: { target: { from: totals, table: order_totals } }`");
    }
    for (at, (name, spec)) in written.iter().enumerate() {
        let read = inputs.iter().flatten().any(|input| *input == Some(at));
        if !read && !matches!(spec, Some(NodeSpec::Target(_)) | None) {
            cx.push(
                Diagnostic::warning(name.span, format!("nothing reads the node `{}`", name.value)).help("remove it"),
            );
        }
    }
}

impl NodeSpec {
    fn inputs(&self) -> Vec<&Spanned<String>> {
        match self {
            Self::Source(_) => Vec::new(),
            Self::Filter(FilterSpec { from, .. })
            | Self::Aggregate(AggregateSpec { from, .. })
            | Self::Mapping(MappingSpec { from, .. })
            | Self::Select(ColumnsSpec { from, .. })
            | Self::Drop(ColumnsSpec { from, .. })
            | Self::DropDuplicates(DropDuplicatesSpec { from, .. })
            | Self::Fill(FillSpec { from, .. })
            | Self::Derive(DeriveSpec { from, .. })
            | Self::Target(TargetSpec { from, .. }) => vec![from],
            Self::Join(JoinSpec { left, right, .. }) => vec![left, right],
            Self::Union(UnionSpec { of: from, .. }) | Self::Sql(SqlSpec { from, .. }) => from.iter().collect(),
        }
    }
}

impl Operation {
    /// The same over nodes at other positions.
    fn moved(mut self, position: &HashMap<usize, usize>) -> Self {
        let to = |index: &mut usize| *index = position.get(index).copied().unwrap_or(*index);
        match &mut self {
            Self::Source(_) => {}
            Self::Filter { from, .. }
            | Self::Aggregate { from, .. }
            | Self::Mapping { from, .. }
            | Self::Select { from }
            | Self::Drop { from, .. }
            | Self::DropDuplicates { from, .. }
            | Self::Set { from, .. }
            | Self::Target { from, .. } => to(from),
            Self::Join { left, right, .. } => {
                to(left);
                to(right);
            }
            Self::Union { of: from, .. } | Self::Sql { from, .. } => from.iter_mut().for_each(to),
        }
        self
    }
}

/// Columns on their way.
struct Flow<'f, 'a> {
    cx: &'f mut Check<'a>,
    columns: Vec<Columns>,
    /// The tables that the rows of each node come from.
    origins: Vec<Vec<Id<Table>>>,
    /// The node that is looked at.
    at: usize,
}

impl Flow<'_, '_> {
    /// Turns to a node, and finds the tables that its rows come from.
    fn behind(&mut self, at: usize, spec: &NodeSpec, inputs: &[Option<usize>]) {
        let mut origins: Vec<Id<Table>> =
            inputs.iter().flatten().flat_map(|input| &self.origins[*input]).copied().collect();
        if let NodeSpec::Source(table) = spec {
            origins.extend(self.cx.find_table(table));
        }
        origins.sort_unstable();
        origins.dedup();
        self.origins[at] = origins;
        self.at = at;
    }

    /// What a node does and the columns that it gives; `None` where a mistake, noted here or before, leaves that open.
    fn node(
        &mut self,
        name: &Spanned<String>,
        spec: &NodeSpec,
        inputs: Option<&[usize]>,
    ) -> (Option<Operation>, Columns) {
        let Some(inputs) = inputs else { return (None, None) };
        let first = inputs.first().copied().unwrap_or_default();
        let given = inputs.first().and_then(|at| self.columns[*at].clone());
        match spec {
            NodeSpec::Source(table) => self.source(table),
            NodeSpec::Filter(spec) => (self.filter(name, spec, first, given.as_deref()), given),
            NodeSpec::Join(spec) => self.join(spec, inputs),
            NodeSpec::Aggregate(spec) => self.aggregate(name, spec, first, given.as_deref()),
            NodeSpec::Mapping(spec) => self.mapping(name, spec, first, given.as_deref()),
            NodeSpec::Select(ColumnsSpec { from: _, columns }) => {
                let chosen = self.chosen(name, columns, given.as_deref());
                (Some(Operation::Select { from: first }), chosen)
            }
            NodeSpec::Drop(ColumnsSpec { from: _, columns }) => {
                self.chosen(name, columns, given.as_deref());
                let names = texts(columns);
                let rest =
                    given.map(|given| given.into_iter().filter(|column| !names.contains(&column.name)).collect());
                (Some(Operation::Drop { from: first, columns: names }), rest)
            }
            NodeSpec::DropDuplicates(DropDuplicatesSpec { from: _, by }) => {
                let compared = self.each(by, given.as_deref());
                unique(by, self.cx);
                let whole = if by.is_empty() { given.as_deref() } else { None };
                for column in whole.into_iter().flatten() {
                    self.refuse_map(name.span, column, "compared");
                }
                for (written, column) in by.iter().zip(compared.iter().flatten()) {
                    self.refuse_map(written.span, column, "compared");
                }
                (Some(Operation::DropDuplicates { from: first, by: texts(by) }), given)
            }
            NodeSpec::Fill(FillSpec { from: _, values }) => (self.fill(name, values, first, given.as_deref()), given),
            NodeSpec::Derive(spec) => self.derive(name, spec, first, given),
            NodeSpec::Union(spec) => self.union(name, spec, inputs, given),
            NodeSpec::Sql(spec) => self.sql(name, spec, inputs),
            NodeSpec::Target(spec) => (self.target(spec, first, given.as_deref()), Some(Vec::new())),
        }
    }

    fn source(&mut self, written: &Spanned<String>) -> (Option<Operation>, Columns) {
        let Some(id) = self.cx.table(written) else { return (None, None) };
        self.cx.refuse_without_files(written, id, "a visual job");
        self.cx.refuse_avro(written, id, "a visual job");
        let table = self.cx.tables.get(id.index()).and_then(Option::as_ref);
        (Some(Operation::Source(id)), table.map(columns_of))
    }

    /// The column of that name; when there is none, that is noted.
    fn column(&mut self, written: &Spanned<String>, given: Option<&[NodeColumn]>) -> Option<NodeColumn> {
        let given = given?;
        let found = given.iter().find(|column| column.name == written.value).cloned();
        if found.is_none() {
            let names: Vec<&str> = given.iter().map(|column| column.name.as_str()).collect();
            let help = did_you_mean(written, names.iter().copied())
                .unwrap_or_else(|| format!("at this place there are {}", listed(&names)));
            let places = self.cx.declarations(&self.origins[self.at], written);
            self.cx.error(written.span, format!("no column named `{}`", written.value)).help(help).places(places);
        }
        found
    }

    fn each(&mut self, written: &[Spanned<String>], given: Option<&[NodeColumn]>) -> Option<Vec<NodeColumn>> {
        let found: Vec<_> = written.iter().map(|one| self.column(one, given)).collect();
        found.into_iter().collect()
    }

    /// Notes that Spark has no order and no equality of maps. Source: `SET_OPERATION_ON_MAP_TYPE` and `INVALID_ORDERING_TYPE` of
    /// Spark's error conditions.
    fn refuse_map(&mut self, at: Span, column: &NodeColumn, done: &str) {
        if let ColumnType::Nested(nested) = column.ty
            && nested.holds_map()
        {
            self.cx
                .error(at, format!("`{}` is {}, and Spark's maps cannot be {done}", column.name, column.ty))
                .help("name columns without maps, or drop it before");
        }
    }

    fn chosen(&mut self, name: &Spanned<String>, written: &[Spanned<String>], given: Option<&[NodeColumn]>) -> Columns {
        if written.is_empty() {
            self.cx.error(name.span, format!("the node `{}` names no columns", name.value)).help("add `columns: [id]`");
        }
        unique(written, self.cx);
        self.each(written, given)
    }

    fn value(&mut self, written: &Spanned<Scalar>, column: &NodeColumn) -> Option<String> {
        match literal(&written.value.0, column.ty) {
            Ok(value) => Some(value),
            Err(expected) => {
                let message = format!("`{}` is {}, and this is no such value", column.name, column.ty);
                self.cx.error(written.span, message).help(format!("a value of that type is {expected}"));
                None
            }
        }
    }

    fn filter(
        &mut self,
        name: &Spanned<String>,
        spec: &FilterSpec,
        from: usize,
        given: Option<&[NodeColumn]>,
    ) -> Option<Operation> {
        let FilterSpec { from: _, conditions, any } = spec;
        if conditions.0.is_empty() {
            self.cx
                .error(name.span, format!("the filter `{}` has no conditions", name.value))
                .help("write it like `where: { reordered: { equals: 1 } }`");
        }
        let mut parts = Vec::new();
        for (column, condition) in &conditions.0 {
            let found = self.column(column, given);
            if let (Some(found), Some(condition)) = (found, condition) {
                parts.push(self.condition(&found, condition));
            }
        }
        let parts: Vec<String> = parts.into_iter().collect::<Option<_>>()?;
        Some(Operation::Filter { from, condition: parts.join(if any.unwrap_or(false) { " or " } else { " and " }) })
    }

    fn condition(&mut self, column: &NodeColumn, condition: &ConditionSpec) -> Option<String> {
        let name = identifier(&column.name);
        let (sign, value) = match condition {
            ConditionSpec::Missing => return Some(format!("{name} is null")),
            ConditionSpec::Present => return Some(format!("{name} is not null")),
            ConditionSpec::Matches(pattern) => {
                if column.ty != ColumnType::String {
                    let message = format!("`{}` is {}, and patterns are for text", column.name, column.ty);
                    self.cx.error(pattern.span, message);
                }
                return Some(format!("{name} rlike {}", super::sql::text(pattern)));
            }
            ConditionSpec::Equals(value) => ("=", value),
            ConditionSpec::NotEquals(value) => ("<>", value),
            ConditionSpec::LessThan(value) => ("<", value),
            ConditionSpec::AtMost(value) => ("<=", value),
            ConditionSpec::GreaterThan(value) => (">", value),
            ConditionSpec::AtLeast(value) => (">=", value),
        };
        Some(format!("{name} {sign} {}", self.value(value, column)?))
    }

    fn join(&mut self, spec: &JoinSpec, inputs: &[usize]) -> (Option<Operation>, Columns) {
        let JoinSpec { left: left_name, right: right_name, on, how } = spec;
        let &[left, right] = inputs else { return (None, None) };
        if left == right {
            self.cx
                .error(right_name.span, "a node cannot be joined with itself")
                .help("give it another name with a mapping that renames its columns");
        }
        if on.is_empty() {
            self.cx.error(left_name.span, "this join names no columns that must be equal").help("add `on: [order_id]`");
        }
        unique(on, self.cx);
        let how = match how {
            None | Some(HowSpec::Inner) => How::Inner,
            Some(HowSpec::Left) => How::Left,
            Some(HowSpec::Right) => How::Right,
            Some(HowSpec::Outer) => How::Outer,
            Some(HowSpec::Semi) => How::Semi,
            Some(HowSpec::Anti) => How::Anti,
        };
        let (left_columns, right_columns) = (self.columns[left].clone(), self.columns[right].clone());
        for key in on {
            let one = self.column(key, left_columns.as_deref());
            let other = one.as_ref().and_then(|_| self.column(key, right_columns.as_deref()));
            let (Some(one), Some(other)) = (one, other) else { continue };
            if one.ty == other.ty {
                self.refuse_map(key.span, &one, "compared");
            } else if !(one.ty.is_number() && other.ty.is_number()) {
                let message = format!("`{}` is {} on the left and {} on the right", key.value, one.ty, other.ty);
                self.cx.error(key.span, message).help("cast one of them with a mapping");
            }
        }
        let keys = texts(on);
        let columns = left_columns.zip(right_columns).map(|(left, right)| {
            // The keys come first, as in Spark.
            let key = |column: &NodeColumn| keys.contains(&column.name);
            let mut all: Vec<NodeColumn> =
                keys.iter().filter_map(|name| left.iter().find(|column| column.name == *name)).cloned().collect();
            all.extend(left.into_iter().filter(|column| !key(column)));
            if matches!(how, How::Semi | How::Anti) {
                return all;
            }
            for column in right.into_iter().filter(|column| !key(column)) {
                if all.iter().any(|one| one.name == column.name) {
                    let message = format!("both sides of this join have a column `{}`", column.name);
                    self.cx.error(right_name.span, message).help("drop or rename one of them before");
                }
                all.push(column);
            }
            all
        });
        (Some(Operation::Join { left, right, on: keys, how }), columns)
    }

    fn aggregate(
        &mut self,
        name: &Spanned<String>,
        spec: &AggregateSpec,
        from: usize,
        given: Option<&[NodeColumn]>,
    ) -> (Option<Operation>, Columns) {
        let AggregateSpec { from: _, by, columns } = spec;
        unique(by, self.cx);
        let mut result = self.each(by, given);
        for (written, column) in by.iter().zip(result.iter().flatten()) {
            self.refuse_map(written.span, column, "grouped by");
        }
        if columns.0.is_empty() {
            self.cx
                .error(name.span, format!("the aggregate `{}` computes nothing", name.value))
                .help("write it like `columns: { purchases: count }`; `drop_duplicates` finds what there is");
        }
        let mut values = Vec::new();
        for (to, aggregation) in &columns.0 {
            self.cx.name(to, "a column");
            if by.iter().any(|column| column.value == to.value) {
                self.cx.error(to.span, format!("`{}` is a column of the groups already", to.value)).help("rename it");
            }
            let value = aggregation.as_ref().and_then(|aggregation| self.aggregation(aggregation, given));
            match value {
                Some((value, ty)) => {
                    values.push((to.value.clone(), value));
                    if let Some(result) = &mut result {
                        result.push(NodeColumn { name: to.value.clone(), ty });
                    }
                }
                None => result = None,
            }
        }
        (Some(Operation::Aggregate { from, by: texts(by), columns: values }), result)
    }

    /// The expression and its type. Source of the types: Spark's own for its aggregates.
    fn aggregation(
        &mut self,
        aggregation: &AggregationSpec,
        given: Option<&[NodeColumn]>,
    ) -> Option<(String, ColumnType)> {
        use ColumnType::{BigInt, Decimal, Double};
        let (column, numbers) = match aggregation {
            AggregationSpec::Count(None) => return Some(("count(*)".into(), BigInt)),
            AggregationSpec::Count(Some(column))
            | AggregationSpec::CountDistinct(column)
            | AggregationSpec::Minimum(column)
            | AggregationSpec::Maximum(column) => (column, false),
            AggregationSpec::Sum(column)
            | AggregationSpec::Average(column)
            | AggregationSpec::StandardDeviation(column) => (column, true),
        };
        let found = self.column(column, given)?;
        match aggregation {
            AggregationSpec::CountDistinct(_) => self.refuse_map(column.span, &found, "compared"),
            AggregationSpec::Minimum(_) | AggregationSpec::Maximum(_) => {
                self.refuse_map(column.span, &found, "put in order");
            }
            AggregationSpec::Count(_)
            | AggregationSpec::Sum(_)
            | AggregationSpec::Average(_)
            | AggregationSpec::StandardDeviation(_) => {}
        }
        if numbers && !found.ty.is_number() {
            self.cx
                .error(column.span, format!("`{}` is {}, not a number", found.name, found.ty))
                .help("cast it with a mapping, or count it");
            return None;
        }
        let of = identifier(&found.name);
        Some(match aggregation {
            AggregationSpec::Count(_) => (format!("count({of})"), BigInt),
            AggregationSpec::CountDistinct(_) => (format!("count(distinct {of})"), BigInt),
            AggregationSpec::Minimum(_) => (format!("min({of})"), found.ty),
            AggregationSpec::Maximum(_) => (format!("max({of})"), found.ty),
            AggregationSpec::StandardDeviation(_) => (format!("stddev_samp({of})"), Double),
            AggregationSpec::Average(_) => match found.ty {
                Decimal(precision, scale) => {
                    (format!("avg({of})"), Decimal((precision + 4).min(38), (scale + 4).min(38)))
                }
                _ => (format!("avg({of})"), Double),
            },
            AggregationSpec::Sum(_) => match found.ty {
                Decimal(precision, scale) => (format!("sum({of})"), Decimal((precision + 10).min(38), scale)),
                ColumnType::Float | Double => (format!("sum({of})"), Double),
                _ => (format!("sum({of})"), BigInt),
            },
        })
    }

    fn mapping(
        &mut self,
        name: &Spanned<String>,
        spec: &MappingSpec,
        from: usize,
        given: Option<&[NodeColumn]>,
    ) -> (Option<Operation>, Columns) {
        if spec.columns.0.is_empty() {
            self.cx
                .error(name.span, format!("the mapping `{}` names no columns", name.value))
                .help("write it like `columns: { id: { from: order_id } }`");
        }
        let (mut columns, mut result) = (Vec::new(), Some(Vec::new()));
        for (to, mapped) in &spec.columns.0 {
            self.cx.name(to, "a column");
            let Some(mapped) = mapped else {
                result = None;
                continue;
            };
            let old = mapped.from.as_ref().unwrap_or(to);
            let found = self.column(old, given);
            let ty = mapped.ty.as_ref().map(|ty| column_type(ty, self.cx));
            columns.push((to.value.clone(), old.value.clone(), ty.flatten()));
            match (found, ty, &mut result) {
                (Some(found), None, Some(result)) => result.push(NodeColumn { name: to.value.clone(), ty: found.ty }),
                (Some(_), Some(Some(ty)), Some(result)) => result.push(NodeColumn { name: to.value.clone(), ty }),
                _ => result = None,
            }
        }
        (Some(Operation::Mapping { from, columns }), result)
    }

    fn fill(
        &mut self,
        name: &Spanned<String>,
        values: &Named<Spanned<Scalar>>,
        from: usize,
        given: Option<&[NodeColumn]>,
    ) -> Option<Operation> {
        if values.0.is_empty() {
            self.cx
                .error(name.span, format!("the fill `{}` names no values", name.value))
                .help("write it like `values: { amount: 0 }`");
        }
        let mut columns = Vec::new();
        for (column, value) in &values.0 {
            let found = self.column(column, given);
            if let (Some(found), Some(value)) = (found, value) {
                let value = self.value(value, &found)?;
                let expression = format!("coalesce({}, cast({value} as {}))", identifier(&found.name), found.ty);
                columns.push((found.name, expression));
            }
        }
        Some(Operation::Set { from, columns })
    }

    fn derive(
        &mut self,
        name: &Spanned<String>,
        spec: &DeriveSpec,
        from: usize,
        given: Columns,
    ) -> (Option<Operation>, Columns) {
        if spec.columns.0.is_empty() {
            self.cx
                .error(name.span, format!("the node `{}` derives nothing", name.value))
                .help("write it like `columns: { total: { sql: \"price * amount\", type: double } }`");
        }
        let known = relation(None, given.as_ref(), &self.origins[self.at]);
        let mut result = given;
        let mut columns = Vec::new();
        for (to, derived) in &spec.columns.0 {
            self.cx.name(to, "a column");
            let Some(derived) = derived else {
                result = None;
                continue;
            };
            sql::check_expression(&derived.sql, known.clone(), self.cx);
            let Some(ty) = column_type(&derived.ty, self.cx) else {
                result = None;
                continue;
            };
            columns.push((to.value.clone(), format!("cast({} as {ty})", derived.sql.trim())));
            if let Some(result) = &mut result {
                match result.iter_mut().find(|column| column.name == to.value) {
                    Some(column) => column.ty = ty,
                    None => result.push(NodeColumn { name: to.value.clone(), ty }),
                }
            }
        }
        (Some(Operation::Set { from, columns }), result)
    }

    fn union(
        &mut self,
        name: &Spanned<String>,
        spec: &UnionSpec,
        inputs: &[usize],
        given: Columns,
    ) -> (Option<Operation>, Columns) {
        if spec.of.len() < 2 {
            self.cx
                .error(name.span, format!("the union `{}` needs two nodes at least", name.value))
                .help("write it like `of: [new_orders, old_orders]`");
        }
        for (written, at) in spec.of.iter().zip(inputs).skip(1) {
            let (Some(first), Some(other)) = (&given, &self.columns[*at]) else { continue };
            let lacks = |some: &[NodeColumn], of: &[NodeColumn]| -> Option<String> {
                of.iter()
                    .find(|column| !some.contains(column))
                    .map(|column| format!("`{}` ({})", column.name, column.ty))
            };
            let message = match (lacks(other, first), lacks(first, other)) {
                (Some(missing), _) => format!("`{}` has no column {missing}, which the first node has", written.value),
                (None, Some(more)) => format!("`{}` has a column {more}, which the first node has not", written.value),
                (None, None) => continue,
            };
            self.cx.error(written.span, message).help("let a mapping make the columns of all nodes the same");
        }
        (Some(Operation::Union { of: inputs.to_vec(), distinct: spec.distinct.unwrap_or(false) }), given)
    }

    fn sql(&mut self, name: &Spanned<String>, spec: &SqlSpec, inputs: &[usize]) -> (Option<Operation>, Columns) {
        if spec.from.is_empty() {
            self.cx.error(name.span, format!("the node `{}` reads nothing", name.value)).help("add `from: [orders]`");
        }
        unique(&spec.from, self.cx);
        let relations: Vec<sql::Relation> = spec
            .from
            .iter()
            .zip(inputs)
            .map(|(written, at)| relation(Some(written.value.clone()), self.columns[*at].as_ref(), &self.origins[*at]))
            .collect();
        let declared: Vec<&Spanned<String>> = spec.columns.0.iter().map(|(column, _)| column).collect();
        sql::check_node(&spec.query, &relations, &declared, self.cx);
        let columns = spec.columns.0.iter().map(|(column, ty)| {
            self.cx.name(column, "a column");
            let ty = column_type(ty.as_ref()?, self.cx)?;
            Some(NodeColumn { name: column.value.clone(), ty })
        });
        let columns: Vec<_> = columns.collect();
        if columns.is_empty() {
            self.cx
                .error(name.span, format!("the node `{}` declares no columns", name.value))
                .help("say what it returns: `columns: { order_id: int }`");
        }
        (Some(Operation::Sql { from: inputs.to_vec(), query: spec.query.value.clone() }), columns.into_iter().collect())
    }

    fn target(&mut self, spec: &TargetSpec, from: usize, given: Option<&[NodeColumn]>) -> Option<Operation> {
        let TargetSpec { from: written_from, table: written } = spec;
        let id = self.cx.table(written)?;
        self.cx.refuse_without_files(written, id, "a visual job");
        self.cx.refuse_avro(written, id, "a visual job");
        let table = self.cx.tables.get(id.index()).and_then(Option::as_ref)?;
        let declared = if matches!(table.home, Home::Zone { .. }) { columns_of(table) } else { Vec::new() };
        let Some(given) = given else { return Some(Operation::Target { from, table: id }) };
        for column in &declared {
            match given.iter().find(|one| one.name == column.name) {
                None => {
                    let more = given
                        .iter()
                        .map(|one| one.name.as_str())
                        .filter(|name| !declared.iter().any(|d| d.name == *name));
                    let help = did_you_mean(&column.name, more).map_or_else(
                        || "let a node before give it, or remove it from the table".to_owned(),
                        |meant| format!("{meant} rename it with a mapping"),
                    );
                    let message = format!(
                        "`{}` gives no column `{}`, which `{}` declares",
                        written_from.value, column.name, written.value
                    );
                    let place = self.cx.declaration(id, &column.name).map(|span| (span, "declared here".to_owned()));
                    self.cx.error(written.span, message).help(help).places(place);
                }
                Some(one) if !one.ty.fits(column.ty) => {
                    let message = format!(
                        "`{}` gives `{}` as {}, and `{}` declares {}",
                        written_from.value, column.name, one.ty, written.value, column.ty
                    );
                    let place = self.cx.declaration(id, &column.name);
                    let place = place.map(|span| (span, format!("declared `{}`", column.ty)));
                    self.cx
                        .error(written.span, message)
                        .help("cast it with a mapping, or declare the type that it has")
                        .places(place);
                }
                Some(_) => {}
            }
        }
        for column in
            given.iter().filter(|column| !declared.is_empty() && !declared.iter().any(|d| d.name == column.name))
        {
            let message = format!(
                "`{}` gives a column `{}`, which `{}` does not declare",
                written_from.value, column.name, written.value
            );
            let places = self.cx.declarations(&[id], &column.name);
            self.cx
                .error(written.span, message)
                .help("leave it out with `select` or `drop`, or declare it")
                .places(places);
        }
        Some(Operation::Target { from, table: id })
    }
}

fn relation(name: Option<String>, columns: Option<&Vec<NodeColumn>>, origins: &[Id<Table>]) -> sql::Relation {
    let columns = columns.map(|columns| columns.iter().map(|column| (column.name.clone(), Some(column.ty))).collect());
    sql::Relation { name, columns, origins: origins.to_vec() }
}

fn columns_of(table: &Table) -> Vec<NodeColumn> {
    let columns = table.columns.iter().chain(&table.partitions);
    columns.map(|column| NodeColumn { name: column.name.clone(), ty: column.ty }).collect()
}

fn texts(written: &[Spanned<String>]) -> Vec<String> {
    written.iter().map(|one| one.value.clone()).collect()
}
