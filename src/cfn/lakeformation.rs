//! Lake Formation: who may do what with the tables of the catalog.

use super::glue::{Database, Table};
use super::iam::Role;
use super::s3::Bucket;
use super::shape::{choice, resource, shape};
use super::value::{Arn, ArnPattern, Name, Text, Value};

shape! {
    /// Someone to whom permissions are given.
    DataLakePrincipal { identifier: Value<Text> = "DataLakePrincipalIdentifier" }
}

resource! {
    /// What Lake Formation is in an account. There is one, so what is said of it is added to what it is.
    "AWS::LakeFormation::DataLakeSettings" DataLakeSettings {
        administrators: Vec<DataLakePrincipal> = "Admins",
        mutation: &'static str = "MutationType",
    }
}

resource! {
    /// A place in S3 for which Lake Formation gives out credentials.
    "AWS::LakeFormation::Resource" Location {
        place: Value<Arn<Bucket>> = "ResourceArn",
        role: Value<Arn<Role>> = "RoleArn",
        service_linked: bool = "UseServiceLinkedRole",
    }
}

resource! {
    /// Some columns of some rows of a table.
    "AWS::LakeFormation::DataCellsFilter" DataCellsFilter {
        catalog: Value<Text> = "TableCatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        table: Value<Name<Table>> = "TableName",
        name: String = "Name",
        rows: RowFilter = "RowFilter",
        columns: Option<Vec<String>> = "ColumnNames",
        except: Option<ColumnWildcard> = "ColumnWildcard",
    }
}

shape! {
    /// Which rows.
    RowFilter { expression: String = "FilterExpression" }
}

shape! {
    /// All columns, but for some.
    ColumnWildcard { excluded: Option<Vec<String>> = "ExcludedColumnNames" }
}

choice! {
    /// What may be done.
    Permission {
        Select = "SELECT",
        Describe = "DESCRIBE",
        Insert = "INSERT",
        Delete = "DELETE",
        Alter = "ALTER",
        Drop = "DROP",
        CreateTable = "CREATE_TABLE",
        DataLocationAccess = "DATA_LOCATION_ACCESS",
    }
}

resource! {
    /// What one principal may do with one thing; another thing, principal or permission makes another resource.
    "AWS::LakeFormation::PrincipalPermissions" PrincipalPermissions {
        catalog: Value<Text> = "Catalog",
        principal: DataLakePrincipal = "Principal",
        resource: Granted = "Resource",
        permissions: Vec<Permission> = "Permissions",
        grantable: Vec<Permission> = "PermissionsWithGrantOption",
    }
}

shape! {
    /// What a permission is about; one of these is set.
    Granted {
        database: Option<DatabaseResource> = "Database",
        table: Option<TableResource> = "Table",
        columns: Option<TableWithColumnsResource> = "TableWithColumns",
        filter: Option<DataCellsFilterResource> = "DataCellsFilter",
        location: Option<DataLocationResource> = "DataLocation",
    }
}

impl Granted {
    /// Nothing yet.
    pub const NOTHING: Self = Self { database: None, table: None, columns: None, filter: None, location: None };
}

shape! {
    /// A database.
    DatabaseResource {
        catalog: Value<Text> = "CatalogId",
        name: Value<Name<Database>> = "Name",
    }
}

shape! {
    /// A whole table.
    TableResource {
        catalog: Value<Text> = "CatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        name: Value<Name<Table>> = "Name",
    }
}

shape! {
    /// Some columns of a table.
    TableWithColumnsResource {
        catalog: Value<Text> = "CatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        name: Value<Name<Table>> = "Name",
        columns: Option<Vec<String>> = "ColumnNames",
        except: Option<ColumnWildcard> = "ColumnWildcard",
    }
}

shape! {
    /// What a filter lets through.
    DataCellsFilterResource {
        catalog: Value<Text> = "TableCatalogId",
        database: Value<Name<Database>> = "DatabaseName",
        table: Value<Name<Table>> = "TableName",
        name: String = "Name",
    }
}

shape! {
    /// A place in S3 that is registered.
    DataLocationResource {
        catalog: Value<Text> = "CatalogId",
        place: Value<ArnPattern> = "ResourceArn",
    }
}
