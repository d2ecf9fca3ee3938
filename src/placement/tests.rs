use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::assembly::Assets;
use crate::cfn::Format;
use crate::check::check;
use crate::files::Disk;
use crate::lower::lower;
use crate::source::Source;

/// What a generated lake is made of: names of jobs and of crawlers, each with tables of its own.
#[derive(Debug, Clone, Default)]
struct Plan {
    jobs: Vec<String>,
    crawlers: Vec<(String, usize)>,
    items: usize,
}

impl Plan {
    fn text(&self) -> String {
        let mut text =
            "name: many\nenvironments: { dev: { region: eu-west-1 } }\nzones: { lake: }\ntables:\n".to_owned();
        let table = "{ zone: lake, format: parquet, columns: { id: int, value: double } }";
        for name in &self.jobs {
            let _ = writeln!(text, "  t_{name}: {table}");
        }
        for (name, tables) in &self.crawlers {
            for index in 0..*tables {
                let _ = writeln!(text, "  raw_{name}_{index}: {table}");
            }
        }
        for index in 0..self.items {
            let _ = writeln!(text, "  i{index}: {{ dynamodb: {{ key: id }}, columns: {{ id: int }} }}");
        }
        text.push_str("jobs:\n");
        for name in &self.jobs {
            let _ = writeln!(text, "  j_{name}: {{ script: job.py, writes: [t_{name}] }}");
        }
        text.push_str("crawlers:\n");
        for (name, tables) in &self.crawlers {
            let reads: Vec<_> = (0..*tables).map(|index| format!("raw_{name}_{index}")).collect();
            let _ = writeln!(text, "  c_{name}: {{ reads: [{}] }}", reads.join(", "));
        }
        text
    }

    fn lake(&self) -> (tempfile::TempDir, Lake) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("job.py"), "print()\n").unwrap();
        let lake = lake(&self.text(), root.path());
        (root, lake)
    }
}

fn lake(text: &str, root: &Path) -> Lake {
    let (lake, diagnostics) = check(Source { name: "many.yaml".into(), text: text.into() }, root, &Disk::new(root));
    lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

/// By name, so that lakes of other ids can be compared.
fn places(placement: &Placement, lake: &Lake) -> BTreeMap<(String, String), usize> {
    placement.lock(lake).0
}

fn plan() -> impl Strategy<Value = Plan> {
    let names = proptest::collection::btree_set("[a-z][a-z0-9]{0,5}", 0..130);
    let crawlers = proptest::collection::btree_map("[a-z][a-z0-9]{0,5}", 1_usize..40, 0..6);
    (names, crawlers, 0_usize..180).prop_map(|(jobs, crawlers, items)| Plan {
        jobs: jobs.into_iter().collect(),
        crawlers: crawlers.into_iter().collect(),
        items,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_has_a_place_keeps_it_whatever_is_added(
        plan in plan(),
        added in "[a-z][a-z0-9]{6}",
        at in any::<prop::sample::Index>(),
        crawler: bool,
        again: bool,
    ) {
        let (_root, before) = plan.lake();
        let placement = Placement::of(&before, &Lock::default());
        let mut more = plan;
        if crawler {
            more.crawlers.insert(at.index(more.crawlers.len() + 1), (added, 3));
        } else {
            more.jobs.insert(at.index(more.jobs.len() + 1), added);
        }
        let lock = Lock::parse(&placement.lock(&before).render()).unwrap();
        let (_root, after) = more.lake();
        let next = Placement::of(&after, &lock);
        let (old, new) = (places(&placement, &before), places(&next, &after));
        for (thing, place) in &old {
            prop_assert_eq!(new.get(thing), Some(place), "{:?} moved", thing);
        }
        prop_assert!(new.len() > old.len());
        if again {
            prop_assert_eq!(places(&Placement::of(&after, &next.lock(&after)), &after), new);
        }
    }

    #[test]
    fn crawlers_come_after_their_tables(plan in plan()) {
        let (_root, lake) = plan.lake();
        let placement = Placement::of(&lake, &Lock::default());
        for (id, crawler) in lake.crawlers.iter() {
            for table in &crawler.reads {
                let at = placement.number(Thing::Step(StepId::Crawler(id)));
                prop_assert!(placement.number(Thing::Table(*table)) <= at);
            }
        }
    }
}

#[test]
fn a_large_lake_stays_under_the_limits_and_one_thing_more_leaves_the_others_alone() {
    let jobs: Vec<_> = (0..600).map(|n| format!("n{n}")).collect();
    let mut plan = Plan { jobs, crawlers: vec![("raw".into(), 150)], items: 300 };
    let assembly = |plan: &Plan, lock: &Lock| {
        let (_root, lake) = plan.lake();
        let assets = Assets::collect(&lake).unwrap();
        let placement = Placement::of(&lake, lock);
        let lock = placement.lock(&lake);
        (lower(&lake, &lake.environments[0], &assets, &placement), lock)
    };
    let (before, lock) = assembly(&plan, &Lock::default());
    assert!(before.stacks.len() > 6, "{} stacks", before.stacks.len());
    let mut names: Vec<&str> = Vec::new();
    let mut texts = HashMap::new();
    for stack in &before.stacks {
        let text = stack.template.render(Format::Yaml);
        assert!(stack.template.len() <= MAX_RESOURCES * 9 / 10, "{} has {}", stack.name, stack.template.len());
        assert!(text.len() <= MAX_BYTES * 9 / 10, "{} has {} bytes", stack.name, text.len());
        assert!(stack.template.outputs().count() <= MAX_VALUES * 9 / 10 && stack.parameters.len() <= MAX_VALUES);
        for needed in &stack.depends_on {
            assert!(names.contains(&needed.as_str()), "{} comes before {needed}", stack.name);
        }
        names.push(&stack.name);
        texts.insert(stack.name.clone(), text);
    }

    plan.jobs.insert(0, "added".into());
    let (after, _) = assembly(&plan, &lock);
    let changed = after.stacks.iter().filter(|stack| texts[&stack.name] != stack.template.render(Format::Yaml));
    assert!(changed.count() <= 3, "one with the job, one with its table, one with what starts it");
    let after = resources(&after);
    for (name, resources) in resources(&before) {
        // What starts the steps names the plan, which speaks of all of them.
        for (id, resource) in
            resources.into_iter().filter(|(id, _)| !["AdvanceFunction", "AdvanceRole"].contains(&id.as_str()))
        {
            assert_eq!(after[&name][&id], resource, "{id} of {name}");
        }
    }
}

fn resources(assembly: &crate::assembly::Assembly) -> HashMap<String, serde_json::Map<String, serde_json::Value>> {
    let json = |stack: &crate::assembly::StackTemplate| {
        let template: serde_json::Value = serde_json::from_str(&stack.template.render(Format::Json)).unwrap();
        (stack.name.clone(), template["Resources"].as_object().unwrap().clone())
    };
    assembly.stacks.iter().map(json).collect()
}

#[test]
fn a_crawler_that_is_given_a_table_of_a_later_stack_follows_it() {
    let root = tempfile::tempdir().unwrap();
    let text = "name: a\nzones: { lake: }\ntables:\n  old: { zone: lake, format: json, columns: { id: int } }\n  \
        new: { zone: lake, format: json, columns: { id: int } }\ncrawlers: { c: { reads: [old, new] } }\n";
    let lake = lake(text, root.path());
    let placement = Placement::of(&lake, &Lock::parse("table old 1\ntable new 2\ncrawler c 1\n").unwrap());
    assert_eq!(placement.number(Thing::Step(lake.steps[0].id)), 2);
    assert!(placement.needs_lock());
}

#[test]
fn a_line_that_is_no_place_is_refused() {
    for text in ["<<<<<<< HEAD", "job a", "job a 0", "job a x", "job a 1 2", "job  a 1", "job a 100000"] {
        let error = Lock::parse(&format!("# comment\n{text}\n")).unwrap_err();
        assert_eq!((error.line, error.text.as_str()), (2, text));
    }
}

#[test]
fn a_small_lake_needs_no_lock() {
    let plan = Plan { jobs: vec!["a".into(), "b".into()], crawlers: vec![("raw".into(), 3)], items: 2 };
    let (_root, lake) = plan.lake();
    let placement = Placement::of(&lake, &Lock::default());
    assert!(!placement.needs_lock());
    assert_eq!((placement.stacks(Part::Processing), placement.stacks(Part::Storage)), (1, 1));
}
