//! Bad blueprints, one file each, with everything that `check` says about them; and what good ones mean.

use std::path::Path;

use lakegen::check::check;
use lakegen::diagnostic::Diagnostics;
use lakegen::files::{FileKind, Files};
use lakegen::lake::ActionParameter;
use lakegen::lake::{Lake, Ruleset};
use lakegen::placement::{Lock, Placement};
use lakegen::source::Source;

/// Every path is there, but for those whose names say otherwise.
struct Project;

impl Files for Project {
    fn kind(&self, path: &Path) -> Option<FileKind> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.split('.').next().unwrap_or_default() {
            "missing" => None,
            "outside" => Some(FileKind::Outside),
            "directory" | "answer" | "lib" => Some(FileKind::Directory),
            _ => Some(FileKind::File),
        }
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Ok("select id from users".into())
    }

    fn list(&self, _: &Path) -> Vec<String> {
        vec!["mising.py".into()]
    }
}

fn checked(name: &str, text: &str) -> (Option<Lake>, Diagnostics) {
    check(Source { name: name.into(), text: text.into() }, Path::new("."), &Project)
}

#[test]
fn everything_that_is_wrong_is_said_at_its_place() {
    insta::with_settings!({snapshot_path => "../snapshots/check", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::glob!("bad/*.yaml", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            let (lake, diagnostics) = checked(&name, &text);
            assert_eq!(lake.is_some(), diagnostics.errors() == 0, "{name}");
            assert!(!diagnostics.list.is_empty(), "{name} is not bad");
            insta::assert_snapshot!(diagnostics.render(false));
        });
    });
}

#[test]
fn the_records_for_machines_hold_the_same_places() {
    let (_, diagnostics) = checked(
        "x.yaml",
        "name: shop\nzones: { raw: }\ntables:\n  a: { zone: rwa, format: csv, columns: { id: int } }\n",
    );
    let records = serde_json::to_value(diagnostics.records()).unwrap();
    assert_eq!(records[0]["line"], 4);
    assert_eq!(records[0]["column"], 14);
    assert_eq!(records[0]["end_column"], 17);
    assert_eq!(records[0]["help"], "did you mean `raw`?");
}

#[test]
fn steps_come_in_an_order_in_which_they_can_run() {
    let text = r#"
name: shop
zones: { raw: }
tables:
  a: { zone: raw, format: csv, columns: { id: int } }
  b: { zone: raw, format: csv, columns: { id: int } }
  c: { zone: raw, format: parquet, columns: { id: int } }
jobs: { last: { script: job.py, reads: [c], writes: [b] } }
queries: { middle: { writes: c, sql: "with x as (select * from a) select x.ID from x" } }
crawlers: { first: { reads: [a] } }
"#;
    let (lake, diagnostics) = checked("x.yaml", text);
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let names: Vec<&str> = lake.steps.iter().map(|step| lake.step_name(step.id)).collect();
    assert_eq!(names, ["first", "middle", "last"]);
    let after: Vec<usize> = lake.steps.iter().map(|step| step.after.len()).collect();
    assert_eq!(after, [0, 1, 1]);
}

#[test]
fn recipes_name_types_as_databrew_does() {
    let text = r#"
name: shop
zones: { raw: }
tables:
  a: { zone: raw, format: csv, columns: { id: int } }
  b: { zone: raw, format: csv, columns: { id: bigint, n: bigint } }
recipes:
  r:
    reads: a
    writes: b
    steps:
      - change_type: { column: id, to: bigint }
      - group_by: { by: [id], aggregate: [{ column: id, function: count, to: n }] }
"#;
    let (lake, diagnostics) = checked("x.yaml", text);
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let steps = &lake.recipes.values().next().unwrap().steps;
    let text = |step: usize, name: &str| match &steps[step].parameters[name] {
        ActionParameter::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text(0, "columnDataType"), "long");
    let aggregates: serde_json::Value = serde_json::from_str(&text(1, "groupByAggFunctionOptions")).unwrap();
    assert_eq!(aggregates[0]["targetColumnDataType"], "long");
    assert_eq!(aggregates[0]["functionName"], "COUNT");
}

#[test]
fn a_name_that_could_not_be_read_is_not_reported_again_where_it_is_used() {
    let text = "name: shop\nzones: { raw: { keep: never } }\ntables: { a: { zone: raw, format: csv, columns: { id: int } } }\ncrawlers: { c: { reads: [a] } }\n";
    let (_, diagnostics) = checked("x.yaml", text);
    assert_eq!(diagnostics.list.len(), 1, "{}", diagnostics.render(false));
}

proptest::proptest! {
    #[test]
    fn any_text_ends_in_a_lake_or_in_errors(text in "\\PC{0,400}") {
        let (lake, diagnostics) = checked("x.yaml", &text);
        assert_eq!(lake.is_some(), diagnostics.errors() == 0);
        assert!(diagnostics.list.is_empty() || !diagnostics.render(true).is_empty());
    }

    #[test]
    fn any_damage_to_a_blueprint_ends_in_a_lake_or_in_errors(at in 0_usize..20_000, cut in 0_usize..12, insert in "[-:{}\\[\\]#&*!|>'\"%@`\\t a-z\\n]{0,6}") {
        let text = include_str!("../blueprints/instacart.yaml");
        let mut at = at % text.len();
        while !text.is_char_boundary(at) { at -= 1; }
        let mut end = (at + cut).min(text.len());
        while !text.is_char_boundary(end) { end -= 1; }
        let damaged = format!("{}{insert}{}", &text[..at], &text[end.max(at)..]);
        let (lake, diagnostics) = checked("x.yaml", &damaged);
        assert_eq!(lake.is_some(), diagnostics.errors() == 0);
        assert!(diagnostics.list.is_empty() || !diagnostics.render(true).is_empty());
    }
}

#[test]
fn sql_that_athena_takes_is_not_called_wrong() {
    for sql in [
        "select \"$path\" as id from users",
        "select users.\"$path\" as id from users",
        "select cast(row(1, 2) as row(x integer, y integer)).x as id",
        "select id from users where name = current_user",
        "select normalize(name, NFC) as id from users",
        "select id from users; -- the end",
        "select id from users offset 5 limit 10",
        "select x as id from users cross join unnest(array[1, 2]) as t (x)",
        "select cast(try_cast(name as decimal(10, 2)) as integer) as id from users",
        "select count(*) filter (where u.id > 1) as id from users as u group by u.name having count(*) > 1",
        "with recursive t (n) as (select 1 union all select n + 1 from t where n < 5) select n as id from t",
    ] {
        let text = format!(
            "name: shop\nzones: {{ raw: }}\ntables:\n  users: {{ zone: raw, format: parquet, columns: {{ id: int, name: string }} }}\n  \
             out: {{ zone: raw, format: parquet, columns: {{ id: bigint }} }}\ncrawlers: {{ c: {{ reads: [users] }} }}\nqueries:\n  q:\n    \
             writes: out\n    sql: |\n      {sql}\n"
        );
        let (_, diagnostics) = checked("x.yaml", &text);
        assert!(diagnostics.list.is_empty(), "{}", diagnostics.render(false));
    }
}

#[test]
fn a_query_reads_the_tables_behind_whatever_stands_in_from() {
    for from in [
        "users match_recognize (order by id measures a.id as found one row per match pattern (a) define a as a.id > 1)",
        "(users join other on users.id = other.id)",
        "(values ((select max(id) from users))) as t (id)",
        "(select 1 as id) as t where exists (table_of_users)",
    ] {
        let from = from.replace("(table_of_users)", "(select 1 from users)");
        let text = format!(
            "name: shop\nzones: {{ raw: }}\ntables:\n  users: {{ zone: raw, format: parquet, columns: {{ id: int }} }}\n  \
             other: {{ zone: raw, format: parquet, columns: {{ id: int }} }}\ncrawlers: {{ c: {{ reads: [users, other] }} }}\nqueries:\n  q:\n    \
             exports: {{ zone: raw, format: json }}\n    sql: select count(*) as n from {from}\n"
        );
        let (lake, diagnostics) = checked("x.yaml", &text);
        let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let reads = lake.queries.values().flat_map(|query| &query.reads);
        let names: Vec<&str> = reads.map(|table| lake.tables[*table].name.as_str()).collect();
        assert!(names.contains(&"users"), "{from}: {names:?}");
    }
}

#[test]
fn what_resources_speak_of_is_used() {
    let text = "name: shop\nenvironments: { dev: { region: eu-west-1 } }\nzones: { raw: }\n\
        tables: { seen: { zone: raw, format: csv, columns: { id: int } }, not: { zone: raw, format: csv, columns: { id: int } } }\n\
        functions: { called: { source: directory }, idle: { source: directory } }\n\
        resources:\n  Hourly: { Type: 'AWS::Events::Rule', Properties: { ScheduleExpression: rate(1 hour), \
        Targets: [{ Id: called, Arn: '${functions.called.arn}', Input: '\"${tables.seen.name} ${functions.idle.role.arn}\"' }] } }\n";
    let (_, diagnostics) = checked("x.yaml", text);
    let messages: Vec<&str> = diagnostics.list.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(messages, ["nothing reads or writes the table `not`", "nothing calls the function `idle`"]);
}

#[test]
fn aws_checks_partitions_when_the_catalog_knows_them() {
    let text = "name: shop\nzones: { raw: }\ntables:\n  days: { zone: raw, format: parquet, columns: { id: int }, partitions: { day: date } }\n  \
        other: { zone: raw, format: parquet, columns: { id: int, day: date } }\n  \
        plain: { zone: raw, format: parquet, columns: { id: int } }\ncrawlers: { raw: { reads: [other] }, c: { reads: [days, plain] } }\n\
        jobs: { j: { script: job.py, reads: [other], writes: [days, plain] } }\n\
        checks: { days: [RowCount > 0], plain: [RowCount > 0] }\n";
    let (lake, diagnostics) = checked("x.yaml", text);
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let said = |there: bool| -> Vec<String> {
        let steps = lake.steps.iter().map(|step| {
            let name = |ruleset: &Ruleset| lake.tables[ruleset.table].name.as_str();
            let tables: Vec<&str> = match there {
                true => lake.step_checks_in_aws(step.id).map(name).collect(),
                false => lake.step_checks(step.id).map(name).collect(),
            };
            format!("{}: {}", lake.step_name(step.id), tables.join(" "))
        });
        steps.collect()
    };
    assert_eq!(
        said(false),
        ["raw: ", "j: days plain", "c: "],
        "here a job's files are looked at before they are in their place"
    );
    assert_eq!(said(true), ["raw: ", "j: plain", "c: days"]);
}

#[test]
fn values_are_taken_as_they_are_written() {
    let text = r#"
name: shop
zones: { raw: }
tables: { a: { zone: raw, format: parquet, columns: { id: int } } }
models: { m: { source: directory, reads: { train: a }, hyperparameters: { a: 1.0, b: 012, c: 1e3, d: 1_000, e: true, f: "x" } } }
"#;
    let (lake, diagnostics) = checked("x.yaml", text);
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let values: Vec<&str> =
        lake.models.values().flat_map(|model| &model.hyperparameters).map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["1.0", "012", "1e3", "1_000", "true", "x"]);
}

#[test]
fn many_mistakes_take_no_longer_than_few_each() {
    let jobs: String =
        (0..3_000).map(|n| format!("  j{n}: {{ script: job.py, reads: [u{n}], writes: [t] }}\n")).collect();
    let text = format!(
        "name: shop\nzones: {{ raw: }}\ntables: {{ t: {{ zone: raw, format: parquet, columns: {{ id: int }} }} }}\njobs:\n{jobs}"
    );
    let (_, diagnostics) = checked("x.yaml", &text);
    assert_eq!(diagnostics.errors(), 3_000 + 2_999, "an unknown table and a second writer each");
    assert!(diagnostics.render(false).ends_with("more; `--output json` lists them all"));
}

/// The blocks of the README that are fenced with this word.
fn readme_block(word: &str) -> Option<&'static str> {
    let (_, rest) = include_str!("../README.md").split_once(&format!("\n```{word}\n"))?;
    rest.split_once("\n```").map(|(block, _)| block)
}

#[test]
fn the_blueprint_of_the_readme_is_right_and_its_mistake_is_shown_as_it_says() {
    let text = readme_block("yaml").unwrap();
    let (lake, diagnostics) = checked("blueprints/shop.yaml", text);
    assert!(lake.is_some() && diagnostics.list.is_empty(), "{}", diagnostics.render(false));
    let (_, diagnostics) = checked("blueprints/shop.yaml", &text.replace("sum(amount)", "sum(amout)"));
    let shown = diagnostics.render(false);
    assert!(include_str!("../README.md").contains(&shown), "the README does not show:\n{shown}");
}

/// What stands before an example and behind it.
type Around = (String, &'static str);

/// A zone and tables of Parquet that a crawler reads.
fn surroundings(tables: &[(&str, &str)]) -> String {
    let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
    let table = |(name, columns): &(&str, &str)| {
        format!("  {name}: {{ zone: lake, format: parquet, columns: {{ {columns} }} }}\n")
    };
    let tables: String = tables.iter().map(table).collect();
    format!("zones: {{ lake: }}\ntables:\n{tables}crawlers: {{ c: {{ reads: [{}] }} }}\n", names.join(", "))
}

#[test]
fn the_examples_of_the_pages_are_right() {
    const ENVIRONMENTS: &str = "environments: { dev: { region: eu-west-1 }, prod: { region: eu-west-1 } }\n";
    let orders = ("orders", "order_id: int, user_id: int, order_dow: int");
    let features = "  features: { zone: lake, format: parquet, columns: { order_id: int } }\ncrawlers:";
    let sales = "  department_sales: { zone: lake, format: parquet, \
                 columns: { department: string, purchases: bigint, buyers: bigint } }\ncrawlers:";
    let pages: [(&str, &str, Vec<Around>); 7] = [
        (
            "blueprint.md",
            include_str!("../docs/blueprint.md"),
            vec![(
                surroundings(&[orders]).replace("crawlers:", features),
                "    reads: [orders]\n    writes: [features]\n",
            )],
        ),
        (
            "data-quality.md",
            include_str!("../docs/data-quality.md"),
            vec![
                (
                    surroundings(&[
                        ("orders_clean", orders.1),
                        ("products_clean", "product_id: int, aisle_id: int"),
                        ("aisles", "aisle_id: int"),
                    ]),
                    "",
                ),
                (surroundings(&[orders]), ""),
            ],
        ),
        (
            "lake-formation.md",
            include_str!("../docs/lake-formation.md"),
            vec![
                (
                    surroundings(&[
                        orders,
                        ("products", "product_id: int"),
                        ("product_sales", "product_id: int, sold: int"),
                    ]),
                    "",
                ),
                (surroundings(&[("visits", "id: int, address: string")]), ""),
            ],
        ),
        (
            "operating.md",
            include_str!("../docs/operating.md"),
            vec![("crawlers: { c: { reads: [purchases] } }\n".into(), ""), (String::new(), "")],
        ),
        (
            "release.md",
            include_str!("../docs/release.md"),
            vec![(surroundings(&[("t", "label: int, x: double")]), "    source: directory\n    reads: { train: t }\n")],
        ),
        (
            "visual-jobs.md",
            include_str!("../docs/visual-jobs.md"),
            vec![(
                surroundings(&[
                    ("order_products_prior", "order_id: int, product_id: int, user_id: int"),
                    ("product_catalog", "product_id: int, department: string"),
                ])
                .replace("crawlers:", sales),
                "",
            )],
        ),
        ("github.md", include_str!("../docs/github.md"), vec![(String::new(), "")]),
    ];
    for (page, text, around) in pages {
        let examples: Vec<&str> =
            text.split("\n```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect();
        assert_eq!(examples.len(), around.len(), "{page}");
        for (example, (before, after)) in examples.into_iter().zip(around) {
            let (lake, diagnostics) = checked(page, &format!("name: a\n{ENVIRONMENTS}{before}{example}\n{after}"));
            assert!(lake.is_some() && diagnostics.list.is_empty(), "{}", diagnostics.render(false));
        }
    }
}

#[test]
fn an_api_that_no_stack_holds_is_refused_at_its_last_route() {
    let api = |routes: usize| {
        let mut text = String::from("name: a\nfunctions: { f: { source: lambdas/answer } }\napi:\n  routes:\n");
        for route in 0..routes {
            text.push_str(&format!("    GET /things{route}: {{ function: f }}\n"));
        }
        text
    };
    let source = |text: String| Source { name: "a.yaml".into(), text: text.into() };
    let errors = |routes| check(source(api(routes)), Path::new(""), &Project).1.render(false);
    assert_eq!(errors(146), "");
    let said = errors(147);
    assert!(said.contains("the routes take 441 resources") && said.contains("GET /things146"), "{said}");
    let (lake, _) = check(source(api(146)), Path::new(""), &Project);
    assert_eq!(Placement::of(&lake.unwrap(), &Lock::default()).overfull(), None, "and what is not refused has a place");
}

#[test]
fn what_no_template_holds_is_refused_where_it_is_written() {
    let errors =
        |text: &str| checked("a.yaml", &format!("name: a\nenvironments: {{ dev: {{ region: eu-west-1 }} }}\n{text}")).1;
    let resources = |count: usize, value: &str| {
        let one = |n| {
            format!("  Value{n}: {{ Type: AWS::SSM::Parameter, Properties: {{ Type: String, Value: '{value}' }} }}\n")
        };
        format!("resources:\n{}", (1..=count).map(one).collect::<String>())
    };
    assert_eq!(errors(&resources(200, &"x".repeat(3_500))).errors(), 0);
    let large = errors(&resources(250, &"x".repeat(3_500))).render(false);
    let why = "there is no room for `Value215`: with it the processing stack takes about 275 resources and";
    assert!(large.contains(why) && large.contains("CloudFormation takes 500 and 1,000,000"), "{large}");
    assert!(large.contains("into another stack with `stack`"), "{large}");
    assert_eq!(large.matches("there is no room").count(), 1, "{large}");
    let many = errors(&resources(450, "x")).render(false);
    assert!(many.contains("no room for `Value441`: with it the processing stack takes about 501 resources"), "{many}");

    let columns: String =
        (0..4_000).map(|n| format!("c{n}: {{ type: int, comment: {} }}, ", "x".repeat(200))).collect();
    let table = format!(
        "zones: {{ raw: {{}} }}\ntables:\n  wide: {{ zone: raw, format: parquet, columns: {{ {columns} }} }}\n"
    );
    let wide = errors(&table).render(false);
    assert!(wide.contains("`tables.wide` takes about 1 resource and 1,201,500 bytes of a template"), "{wide}");
    assert!(wide.contains("make several smaller ones of it"), "{wide}");
}
