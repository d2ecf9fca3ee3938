//! Visual jobs: a graph of nodes, from which the PySpark script and Glue Studio's nodes are made.
//!
//! A node's SQL is written once and used in both, so that what runs is what is seen.

mod check;
mod script;
mod sql;

use crate::lake::{ColumnType, Id, Table};

pub(crate) use check::check;
pub use script::script;
pub use sql::{identifier, select};

/// A checked graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The nodes, each behind those that it reads.
    pub nodes: Vec<Node>,
}

/// A node of a [`Graph`].
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, also that of its variable in the script.
    pub name: String,
    /// What it does.
    pub operation: Operation,
    /// The columns that it gives, in order.
    pub columns: Vec<NodeColumn>,
}

/// A column on its way through a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
}

/// What a node does; other nodes are meant by their positions.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Reads a table.
    Source(Id<Table>),
    /// Keeps the rows for which an expression is true.
    Filter {
        /// The node.
        from: usize,
        /// The expression.
        condition: String,
    },
    /// Puts rows side by side.
    Join {
        /// The one node.
        left: usize,
        /// The other.
        right: usize,
        /// Columns of both.
        on: Vec<String>,
        /// Which rows stay.
        how: How,
    },
    /// Makes one row of each group.
    Aggregate {
        /// The node.
        from: usize,
        /// What makes a group.
        by: Vec<String>,
        /// The other columns: name and expression.
        columns: Vec<(String, String)>,
    },
    /// Renames, casts and leaves out columns.
    Mapping {
        /// The node.
        from: usize,
        /// New name, old name, and the type that it becomes.
        columns: Vec<(String, String, Option<ColumnType>)>,
    },
    /// Keeps some columns.
    Select {
        /// The node.
        from: usize,
    },
    /// Leaves some columns out.
    Drop {
        /// The node.
        from: usize,
        /// Which.
        columns: Vec<String>,
    },
    /// Keeps one row of those that are equal in some columns, or in all when none is named.
    DropDuplicates {
        /// The node.
        from: usize,
        /// Which columns.
        by: Vec<String>,
    },
    /// Sets columns to expressions.
    Set {
        /// The node.
        from: usize,
        /// Name and expression.
        columns: Vec<(String, String)>,
    },
    /// Puts rows below each other.
    Union {
        /// The nodes.
        of: Vec<usize>,
        /// Equal rows become one.
        distinct: bool,
    },
    /// A `select` over nodes.
    Sql {
        /// The nodes.
        from: Vec<usize>,
        /// The `select`.
        query: String,
    },
    /// Writes a table.
    Target {
        /// The node.
        from: usize,
        /// Which.
        table: Id<Table>,
    },
}

/// Which rows of a join stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Pairs.
    Inner,
    /// All of the left.
    Left,
    /// All of the right.
    Right,
    /// All.
    Outer,
    /// Those of the left that have a partner.
    Semi,
    /// Those of the left that have none.
    Anti,
}

impl How {
    /// Spark's word for it, in its functions and in its SQL.
    #[must_use]
    pub fn spark(self) -> (&'static str, &'static str) {
        match self {
            Self::Inner => ("inner", "inner join"),
            Self::Left => ("left", "left join"),
            Self::Right => ("right", "right join"),
            Self::Outer => ("full", "full join"),
            Self::Semi => ("left_semi", "left semi join"),
            Self::Anti => ("left_anti", "left anti join"),
        }
    }
}

impl Operation {
    /// The nodes that it reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<usize> {
        match self {
            Self::Source(_) => Vec::new(),
            Self::Filter { from, .. }
            | Self::Aggregate { from, .. }
            | Self::Mapping { from, .. }
            | Self::Select { from }
            | Self::Drop { from, .. }
            | Self::DropDuplicates { from, .. }
            | Self::Set { from, .. }
            | Self::Target { from, .. } => vec![*from],
            Self::Join { left, right, .. } => vec![*left, *right],
            Self::Union { of: from, .. } | Self::Sql { from, .. } => from.clone(),
        }
    }

    /// The key under which it stands in a blueprint.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Source(_) => "source",
            Self::Filter { .. } => "filter",
            Self::Join { .. } => "join",
            Self::Aggregate { .. } => "aggregate",
            Self::Mapping { .. } => "mapping",
            Self::Select { .. } => "select",
            Self::Drop { .. } => "drop",
            Self::DropDuplicates { .. } => "drop duplicates",
            Self::Set { .. } => "derive",
            Self::Union { .. } => "union",
            Self::Sql { .. } => "sql",
            Self::Target { .. } => "target",
        }
    }
}

impl Graph {
    /// The tables that it reads, in the order of its sources.
    #[must_use]
    pub fn reads(&self) -> Vec<Id<Table>> {
        let mut tables = Vec::new();
        for node in &self.nodes {
            if let Operation::Source(table) = node.operation
                && !tables.contains(&table)
            {
                tables.push(table);
            }
        }
        tables
    }

    /// The tables that it writes.
    #[must_use]
    pub fn writes(&self) -> Vec<Id<Table>> {
        let target = |node: &Node| match node.operation {
            Operation::Target { table, .. } => Some(table),
            _ => None,
        };
        self.nodes.iter().filter_map(target).collect()
    }
}
