//! Scopes: which table a column of a query belongs to.
//!
//! Where a query uses something that this page does not know (a table function, say), the scope is *open*: nothing in it is
//! called wrong, because a false alarm would be worse than a late one.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName,
    OneOrManyWithParens, OrderByKind, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias,
    TableFactor, TableWithJoins, Visit, Visitor,
};

use sqlparser::tokenizer::Location;

use super::Places;
use super::types::{self, Family};
use crate::check::Check;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::lake::{ColumnType, Id, Table};
use crate::source::{Span, Spanned};

/// Joins of joins can double what `*` stands for at each level.
const MAX_COLUMNS: usize = 10_000;

/// Words that are no columns, though they are written like one. Source: Trino's functions without parentheses, and the forms of
/// `normalize`.
const WORDS: [&str; 8] =
    ["current_user", "current_catalog", "current_schema", "current_path", "nfc", "nfd", "nfkc", "nfkd"];

/// One column of a result.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// Its name; none for an expression that nobody named.
    pub(super) name: Option<String>,
    /// The type of its values, when it is known.
    pub(super) ty: Option<ColumnType>,
    /// Where it is written, when that is one place.
    pub(super) span: Option<Span>,
}

/// A column, and its type when it is known.
pub(crate) type Column = (String, Option<ColumnType>);

/// Something in `from`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relation {
    /// What it is called.
    pub(crate) name: Option<String>,
    /// Its columns, when they are known.
    pub(crate) columns: Option<Vec<Column>>,
    /// The tables that its rows come from.
    pub(crate) origins: Vec<Id<Table>>,
}

impl Relation {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().flatten().any(|(name, _)| name == column)
    }
}

/// What names mean at one place of a query.
#[derive(Debug, Clone, Default)]
struct Scope {
    relations: Vec<Relation>,
    /// Columns of `using`, which belong to both sides.
    shared: Vec<String>,
    /// Names that `select` gives, where they may be used.
    outputs: Vec<String>,
}

struct Resolver<'r, 'a, 'c> {
    places: &'r Places,
    cx: &'c mut Check<'a>,
    /// Whether values of different sorts may not be compared, as in Athena.
    strict: bool,
    reads: Vec<Id<Table>>,
    /// The tables behind whatever was named so far.
    origins: Vec<Id<Table>>,
    ctes: Vec<Relation>,
    scopes: Vec<Scope>,
}

/// Resolves a query; returns the tables that it reads and its columns, when they are known.
pub(super) fn query(query: &Query, places: &Places, cx: &mut Check<'_>) -> (Vec<Id<Table>>, Option<Vec<Output>>) {
    let mut resolver = Resolver::new(places, cx, true);
    let output = resolver.query(query);
    (resolver.reads, output)
}

/// Resolves a query over `relations`; returns the tables that it reads beside them, and its columns, when they are known.
pub(super) fn over(
    query: &Query,
    relations: &[Relation],
    places: &Places,
    cx: &mut Check<'_>,
) -> (Vec<Id<Table>>, Option<Vec<Output>>) {
    let mut resolver = Resolver::new(places, cx, false);
    resolver.ctes = relations.to_vec();
    let output = resolver.query(query);
    (resolver.reads, output)
}

/// Resolves an expression over the columns of a relation, when they are known.
pub(super) fn expression(expression: &Expr, relation: Relation, places: &Places, cx: &mut Check<'_>) {
    let mut resolver = Resolver::new(places, cx, false);
    resolver.scopes.push(Scope { relations: vec![relation], ..Scope::default() });
    resolver.expression(expression);
}

fn fold(ident: &Ident) -> String {
    ident.value.to_lowercase()
}

impl<'r, 'a, 'c> Resolver<'r, 'a, 'c> {
    fn new(places: &'r Places, cx: &'c mut Check<'a>, strict: bool) -> Self {
        Self { places, cx, strict, reads: Vec::new(), origins: Vec::new(), ctes: Vec::new(), scopes: Vec::new() }
    }

    fn span(&self, ident: &Ident) -> Span {
        let length = ident.value.chars().count() + if ident.quote_style.is_some() { 2 } else { 0 };
        self.places.word(ident.span.start, length)
    }

    fn query(&mut self, query: &Query) -> Option<Vec<Output>> {
        let outer_ctes = self.ctes.len();
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let name = Some(fold(&cte.alias.name));
                if with.recursive {
                    // The body may name itself, so its columns are not known while it is read.
                    self.ctes.push(Relation { name: name.clone(), ..Relation::default() });
                }
                let (columns, origins) = self.derived(&cte.query);
                if with.recursive {
                    self.ctes.pop();
                }
                self.ctes.push(Relation { name, columns: renamed(columns, &cte.alias), origins });
            }
        }
        let (output, scope) = self.body(&query.body);
        if let Some(order_by) = &query.order_by
            && let OrderByKind::Expressions(keys) = &order_by.kind
        {
            let mut scope = scope.unwrap_or_default();
            let known = output.as_ref().map(|output| output.iter().filter_map(|column| column.name.clone()).collect());
            match known {
                Some(outputs) => scope.outputs = outputs,
                None => scope.relations.push(Relation::default()),
            }
            self.scopes.push(scope);
            for key in keys {
                self.expression(&key.expr);
            }
            self.scopes.pop();
        }
        self.ctes.truncate(outer_ctes);
        output
    }

    /// The columns of a query inside another, and the tables behind them.
    fn derived(&mut self, query: &Query) -> (Option<Vec<Column>>, Vec<Id<Table>>) {
        let before = self.origins.len();
        let columns = names(self.query(query));
        let mut origins = self.origins.split_off(before);
        origins.sort_unstable();
        origins.dedup();
        self.origins.extend(&origins);
        (columns, origins)
    }

    /// The columns of a body, and the scope that its `order by` sees.
    fn body(&mut self, body: &SetExpr) -> (Option<Vec<Output>>, Option<Scope>) {
        match body {
            SetExpr::Select(select) => {
                let (output, scope) = self.select(select);
                (output, Some(scope))
            }
            SetExpr::Query(query) => (self.query(query), None),
            SetExpr::SetOperation { left, right, .. } => {
                let (output, _) = self.body(left);
                let (other, _) = self.body(right);
                if let (Some(output), Some(other)) = (&output, &other)
                    && output.len() != other.len()
                {
                    let message =
                        format!("the sides of a set operation have {} and {} columns", output.len(), other.len());
                    self.cx.error(self.places.whole, message);
                }
                (both(output, other.as_deref()), None)
            }
            SetExpr::Values(values) => {
                let _ = values.visit(&mut Walker::new(self));
                (None, None)
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => {
                (None, None)
            }
        }
    }

    fn select(&mut self, select: &Select) -> (Option<Vec<Output>>, Scope) {
        self.scopes.push(Scope::default());
        for from in &select.from {
            self.from(from);
        }
        let mut output = Some(Vec::new());
        for item in &select.projection {
            self.item(item, &mut output);
        }
        for expression in [&select.selection, &select.having, &select.qualify].into_iter().flatten() {
            self.expression(expression);
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            let aliases = select.projection.iter().filter_map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
                _ => None,
            });
            let aliases: Vec<String> = aliases.collect();
            for key in keys {
                self.group_key(key, &aliases);
            }
        }
        let _ = select.named_window.visit(&mut Walker::new(self));
        (output, self.scopes.pop().unwrap_or_default())
    }

    fn item(&mut self, item: &SelectItem, output: &mut Option<Vec<Output>>) {
        let push = |output: &mut Option<Vec<Output>>, column| {
            if let Some(output) = output {
                output.push(column);
            }
        };
        match item {
            SelectItem::UnnamedExpr(expression) => {
                self.expression(expression);
                let ident = match expression {
                    Expr::Identifier(ident) => Some(ident),
                    Expr::CompoundIdentifier(parts) => parts.last(),
                    _ => None,
                };
                let span = ident.map(|ident| self.span(ident)).or_else(|| self.first_word(expression));
                push(output, Output { name: ident.map(fold), ty: self.type_of(expression), span });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expression(expr);
                let ty = self.type_of(expr);
                push(output, Output { name: Some(fold(alias)), ty, span: Some(self.span(alias)) });
            }
            SelectItem::Wildcard(_) => {
                let relations = self.scopes.last().map(|scope| scope.relations.clone()).unwrap_or_default();
                let shared = self.scopes.last().map(|scope| scope.shared.clone()).unwrap_or_default();
                self.expand(&relations, &shared, output);
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let qualifier = name.0.last().and_then(|part| part.as_ident());
                let relation = qualifier.and_then(|qualifier| self.qualified(qualifier));
                match relation {
                    Some(relation) => self.expand(&[relation], &[], output),
                    None => {
                        if let Some(qualifier) = qualifier {
                            self.unknown_qualifier(qualifier);
                        }
                        *output = None;
                    }
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expression), _) => {
                self.expression(expression);
                *output = None;
            }
            SelectItem::ExprWithAliases { expr, .. } => {
                self.expression(expr);
                *output = None;
            }
        }
    }

    fn expand(&mut self, relations: &[Relation], shared: &[String], output: &mut Option<Vec<Output>>) {
        let mut seen_shared: Vec<String> = Vec::new();
        for relation in relations {
            let (Some(columns), Some(list)) = (&relation.columns, output.as_mut()) else {
                *output = None;
                return;
            };
            if list.len() + columns.len() > MAX_COLUMNS {
                let message = format!("a `*` of this query stands for more than {MAX_COLUMNS} columns");
                self.cx.error(self.places.whole, message).help("name the columns that are needed");
                *output = None;
                return;
            }
            for (column, ty) in columns {
                let mut ty = *ty;
                if shared.contains(column) {
                    if seen_shared.contains(column) {
                        continue;
                    }
                    seen_shared.push(column.clone());
                    // Both sides have it, and it becomes the wider of them.
                    ty = None;
                }
                list.push(Output { name: Some(column.clone()), ty, span: None });
            }
        }
    }

    fn first_word(&self, expression: &Expr) -> Option<Span> {
        struct First(Option<Ident>);
        impl Visitor for First {
            type Break = ();
            fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
                let ident = match expression {
                    Expr::Identifier(ident) => Some(ident),
                    Expr::CompoundIdentifier(parts) => parts.first(),
                    Expr::Function(function) => function.name.0.first().and_then(|part| part.as_ident()),
                    _ => None,
                };
                match ident {
                    Some(ident) => {
                        self.0 = Some(ident.clone());
                        ControlFlow::Break(())
                    }
                    None => ControlFlow::Continue(()),
                }
            }
        }
        let mut first = First(None);
        let _ = expression.visit(&mut first);
        first.0.map(|ident| self.span(&ident))
    }

    fn group_key(&mut self, key: &Expr, aliases: &[String]) {
        if let Expr::Identifier(ident) = key
            && aliases.contains(&fold(ident))
            && !self.visible(&fold(ident))
        {
            self.cx
                .error(
                    self.span(ident),
                    format!("`{}` is a name that `select` gives, and Athena knows none in `group by`", ident.value),
                )
                .help("repeat the expression, or write its position: `group by 1`");
            return;
        }
        self.expression(key);
    }

    fn visible(&self, column: &str) -> bool {
        self.scopes
            .iter()
            .flat_map(|scope| &scope.relations)
            .any(|relation| relation.columns.is_none() || relation.has(column))
    }

    fn from(&mut self, from: &TableWithJoins) {
        let begin = self.relations().len();
        self.factor(&from.relation);
        for join in &from.joins {
            let right = self.relations().len();
            self.factor(&join.relation);
            let constraint = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => constraint,
                _ => &JoinConstraint::None,
            };
            match constraint {
                JoinConstraint::On(expression) => self.expression(expression),
                JoinConstraint::Using(columns) => {
                    let idents = columns.iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident()));
                    for ident in idents {
                        self.unqualified(ident, true);
                        self.on_both_sides(ident, begin, right);
                        if let Some(scope) = self.scopes.last_mut() {
                            scope.shared.push(fold(ident));
                        }
                    }
                }
                JoinConstraint::Natural => self.add(Relation::default()),
                JoinConstraint::None => {}
            }
        }
    }

    /// What the innermost `from` has so far.
    fn relations(&self) -> &[Relation] {
        self.scopes.last().map_or(&[], |scope| &scope.relations)
    }

    /// Notes a column of `using` that one side of a join has and the other has not; `right` is where the other begins.
    fn on_both_sides(&mut self, ident: &Ident, begin: usize, right: usize) {
        let folded = fold(ident);
        let (left, right) = self.relations()[begin..].split_at(right - begin);
        let has = |side: &[Relation]| side.iter().any(|relation| relation.columns.is_none() || relation.has(&folded));
        let (lacking, side) = match (has(left), has(right)) {
            (true, false) => (right, "right"),
            (false, true) => (left, "left"),
            _ => return,
        };
        let known = lacking.iter().flat_map(|relation| relation.columns.iter().flatten());
        let help = did_you_mean(&folded, known.map(|(name, _)| name.as_str()))
            .unwrap_or_else(|| "`using` takes columns that both sides have; others are compared with `on`".to_owned());
        let origins: Vec<Id<Table>> = lacking.iter().flat_map(|relation| &relation.origins).copied().collect();
        let message = format!("no column named `{}` on the {side} side of this join", ident.value);
        let places = self.cx.declarations(&origins, &folded);
        self.cx.push(Diagnostic::error(self.span(ident), message).help(help)).places(places);
    }

    fn add(&mut self, relation: Relation) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.relations.push(relation);
        }
    }

    fn factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let (columns, origins) = self.table(name);
                self.origins.extend(&origins);
                let own = name.0.last().and_then(|part| part.as_ident()).map(fold);
                self.add(match alias {
                    Some(alias) => {
                        Relation { name: Some(fold(&alias.name)), columns: renamed(columns, alias), origins }
                    }
                    None => Relation { name: own, columns, origins },
                });
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let (columns, origins) = self.derived(subquery);
                self.add(match alias {
                    Some(alias) => {
                        Relation { name: Some(fold(&alias.name)), columns: renamed(columns, alias), origins }
                    }
                    None => Relation { name: None, columns, origins },
                });
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                let _ = args.visit(&mut Walker::new(self));
                let unnest =
                    name.0.last().and_then(|part| part.as_ident()).is_some_and(|ident| fold(ident) == "unnest");
                if !unnest {
                    let first = name.0.first().and_then(|part| part.as_ident());
                    let span = first.map_or(self.places.whole, |ident| self.span(ident));
                    self.cx
                        .error(span, format!("Athena has no table function `{name}`"))
                        .help("read a table of the lake; `unnest(…)` makes rows of an array");
                }
                self.add(if unnest { unnested(alias.as_ref(), None) } else { Relation::default() });
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.from(table_with_joins),
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                array_exprs.iter().for_each(|expression| self.expression(expression));
                let types = array_exprs.iter().map(|expression| types::unnested(self.type_of(expression)?));
                let types = types.collect::<Option<Vec<_>>>().map(|types| types.concat());
                self.add(unnested(alias.as_ref(), types));
            }
            // Its columns are made in many ways, but its rows come from tables.
            TableFactor::MatchRecognize { table, .. } => {
                self.factor(table);
                self.add(Relation::default());
            }
            TableFactor::NestedJoin { table_with_joins, alias: Some(_) } => {
                self.from(table_with_joins);
                self.add(Relation::default());
            }
            _ => self.add(Relation::default()),
        }
    }

    /// The columns of a named table or of a `with` query, when they are known, and the tables behind them.
    fn table(&mut self, name: &ObjectName) -> (Option<Vec<Column>>, Vec<Id<Table>>) {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let [ident] = parts.as_slice() else {
            if let Some(first) = parts.first() {
                self.cx
                    .error(self.span(first), format!("`{name}` names a database as well"))
                    .help("name the table alone: each environment has a database of its own");
            }
            return (None, Vec::new());
        };
        let folded = fold(ident);
        if let Some(cte) = self.ctes.iter().rev().find(|cte| cte.name.as_ref() == Some(&folded)) {
            return (cte.columns.clone(), cte.origins.clone());
        }
        let written = Spanned::new(folded.clone(), self.span(ident));
        let Some(id) = self.cx.find_table(&folded) else {
            // Names of `with` are candidates as well, so the usual message is made here.
            let ctes: Vec<String> = self.ctes.iter().filter_map(|cte| cte.name.clone()).collect();
            let tables = self.cx.table_names();
            let help = did_you_mean(&folded, tables.into_iter().chain(ctes.iter().map(String::as_str)));
            let message = format!("no table named `{}`", ident.value);
            self.cx.push(Diagnostic::error(written.span, message).label("not a table").maybe_help(help));
            return (None, Vec::new());
        };
        self.cx.refuse_dynamodb(&written, id, "SQL");
        self.reads.push(id);
        (self.cx.columns(id), vec![id])
    }

    fn qualified(&self, qualifier: &Ident) -> Option<Relation> {
        let folded = fold(qualifier);
        let relations = self.scopes.iter().rev().flat_map(|scope| &scope.relations);
        relations.into_iter().find(|relation| relation.name.as_ref() == Some(&folded)).cloned()
    }

    fn unknown_qualifier(&mut self, qualifier: &Ident) {
        let open = self.scopes.iter().flat_map(|scope| &scope.relations).any(|relation| relation.name.is_none());
        if open {
            return;
        }
        let known: Vec<String> = self
            .scopes
            .iter()
            .flat_map(|scope| &scope.relations)
            .filter_map(|relation| relation.name.clone())
            .collect();
        let help = did_you_mean(&fold(qualifier), known.iter().map(String::as_str));
        let message = format!("nothing in `from` is called `{}`", qualifier.value);
        self.cx.push(Diagnostic::error(self.span(qualifier), message).maybe_help(help));
    }

    /// A column by its bare name; in a `using` it must be on both sides, so it cannot be ambiguous.
    fn unqualified(&mut self, ident: &Ident, using: bool) {
        let folded = fold(ident);
        // `$path` and its like are hidden columns of every table in S3.
        if folded.starts_with('$') || (ident.quote_style.is_none() && WORDS.contains(&folded.as_str())) {
            return;
        }
        for scope in self.scopes.iter().rev() {
            if scope.outputs.contains(&folded) {
                return;
            }
            let holders: Vec<&Relation> = scope.relations.iter().filter(|relation| relation.has(&folded)).collect();
            match holders.as_slice() {
                [] => {}
                [_, _, ..] if !using && !scope.shared.contains(&folded) => {
                    let places: Vec<String> = holders
                        .iter()
                        .filter_map(|relation| relation.name.as_ref().map(|name| format!("{name}.{folded}")))
                        .collect();
                    let help = crate::diagnostic::listed(&places);
                    self.cx
                        .error(self.span(ident), format!("`{}` could be several columns", ident.value))
                        .help(format!("say which: {help}"));
                    return;
                }
                _ => return,
            }
            if scope.relations.iter().any(|relation| relation.columns.is_none()) {
                return;
            }
        }
        let mut known: Vec<String> = Vec::new();
        for scope in self.scopes.iter().filter(|_| self.cx.suggests()) {
            let columns = scope.relations.iter().flat_map(|relation| relation.columns.iter().flatten());
            known.extend(columns.map(|(name, _)| name.clone()));
            known.extend(scope.outputs.iter().cloned());
        }
        let help = did_you_mean(&folded, known.iter().map(String::as_str));
        let message = if self.scopes.iter().all(|scope| scope.relations.is_empty()) {
            format!("there is no table to take `{}` from", ident.value)
        } else {
            format!("no column named `{}` in the tables of this query", ident.value)
        };
        let origins = self.scopes.iter().rev().flat_map(|scope| &scope.relations).flat_map(|from| &from.origins);
        let origins: Vec<Id<Table>> = origins.copied().collect();
        let places = self.cx.declarations(&origins, &folded);
        self.cx.push(Diagnostic::error(self.span(ident), message).maybe_help(help)).places(places);
    }

    fn compound(&mut self, parts: &[Ident]) {
        let [qualifier, column, ..] = parts else { return };
        match self.qualified(qualifier) {
            Some(Relation { columns: Some(columns), origins, .. }) => {
                let folded = fold(column);
                if !columns.iter().any(|(name, _)| *name == folded) && !folded.starts_with('$') {
                    let help = did_you_mean(&folded, columns.iter().map(|(name, _)| name.as_str()));
                    let message = format!("no column named `{}` in `{}`", column.value, qualifier.value);
                    let places = self.cx.declarations(&origins, &folded);
                    self.cx.push(Diagnostic::error(self.span(column), message).maybe_help(help)).places(places);
                }
            }
            Some(Relation { columns: None, .. }) => {}
            // `a.b` may also be the field `b` of a row in the column `a`.
            None if self.visible(&fold(qualifier)) => {}
            None => self.unknown_qualifier(qualifier),
        }
        if let Some((ty, fields)) = self.beginning(parts) {
            let before = parts.len() - fields.len();
            self.fields(ty, parts, before);
        }
    }

    /// The type of the column that a compound name begins with, and what is behind that column.
    fn beginning<'p>(&self, parts: &'p [Ident]) -> Option<(ColumnType, &'p [Ident])> {
        let [first, rest @ ..] = parts else { return None };
        match self.qualified(first) {
            Some(relation) => {
                let [column, rest @ ..] = rest else { return None };
                let columns = relation.columns?;
                let (_, ty) = columns.into_iter().find(|(name, _)| *name == fold(column))?;
                Some((ty?, rest))
            }
            None => Some((self.column_type(&Expr::Identifier(first.clone()))?, rest)),
        }
    }

    /// Notes a field that `parts` names from `at` on, and that a value of this type has not.
    fn fields(&mut self, ty: ColumnType, parts: &[Ident], at: usize) {
        let (Some(field), Some(names)) = (parts.get(at), types::fields(ty)) else { return };
        match types::field(ty, &fold(field)) {
            Some(ty) => self.fields(ty, parts, at + 1),
            None => self.unknown_field(field, &format!("`{}`", parts[at - 1].value), &names),
        }
    }

    fn unknown_field(&mut self, field: &Ident, of: &str, names: &[&'static str]) {
        let help = did_you_mean(&fold(field), names.iter().copied())
            .unwrap_or_else(|| format!("it has {}", crate::diagnostic::listed(names)));
        let message = format!("no field named `{}` in {of}", field.value);
        self.cx.push(Diagnostic::error(self.span(field), message).help(help));
    }

    /// Notes the first field of `t.items[1].sku` that is not there, behind what `compound` has looked at.
    fn accesses(&mut self, root: &Expr, chain: &[AccessExpr]) {
        let (_, rest) = types::beginning(root, chain);
        for at in chain.len() - rest.len()..chain.len() {
            let AccessExpr::Dot(Expr::Identifier(field)) = &chain[at] else { continue };
            let before = Expr::CompoundFieldAccess { root: Box::new(root.clone()), access_chain: chain[..at].to_vec() };
            let names = self.type_of(&before).and_then(types::fields);
            if let Some(names) = names.filter(|names| !names.contains(&fold(field).as_str())) {
                self.unknown_field(field, &format!("`{before}`"), &names);
                return;
            }
        }
    }

    fn expression(&mut self, expression: &Expr) {
        let _ = expression.visit(&mut Walker::new(self));
    }

    fn type_of(&self, expression: &Expr) -> Option<ColumnType> {
        types::of(expression, &|column| self.column_type(column))
    }

    /// The type of a column that is named here, when it is one and its type is known.
    fn column_type(&self, expression: &Expr) -> Option<ColumnType> {
        let found = |relation: &Relation, name: &str| {
            relation.columns.iter().flatten().find(|(column, _)| column == name).map(|(_, ty)| *ty)
        };
        match expression {
            Expr::CompoundIdentifier(parts) => {
                let (ty, fields) = self.beginning(parts)?;
                fields.iter().try_fold(ty, |ty, field| types::field(ty, &fold(field)))
            }
            Expr::Identifier(ident) => {
                let folded = fold(ident);
                for scope in self.scopes.iter().rev() {
                    if scope.outputs.contains(&folded) {
                        return None;
                    }
                    let mut holders = scope.relations.iter().filter_map(|relation| found(relation, &folded));
                    match (holders.next(), holders.next()) {
                        (Some(ty), None) => return ty,
                        (Some(_), Some(_)) => return None,
                        (None, _) => {}
                    }
                    if scope.relations.iter().any(|relation| relation.columns.is_none()) {
                        return None;
                    }
                }
                None
            }
            _ => None,
        }
    }

    /// Athena refuses to compare text with numbers, and the like.
    fn comparison(&mut self, expression: &Expr) {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let (first, others): (&Expr, Vec<&Expr>) = match expression {
            Expr::BinaryOp { left, op: Eq | NotEq | Lt | LtEq | Gt | GtEq, right } => (left, vec![right]),
            Expr::Between { expr, low, high, .. } => (expr, vec![low, high]),
            Expr::InList { expr, list, .. } => (expr, list.iter().collect()),
            _ => return,
        };
        let Some(ours) = self.type_of(first) else { return };
        let other = others.into_iter().filter_map(|other| self.type_of(other));
        if let Some(theirs) = other.into_iter().find(|theirs| Family::of(*theirs) != Family::of(ours)) {
            let span = self.first_word(expression).unwrap_or(self.places.whole);
            self.cx
                .error(
                    span,
                    format!("this compares `{}` with `{}`, which Athena refuses", ours.athena(), theirs.athena()),
                )
                .help("cast one of them");
        }
    }
}

/// Walks one expression; nested queries are resolved in scopes of their own.
struct Walker<'w, 'r, 'a, 'c> {
    resolver: &'w mut Resolver<'r, 'a, 'c>,
    lambda: Vec<Vec<String>>,
    /// Fields of rows, which are visited like columns.
    fields: Vec<Location>,
    nested: usize,
}

impl<'w, 'r, 'a, 'c> Walker<'w, 'r, 'a, 'c> {
    fn new(resolver: &'w mut Resolver<'r, 'a, 'c>) -> Self {
        Self { resolver, lambda: Vec::new(), fields: Vec::new(), nested: 0 }
    }
}

impl Visitor for Walker<'_, '_, '_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.nested == 0 {
            self.resolver.query(query);
        }
        self.nested += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.nested -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.nested > 0 {
            return ControlFlow::Continue(());
        }
        if self.resolver.strict && self.lambda.is_empty() {
            self.resolver.comparison(expression);
        }
        let bound = |lambda: &[Vec<String>], ident: &Ident| lambda.iter().flatten().any(|name| *name == fold(ident));
        match expression {
            Expr::Lambda(lambda) => self.lambda.push(match &lambda.params {
                OneOrManyWithParens::One(parameter) => vec![fold(&parameter.name)],
                OneOrManyWithParens::Many(parameters) => parameters.iter().map(|p| fold(&p.name)).collect(),
            }),
            Expr::CompoundFieldAccess { root, access_chain } => {
                // `t.tags[1]` begins like a column of the table `t`.
                let (parts, _) = types::beginning(root, access_chain);
                if let [first, _, ..] = parts.as_slice()
                    && !bound(&self.lambda, first)
                {
                    self.resolver.compound(&parts);
                    self.fields.push(first.span.start);
                }
                if self.lambda.is_empty() {
                    self.resolver.accesses(root, access_chain);
                }
                self.fields.extend(access_chain.iter().filter_map(|access| match access {
                    AccessExpr::Dot(Expr::Identifier(field)) => Some(field.span.start),
                    _ => None,
                }));
            }
            Expr::Identifier(ident) if self.fields.contains(&ident.span.start) => {}
            Expr::Identifier(ident) if !bound(&self.lambda, ident) => self.resolver.unqualified(ident, false),
            Expr::CompoundIdentifier(parts) if !parts.first().is_some_and(|ident| bound(&self.lambda, ident)) => {
                self.resolver.compound(parts);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if self.nested == 0 && matches!(expression, Expr::Lambda(_)) {
            self.lambda.pop();
        }
        ControlFlow::Continue(())
    }
}

/// The columns of a result as a relation: one without a name makes them unknown.
fn names(output: Option<Vec<Output>>) -> Option<Vec<Column>> {
    Some(output?.into_iter().map(|column| (column.name.unwrap_or_default(), column.ty)).collect())
}

/// The columns of both sides of a set operation: named by the left one, and of a type that is known where both have it.
fn both(left: Option<Vec<Output>>, right: Option<&[Output]>) -> Option<Vec<Output>> {
    let mut output = left?;
    for (at, column) in output.iter_mut().enumerate() {
        let other = right.and_then(|right| right.get(at)).and_then(|column| column.ty);
        column.ty = column.ty.filter(|ty| other == Some(*ty));
    }
    Some(output)
}

/// The columns that `unnest` gives, when its alias names them; `types`: theirs, when they are known.
fn unnested(alias: Option<&TableAlias>, types: Option<Vec<ColumnType>>) -> Relation {
    let columns = types.map(|types| types.into_iter().map(|ty| (String::new(), Some(ty))).collect());
    let columns = alias.filter(|alias| !alias.columns.is_empty()).and_then(|alias| renamed(columns, alias));
    Relation { name: alias.map(|alias| fold(&alias.name)), columns, origins: Vec::new() }
}

/// Columns under the names that an alias gives them.
fn renamed(columns: Option<Vec<Column>>, alias: &TableAlias) -> Option<Vec<Column>> {
    if alias.columns.is_empty() {
        return columns;
    }
    let mut types = columns.into_iter().flatten().map(|(_, ty)| ty);
    Some(alias.columns.iter().map(|column| (fold(&column.name), types.next().flatten())).collect())
}
