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
gives to every number that it calculates; where the type matters to a reader outside the lake, end with `change_type`. Neither does it
name the columns of a split or a pivot: lakegen names them as DataBrew's console is known to, so look at the first run in AWS.

A value is *missing* when it is null or empty text.

Any other operation of DataBrew is a `raw` step: it names the operation and its parameters as the recipe reference does, says what
becomes of the columns, and, for local runs, does the same in DuckDB's SQL over the table `rows`. Without `local`, the recipe runs only in
the cloud.

```yaml
- raw:
    operation: SPLIT_COLUMN_SINGLE_DELIMITER
    parameters: { sourceColumn: name, pattern: \",\", limit: 1, includeInSplit: false }
    makes: { name_1: string, name_2: string }
    local: select *, split_part(name, ',', 1) as name_1, split_part(name, ',', 2) as name_2 from rows
```
";

const CONDITIONS: &str = "
## Conditions

What `where` can say of the column. Several conditions must all hold.

| condition | the value |
|---|---|
";
