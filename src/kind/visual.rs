//! Nodes: what a visual job is written as.

use crate::decode::{Named, Scalar, alternatives, section};
use crate::source::Spanned;

alternatives! {
    /// One box of a visual job.
    "a node"
    pub enum NodeSpec {
        /// The rows of a table.
        /// Example: `orders`.
        Source(Spanned<String>) = "source",
        /// The rows that meet conditions.
        /// Example: `{ from: orders, where: { reordered: { equals: 1 } } }`.
        Filter(FilterSpec) = "filter",
        /// The rows of two nodes side by side.
        /// Example: `{ left: orders, right: products, on: [product_id] }`.
        Join(JoinSpec) = "join",
        /// One row for each group.
        /// Example: `{ from: orders, by: [user_id], columns: { purchases: count } }`.
        Aggregate(AggregateSpec) = "aggregate",
        /// Columns renamed, cast and left out.
        /// Example: `{ from: orders, columns: { id: { from: order_id } } }`.
        Mapping(MappingSpec) = "mapping",
        /// Some columns.
        /// Example: `{ from: orders, columns: [order_id, user_id] }`.
        Select(ColumnsSpec) = "select",
        /// All columns but some.
        /// Example: `{ from: orders, columns: [user_id] }`.
        Drop(ColumnsSpec) = "drop",
        /// One row of those that are equal.
        /// Example: `{ from: orders, by: [order_id] }`.
        DropDuplicates(DropDuplicatesSpec) = "drop_duplicates",
        /// A value where there is none.
        /// Example: `{ from: orders, values: { days_since_prior_order: 0 } }`.
        Fill(FillSpec) = "fill",
        /// Columns that follow from others.
        /// Example: `{ from: orders, columns: { total: { sql: "price * amount", type: double } } }`.
        Derive(DeriveSpec) = "derive",
        /// The rows of several nodes below each other.
        /// Example: `{ of: [new_orders, old_orders] }`.
        Union(UnionSpec) = "union",
        /// One `select` of Spark SQL.
        /// Example: `{ from: [orders], query: "select order_id from orders", columns: { order_id: int } }`.
        Sql(SqlSpec) = "sql",
        /// A table that is written.
        /// Example: `{ from: totals, table: order_totals }`.
        Target(TargetSpec) = "target",
    }
}

section! {
    /// The rows that meet conditions.
    "a filter"
    pub struct FilterSpec {
        /// The node whose rows they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// A condition for each column.
        /// Example: `{ reordered: { equals: 1 } }`.
        conditions as "where": Named<ConditionSpec>,
        /// Whether one of the conditions is enough.
        /// Default: `false`.
        /// Example: `true`.
        any: Option<bool>,
    }
}

alternatives! {
    /// What a column's value must be. A missing value meets `missing` only.
    "a condition"
    pub enum ConditionSpec {
        /// This.
        /// Example: `1`.
        Equals(Spanned<Scalar>) = "equals",
        /// Another.
        /// Example: `1`.
        NotEquals(Spanned<Scalar>) = "not_equals",
        /// Smaller.
        /// Example: `10`.
        LessThan(Spanned<Scalar>) = "less_than",
        /// This or smaller.
        /// Example: `10`.
        AtMost(Spanned<Scalar>) = "at_most",
        /// Greater.
        /// Example: `0`.
        GreaterThan(Spanned<Scalar>) = "greater_than",
        /// This or greater.
        /// Example: `1`.
        AtLeast(Spanned<Scalar>) = "at_least",
        /// Text in which this regular expression is found.
        /// Example: `"^A[0-9]+$"`.
        Matches(Spanned<String>) = "matches",
        /// There is none.
        Missing = "missing",
        /// There is one.
        Present = "present",
    }
}

section! {
    /// The rows of two nodes side by side.
    "a join"
    pub struct JoinSpec {
        /// The one node.
        /// Example: `orders`.
        left: Spanned<String>,
        /// The other.
        /// Example: `products`.
        right: Spanned<String>,
        /// The columns that both have and that must be equal; the result has them once.
        /// Example: `[product_id]`.
        on: Vec<Spanned<String>>,
        /// Which rows stay: `inner`, `left`, `right`, `outer`, `semi` or `anti`.
        /// Default: `inner`.
        /// Example: `left`.
        how: Option<HowSpec>,
    }
}

alternatives! {
    /// Which rows of a join stay.
    "a sort of join"
    pub enum HowSpec {
        /// Pairs.
        Inner = "inner",
        /// Pairs, and rows of the left node that have no partner.
        Left = "left",
        /// Pairs, and rows of the right node that have no partner.
        Right = "right",
        /// Pairs, and all rows that have no partner.
        Outer = "outer",
        /// Rows of the left node that have a partner, without its columns.
        Semi = "semi",
        /// Rows of the left node that have no partner.
        Anti = "anti",
    }
}

section! {
    /// One row for each group.
    "an aggregate"
    pub struct AggregateSpec {
        /// The node whose rows are grouped.
        /// Example: `orders`.
        from: Spanned<String>,
        /// The columns whose values make a group; all rows are one group without them.
        /// Example: `[user_id]`.
        by: Vec<Spanned<String>>,
        /// The other columns of the result.
        /// Example: `{ total: { sum: price }, purchases: count }`.
        columns: Named<AggregationSpec>,
    }
}

alternatives! {
    /// One value for a group.
    "an aggregation"
    pub enum AggregationSpec {
        /// How many rows, or how many values of a column.
        /// Example: `price`.
        Count(Option<Spanned<String>>) = "count",
        /// How many different values.
        /// Example: `product_id`.
        CountDistinct(Spanned<String>) = "count_distinct",
        /// The values added up.
        /// Example: `price`.
        Sum(Spanned<String>) = "sum",
        /// Their mean.
        /// Example: `price`.
        Average(Spanned<String>) = "average",
        /// The smallest.
        /// Example: `price`.
        Minimum(Spanned<String>) = "minimum",
        /// The greatest.
        /// Example: `price`.
        Maximum(Spanned<String>) = "maximum",
        /// How far they lie from their mean, as a sample.
        /// Example: `price`.
        StandardDeviation(Spanned<String>) = "standard_deviation",
    }
}

section! {
    /// Columns renamed, cast and left out.
    "a mapping"
    pub struct MappingSpec {
        /// The node whose columns they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// The columns of the result, in order; others are left out.
        /// Example: `{ id: { from: order_id }, price: { type: double } }`.
        columns: Named<MappedSpec>,
    }
}

section! {
    /// Where a column of a mapping comes from.
    "a mapped column"
    pub struct MappedSpec {
        /// The column that it was.
        /// Default: the column of that name.
        /// Example: `order_id`.
        from: Option<Spanned<String>>,
        /// The type that it becomes.
        /// Default: the type that it has.
        /// Example: `double`.
        ty as "type": Option<Spanned<String>>,
    }
}

section! {
    /// Some columns.
    "a choice of columns"
    pub struct ColumnsSpec {
        /// The node whose columns they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// Their names.
        /// Example: `[order_id, user_id]`.
        columns: Vec<Spanned<String>>,
    }
}

section! {
    /// One row of those that are equal.
    "a drop of duplicates"
    pub struct DropDuplicatesSpec {
        /// The node whose rows they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// The columns that are compared.
        /// Default: all columns.
        /// Example: `[order_id]`.
        by: Vec<Spanned<String>>,
    }
}

section! {
    /// A value where there is none.
    "a fill"
    pub struct FillSpec {
        /// The node whose rows they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// The value for each column.
        /// Example: `{ days_since_prior_order: 0 }`.
        values: Named<Spanned<Scalar>>,
    }
}

section! {
    /// Columns that follow from others.
    "a derivation"
    pub struct DeriveSpec {
        /// The node whose rows they are.
        /// Example: `orders`.
        from: Spanned<String>,
        /// The columns, each with its expression and its type.
        /// Example: `{ total: { sql: "price * amount", type: double } }`.
        columns: Named<DerivedSpec>,
    }
}

section! {
    /// A column that follows from others.
    "a derived column"
    pub struct DerivedSpec {
        /// An expression of Spark SQL.
        /// Example: `"price * amount"`.
        sql: Spanned<String>,
        /// The type that it becomes.
        /// Example: `double`.
        ty as "type": Spanned<String>,
    }
}

section! {
    /// The rows of several nodes below each other.
    "a union"
    pub struct UnionSpec {
        /// The nodes; all have the same columns.
        /// Example: `[new_orders, old_orders]`.
        of: Vec<Spanned<String>>,
        /// Whether equal rows become one.
        /// Default: `false`.
        /// Example: `true`.
        distinct: Option<bool>,
    }
}

section! {
    /// One `select` of Spark SQL.
    "an sql node"
    pub struct SqlSpec {
        /// The nodes that it reads, by their names.
        /// Example: `[orders, products]`.
        from: Vec<Spanned<String>>,
        /// The `select`.
        /// Example: `"select order_id, count(*) as products from orders group by order_id"`.
        query: Spanned<String>,
        /// The columns of the result and their types.
        /// Example: `{ order_id: int, products: bigint }`.
        columns: Named<Spanned<String>>,
    }
}

section! {
    /// A table that is written.
    "a target"
    pub struct TargetSpec {
        /// The node whose rows are written; its columns are those of the table.
        /// Example: `totals`.
        from: Spanned<String>,
        /// The table.
        /// Example: `order_totals`.
        table: Spanned<String>,
    }
}
