//! Lake Formation: the zones as its places, and who may do what with the tables.
//!
//! The settings of an account are left alone, but for administrators that the blueprint adds: the lake's own database says of itself that
//! new tables are not everyone's whom IAM allows. What goes through the catalog needs permission: crawlers, queries, visual jobs, rules,
//! datasets of the catalog. What reads and writes files by its own role (scripts, other recipes and profiles, training, functions) is held
//! by IAM alone, as before.

use super::Context;
use super::grant;
use super::names::{Kind, bucket_arn};
use super::table::Catalog;
use crate::assembly::StackTemplate;
use crate::cfn::iam::{Action, Principal, Role, Statement, Unscoped};
use crate::cfn::kms::Key;
use crate::cfn::lakeformation::{
    ColumnWildcard, DataCellsFilter, DataCellsFilterResource, DataLakePrincipal, DataLakeSettings,
    DataLocationResource, DatabaseResource, Granted, Location, Permission, PrincipalPermissions, RowFilter,
    TableResource, TableWithColumnsResource,
};
use crate::cfn::s3::Bucket;
use crate::cfn::{Arn, Declaration, Ref, Retention, Text, Value, pseudo, sub};
use crate::lake::{self, Grant, GrantedColumns, Grantee, Home, Id, Table, TableGrant, Zone};

/// What reading a table takes.
pub(super) const READ: &[Permission] = &[Permission::Select, Permission::Describe];
/// What keeping its partitions takes.
pub(super) const KEEP: &[Permission] = &[Permission::Select, Permission::Describe, Permission::Alter];
/// What adding rows takes; new partitions, and new files of an Iceberg table, are changes of the table.
pub(super) const APPEND: &[Permission] =
    &[Permission::Select, Permission::Describe, Permission::Insert, Permission::Alter];
/// What adding and replacing rows takes.
pub(super) const MERGE: &[Permission] =
    &[Permission::Select, Permission::Describe, Permission::Insert, Permission::Delete, Permission::Alter];

/// Adds the administrators, and the role with which Lake Formation reads and writes the zones.
pub(super) fn lower_shared(cx: &Context, stack: &mut StackTemplate, key: &Value<Arn<Key>>) -> Option<Value<Arn<Role>>> {
    let permissions = cx.lake.lake_formation.as_ref()?;
    if !permissions.administrators.is_empty() {
        let settings = DataLakeSettings {
            administrators: permissions.administrators.iter().map(principal).collect(),
            mutation: "APPEND",
        };
        // They are the account's: another lake may rely on them when this one goes.
        let settings = Declaration::from(settings).retention(Retention::Retain);
        stack.template.add(Kind::DataLakeSettings.fixed(), settings);
    }
    let buckets: Vec<_> = cx.lake.zones.values().map(|zone| bucket_arn(&cx.names.zone_bucket(zone))).collect();
    let objects: Vec<_> = buckets.iter().map(|bucket| sub![bucket, "/*"]).collect();
    let actions = [
        Action::S3_GET_OBJECT,
        Action::S3_PUT_OBJECT,
        Action::S3_DELETE_OBJECT,
        Action::S3_ABORT_MULTIPART_UPLOAD,
        Action::S3_LIST_MULTIPART_UPLOAD_PARTS,
    ];
    let mut statements =
        vec![Statement::allow("UseKey", [Action::KMS_DECRYPT, Action::KMS_GENERATE_DATA_KEY], [key.pattern()])];
    statements.extend(grant::allow("UseObjects", &actions, objects));
    let buckets = buckets.iter().map(Value::pattern).collect();
    statements.extend(grant::allow("UseBuckets", &[Action::S3_LIST_BUCKET, Action::S3_GET_BUCKET_LOCATION], buckets));
    // Source: "Requirements for roles used to register locations" of the Lake Formation developer guide.
    let trust = Statement::assume(Principal::Service("lakeformation.amazonaws.com"));
    let description = "What Lake Formation lends to those whom it lets read and write";
    let (id, name) = (Kind::LocationRole.fixed(), cx.names.location_role());
    Some(grant::add_role(cx, stack, id, &name, description, trust, statements).arn())
}

/// Registers the bucket of a zone, for `role`.
pub(super) fn register(stack: &mut StackTemplate, bucket: &Ref<Bucket>, zone: &str, role: Value<Arn<Role>>) {
    let location = Location { place: bucket.arn(), role, service_linked: false };
    stack.template.add(Kind::ZoneLocation.of(zone), location);
}

/// What a role needs that Lake Formation gives credentials to.
pub(super) fn access(cx: &Context) -> Option<Statement> {
    let access = || Statement::unscoped("GetDataAccess", [Unscoped::LAKEFORMATION_GET_DATA_ACCESS]);
    cx.lake.lake_formation.as_ref().map(|_| access())
}

/// What a step does by the catalog.
#[derive(Default)]
pub(super) struct Uses<'a> {
    /// Tables, and what it does with them.
    pub(super) tables: Vec<(&'a [Id<Table>], &'static [Permission])>,
    /// Zones in which it makes partitions or tables.
    pub(super) locations: Vec<Id<Zone>>,
    /// Whether it makes tables.
    pub(super) creates: bool,
}

/// Permits a step's role what it does by the catalog; the answer is for what must come after that.
pub(super) fn permit(
    cx: &Context,
    stack: &mut StackTemplate,
    catalog: &Catalog,
    role: &Ref<Role>,
    uses: Uses,
) -> Vec<Ref<PrincipalPermissions>> {
    if cx.lake.lake_formation.is_none() {
        return Vec::new();
    }
    let Uses { tables, mut locations, creates } = uses;
    let mut permitted: Vec<(Id<Table>, Vec<Permission>)> = Vec::new();
    for (ids, permissions) in tables {
        for id in ids.iter().filter(|id| !matches!(cx.lake.tables[**id].home, Home::DynamoDb { .. })) {
            let at = permitted.iter().position(|(known, _)| known == id).unwrap_or_else(|| {
                permitted.push((*id, Vec::new()));
                permitted.len() - 1
            });
            // A view can be read, and no more.
            let view = matches!(cx.lake.tables[*id].home, Home::View { .. });
            let permissions = permissions.iter().filter(|one| !view || READ.contains(one));
            for permission in permissions {
                if !permitted[at].1.contains(permission) {
                    permitted[at].1.push(*permission);
                }
            }
        }
    }
    if permitted.is_empty() && !creates {
        return Vec::new();
    }
    let to = || DataLakePrincipal { identifier: role.arn().text() };
    let mut added = Vec::new();
    let mut add = |what: &str, resource: Granted, permissions: Vec<Permission>| {
        let id = Kind::CatalogGrant.digested(&format!("{} {what}", role.id()));
        added.push(stack.template.add(id, permissions_of(to(), resource, permissions, false)));
    };
    let on_database =
        if creates { vec![Permission::Describe, Permission::CreateTable] } else { vec![Permission::Describe] };
    add("database", database(catalog), on_database);
    for (id, permissions) in permitted {
        add(&format!("table {}", cx.lake.tables[id].name), whole(cx, catalog, id), permissions);
    }
    locations.sort_unstable();
    locations.dedup();
    for zone in locations {
        let zone = &cx.lake.zones[zone];
        let place = bucket_arn(&cx.names.zone_bucket(zone)).pattern();
        let location = DataLocationResource { catalog: pseudo::account(), place };
        let resource = Granted { location: Some(location), ..Granted::NOTHING };
        add(&format!("zone {}", zone.name), resource, vec![Permission::DataLocationAccess]);
    }
    added
}

/// The zones in which tables lie.
pub(super) fn zones(cx: &Context, tables: &[Id<Table>]) -> Vec<Id<Zone>> {
    let zone = |id: &Id<Table>| match cx.lake.tables[*id].home {
        Home::Zone { zone, format: _ } => Some(zone),
        Home::DynamoDb { .. } | Home::View { .. } => None,
    };
    tables.iter().filter_map(zone).collect()
}

/// Lets everyone to whom tables are granted see the database.
pub(super) fn lower_grantees(cx: &Context, stack: &mut StackTemplate, catalog: &Catalog) {
    for grantee in cx.lake.lake_formation.iter().flat_map(lake::LakeFormation::grantees) {
        let id = Kind::CatalogGrant.digested(&format!("{} database", written(grantee)));
        let permission = permissions_of(principal(grantee), database(catalog), vec![Permission::Describe], false);
        stack.template.add(id, permission);
    }
}

/// Adds what is granted to others than steps.
pub(super) fn lower_grant(cx: &Context, stack: &mut StackTemplate, catalog: &Catalog, id: Id<Grant>) {
    let Some(Grant { name, to, tables, grantable }) = cx.lake.grant(id) else { return };
    for TableGrant { table, may, columns, rows } in tables {
        let table_name = &cx.lake.tables[*table].name;
        let filter = rows.as_ref().map(|rows| {
            let filter = DataCellsFilter {
                catalog: pseudo::account(),
                database: catalog.database.clone(),
                table: catalog.name(cx, *table),
                name: name.clone(),
                rows: RowFilter { expression: rows.clone() },
                columns: only(columns),
                except: wildcard(columns),
            };
            stack.template.add(Kind::DataFilter.digested(&format!("{name} {table_name}")), filter)
        });
        for grantee in to {
            let resource = match (&filter, columns) {
                (Some(_), _) => Granted {
                    filter: Some(DataCellsFilterResource {
                        catalog: pseudo::account(),
                        database: catalog.database.clone(),
                        table: catalog.name(cx, *table),
                        name: name.clone(),
                    }),
                    ..Granted::NOTHING
                },
                (None, GrantedColumns::All) => whole(cx, catalog, *table),
                (None, columns) => Granted {
                    columns: Some(TableWithColumnsResource {
                        catalog: pseudo::account(),
                        database: catalog.database.clone(),
                        name: catalog.name(cx, *table),
                        columns: only(columns),
                        except: wildcard(columns),
                    }),
                    ..Granted::NOTHING
                },
            };
            let permissions = may.iter().map(|may| permission(*may)).collect();
            let declaration = Declaration::from(permissions_of(principal(grantee), resource, permissions, *grantable));
            let declaration = match &filter {
                Some(filter) => declaration.after(filter),
                None => declaration,
            };
            let id = Kind::CatalogGrant.digested(&format!("{} {name} {table_name}", written(grantee)));
            stack.template.add(id, declaration);
        }
    }
}

fn permissions_of(
    principal: DataLakePrincipal,
    resource: Granted,
    permissions: Vec<Permission>,
    grantable: bool,
) -> PrincipalPermissions {
    let grantable = if grantable { permissions.clone() } else { Vec::new() };
    PrincipalPermissions { catalog: pseudo::account(), principal, resource, permissions, grantable }
}

fn database(catalog: &Catalog) -> Granted {
    let database = DatabaseResource { catalog: pseudo::account(), name: catalog.database.clone() };
    Granted { database: Some(database), ..Granted::NOTHING }
}

fn whole(cx: &Context, catalog: &Catalog, table: Id<Table>) -> Granted {
    let table =
        TableResource { catalog: pseudo::account(), database: catalog.database.clone(), name: catalog.name(cx, table) };
    Granted { table: Some(table), ..Granted::NOTHING }
}

fn only(columns: &GrantedColumns) -> Option<Vec<String>> {
    match columns {
        GrantedColumns::Only(columns) => Some(columns.clone()),
        GrantedColumns::All | GrantedColumns::Except(_) => None,
    }
}

fn wildcard(columns: &GrantedColumns) -> Option<ColumnWildcard> {
    match columns {
        GrantedColumns::All => Some(ColumnWildcard { excluded: None }),
        GrantedColumns::Except(columns) => Some(ColumnWildcard { excluded: Some(columns.clone()) }),
        GrantedColumns::Only(_) => None,
    }
}

fn principal(grantee: &Grantee) -> DataLakePrincipal {
    let identifier = match grantee {
        Grantee::Own(name) => sub!["arn:", pseudo::partition(), ":iam::", pseudo::account(), ":", name],
        Grantee::Named(name) => Value::<Text>::literal(name.clone()),
    };
    DataLakePrincipal { identifier }
}

fn written(grantee: &Grantee) -> &str {
    match grantee {
        Grantee::Own(name) | Grantee::Named(name) => name,
    }
}

fn permission(may: lake::Permission) -> Permission {
    match may {
        lake::Permission::Select => Permission::Select,
        lake::Permission::Describe => Permission::Describe,
        lake::Permission::Insert => Permission::Insert,
        lake::Permission::Delete => Permission::Delete,
        lake::Permission::Alter => Permission::Alter,
        lake::Permission::Drop => Permission::Drop,
    }
}
