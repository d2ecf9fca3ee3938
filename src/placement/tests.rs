use std::fmt::Write as _;
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
    placement.lock(lake).places().clone()
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
        let lock = Lock::parse(&placement.lock(&before).render(), "many").unwrap();
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

/// A lake of 5,000 things: 2,499 jobs, a table for each, a zone and a crawler.
fn five_thousand() -> Plan {
    let jobs = (0..2_499).map(|n| format!("n{n}")).collect();
    Plan { jobs, crawlers: vec![("raw".into(), 1)], items: 0 }
}

#[test]
fn one_thing_more_in_a_lake_of_five_thousand_moves_nothing_wherever_it_stands() {
    let plan = five_thousand();
    let (_root, before) = plan.lake();
    let placement = Placement::of(&before, &Lock::default());
    let lock = placement.lock(&before);
    let old = places(&placement, &before);
    assert_eq!(old.len(), 5_001);
    for at in [0, 1_250] {
        let mut more = plan.clone();
        more.jobs.insert(at, "added".into());
        let (_root, after) = more.lake();
        let mut new = places(&Placement::of(&after, &lock), &after);
        assert!(new.remove(&("job".into(), "j_added".into())).is_some());
        assert!(new.remove(&("table".into(), "t_added".into())).is_some());
        assert!(new == old, "something moved when a job was added at {at}");
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
        (lower(&lake, &lake.environments[0], &assets, &placement, Format::Json), lock)
    };
    let (before, lock) = assembly(&plan, &Lock::default());
    assert!(before.stacks.len() > 6, "{} stacks", before.stacks.len());
    let mut names: Vec<&str> = Vec::new();
    let mut texts = HashMap::new();
    for stack in &before.stacks {
        let text = &stack.template.text;
        assert!(stack.template.len() <= MAX_RESOURCES * 9 / 10, "{} has {}", stack.name, stack.template.len());
        assert!(text.len() <= MAX_BYTES * 9 / 10, "{} has {} bytes", stack.name, text.len());
        assert!(stack.template.outputs().count() <= MAX_VALUES * 9 / 10 && stack.parameters.len() <= MAX_VALUES);
        for parameter in &stack.parameters {
            let named = text.matches(&format!("\"{}\"", parameter.name)).count()
                + text.matches(&format!("${{{}}}", parameter.name)).count();
            assert!(named > 1, "{} has no use for {}", stack.name, parameter.name);
        }
        for needed in &stack.depends_on {
            assert!(names.contains(&needed.as_str()), "{} comes before {needed}", stack.name);
        }
        names.push(&stack.name);
        texts.insert(&stack.name, text);
    }

    plan.jobs.insert(0, "added".into());
    let (after, _) = assembly(&plan, &lock);
    let changed = after.stacks.iter().filter(|stack| texts[&stack.name] != &stack.template.text);
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
    let json = |stack: &crate::assembly::RenderedStack| {
        let template: serde_json::Value = serde_json::from_str(&stack.template.text).unwrap();
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
    let placement = Placement::of(&lake, &locked("a", "table old 1\ntable new 2\ncrawler c 1\n"));
    assert_eq!(placement.number(Thing::Step(lake.steps[0].id)), 2);
    assert!(placement.needs_lock());
}

/// A lock file with these lines.
fn locked(lake: &str, lines: &str) -> Lock {
    Lock::parse(&format!("lake {lake}\nversion 1\n{lines}"), lake).unwrap()
}

#[test]
fn a_line_that_is_no_place_is_refused() {
    for text in ["<<<<<<< HEAD", "job a", "job a 0", "job a x", "job a 1 2", "job  a 1", "job a 100000", "jobb a 1"] {
        let error = Lock::parse(&format!("# comment\nlake a\nversion 1\n{text}\n"), "a").unwrap_err();
        assert_eq!(error, LockError::Line { line: 4, text: text.to_owned() });
    }
}

#[test]
fn a_lock_file_that_cannot_be_followed_is_refused_and_says_why() {
    let refused = |text: &str| Lock::parse(text, "shop").unwrap_err();
    for text in ["", "job a 1\n", "lake shop\njob a 1\n", "version 1\nlake shop\n"] {
        assert_eq!(refused(text), LockError::Headless);
    }
    assert_eq!(refused("lake shop\nversion 2\nanything else\n"), LockError::Version("2".into()));
    let foreign = LockError::Foreign { found: "bikes".into(), lake: "shop".into() };
    assert_eq!(refused("lake bikes\nversion 1\n"), foreign);
    let twice = LockError::Twice { line: 4, thing: "job a".into() };
    assert_eq!(refused("lake shop\nversion 1\njob a 1\njob a 2\n"), twice);
    assert!(Lock::parse("lake shop\nversion 1\njob a 1\njob a 1\n", "shop").is_ok());
}

#[test]
fn a_lock_file_forgets_what_is_gone_and_keeps_every_kind_of_line() {
    let plan = Plan { jobs: vec!["a".into()], ..Plan::default() };
    let (_root, lake) = plan.lake();
    let lines: String = KINDS.iter().map(|kind| format!("{kind} gone 3\n")).collect();
    let placement = Placement::of(&lake, &locked("many", &format!("{lines}job j_a 2\n")));
    let places = places(&placement, &lake);
    let names: Vec<_> = places.keys().map(|(kind, name)| format!("{kind} {name}")).collect();
    assert_eq!(names, ["job j_a", "table t_a", "zone lake"]);
    assert_eq!(places[&("job".to_owned(), "j_a".to_owned())], 2);
}

#[test]
fn a_stack_that_a_lock_file_overfills_is_named() {
    let plan = Plan { jobs: (0..150).map(|n| format!("n{n}")).collect(), ..Plan::default() };
    let (_root, lake) = plan.lake();
    assert_eq!(Placement::of(&lake, &Lock::default()).overfull(), None);
    let lines: String = plan.jobs.iter().map(|name| format!("job j_{name} 2\n")).collect();
    assert_eq!(Placement::of(&lake, &locked("many", &lines)).overfull(), Some((Part::Processing, 2)));
}

#[test]
fn a_small_lake_needs_no_lock() {
    let plan = Plan { jobs: vec!["a".into(), "b".into()], crawlers: vec![("raw".into(), 3)], items: 2 };
    let (_root, lake) = plan.lake();
    let placement = Placement::of(&lake, &Lock::default());
    assert!(!placement.needs_lock());
    assert_eq!((placement.stacks(Part::Processing), placement.stacks(Part::Storage)), (1, 1));
}
