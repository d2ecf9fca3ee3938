//! What keeps Iceberg tables in order: Glue's optimizers, with one role for those of a table.

use super::crawler::catalog_arns;
use super::grant::{self, Grant};
use super::lake_formation::{self, Uses};
use super::names::Kind;
use super::table::Catalog;
use super::{Context, Shared};
use crate::assembly::StackTemplate;
use crate::cfn::glue::{
    CompactionConfiguration, IcebergCompaction, IcebergOrphans, IcebergRetention, OrphanFileDeletionConfiguration,
    RetentionConfiguration, TableOptimizer, TableOptimizerConfiguration,
};
use crate::cfn::iam::{Action, Principal, Statement};
use crate::cfn::logs::{LogGroup, group_arn};
use crate::cfn::{Declaration, Name, Value, pseudo, sub};
use crate::lake::{Format, Home, Iceberg, Id, Table};

/// What each kind of optimizer logs into: groups of the whole account, which Glue makes.
const LOGS: [&str; 3] = ["iceberg-compaction", "iceberg-retention", "iceberg-orphan-file-deletion"];

/// Adds the optimizers of a table that has some.
///
/// Source: "Table optimization prerequisites" of the Glue developer guide.
pub(super) fn lower(cx: &Context, stack: &mut StackTemplate, shared: &Shared, catalog: &Catalog, id: Id<Table>) {
    let table = &cx.lake.tables[id];
    let Home::Zone { format: Format::Iceberg(iceberg), .. } = &table.home else { return };
    if !iceberg.optimized() {
        return;
    }
    let Iceberg { partition: _, compaction, retention, orphan_file_deletion } = iceberg;
    let logs = LOGS.map(|name| {
        let group: Value<Name<LogGroup>> = Value::literal(format!("/aws-glue/{name}/logs"));
        sub![group_arn(&group), ":*"]
    });
    let log = [Action::LOGS_CREATE_LOG_GROUP, Action::LOGS_CREATE_LOG_STREAM, Action::LOGS_PUT_LOG_EVENTS];
    let keep = [Action::GLUE_GET_TABLE, Action::GLUE_UPDATE_TABLE];
    let statements = Grant::default()
        .write(cx, &[id])
        .and(grant::allow("KeepTable", &keep, catalog_arns(cx, &[id])))
        .and([Statement::allow("WriteLogs", log, logs)])
        .and(lake_formation::access(cx))
        .statements(&shared.key);
    let name = &table.name;
    let description = format!("What keeping {name} in order may do");
    let trust = Statement::assume(Principal::Service("glue.amazonaws.com"));
    let role_name = cx.names.role("optimizer", name);
    let role = grant::add_role(cx, stack, Kind::OptimizerRole.of(name), &role_name, &description, trust, statements);
    let own = [id];
    let uses = Uses {
        tables: vec![(&own[..], lake_formation::MERGE)],
        locations: lake_formation::zones(cx, &own),
        creates: false,
    };
    let permissions = lake_formation::permit(cx, stack, catalog, &role, uses);

    let nothing = || TableOptimizerConfiguration {
        role: role.arn(),
        enabled: true,
        compaction: None,
        retention: None,
        orphans: None,
    };
    let mut add = |kind: &'static str, configuration: TableOptimizerConfiguration| {
        let optimizer = TableOptimizer {
            catalog: pseudo::account(),
            database: catalog.database.clone(),
            table: catalog.name(cx, id),
            kind,
            configuration,
        };
        let optimizer = permissions.iter().fold(Declaration::from(optimizer), Declaration::after);
        stack.template.add(Kind::TableOptimizer.digested(&format!("{name} {kind}")), optimizer);
    };
    if let Some((min_files, min_deletes)) = *compaction {
        let iceberg = IcebergCompaction { strategy: "binpack", min_files, min_deletes };
        add(
            "compaction",
            TableOptimizerConfiguration { compaction: Some(CompactionConfiguration { iceberg }), ..nothing() },
        );
    }
    if let Some((days, number)) = *retention {
        let iceberg = IcebergRetention { days, number, files: true };
        add(
            "retention",
            TableOptimizerConfiguration { retention: Some(RetentionConfiguration { iceberg }), ..nothing() },
        );
    }
    if let Some(days) = *orphan_file_deletion {
        let orphans = Some(OrphanFileDeletionConfiguration { iceberg: IcebergOrphans { days } });
        add("orphan_file_deletion", TableOptimizerConfiguration { orphans, ..nothing() });
    }
}
