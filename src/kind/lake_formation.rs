//! Lake Formation: who may do what with the tables of the catalog, down to columns and rows.
//!
//! A lake that does not speak of it leaves its tables to IAM. One that does gives its own steps what they need by itself, and others
//! what `grants` say. Locally nobody is refused anything.

use std::collections::HashMap;

use crate::check::Check;
use crate::decode::{Named, alternatives, section};
use crate::diagnostic::Diagnostic;
use crate::lake::{Arena, Home, Id, Table};
use crate::region::{self, Partition};
use crate::source::{Span, Spanned};
use crate::sql;

section! {
    /// Permissions on the tables of the catalog by AWS Lake Formation, beside those by IAM. The lake's own steps get what they need.
    "lake formation"
    pub struct LakeFormationSpec {
        /// Who becomes an administrator of Lake Formation in the account, beside those who are: `role/name` or `user/name` of the
        /// environment's account, or an ARN. Whoever deploys must be one.
        /// Example: `[role/deployer]`.
        administrators: Vec<Spanned<String>>,
        /// What others than the lake's steps may do.
        /// Example: `{ analysts: { to: role/analyst, tables: { orders: { except: [user_id] } } } }`.
        grants: Named<GrantSpec>,
    }
}

section! {
    /// What some may do with tables.
    "a grant"
    pub struct GrantSpec {
        /// Who: `role/name` or `user/name` of the environment's account, the twelve digits of another account, or an ARN of a role, a
        /// user, a user or group of a SAML provider or of IAM Identity Center, an organization.
        /// Example: `[role/analyst, "444455556666"]`.
        to: Vec<Spanned<String>>,
        /// The tables, and what of them; nothing behind a name is all of its rows and columns.
        /// Example: `{ orders: { except: [user_id] }, products: }`.
        tables: Named<TableGrantSpec>,
        /// Whether they may grant it to others.
        /// Default: `false`.
        /// Example: `true`.
        grantable: Option<Spanned<bool>>,
    }
}

section! {
    /// What of a table.
    "a granted table"
    pub struct TableGrantSpec {
        /// What may be done with it.
        /// Default: `select`, of which `describe` is a part.
        /// Example: `[select, insert, delete]`.
        may: Vec<Spanned<PermissionSpec>>,
        /// Only these columns.
        /// Default: all.
        /// Example: `[order_id, order_dow]`.
        columns: Vec<Spanned<String>>,
        /// All columns but these.
        /// Default: none.
        /// Example: `[user_id]`.
        except: Vec<Spanned<String>>,
        /// Only rows for which this holds: comparisons of columns with constants, with `and`, `or` and `not`.
        /// Default: all.
        /// Example: `country = 'NZ' and order_dow in (0, 6)`.
        rows: Option<Spanned<String>>,
    }
}

alternatives! {
    /// What may be done with a table.
    #[derive(Copy, Eq)]
    "a permission"
    pub enum PermissionSpec {
        /// Read its rows.
        Select = "select",
        /// See its columns and its properties.
        Describe = "describe",
        /// Add rows.
        Insert = "insert",
        /// Remove rows.
        Delete = "delete",
        /// Change its columns and its partitions.
        Alter = "alter",
        /// Remove it.
        Drop = "drop",
    }
}

/// Permissions by Lake Formation.
#[derive(Debug, Clone, PartialEq)]
pub struct LakeFormation {
    /// Who administers it, beside those who do already.
    pub administrators: Vec<Grantee>,
    /// What others than the lake's steps may do.
    pub grants: Arena<Grant>,
}

impl LakeFormation {
    /// Everyone to whom something is granted, each once.
    #[must_use]
    pub fn grantees(&self) -> Vec<&Grantee> {
        let mut all: Vec<&Grantee> = self.grants.values().flat_map(|grant| &grant.to).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Someone to whom permissions are given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// A role or a user of the environment's account: `role/name`, `user/name`.
    Own(String),
    /// As Lake Formation itself calls it.
    Named(String),
}

/// What some may do with tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The name.
    pub name: String,
    /// Who.
    pub to: Vec<Grantee>,
    /// What.
    pub tables: Vec<TableGrant>,
    /// Whether they may grant it to others.
    pub grantable: bool,
}

/// What of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableGrant {
    /// The table.
    pub table: Id<Table>,
    /// What may be done with it, each once.
    pub may: Vec<PermissionSpec>,
    /// Which columns.
    pub columns: GrantedColumns,
    /// For which rows, in PartiQL; none is for all.
    pub rows: Option<String>,
}

/// Which columns of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedColumns {
    /// All.
    All,
    /// These.
    Only(Vec<String>),
    /// All but these.
    Except(Vec<String>),
}

impl LakeFormationSpec {
    /// The names of all tables that are granted.
    pub(crate) fn granted(&self) -> impl Iterator<Item = &Spanned<String>> {
        let grants = self.grants.0.iter().filter_map(|(_, grant)| grant.as_ref());
        grants.flat_map(|grant| grant.tables.0.iter().map(|(table, _)| table))
    }

    /// `environment` is the one whose blueprint this is, none for those that set nothing otherwise.
    pub(crate) fn check(&self, environment: Option<&str>, cx: &mut Check<'_>) -> Option<LakeFormation> {
        let administrators: Vec<_> = self
            .administrators
            .iter()
            .map(|written| grantee(written, environment, cx).filter(|grantee| administers(grantee, written, cx)))
            .collect();
        let mut granted = HashMap::new();
        let mut grants = Vec::new();
        for (name, spec) in &self.grants.0 {
            let named = cx.name(name, "a grant");
            let grant = spec.as_ref().and_then(|spec| spec.check(name, environment, &mut granted, cx));
            grants.push(named.and(grant));
        }
        self.views(cx);
        Some(LakeFormation {
            administrators: administrators.into_iter().collect::<Option<_>>()?,
            grants: Arena::new(grants.into_iter().collect::<Option<_>>()?),
        })
    }

    /// Warns of views whose tables are not granted. Source: "Considerations and limitations for querying data registered with Lake
    /// Formation" of the Athena user guide.
    fn views(&self, cx: &mut Check<'_>) {
        let mut granted: HashMap<(&str, Id<Table>), Span> = HashMap::new();
        for (_, spec) in &self.grants.0 {
            let Some(spec) = spec else { continue };
            for (table, _) in &spec.tables.0 {
                let Some(id) = cx.find_table(table) else { continue };
                granted.extend(spec.to.iter().map(|to| ((to.as_str(), id), table.span)));
            }
        }
        let mut lacking: Vec<(Span, String, String, String)> = Vec::new();
        for ((to, id), span) in &granted {
            let Some(Some(Table { home: Home::View { reads, .. }, .. })) = cx.tables.get(id.index()) else { continue };
            let name = |id: Id<Table>| cx.blueprint.tables.0[id.index()].0.value.clone();
            let tables = reads.iter().filter(|table| !granted.contains_key(&(*to, **table)));
            lacking.extend(tables.map(|table| (*span, name(*id), name(*table), (*to).to_owned())));
        }
        lacking.sort_unstable();
        for (span, view, table, to) in lacking {
            let message = format!("`{to}` may read the view `{view}`, but not `{table}`, from which it takes its rows");
            cx.push(Diagnostic::warning(span, message).help("Athena asks for both: grant the table, too"));
        }
    }
}

/// Who is given what, and where that is written.
type Granted = HashMap<(Grantee, Id<Table>), Span>;

impl GrantSpec {
    fn check(
        &self,
        name: &Spanned<String>,
        environment: Option<&str>,
        granted: &mut Granted,
        cx: &mut Check<'_>,
    ) -> Option<Grant> {
        if self.to.is_empty() {
            cx.error(name.span, format!("`{}` is granted to nobody", name.value))
                .help("say to whom: `to: role/analyst`");
        }
        if self.tables.0.is_empty() {
            cx.error(name.span, format!("`{}` grants nothing", name.value)).help("name tables: `tables: { orders: }`");
        }
        let to: Vec<_> = self.to.iter().map(|written| grantee(written, environment, cx)).collect();
        let grantable = self.grantable.as_ref().filter(|grantable| grantable.value);
        let mut tables = Vec::new();
        for (table, spec) in &self.tables.0 {
            let Some(id) = cx.table(table) else {
                tables.push(None);
                continue;
            };
            for to in to.iter().flatten() {
                if let Some(first) = granted.insert((to.clone(), id), table.span) {
                    cx.push(
                        Diagnostic::error(table.span, format!("`{}` is granted to the same twice", table.value))
                            .related(first, "granted here, too")
                            .help("when one grant goes, Lake Formation takes back what both gave: write one"),
                    );
                }
            }
            tables.push(spec.as_ref().and_then(|spec| spec.check(table, id, grantable, cx)));
        }
        Some(Grant {
            name: name.value.clone(),
            to: to.into_iter().collect::<Option<_>>()?,
            tables: tables.into_iter().collect::<Option<_>>()?,
            grantable: grantable.is_some(),
        })
    }
}

impl TableGrantSpec {
    /// Sources: "Lake Formation permissions reference", "Data filtering limitations" and "PartiQL support in row filter expressions" of
    /// the Lake Formation developer guide.
    fn check(
        &self,
        name: &Spanned<String>,
        id: Id<Table>,
        grantable: Option<&Spanned<bool>>,
        cx: &mut Check<'_>,
    ) -> Option<TableGrant> {
        let Self { may, columns, except, rows } = self;
        let part = columns.first().or(except.first()).or(rows.as_ref()).map(|part| part.span);
        match cx.tables.get(id.index()).and_then(Option::as_ref).map(|table| &table.home) {
            Some(Home::DynamoDb { .. }) => {
                cx.error(
                    name.span,
                    format!("`{}` is a key-value table, of which Lake Formation knows nothing", name.value),
                )
                .help("IAM says who may use it");
            }
            Some(Home::View { .. }) => {
                if let Some(part) = part {
                    cx.error(part, "of a view, everything is granted or nothing")
                        .help("grant columns and rows of the tables that it reads");
                }
                let only = [PermissionSpec::Select, PermissionSpec::Describe, PermissionSpec::Drop];
                for may in may.iter().filter(|may| !only.contains(&may.value)) {
                    cx.error(may.span, "a view can be selected from, described and dropped, no more");
                }
            }
            Some(Home::Zone { .. }) | None => {}
        }
        if let (Some(first), Some(other)) = (columns.first(), except.first()) {
            cx.push(
                Diagnostic::error(other.span, "either some columns are granted, or all but some")
                    .related(first.span, "these are")
                    .help("keep one of the two"),
            );
        }
        if let Some(part) = part {
            for may in may.iter().filter(|may| may.value != PermissionSpec::Select) {
                cx.push(
                    Diagnostic::error(may.span, "a part of a table can only be selected")
                        .related(part, "the part")
                        .help("leave `may` out, or grant the whole table"),
                );
            }
        }
        if let (Some(grantable), Some(first)) = (grantable, except.first()) {
            cx.push(
                Diagnostic::error(first.span, "what others may grant is a list of columns, not all but some")
                    .related(grantable.span, "grantable here")
                    .help("write them: `columns: […]`"),
            );
        }
        for column in columns.iter().chain(except) {
            if cx.declaration(id, column).is_none() {
                cx.no_column(column.span, column, id);
            }
        }
        crate::check::unique(columns, cx);
        crate::check::unique(except, cx);
        let left_out = |name: &str| except.iter().any(|column| column.value == name);
        if let Some(first) = except.first()
            && cx.written_columns(id).is_some_and(|mut known| known.all(|(name, _)| left_out(&name.value)))
        {
            cx.error(first.span, "all columns are left out, so that nothing is granted").help("leave the table out");
        }
        if let Some(rows) = rows {
            sql::check_filter(rows, id, cx);
        }
        let names = |columns: &[Spanned<String>]| columns.iter().map(|column| column.value.clone()).collect();
        let mut permissions: Vec<PermissionSpec> = Vec::new();
        for may in may {
            if !permissions.contains(&may.value) {
                permissions.push(may.value);
            }
        }
        Some(TableGrant {
            table: id,
            may: if permissions.is_empty() { vec![PermissionSpec::Select] } else { permissions },
            columns: match (columns.as_slice(), except.as_slice()) {
                ([], []) => GrantedColumns::All,
                ([], except) => GrantedColumns::Except(names(except)),
                (columns, _) => GrantedColumns::Only(names(columns)),
            },
            rows: rows.as_ref().map(|rows| rows.value.clone()),
        })
    }
}

/// Only roles and users administer.
fn administers(grantee: &Grantee, written: &Spanned<String>, cx: &mut Check<'_>) -> bool {
    let known = match grantee {
        Grantee::Own(_) => true,
        Grantee::Named(name) => name.contains(":iam::") && (name.contains(":role/") || name.contains(":user/")),
    };
    if !known {
        cx.error(written.span, format!("`{}` is no role and no user", written.value))
            .help("roles and users administer: `role/name`, `user/name`, or the ARN of one");
    }
    known
}

/// Source: the principals in "Lake Formation permissions reference" of the developer guide.
fn grantee(written: &Spanned<String>, environment: Option<&str>, cx: &mut Check<'_>) -> Option<Grantee> {
    let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c))
            && text.len() <= 200
    };
    let text = written.as_str();
    if text.split_once('/').is_some_and(|(kind, rest)| matches!(kind, "role" | "user") && name(rest)) {
        return Some(Grantee::Own(text.to_owned()));
    }
    if digits(text) || text.strip_suffix(":IAMPrincipals").is_some_and(digits) {
        return Some(Grantee::Named(text.to_owned()));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let known = match parts.as_slice() {
        ["arn", _, "iam", "", account, resource] if digits(account) => ["role/", "user/", "saml-provider/"]
            .iter()
            .any(|kind| resource.len() > kind.len() && resource.starts_with(kind)),
        ["arn", _, "organizations", "", account, resource] if digits(account) => {
            resource.starts_with("organization/o-") || resource.starts_with("ou/o-")
        }
        ["arn", _, "identitystore", "", _, resource] => resource.starts_with("user/") || resource.starts_with("group/"),
        ["arn", _, "quicksight", _, account, resource] if digits(account) => {
            resource.starts_with("user/") || resource.starts_with("group/")
        }
        _ => false,
    };
    if !known || text.len() > 255 {
        cx.error(written.span, format!("`{text}` is nobody whom Lake Formation knows")).help(
            "write `role/name`, `user/name`, an account's twelve digits, or the ARN of a role, a user, a SAML or Identity Center user \
             or group, an organization",
        );
        return None;
    }
    for (name, spec) in &cx.blueprint.environments.0 {
        let Some(spec) = spec else { continue };
        let here = environment.map_or(spec.set.is_none(), |only| only == name.value);
        let partition = Partition::of(&spec.region).id();
        if here && region::is_known(&spec.region) && parts.get(1) != Some(&partition) {
            cx.error(written.span, format!("`{text}` is not of the partition `{partition}`"))
                .related(spec.region.span, "the region that says so")
                .help("`role/name` and `user/name` are right in every partition; or `set` it in this environment");
        }
    }
    Some(Grantee::Named(text.to_owned()))
}
