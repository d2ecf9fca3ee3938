//! Crawlers.
//!
//! The tables are declared, so a crawler's targets are the catalog's tables and not paths: it then makes no tables, merges
//! none and leaves their schemas alone (differences go to its log), and does what is left, adding partitions.

use super::grant::{self, Grant, Items};
use super::names::{Kind, arn, database_arn};
use super::table::Catalog;
use super::{Context, Shared, logs};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{self, CatalogTarget, CrawlerTargets, RecrawlPolicy, SchemaChangePolicy};
use crate::cfn::iam::{Action, Principal, Statement, Unscoped};
use crate::cfn::{Arn, ArnPattern, TagMap, Value, sub};
use crate::lake::{Crawler, Id, Table};

const CONFIGURATION: &str = r#"{"Version":1.0,"CrawlerOutput":{"Partitions":{"AddOrUpdateBehavior":"InheritFromTable"}},"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}"#;

pub(super) fn lower(cx: &Context, stack: &mut StackTemplate, shared: &Shared, catalog: &Catalog, crawler: &Crawler) {
    let Crawler { name, reads } = crawler;
    let role_name = cx.names.role("crawler", name);
    let group = logs::name(format!("/aws-glue/crawlers-role/{role_name}-{}", shared.security_name));
    logs::add(cx, stack, Kind::CrawlerLogs.of(name), &group, &shared.key);

    let statements = Grant::default()
        .read(cx, reads, Items::Scan)
        .and(grant::allow(
            "KeepCatalog",
            &[
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
            ],
            catalog_arns(cx, reads),
        ))
        .and([Statement::unscoped("ReadSecurity", [Unscoped::GLUE_GET_SECURITY_CONFIGURATION])])
        .and([grant::write_logs([&group])])
        .and([grant::encrypt_logs([&group])])
        .statements(&shared.key);
    let description = format!("What the crawler {name} may do");
    let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
    let role = grant::add_role(cx, stack, Kind::CrawlerRole.of(name), &role_name, &description, trust, statements);

    let crawler = glue::Crawler {
        name: Value::literal(cx.names.plain(&[name], 255)),
        description: format!("Keeps the partitions of {}", names(cx, reads)),
        role: role.arn(),
        targets: CrawlerTargets {
            catalog: vec![CatalogTarget {
                database: catalog.database.name(),
                tables: catalog.tables(reads).into_iter().map(|table| table.name()).collect(),
            }],
        },
        // With tables of the catalog as targets, `LOG` is the only thing to do about what is gone.
        schema_changes: SchemaChangePolicy { update: "LOG", delete: "LOG" },
        recrawl: RecrawlPolicy { behavior: "CRAWL_EVERYTHING" },
        configuration: CONFIGURATION,
        security: shared.security.name(),
        tags: TagMap(cx.tag_list()),
    };
    stack.template.add(Kind::GlueCrawler.of(name), crawler);
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
