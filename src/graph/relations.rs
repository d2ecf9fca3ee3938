//! From the lake to its relational model.

use std::collections::{BTreeSet, HashMap};

use super::lineage::home_name;
use super::{Attribute, Entity, Relations};
use crate::lake::{Home, Lake};

/// Every table with its key, its references, and the columns that others refer to.
#[must_use]
pub fn relations(lake: &Lake) -> Relations {
    let targets: BTreeSet<(usize, usize)> = lake
        .tables
        .values()
        .flat_map(|table| &table.columns)
        .filter_map(|column| column.references.map(|(table, column)| (table.index(), column)))
        .collect();
    let mut shown: HashMap<(usize, usize), usize> = HashMap::new();
    let mut kept: Vec<Vec<usize>> = Vec::with_capacity(lake.tables.len());
    for (id, table) in lake.tables.iter() {
        let key = dynamodb_key(&table.home);
        let related = |(at, _): &(usize, &crate::lake::Column)| {
            let column = &table.columns[*at];
            column.primary_key
                || column.references.is_some()
                || key == Some(*at)
                || targets.contains(&(id.index(), *at))
        };
        let columns: Vec<usize> = table.columns.iter().enumerate().filter(related).map(|(at, _)| at).collect();
        shown.extend(columns.iter().enumerate().map(|(position, at)| ((id.index(), *at), position)));
        kept.push(columns);
    }
    let tables = lake.tables.values().zip(kept).map(|(table, kept)| {
        let key = dynamodb_key(&table.home);
        let columns = kept.iter().map(|at| {
            let column = &table.columns[*at];
            let place = |(table, column): (crate::lake::Id<_>, usize)| {
                Some((table.index(), *shown.get(&(table.index(), column))?))
            };
            Attribute {
                name: column.name.clone(),
                ty: column.ty.to_string(),
                key: column.primary_key || key == Some(*at),
                references: column.references.and_then(place),
            }
        });
        Entity {
            name: table.name.clone(),
            zone: match &table.home {
                Home::Zone { zone, .. } => Some(zone.index()),
                Home::DynamoDb { .. } | Home::View { .. } => None,
            },
            format: home_name(table),
            columns: columns.collect(),
            more: table.columns.len() + table.partitions.len() - kept.len(),
        }
    });
    Relations {
        title: lake.name.clone(),
        description: lake.description.clone(),
        zones: lake.zones.values().map(|zone| zone.name.clone()).collect(),
        tables: tables.collect(),
    }
}

fn dynamodb_key(home: &Home) -> Option<usize> {
    match home {
        Home::DynamoDb { key } => Some(*key),
        Home::Zone { .. } | Home::View { .. } => None,
    }
}
