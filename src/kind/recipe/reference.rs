//! The page of all steps, from the table of steps.

use std::fmt::Write as _;

use super::action::{Action, Does, Key, Makes, Need};
use super::{actions, condition};

/// `docs/recipe-steps.md`; `example` gives, as Markdown, what shall stand below a step.
#[must_use]
pub fn reference(example: &dyn Fn(&str) -> String) -> String {
    let mut page = String::from(INTRODUCTION);
    for (group, actions) in &actions::GROUPS {
        let _ = writeln!(page, "\n## {group}");
        for action in *actions {
            step(&mut page, action);
            page.push_str(&example(action.name));
        }
    }
    page.push_str(CONDITIONS);
    for shape in &condition::SHAPES {
        let _ = writeln!(page, "| `{}` | {} |", shape.name, shape.about);
    }
    page.push_str(OPEN);
    page
}

fn step(page: &mut String, action: &Action) {
    let Action { name, operation, about, keys, fixed: _, does } = action;
    let _ = writeln!(page, "\n### `{name}`\n\n{about} DataBrew: `{operation}`.");
    if let Some(ty) = result(does) {
        let _ = writeln!(page, "{ty}");
    }
    if keys.is_empty() {
        return;
    }
    page.push_str("\n| key | holds | parameter |\n|---|---|---|\n");
    for key in *keys {
        let Key { name, parameter, holds, need } = key;
        let left_out = match need {
            Need::Required => String::new(),
            Need::Optional(_) => "; may be left out".to_owned(),
            Need::Default(written) => format!("; `{written}` by default"),
        };
        let parameter = match *parameter {
            "" => "–".to_owned(),
            digit if digit.len() == 1 => format!("`sourceColumn{digit}` or `value{digit}`"),
            parameter => format!("`{parameter}`"),
        };
        let _ = writeln!(page, "| `{name}` | {}{left_out} | {parameter} |", holds.words());
    }
}

fn result(does: &Does) -> Option<String> {
    match does {
        Does::Make(_, Makes::Is(ty)) => Some(format!("The new column is `{ty}`.")),
        Does::Make(_, Makes::Same) => Some("The new column has the type of the column.".into()),
        Does::Make(_, Makes::Wider) => Some("The new column has the widest type of those that go in.".into()),
        Does::Change(_, Makes::Is(ty)) => Some(format!("The column becomes `{ty}`.")),
        Does::Change(..) | Does::Keep(_) | Does::Rows(_) | Does::Columns(_) | Does::Combine(..) => None,
    }
}

const INTRODUCTION: &str = "\
# Recipe steps

Every step that a recipe can take, made from the table that lakegen itself reads. A step is written under its name with its keys,
becomes exactly one operation of AWS Glue DataBrew, and runs locally on DuckDB with the same result:

```yaml
recipes:
  clean_sales:
    reads: sales
    writes: sales_clean
    steps:
      - remove_missing: { column: id }
      - trim: { column: name }
      - remove_values: { column: price, where: { less_than: 0 } }
```

Columns and their types flow through the steps. A step that names a column which is not there, or not of its kind, is an error at
that word, and what the last step leaves must be what the written table declares. DataBrew's reference does not say which type it
gives to every number that it calculates; where the type matters to a reader outside the lake, end with `change_type`. What else it
leaves open, and what lakegen does there, the last section says.

A value is *missing* when it is null or empty text.

Any other operation of DataBrew is a `raw` step: it names the operation and its parameters as the recipe reference does, says what
becomes of the columns, and, for local runs, does the same in DuckDB's SQL over the table `rows`. Without `local`, the recipe runs only in
the cloud.
Two that one may miss are among them, because the reference names their parameters and leaves their columns open: `JSON_TO_STRUCTS` does
not say what it calls the struct, and `SPLIT_COLUMN_WITH_INTERVALS` neither how many columns there are nor what is before the first.

```yaml
- raw:
    operation: SPLIT_COLUMN_SINGLE_DELIMITER
    parameters: { sourceColumn: name, pattern: \",\", limit: 1, includeInSplit: false }
    makes: { name_1: string, name_2: string }
    local: select *, split_part(name, ',', 1) as name_1, split_part(name, ',', 2) as name_2 from rows
```
";

/// Read in the developer guide's recipe action reference and the Glue developer guide in November 2026.
const OPEN: &str = "
## What DataBrew's reference leaves open

A local run does one of the things that the reference allows. Compare the first run in AWS with a local one where a recipe depends on
it; `raw` says it otherwise.

| of | the reference says | lakegen takes it that |
|---|---|---|
| all splits | how many columns there are, not their names | they are `<column>_1`, `<column>_2`… behind the others, and the column stays |
| `split_at_positions`, `split_from_start`, `split_from_end` | that a position or an offset is where the split is | so many characters are before it |
| `pivot`, `transpose` | that values become columns; a group without a row of a value is not mentioned | the columns are named after the values, or as `values` says; such a group has null, as in Spark |
| `substring` | \"starting and ending index\", and an example that takes 5 to 8 for `chars_5_through_8` | both are counted from 1, and both are with it |
| `unnest_array`, `unnest_map` | that there is a row for each element; empty lists are not mentioned | rows without elements are left out, as by Spark's `explode` |
| `unnest_map` | that there is a column for the key and one for the value, not their names | they are named as `key` and `value` say |
| `unnest_struct` | names like `user.address.zip` with the delimiter between them | they are named so, behind the other columns |
| `nest_to_array`, `nest_to_map` | that there is a common type of all columns | it is the wider of two numbers; of a day and a moment, a moment; text of anything else |
| `hash` | the algorithms, and that `secretId` is for keyed ones | hexadecimal digits stand in the column's own place. Glue's `CryptographicHash` writes base64 into `<column>_hashed` in its example |
| `flag_outliers` and its like | each strategy in a sentence, no formula | `z_score` is reckoned with the sample's standard deviation, `modified_z_score` with the median absolute deviation and the usual 0.6745, `iqr` in interquartile ranges beyond the quartiles |
| `date_diff` | two dates and a unit, no result | it is the second less the first, in whole units |
| joined columns of one name | nothing | they are refused |
";

const CONDITIONS: &str = "
## Conditions

What `where` can say of the column. Several conditions must all hold.

| condition | the value |
|---|---|
";
