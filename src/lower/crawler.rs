//! Crawlers.
//!
//! Where tables are declared, a crawler's targets are the catalog's tables and not paths: it then makes no tables, merges none
//! and leaves their schemas alone unless it is told otherwise (differences go to its log), and does what is left, adding
//! partitions. Where it discovers tables, their names begin with its own, so that they meet no declared one, and it may touch
//! no others.

use super::classifier::Classifiers;
use super::grant::{self, Grant, Items};
use super::lake_formation::Uses;
use super::names::{Kind, arn, database_arn};
use super::table::Catalog;
use super::{Context, Shared, lake_formation, logs};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{self, CatalogTarget, CrawlerTargets, RecrawlPolicy, S3Target, Schedule, SchemaChangePolicy};
use crate::cfn::iam::{Action, Principal, Statement, Unscoped};
use crate::cfn::{Arn, ArnPattern, TagMap, Value, sub};
use crate::kind::crawler::{Grouping, Place};
use crate::lake::{Changes, Crawler, Id, Recrawl, Removals, Table};

pub(super) fn lower(
    cx: &Context,
    stack: &mut StackTemplate,
    shared: &Shared,
    catalog: &Catalog,
    classifiers: &Classifiers,
    crawler: &Crawler,
) {
    let Crawler { name, reads, discovers, grouping, classifiers: own, schedule, changes, removals, recrawl } = crawler;
    let role_name = cx.names.role("crawler", name);
    let group = logs::name(format!("/aws-glue/crawlers-role/{role_name}-{}", shared.security_name));
    logs::add(cx, stack, Kind::CrawlerLogs.of(name), &group, &shared.key);
    let prefix = (!discovers.is_empty()).then(|| format!("{name}_"));

    let mut grant = Grant::default().read(cx, reads, Items::Scan);
    for place in discovers {
        grant = grant.read_place(&files(cx, place));
    }
    let statements = grant
        .and(keep_catalog(cx, reads, prefix.as_deref(), removals))
        .and([Statement::unscoped("ReadSecurity", [Unscoped::GLUE_GET_SECURITY_CONFIGURATION])])
        .and([grant::write_logs([&group]), grant::encrypt_logs([&group]), grant::use_key_for_logs(&shared.key)])
        .and(lake_formation::access(cx))
        .statements(&shared.key);
    let description = format!("What the crawler {name} may do");
    let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
    let role = grant::add_role(cx, stack, Kind::CrawlerRole.of(name), &role_name, &description, trust, statements);
    let discovered = discovers.iter().map(|place| place.zone);
    let uses = Uses {
        tables: vec![(reads, lake_formation::KEEP)],
        locations: lake_formation::zones(cx, reads).into_iter().chain(discovered).collect(),
        creates: !discovers.is_empty(),
    };
    lake_formation::permit(cx, stack, catalog, &role, uses);

    let targets = if discovers.is_empty() {
        let tables = catalog.names(cx, reads);
        CrawlerTargets { catalog: Some(vec![CatalogTarget { database: catalog.database.clone(), tables }]), s3: None }
    } else {
        let target = |place: &Place| S3Target {
            path: files(cx, place).uri(),
            exclusions: (!place.exclude.is_empty()).then(|| place.exclude.clone()),
            sample_size: place.sample,
        };
        CrawlerTargets { catalog: None, s3: Some(discovers.iter().map(target).collect()) }
    };
    let own: Vec<_> = own.iter().map(|id| classifiers.name(*id)).collect();
    let crawler = glue::Crawler {
        name: Value::literal(cx.names.plain(&[name], 255)),
        description: match prefix {
            Some(_) => "Finds tables that nobody declared".into(),
            None => format!("Keeps the partitions of {}", names(cx, reads)),
        },
        role: role.arn(),
        database: prefix.as_ref().map(|_| catalog.database.clone()),
        configuration: configuration(!discovers.is_empty(), grouping, changes),
        prefix,
        targets,
        classifiers: (!own.is_empty()).then_some(own),
        schedule: schedule.clone().map(|expression| Schedule { expression }),
        schema_changes: SchemaChangePolicy {
            update: match changes {
                Changes::Log => "LOG",
                Changes::AddColumns | Changes::Update => "UPDATE_IN_DATABASE",
            },
            delete: match removals {
                Removals::Log => "LOG",
                Removals::Deprecate => "DEPRECATE_IN_DATABASE",
                Removals::Delete => "DELETE_FROM_DATABASE",
            },
        },
        recrawl: RecrawlPolicy {
            behavior: match recrawl {
                Recrawl::Everything => "CRAWL_EVERYTHING",
                Recrawl::NewFolders => "CRAWL_NEW_FOLDERS_ONLY",
            },
        },
        security: shared.security.clone(),
        tags: TagMap(cx.tag_list()),
    };
    stack.template.add(Kind::GlueCrawler.of(name), crawler);
}

/// What keeping the catalog takes: of the declared tables, or of all whose names begin with `prefix`.
fn keep_catalog(cx: &Context, reads: &[Id<Table>], prefix: Option<&str>, removals: &Removals) -> Vec<Statement> {
    let mut actions = vec![
        Action::GLUE_GET_DATABASE,
        Action::GLUE_GET_TABLE,
        Action::GLUE_GET_TABLES,
        Action::GLUE_UPDATE_TABLE,
        Action::GLUE_GET_PARTITION,
        Action::GLUE_GET_PARTITIONS,
        Action::GLUE_BATCH_GET_PARTITION,
        Action::GLUE_BATCH_CREATE_PARTITION,
        Action::GLUE_BATCH_UPDATE_PARTITION,
        Action::GLUE_CREATE_PARTITION,
        Action::GLUE_UPDATE_PARTITION,
    ];
    let mut arns = catalog_arns(cx, reads);
    if let Some(prefix) = prefix {
        actions.push(Action::GLUE_CREATE_TABLE);
        if *removals == Removals::Delete {
            actions.extend([Action::GLUE_DELETE_TABLE, Action::GLUE_BATCH_DELETE_PARTITION]);
        }
        let tables: Value<Arn<glue::Table>> = arn("glue", sub!["table/", cx.names.database(), "/", prefix, "*"]);
        arns.push(tables.pattern());
    }
    grant::allow("KeepCatalog", &actions, arns)
}

/// The files of a place.
fn files(cx: &Context, place: &Place) -> super::Place {
    let zone = &cx.lake.zones[place.zone];
    super::Place { bucket: cx.names.zone_bucket(zone), zone: zone.name.clone(), prefix: place.path.clone() }
}

/// Source: "Setting crawler configuration options" of the Glue guide. Crawlers of declared tables group compatible schemas, always.
fn configuration(discovers: bool, grouping: &Grouping, changes: &Changes) -> String {
    let Grouping { compatible, level, max_tables } = grouping;
    let mut tables = Vec::new();
    if *changes == Changes::AddColumns {
        tables.push(r#""AddOrUpdateBehavior":"MergeNewColumns""#.to_owned());
    }
    tables.extend(max_tables.map(|most| format!(r#""TableThreshold":{most}"#)));
    let mut output = vec![r#""Partitions":{"AddOrUpdateBehavior":"InheritFromTable"}"#.to_owned()];
    if !tables.is_empty() {
        output.push(format!(r#""Tables":{{{}}}"#, tables.join(",")));
    }
    let mut all = vec![r#""Version":1.0"#.to_owned(), format!(r#""CrawlerOutput":{{{}}}"#, output.join(","))];
    let mut groups = Vec::new();
    if *compatible || !discovers {
        groups.push(r#""TableGroupingPolicy":"CombineCompatibleSchemas""#.to_owned());
    }
    groups.extend(level.map(|level| format!(r#""TableLevelConfiguration":{level}"#)));
    if !groups.is_empty() {
        all.push(format!(r#""Grouping":{{{}}}"#, groups.join(",")));
    }
    format!("{{{}}}", all.join(","))
}

/// Names of tables for people.
pub(super) fn names(cx: &Context, tables: &[Id<Table>]) -> String {
    let names: Vec<_> = tables.iter().map(|table| cx.lake.tables[*table].name.as_str()).collect();
    let mut text = names.join(", ");
    if text.len() > 200 {
        text = format!("{} tables", tables.len());
    }
    text
}

/// The catalog, its database and some tables, as a policy's resources.
pub(super) fn catalog_arns(cx: &Context, tables: &[Id<Table>]) -> Vec<Value<ArnPattern>> {
    let database = cx.names.database();
    let root: Value<Arn<glue::Database>> = arn("glue", Value::literal("catalog"));
    let mut arns = vec![root.pattern(), database_arn(&database).pattern()];
    arns.extend(tables.iter().map(|table| {
        let table: Value<Arn<glue::Table>> = arn("glue", sub!["table/", &database, "/", &cx.lake.tables[*table].name]);
        table.pattern()
    }));
    arns
}
