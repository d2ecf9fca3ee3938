use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::assembly::{AssetPath, Assets};
use crate::cfn::Format as Notation;
use crate::check::check;
use crate::files::Disk;
use crate::lake::Generated;
use crate::placement::Lock;
use crate::source::Source as Blueprint;

/// A lake with at least one thing of every kind.
const SHOP: &str = include_str!("tests/shop.yaml");
/// Permissions by Lake Formation, of every form.
const GOVERNED: &str = include_str!("tests/governed.yaml");
/// The escape hatch, in every place that it has.
const ESCAPE: &str = include_str!("tests/escape.yaml");
const FILES: [&str; 8] = [
    "job.py",
    "jobs/features.py",
    "jobs/lib/shared.py",
    "jobs/helper.py",
    "models/taste/train.py",
    "models/taste/inference.py",
    "functions/recommend/handler.py",
    "functions/recommend/words.txt",
];

fn read(text: &str) -> (Lake, Assets) {
    let root = tempfile::tempdir().unwrap();
    for file in FILES {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("# {file}\n")).unwrap();
    }
    read_in(text, root.path())
}

fn read_in(text: &str, root: &Path) -> (Lake, Assets) {
    let source = Blueprint { name: "shop.yaml".into(), text: text.into() };
    let (lake, diagnostics) = check(source, root, &Disk::new(root));
    let lake = lake.unwrap_or_else(|| panic!("{:#?}", diagnostics.list));
    let assets = Assets::collect(&lake).unwrap();
    (lake, assets)
}

fn lowered(lake: &Lake, assets: &Assets, environment: &str) -> Assembly {
    lowered_as(lake, assets, environment, Notation::Json)
}

fn lowered_as(lake: &Lake, assets: &Assets, environment: &str, notation: Notation) -> Assembly {
    let (lake, environment) = lake.copy(environment).unwrap();
    lower(lake, environment, assets, &Placement::of(lake, &Lock::default()), notation)
}

fn files(lake: &Lake, assets: &Assets, environment: &str, notation: Notation) -> Vec<(String, String)> {
    let assembly = lowered_as(lake, assets, environment, notation);
    let texts = assembly.others().chain(assembly.templates()).filter(|(name, _)| !name.starts_with("assets/"));
    texts.filter_map(|(name, content)| Some((name, String::from_utf8(content.into_owned()).ok()?))).collect()
}

/// Parsed back by serde_json, so that what is looked at is what CloudFormation would see.
fn templates(lake: &Lake, assets: &Assets, environment: &str) -> Vec<(String, serde_json::Value)> {
    let files = files(lake, assets, environment, Notation::Json).into_iter();
    let files = files.filter(|(name, _)| name != "openapi.json");
    files.map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

fn visit(value: &serde_json::Value, see: &mut impl FnMut(&serde_json::Map<String, serde_json::Value>)) {
    match value {
        serde_json::Value::Object(map) => {
            see(map);
            map.values().for_each(|value| visit(value, see));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| visit(value, see)),
        _ => {}
    }
}

/// Templates as they are, for people to review in `snapshots/`. Hashes of assets are left out: they change with every word of
/// a script, and templates with nothing else.
fn review(lake: &Lake, assets: &Assets, folder: &str) {
    for environment in ["dev", "prod"] {
        let all = lowered(lake, assets, environment).assets;
        // The plan of runs; that of releases is JSON, too, and which comes first is a matter of their hashes.
        let plans = all.iter().filter(|asset| asset.path.to_string().ends_with(".json"));
        let mut plans = plans.map(|asset| serde_json::from_slice::<serde_json::Value>(&asset.content).unwrap());
        let plan = plans.find(|plan| plan.get("pipelines").is_some());
        let plan = plan.map(|plan| ("plan.json".to_owned(), serde_json::to_string_pretty(&plan).unwrap()));
        for (name, mut text) in files(lake, assets, environment, Notation::Yaml).into_iter().chain(plan) {
            if name == "manifest.json" {
                text = by_sources(&text);
            }
            for asset in all.iter() {
                let sources = asset.sources.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
                text = text.replace(&asset.sha256, &format!("<hash of {sources}>"));
                text = text.replace(&format!("\"bytes\": {}", asset.content.len()), "\"bytes\": <size>");
            }
            let shared = ["manifest.json", "openapi.json", "plan.json"].contains(&name.as_str());
            let name = if shared { format!("{}-{environment}-{name}", lake.name) } else { name };
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(format!("../../snapshots/{folder}"));
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!(name, text));
        }
    }
}

/// A manifest whose assets are in the order of what they are made of, and not of their hashes.
fn by_sources(manifest: &str) -> String {
    let mut manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    manifest["assets"].as_array_mut().unwrap().sort_by_key(|asset| asset["sources"].to_string());
    serde_json::to_string_pretty(&manifest).unwrap()
}

/// What one thing lowers to when it is alone in a stack, against what placement reckoned with.
#[test]
fn nothing_takes_more_of_a_stack_than_was_reckoned_with() {
    let mut kinds = BTreeSet::new();
    for text in [SHOP, GOVERNED] {
        let (lake, assets) = read(text);
        let (here, environment) = lake.copy("prod").unwrap();
        let parts = [Part::Storage, Part::Processing, Part::Serving];
        let together = Placement::of(here, &Lock::default());
        let things = parts.iter().flat_map(|part| together.things(*part, 1));
        let lines: Vec<_> = things.map(|thing| Placement::line(*thing, here)).collect();
        let mut short = Vec::new();
        for line in &lines {
            let places = lines.iter().map(|other| format!("{other} {}\n", if other == line { 9 } else { 1 }));
            let name = &here.name;
            let lock = format!("lake {name}\nversion 1\n{}", places.collect::<String>());
            let placement = Placement::of(here, &Lock::parse(&lock, name).unwrap());
            let assembly = lower(here, environment, &assets, &placement, Notation::Json);
            let stack = assembly.stacks.iter().find(|stack| stack.name.ends_with("-9")).unwrap();
            let used = [stack.template.len(), stack.template.text.len(), stack.template.outputs().count()];
            // Parameters and the frame of a template are not a thing's own. Some things follow their tables.
            let mut reckoned = [0, 2_000, 0];
            for thing in parts.iter().flat_map(|part| placement.things(*part, 9)) {
                let takes = Placement::reckoned(*thing, here);
                (0..3).for_each(|at| reckoned[at] += takes[at]);
            }
            if (0..3).any(|at| used[at] > reckoned[at]) {
                short.push(format!(
                    "{line} takes {used:?} resources, bytes and outputs, and {reckoned:?} were reckoned with"
                ));
            }
        }
        assert!(short.is_empty(), "{}", short.join("\n"));
        kinds.extend(lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned));
    }
    assert_eq!(kinds.len(), crate::placement::KINDS.len(), "there is one of every kind, and not only {kinds:?}");
}

#[test]
fn the_shop_lowers_to_these_templates() {
    let (lake, assets) = read(SHOP);
    review(&lake, &assets, "shop");
}

#[test]
fn a_lake_with_permissions_by_lake_formation_lowers_to_these_templates() {
    let (lake, assets) = read(GOVERNED);
    review(&lake, &assets, "governed");
}

#[test]
fn a_large_lake_makes_tables_before_it_permits_something_with_them() {
    use std::fmt::Write;
    let mut text = "name: large\nenvironments: { dev: { region: eu-west-1 } }\nzones: { raw: }\ntables:\n".to_owned();
    let (mut crawled, mut queries) = (Vec::new(), String::from("queries:\n"));
    for at in 0..200 {
        let _ = writeln!(text, "  a{at}: {{ zone: raw, format: json, columns: {{ id: int }} }}");
        let _ = writeln!(text, "  b{at}: {{ zone: raw, format: parquet, columns: {{ id: int }} }}");
        let _ = writeln!(queries, "  q{at}: {{ writes: b{at}, mode: append, sql: \"select id from a{at}\" }}");
        crawled.push(format!("a{at}"));
    }
    let _ = write!(
        text,
        "{queries}crawlers: {{ all: {{ reads: [{}] }} }}\nlake_formation:\n  grants:\n",
        crawled.join(", ")
    );
    for at in 0..200 {
        let _ = writeln!(text, "    g{at}: {{ to: role/reader, tables: {{ b{at}: }} }}");
    }
    let (lake, assets) = read(&text);
    let assembly = lowered(&lake, &assets, "dev");
    let number = |name: &str| assembly.stacks.iter().position(|stack| stack.name == name).unwrap();
    let (mut tables, mut permissions) = (std::collections::HashMap::new(), Vec::new());
    for (file, template) in templates(&lake, &assets, "dev") {
        let stack = file.trim_end_matches(".json").to_owned();
        let resources = template["Resources"].as_object().into_iter().flatten();
        assert!(resources.clone().count() <= crate::placement::MAX_RESOURCES, "{stack}");
        for (id, resource) in resources {
            match resource["Type"].as_str() {
                Some("AWS::Glue::Table") => {
                    tables.insert(id.clone(), stack.clone());
                    tables.insert(
                        resource["Properties"]["TableInput"]["Name"].as_str().unwrap().to_owned(),
                        stack.clone(),
                    );
                }
                Some("AWS::LakeFormation::PrincipalPermissions") => {
                    let of = &resource["Properties"]["Resource"]["Table"]["Name"];
                    let of = of.as_str().or_else(|| of["Ref"].as_str()).map(str::to_owned);
                    permissions.extend(of.map(|of| (stack.clone(), of)));
                }
                _ => {}
            }
        }
    }
    assert_eq!(permissions.len(), 200 + 400 + 200);
    let (mut apart, mut wrong) = (0, Vec::new());
    for (stack, table) in &permissions {
        let home = &tables[table];
        apart += usize::from(home != stack);
        if home != stack && !assembly.stacks[number(stack)].depends_on.contains(home) {
            wrong.push((stack, table, home));
        }
    }
    assert!(apart > 0, "no table is in another stack than a permission for it");
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_reference_lake_lowers_to_these_templates() {
    let project = crate::project::Project::open(None, Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (lake, diagnostics) = project.check();
    let lake = lake.unwrap_or_else(|| panic!("{:#?}", diagnostics.list));
    let assets = Assets::collect(&lake).unwrap();
    review(&lake, &assets, "instacart");
}

#[test]
fn visual_jobs_become_these_scripts() {
    let (lake, _) = read(SHOP);
    for job in lake.jobs.values() {
        if let crate::lake::Script::Visual(graph) = &job.script {
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path("../../snapshots/shop");
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            let script = crate::visual::script(&lake, &job.name, graph);
            settings.bind(|| insta::assert_snapshot!(format!("{}.py", job.name), script));
        }
    }
}

#[test]
fn the_nodes_of_a_visual_job_are_registered_with_the_places_of_its_targets() {
    let (lake, assets) = read(SHOP);
    let nodes = &templates(&lake, &assets, "dev")[2].1["Resources"]["StudioNodesSpending"]["Properties"]["Nodes"];
    let text = nodes["Fn::Sub"].as_str().unwrap().replace("${AWS::AccountId}", "1").replace("${AWS::Region}", "here");
    let nodes: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (mut targets, mut cleared) = (Vec::new(), Vec::new());
    for (id, node) in nodes.as_object().unwrap() {
        let (kind, node) = node.as_object().unwrap().iter().next().unwrap();
        for input in node["Inputs"].as_array().into_iter().flatten() {
            assert!(!nodes[input.as_str().unwrap()].is_null(), "{id} reads {input}");
        }
        targets.extend(kind.ends_with("Target").then(|| node["Path"].as_str().unwrap()));
        cleared.extend((kind == "CustomCode").then(|| node["Code"].as_str().unwrap()));
    }
    assert_eq!(targets.len(), 2);
    for place in targets {
        assert!(place.starts_with("s3://shop-dev-curated-1-here/"), "{place}");
        assert!(
            cleared.iter().any(|code| code.contains(place)),
            "{place} is cleared before it is written: {cleared:?}"
        );
    }
}

/// Source: `Name` of each `Create…` operation of the DataBrew API reference.
#[test]
fn names_are_such_that_databrew_takes_them() {
    let long = "quite_a_long_name_for_a_table_of_a_shop_";
    let text = SHOP
        .replace("returns_old", "returns__old")
        .replace("  sales:\n    reads: sales\n", &format!("  {long}:\n    reads: sales\n"));
    let (lake, assets) = read(&text.replace("name: shop\n", "name: my_shop\n"));
    let mut names = 0;
    for (_, template) in templates(&lake, &assets, "dev") {
        for resource in template["Resources"].as_object().into_iter().flat_map(serde_json::Map::values) {
            let kind = resource["Type"].as_str().unwrap();
            if let Some(kind) = kind.strip_prefix("AWS::DataBrew::") {
                let name = resource["Properties"]["Name"].as_str().unwrap();
                let most = if kind == "Job" { 240 } else { 255 };
                assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-. ".contains(c)), "{kind} {name}");
                assert!(name.len() <= most, "{kind} {name}");
                names += 1;
            }
        }
    }
    assert!(names > 10, "{names} names");
}

/// Source: "Introducing job queuing to scale your AWS Glue workloads" of the AWS Big Data Blog.
#[test]
fn a_job_is_queued_unless_glue_tries_again_or_waits_for_spare_machines() {
    let (lake, assets) = read(SHOP);
    let (_, processing) = templates(&lake, &assets, "dev").remove(2);
    let mut seen = BTreeSet::new();
    for job in processing["Resources"].as_object().unwrap().values().filter(|one| one["Type"] == "AWS::Glue::Job") {
        let job = &job["Properties"];
        let plain = job["MaxRetries"] == 0 && job["ExecutionClass"] == "STANDARD";
        assert_eq!(job["JobRunQueuingEnabled"], plain, "{job}");
        seen.insert(plain);
    }
    assert_eq!(seen.len(), 2);
}

/// Source: "Logging for AWS Glue jobs", on log groups with and without a security configuration that encrypts them.
#[test]
fn jobs_log_into_groups_of_the_template() {
    let (lake, assets) = read(SHOP);
    let (_, processing) = templates(&lake, &assets, "dev").remove(2);
    let resources = processing["Resources"].as_object().unwrap();
    let groups: BTreeSet<_> = resources.values().filter_map(|one| one["Properties"]["LogGroupName"].as_str()).collect();
    for job in resources.values().filter(|one| one["Type"] == "AWS::Glue::Job") {
        let security = job["Properties"]["SecurityConfiguration"]["Ref"].as_str().unwrap();
        let encryption = &resources[security]["Properties"]["EncryptionConfiguration"];
        assert_eq!(encryption["CloudWatchEncryption"]["CloudWatchEncryptionMode"], "DISABLED");
        let prefix = job["Properties"]["DefaultArguments"]["--custom-logGroup-prefix"].as_str().unwrap();
        for name in ["error", "output"] {
            assert!(groups.contains(&*format!("{prefix}/{name}")), "{prefix}/{name} is not among {groups:?}");
        }
    }
    let kept = |kind: &str| &resources[kind]["Properties"];
    assert!(kept("JobErrors")["RetentionInDays"].is_number() && kept("JobErrors")["KmsKeyId"].is_object());
}

#[test]
fn an_environment_has_what_it_sets_and_its_own_tags() {
    let tagged = SHOP.replace(
        "    protected: true\n",
        "    protected: true\n    tags: { team: operations, Data class: a+b=c@d/e }\n",
    );
    let (lake, assets) = read(&format!("{tagged}tags: {{ team: analytics, cost_centre: 4711 }}\n"));
    let job = |environment| {
        let (_, processing) = templates(&lake, &assets, environment).remove(2);
        processing["Resources"]["GlueJobFeatures"]["Properties"].clone()
    };
    let (dev, prod) = (job("dev"), job("prod"));
    assert_eq!((&dev["NumberOfWorkers"], &dev["Timeout"]), (&4.into(), &30.into()));
    assert_eq!((&prod["NumberOfWorkers"], &prod["Timeout"]), (&40.into(), &180.into()));
    assert_eq!((&dev["Tags"]["team"], &dev["Tags"]["cost_centre"]), (&"analytics".into(), &"4711".into()));
    assert_eq!((&prod["Tags"]["team"], &prod["Tags"]["Data class"]), (&"operations".into(), &"a+b=c@d/e".into()));
}

#[test]
fn a_lake_in_china_names_nothing_of_another_partition() {
    let text = SHOP.replace("dev:  { region: eu-west-1 }", "dev:  { region: cn-north-1, set: { api.access: iam } }");
    let text = text.replace("arn:aws:acm:eu-west-1", "arn:aws-cn:acm:cn-north-1");
    let (lake, assets) = read(&text);
    for (name, text) in files(&lake, &assets, "dev", Notation::Json) {
        assert!(!text.contains("arn:aws:"), "{name}");
        // Services go by one name everywhere, and the hosts of a region by the partition's.
        let hosts = text.split(['"', '/', ' ']).filter(|word| word.contains(".amazonaws.com"));
        for host in hosts.filter(|host| host.contains(".cn-north-1.")) {
            assert!(host.contains("amazonaws.com.cn"), "{name} speaks of {host}");
        }
    }
}

#[test]
fn a_lake_of_another_field_lowers_to_these_templates() {
    let root = tempfile::tempdir().unwrap();
    let project = root.path().join("bikes");
    let files = crate::starter::files(crate::cli::Starter::Bikes, "bikes").unwrap();
    crate::starter::write(&files, &project).unwrap();
    let blueprint = std::fs::read_to_string(project.join("blueprints/lake.yaml")).unwrap();
    let prod = "  # prod: {";
    assert!(blueprint.contains(prod));
    let (lake, assets) = read_in(&blueprint.replace(prod, "  prod: {"), &project);
    review(&lake, &assets, "bikes");
}

#[test]
fn a_view_is_kept_as_athena_keeps_one() {
    use base64::Engine as _;
    let (lake, assets) = read(SHOP);
    let table =
        &templates(&lake, &assets, "dev")[2].1["Resources"]["CatalogTableBestCustomers"]["Properties"]["TableInput"];
    let text = table["ViewOriginalText"].as_str().unwrap();
    let encoded = text.strip_prefix("/* Presto View: ").and_then(|text| text.strip_suffix(" */")).unwrap();
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let view: serde_json::Value = serde_json::from_slice(&decoded).unwrap();
    assert_eq!((&view["catalog"], &view["schema"]), (&"awsdatacatalog".into(), &"shop_dev".into()));
    assert_eq!(view["columns"][0], serde_json::json!({ "name": "customer", "type": "integer" }));
    assert!(view["originalSql"].as_str().unwrap().contains("from ledger group by customer"));
}

#[test]
fn the_same_lake_makes_the_same_bytes() {
    let (lake, assets) = read(SHOP);
    let (again, assets_again) = read(SHOP);
    for notation in [Notation::Yaml, Notation::Json] {
        assert_eq!(files(&lake, &assets, "prod", notation), files(&again, &assets_again, "prod", notation));
    }
}

#[test]
fn both_notations_say_the_same() {
    let (lake, assets) = read(SHOP);
    let yaml = files(&lake, &assets, "dev", Notation::Yaml).into_iter().filter(|(name, _)| name != "openapi.json");
    let json = templates(&lake, &assets, "dev");
    for ((_, yaml), (name, json)) in yaml.zip(json).skip(1) {
        let yaml: serde_json::Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(yaml, json, "{name}");
    }
}

#[test]
fn nothing_is_allowed_with_a_wildcard_action_and_only_unscoped_actions_on_everything() {
    const UNSCOPED: [&str; 8] = [
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "glue:GetSecurityConfiguration",
        "logs:DescribeLogGroups",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ];
    let (lake, assets) = read(SHOP);
    let mut seen = 0;
    for (_, template) in templates(&lake, &assets, "prod") {
        visit(&template, &mut |map| {
            let (Some(effect), Some(actions)) = (map.get("Effect"), map.get("Action")) else { return };
            if effect != "Allow" {
                return;
            }
            seen += 1;
            let actions: Vec<_> = actions.as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
            assert!(actions.iter().all(|action| !action.contains('*')), "{actions:?}");
            if map.get("Resource").is_some_and(|resource| resource == "*") && !map.contains_key("Principal") {
                assert!(actions.iter().all(|action| UNSCOPED.contains(action)), "{actions:?}");
            }
        });
    }
    assert!(seen > 50, "{seen} statements were looked at");
}

#[test]
fn a_step_may_touch_its_own_tables_and_no_others() {
    let (lake, assets) = read(SHOP);
    let templates = templates(&lake, &assets, "dev");
    let role = &templates[2].1["Resources"]["JobRoleFeatures"].to_string();
    for table in ["totals", "clicks", "training", "shop-dev-profiles"] {
        assert!(role.contains(&format!("/{table}")), "{table} is missing from {role}");
    }
    for table in ["sales", "remarks", "notes", "sales_clean"] {
        assert!(!role.contains(&format!("/{table}/")), "{table} is none of this job's: {role}");
    }
}

#[test]
fn protected_data_outlives_its_stack_and_other_data_does_not() {
    let (lake, assets) = read(SHOP);
    for (environment, deletion, replacement) in
        [("prod", "RetainExceptOnCreate", "Retain"), ("dev", "Delete", "Delete")]
    {
        let storage = &templates(&lake, &assets, environment)[1].1["Resources"];
        for id in ["ZoneBucketRaw", "ModelBucket", "LakeKey", "ItemTableProfiles"] {
            assert_eq!(storage[id]["DeletionPolicy"], deletion, "{id}");
            assert_eq!(storage[id]["UpdateReplacePolicy"], replacement, "{id}");
        }
        assert_eq!(storage["ItemTableProfiles"]["Properties"]["DeletionProtectionEnabled"], environment == "prod");
    }
}

#[test]
fn other_routes_make_another_deployment_and_the_same_ones_do_not() {
    let deployment = |text: &str| {
        let (lake, assets) = read(text);
        let templates = templates(&lake, &assets, "dev");
        let (_, serving) = templates.iter().find(|(name, _)| name == "shop-dev-serving.json").unwrap();
        let ids = serving["Resources"].as_object().unwrap().keys().find(|id| id.starts_with("ApiDeployment")).cloned();
        ids.unwrap()
    };
    let before = deployment(SHOP);
    assert_eq!(before, deployment(&SHOP.replace("memory: 512 MB", "memory: 1024 MB")));
    for (from, to) in [("shop/write]", "shop/own]"), ("GET /:", "GET /open:"), ("required: true", "required: false")] {
        assert!(SHOP.contains(from));
        assert_ne!(before, deployment(&SHOP.replace(from, to)), "{from} became {to}");
    }
}

/// A resource without what may change of it in place: descriptions, the variables of functions, and hashes of assets.
fn lasting(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !matches!(key.as_str(), "Description" | "Variables"));
            kept.map(|(key, value)| (key.clone(), lasting(value))).collect()
        }
        serde_json::Value::Array(items) => items.iter().map(lasting).collect(),
        serde_json::Value::String(text) => {
            let hash = |part: &&str| part.len() == 64 && part.chars().all(|c| c.is_ascii_hexdigit());
            let parts = text.split(['/', '.']).map(|part| if hash(&part) { "hash" } else { part });
            parts.collect::<Vec<_>>().join("/").into()
        }
        other => other.clone(),
    }
}

#[test]
fn what_is_renamed_is_the_same_in_aws() {
    let renamed = [
        ("  taste:\n", "  flavour:\n    was: taste\n"),
        ("calls: [taste, price]", "calls: [flavour, price]"),
        ("  letters:\n    script", "  mail:\n    was: letters\n    script"),
        ("  spending:\n    nodes", "  outlay:\n    was: spending\n    nodes"),
    ];
    let text = renamed.iter().fold(SHOP.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let ((before, old_assets), (after, new_assets)) = (read(SHOP), read(&text));
    let resources = |lake, assets| -> Vec<_> {
        let templates = templates(lake, assets, "dev").into_iter().filter(|(name, _)| name != "manifest.json");
        templates.map(|(name, template)| (name, lasting(&template["Resources"]))).collect()
    };
    for ((stack, was), (same, is)) in resources(&before, &old_assets).iter().zip(resources(&after, &new_assets)) {
        assert_eq!(*stack, same);
        for (id, resource) in was.as_object().unwrap() {
            assert_eq!(is.get(id), Some(resource), "{stack} {id}");
        }
        assert_eq!(was, &is, "{stack}");
    }
    let locks = [&before, &after].map(|lake| Placement::of(lake, &Lock::default()).lock(lake).render());
    assert_eq!(locks[0], locks[1], "and everything keeps its stack");

    let assembly = lowered(&after, &new_assets, "dev");
    let origin = |stack: &str, id: &str| {
        let stack = assembly.stacks.iter().find(|known| known.name == stack).unwrap();
        stack.origin(id).map(ToString::to_string)
    };
    assert_eq!(origin("shop-dev-processing", "GlueJobLetters").as_deref(), Some("jobs.mail"));
    assert_eq!(origin("shop-dev-endpoint-taste", "EndpointHost").as_deref(), Some("models.flavour"));
    let function = templates(&after, &new_assets, "dev").into_iter().find(|(name, _)| name == "shop-dev-serving.json");
    let variables =
        &function.unwrap().1["Resources"]["FunctionCodeRecommend"]["Properties"]["Environment"]["Variables"];
    assert_eq!(variables["ENDPOINT_FLAVOUR"], "shop-dev-taste", "code speaks of it by its name");
    // The release function finds what is live by the old name, and tells of it by the new one.
    let settings =
        assembly.assets.iter().find(|asset| asset.sources.contains("what releasing the models takes")).unwrap();
    let settings: serde_json::Value = serde_json::from_slice(&settings.content).unwrap();
    assert_eq!((&settings["taste"]["step"], settings.get("flavour")), (&"flavour".into(), None));
}

#[test]
fn what_a_stack_imports_another_one_before_it_puts_out() {
    let (lake, assets) = read(SHOP);
    let assembly = lowered(&lake, &assets, "dev");
    let mut outputs = Vec::new();
    for stack in &assembly.stacks {
        for parameter in &stack.parameters {
            if let Source::Output(reference) = &parameter.source {
                assert!(outputs.contains(reference), "{} wants {reference:?}", stack.name);
                assert!(stack.depends_on.contains(&reference.stack));
            }
        }
        outputs.extend(
            stack
                .template
                .outputs()
                .map(|output| crate::assembly::OutputRef { stack: stack.name.clone(), output: output.to_owned() }),
        );
    }
    let training = &assembly.training[0].1;
    for reference in [&training.role, &training.key, &training.output.bucket, &training.channels[0].place.bucket] {
        assert!(outputs.contains(reference), "{reference:?}");
    }
}

#[test]
fn only_functions_that_put_messages_back_are_let_call_themselves() {
    let (lake, assets) = read(SHOP);
    let mut loops = Vec::new();
    for (_, template) in templates(&lake, &assets, "prod") {
        let Some(resources) = template["Resources"].as_object() else { continue };
        let of = |kind: &'static str| resources.values().filter(move |resource| resource["Type"] == kind);
        let queues: Vec<_> = of("AWS::Lambda::EventSourceMapping")
            .map(|mapping| (&mapping["Properties"]["FunctionName"]["Ref"], &mapping["Properties"]["EventSourceArn"]))
            .collect();
        for (id, function) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Function") {
            let properties = &function["Properties"];
            let role = properties["Role"]["Fn::GetAtt"][0].as_str().unwrap_or_default();
            let mut may_send = Vec::new();
            visit(&resources[role]["Properties"], &mut |map| {
                if map.get("Action").is_some_and(|actions| actions.to_string().contains("sqs:SendMessage")) {
                    may_send.extend(map["Resource"].as_array().into_iter().flatten().cloned());
                }
            });
            let itself = queues.iter().any(|(function, queue)| *function == id && may_send.contains(queue));
            assert_eq!(properties.get("RecursiveLoop"), itself.then_some(&"Allow".into()), "{id}");
            loops.extend(itself.then(|| id.clone()));
        }
    }
    assert_eq!(loops, ["ReleaseFunction"]);
}

#[test]
fn roles_may_use_the_key_for_what_services_do_in_their_name() {
    let (lake, assets) = read(SHOP);
    let templates = templates(&lake, &assets, "prod");
    let resources = || templates.iter().filter_map(|(_, template)| template["Resources"].as_object()).flatten();
    let encrypted: Vec<&str> = resources()
        .filter(|(_, resource)| resource["Properties"]["KmsKeyId"].is_object())
        .filter_map(|(_, resource)| resource["Properties"]["LogGroupName"].as_str())
        // Glue makes those of jobs.
        .chain(["/aws-glue/jobs/shop-prod/"])
        .collect();
    let mut writers = 0;
    for (id, role) in resources().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
        let policies = role["Properties"]["Policies"].to_string();
        let (mut writes, mut may) = (false, Vec::new());
        visit(&role["Properties"], &mut |map| {
            let of = |key: &str| map.get(key).map(ToString::to_string).unwrap_or_default();
            if of("Action").contains("logs:PutLogEvents") {
                let resources = of("Resource");
                writes |= encrypted.iter().any(|group| resources.contains(&format!(":{group}")));
            }
            if of("Action").contains("kms:") {
                may.push((of("Action"), of("Condition")));
            }
        });
        let logs = may.iter().any(|(actions, condition)| {
            ["Encrypt", "Decrypt", "DescribeKey"].iter().all(|action| actions.contains(&format!("\"kms:{action}\"")))
                && condition.contains("kms:ViaService")
        });
        assert_eq!(logs, writes || id.starts_with("ReleaseRole"), "{id} {policies}");
        writers += u32::from(writes);
        // "If you specify a KMS key in the output configuration of your training job, add `kms:Encrypt`."
        let encrypts = may.iter().any(|(actions, condition)| actions.contains("kms:Encrypt") && condition.is_empty());
        assert!(encrypts || !id.starts_with("ModelRole"), "{id} {policies}");
    }
    assert!(writers > 8, "{writers} of them write to encrypted logs");
}

#[test]
fn every_alarm_may_use_the_key_of_the_topic_whatever_the_lake_is_called() {
    let (lake, assets) = read(&SHOP.replace("name: shop", "name: corner_shop"));
    let (mut ours, mut alarms) = (String::new(), Vec::new());
    for (_, template) in templates(&lake, &assets, "prod") {
        for resource in template["Resources"].as_object().into_iter().flat_map(|all| all.values()) {
            alarms.extend(resource["Properties"]["AlarmName"].as_str().map(str::to_owned));
            visit(&resource["Properties"]["KeyPolicy"], &mut |map| {
                if map.get("Sid").is_some_and(|sid| sid == "SendAlarms") {
                    ours = map["Condition"]["ArnLike"]["aws:SourceArn"].to_string();
                }
            });
        }
    }
    assert!(alarms.len() > 2, "{alarms:?}");
    for alarm in alarms {
        let begins = ["corner_shop-prod-", "corner-shop-prod-"].into_iter().find(|start| alarm.starts_with(start));
        assert!(begins.is_some_and(|start| ours.contains(&format!(":alarm:{start}*"))), "{alarm} is not of {ours}");
    }
}

#[test]
fn templates_leave_out_what_lambda_has_not_got_in_a_partition() {
    for (region, json, others, loops) in
        [("eu-west-1", true, true, true), ("us-gov-west-1", false, false, true), ("cn-north-1", true, false, false)]
    {
        let text = format!(
            "name: shop
environments: {{ dev: {{ region: {region} }} }}
zones: {{ curated: }}
tables: {{ training: {{ zone: curated, format: parquet, columns: {{ customer: int, label: int }} }} }}
models: {{ taste: {{ source: models/taste, reads: {{ train: training }}, endpoint: {{ instances: {{ type: ml.m5.large }} }} }} }}
functions: {{ recommend: {{ source: functions/recommend, calls: [taste] }} }}
api: {{ access: iam, routes: {{ GET /taste: {{ function: recommend }} }} }}
"
        );
        let (lake, assets) = read(&text);
        let all = templates(&lake, &assets, "dev");
        let text = all.iter().map(|(_, template)| template.to_string()).collect::<String>();
        assert_eq!(text.contains(r#""LogFormat":"JSON""#), json, "{region}");
        assert_eq!(text.contains(r#""RecursiveLoop":"Allow""#), loops, "{region}");
        assert_eq!(text.contains(r#""TracingConfig":{"Mode":"Active"}"#), !region.starts_with("cn-"), "{region}");
        let mapping = all.iter().find_map(|(_, template)| template["Resources"].get("ReleaseMapping")).unwrap();
        assert_eq!(mapping["Properties"].get("Tags").is_some(), others, "{region}");
    }
}

#[test]
fn alarms_of_a_release_are_watched_with_the_role_of_the_container() {
    let (lake, assets) = read(SHOP);
    let mut watched = Vec::new();
    for (_, template) in templates(&lake, &assets, "dev") {
        for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
            if id.starts_with("EndpointRole") && resource.to_string().contains("cloudwatch:DescribeAlarms") {
                watched.push(id.clone());
            }
        }
    }
    let instances = ["EndpointRolePrice", "EndpointRoleChurn", "EndpointRoleQuick"];
    assert_eq!(watched, instances, "CloudFormation watches those of serverless endpoints");
}

#[test]
fn every_reference_inside_a_template_leads_somewhere() {
    let (lake, assets) = read(SHOP);
    for (name, template) in templates(&lake, &assets, "prod").into_iter().skip(1) {
        let known = |id: &str| {
            id.starts_with("AWS::") || !template["Resources"][id].is_null() || !template["Parameters"][id].is_null()
        };
        visit(&template, &mut |map| {
            if let Some(id) = map.get("Ref") {
                assert!(known(id.as_str().unwrap()), "{id} in {name}");
            }
            if let Some(target) = map.get("Fn::GetAtt") {
                assert!(known(target[0].as_str().unwrap()), "{target} in {name}");
            }
            if let Some(text) = map.get("Fn::Sub") {
                for piece in text.as_str().unwrap().split("${").skip(1).filter(|piece| !piece.starts_with('!')) {
                    let id = piece.split(['}', '.']).next().unwrap();
                    assert!(known(id), "{id} in {name}");
                }
            }
        });
    }
}

#[test]
fn an_endpoint_waits_for_its_first_model_and_keeps_the_one_that_is_live() {
    let (lake, assets) = read(SHOP);
    let assembly = lowered(&lake, &assets, "dev");
    for (stack, template) in assembly.stacks.iter().zip(templates(&lake, &assets, "dev").into_iter().skip(1)) {
        let kept: Vec<_> = stack.parameters.iter().filter(|p| p.source == Source::Kept).map(|p| &*p.name).collect();
        if !stack.name.contains("-endpoint-") {
            assert!(kept.is_empty() && stack.role.is_none(), "{}", stack.name);
            continue;
        }
        let role = stack.role.as_ref().unwrap_or_else(|| panic!("{} has no role", stack.name));
        assert!(role.output.starts_with("ReleaseRole") && stack.depends_on.contains(&role.stack));
        assert!(["TrainingJob", "ModelData", "ModelImage", "ReleaseId"].iter().all(|name| kept.contains(name)));
        assert!(kept.iter().all(|name| template.1["Parameters"][name]["Default"].is_string()));
        assert_eq!(template.1["Parameters"]["TrainingJob"]["Default"], "");
        for (id, resource) in template.1["Resources"].as_object().unwrap() {
            let early = resource["Type"] == "AWS::Logs::LogGroup" || resource["Type"] == "AWS::CloudWatch::Alarm";
            assert_eq!(resource.get("Condition").is_none(), early, "{id} of {}", stack.name);
        }
    }
}

#[test]
fn what_cannot_change_in_an_endpoint_has_another_name_when_it_does() {
    let names = |text: &str| {
        let (lake, assets) = read(text);
        let templates = templates(&lake, &assets, "dev");
        let (_, price) = templates.iter().find(|(name, _)| name.contains("endpoint-price")).unwrap();
        ["EndpointModel", "EndpointSettings"].map(|id| price["Resources"][id]["Properties"].clone()).map(|p| {
            let name = if p["ModelName"].is_null() { &p["EndpointConfigName"] } else { &p["ModelName"] };
            name["Fn::Sub"].as_str().unwrap().to_owned()
        })
    };
    let before = names(SHOP);
    for (from, to) in
        [("min: 2, max", "min: 3, max"), ("share: 20%", "share: 30%"), ("type: ml.m5.large\n", "type: ml.m5.xlarge\n")]
    {
        assert!(SHOP.contains(from), "{from}");
        let after = names(&SHOP.replace(from, to));
        assert_eq!(before[0], after[0], "{from}");
        assert_ne!(before[1], after[1], "{from}");
    }
    assert_eq!(before, names(&SHOP.replace("latency: 500 ms", "latency: 400 ms")));
}

#[test]
fn stacks_of_a_lake_with_an_underscore_have_names_that_cloudformation_takes() {
    let (lake, assets) = read(&SHOP.replace("name: shop", "name: my_shop"));
    for stack in lowered(&lake, &assets, "dev").stacks {
        let fits =
            stack.name.starts_with("my-shop-dev-") && stack.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(fits, "{}", stack.name);
    }
}

#[test]
fn metrics_are_found_in_the_lines_that_scripts_print() {
    let (lake, assets) = read(SHOP);
    let assembly = lowered(&lake, &assets, "dev");
    let metrics = &assembly.training[0].1.metrics;
    let regexes: Vec<_> = metrics.iter().map(|metric| metric.regex.as_str()).collect();
    assert_eq!(regexes, [r"metric validation:auc=([0-9eE.+-]+)", r"metric popularity:auc@1\.5=([0-9eE.+-]+)"]);
}

#[test]
fn a_lake_without_answers_has_no_serving_stack() {
    let text = "name: a\nenvironments: { dev: { region: eu-west-1 } }\nzones: { raw: { keep: forever } }\n\
        tables: { t: { zone: raw, format: csv, columns: { id: int, b: string } } }\n";
    let (lake, assets) = read(text);
    let assembly = lowered(&lake, &assets, "dev");
    let names: Vec<_> = assembly.stacks.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["a-dev-storage", "a-dev-processing"]);

    let written = std::sync::Mutex::new(BTreeSet::new());
    let write = |file: &str, _| assert!(written.lock().unwrap().insert(file.to_owned()), "{file}");
    let (lake, environment) = lake.copy("dev").unwrap();
    let placement = Placement::of(lake, &Lock::default());
    let assembly = lower_each(lake, environment, &assets, &placement, Notation::Yaml, write);
    let files: BTreeSet<_> = assembly.stacks.iter().map(|stack| stack.file()).collect();
    assert_eq!(written.into_inner().unwrap(), files, "what is written is what there is");
}

#[test]
fn an_assets_key_is_its_path_in_the_assembly() {
    let (lake, assets) = read(SHOP);
    let assembly = lowered(&lake, &assets, "dev");
    let paths: Vec<_> = assembly.others().map(|(path, _)| path).collect();
    let job = assets.job(Id::new(0));
    for path in std::iter::once(&job.script).chain(&job.modules).map(AssetPath::to_string) {
        assert!(paths.contains(&path));
        let processing = &assembly.stacks[1].template.text;
        assert!(processing.contains(&format!("s3://${{AssetBucket}}/{path}")), "{path}");
    }
}

/// What CloudFormation makes of a policy, with the longest values there are.
fn resolved(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) if map.contains_key("Ref") => "k".repeat(90).into(),
        Value::Object(map) if map.contains_key("Fn::Sub") => {
            let text = map["Fn::Sub"].as_str().unwrap();
            let text = text.replace("${AWS::Partition}", "aws-us-gov").replace("${AWS::AccountId}", "111122223333");
            text.replace("${AWS::Region}", "ap-southeast-2").into()
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), resolved(value))).collect(),
        Value::Array(items) => items.iter().map(resolved).collect(),
        _ => value.clone(),
    }
}

#[test]
fn what_a_step_may_do_fits_into_what_iam_takes_however_many_tables_it_reads() {
    let mut text =
        "name: wide\nenvironments: { dev: { region: eu-west-1 } }\nzones: { raw: { keep: forever } }\ntables:\n"
            .to_owned();
    let names: Vec<_> = (0..120).map(|index| format!("a_table_with_quite_a_long_name_{index}")).collect();
    for name in &names {
        text.push_str(&format!("  {name}: {{ zone: raw, format: csv, columns: {{ id: int, b: string }} }}\n"));
    }
    text.push_str(&format!("crawlers: {{ raw: {{ reads: [{}] }} }}\n", names.join(", ")));
    let (lake, assets) = read(&text);
    let processing = &templates(&lake, &assets, "dev")[2].1["Resources"];
    let resources = processing.as_object().unwrap().values();
    let policies: Vec<_> = resources.filter(|resource| resource["Type"] == "AWS::IAM::ManagedPolicy").collect();
    assert!((2..=10).contains(&policies.len()), "{} policies; a role has 10 at most", policies.len());
    assert_eq!(processing["CrawlerRoleRaw"]["Properties"]["Policies"], serde_json::json!([]));
    let mut all = String::new();
    for policy in policies {
        let document = &policy["Properties"]["PolicyDocument"];
        let text = resolved(document).to_string();
        assert!(text.len() <= 6_144, "{} characters", text.len());
        let sids: Vec<_> = document["Statement"].as_array().unwrap().iter().map(|s| s["Sid"].to_string()).collect();
        assert_eq!(sids.len(), sids.iter().collect::<std::collections::BTreeSet<_>>().len(), "{sids:?}");
        all.push_str(&text);
    }
    for name in names {
        assert!(all.contains(&format!("/{name}/*\"")) && all.contains(&format!(":table/wide_dev/{name}\"")), "{name}");
    }
}

#[test]
fn a_partitioned_table_gives_a_recipe_its_folders_as_columns() {
    let (lake, assets) = read(SHOP);
    let dataset = &templates(&lake, &assets, "dev")[2].1["Resources"]["RecipeDatasetClean"]["Properties"];
    assert_eq!(dataset["Input"]["S3InputDefinition"]["Key"], "sales/year={year}/<[^/]+>");
    let parameter = serde_json::json!([{
        "PathParameterName": "year",
        "DatasetParameter": { "Name": "year", "Type": "Number", "CreateColumn": true }
    }]);
    assert_eq!(dataset["PathOptions"]["Parameters"], parameter);
}

#[test]
fn a_dataset_of_the_catalog_names_the_table_which_its_role_may_find() {
    let (lake, assets) = read(SHOP);
    let template = &templates(&lake, &assets, "dev")[2].1;
    let dataset = &template["Resources"]["ProfileDatasetNotes"]["Properties"];
    let input = serde_json::json!({ "DataCatalogInputDefinition": {
        "CatalogId": { "Ref": "AWS::AccountId" }, "DatabaseName": "shop_dev", "TableName": "notes"
    }});
    assert_eq!(dataset["Input"], input);
    assert!(dataset.get("Format").is_none() && dataset.get("PathOptions").is_none(), "the catalog knows both");
    let role = |id: &str| template["Resources"][id].to_string();
    assert!(role("ProfileRoleNotes").contains(":table/shop_dev/notes"));
    assert!(!role("ProfileRoleSales").contains("glue:GetTable"), "a dataset of files does not ask the catalog");
}

/// Resources by stack and id.
fn resources(lake: &Lake, assets: &Assets, environment: &str) -> serde_json::Value {
    let templates = templates(lake, assets, environment).into_iter().filter(|(name, _)| name != "manifest.json");
    templates.map(|(name, template)| (name, template["Resources"].clone())).collect()
}

#[test]
fn what_is_renamed_keeps_its_buckets_folders_and_tables() {
    let text = "name: shop\nenvironments: { dev: { region: eu-west-1 } }\nzones: { RAW }\ntables:\n  ORDERS: { zone: raw, format: csv, \
                columns: { id: int } }\n  ITEMS: { dynamodb: { key: id }, columns: { id: int } }\ncrawlers: { look: { reads: [orders] } }\n";
    let names = [("RAW", "raw:"), ("ORDERS", "orders"), ("ITEMS", "items")];
    let before = names.iter().fold(text.to_owned(), |text, (name, before)| text.replace(name, before));
    let after = text
        .replace("RAW", "arrivals: { was: raw }")
        .replace("ORDERS: {", "purchases: { was: orders,")
        .replace("ITEMS: {", "goods: { was: items,")
        .replace("zone: raw", "zone: arrivals")
        .replace("[orders]", "[purchases]");
    let (before, assets) = read(&before);
    let before = resources(&before, &assets, "dev");
    let (after, assets) = read(&after);
    let after = resources(&after, &assets, "dev");
    assert_eq!(before["shop-dev-storage.json"], after["shop-dev-storage.json"]);
    let catalog = &after["shop-dev-processing.json"]["CatalogTablePurchases"]["Properties"]["TableInput"];
    assert_eq!(catalog["Name"], "purchases", "SQL knows it by its new name");
    let location = catalog["StorageDescriptor"]["Location"].to_string();
    assert!(location.contains("shop-dev-raw-") && location.contains("/orders/"), "{location}");
}

#[test]
fn an_adopted_bucket_is_the_zones_where_it_is_adopted_and_stays() {
    let text = "name: shop\nenvironments: { dev: { region: eu-west-1 }, prod: { region: eu-west-1 } }\n\
                zones: { raw: { adopt: { prod: our-data } } }\ntables: { orders: { zone: raw, format: csv, columns: { id: int } } }\n\
                crawlers: { look: { reads: [orders] } }\n";
    let (lake, assets) = read(text);
    let prod = resources(&lake, &assets, "prod");
    let bucket = &prod["shop-prod-storage.json"]["ZoneBucketRaw"];
    assert_eq!(
        (&bucket["Properties"]["BucketName"], &bucket["DeletionPolicy"]),
        (&"our-data".into(), &"RetainExceptOnCreate".into())
    );
    let processing = prod["shop-prod-processing.json"].to_string();
    assert!(processing.contains("s3://our-data/orders/") && processing.contains(":s3:::our-data"), "{processing}");
    assert!(!prod.to_string().contains("shop-prod-raw"));
    let dev = resources(&lake, &assets, "dev").to_string();
    assert!(!dev.contains("our-data") && dev.contains("shop-dev-raw-"));
}

#[test]
fn what_the_language_has_no_word_for_is_added_and_merged() {
    let (lake, assets) = read(ESCAPE);
    let mut seen = serde_json::Map::new();
    for environment in ["dev", "prod"] {
        for (file, template) in templates(&lake, &assets, environment).into_iter().skip(1) {
            for (id, resource) in template["Resources"].as_object().unwrap() {
                let shown = match id.as_str() {
                    "AuditTopic" | "AuditPolicy" | "LaterTopic" | "ReadAlarm" | "CopyRule" => resource.clone(),
                    "ZoneBucketRaw" => resource["Properties"]["AccelerateConfiguration"].clone(),
                    "CatalogTableB" => serde_json::json!([
                        resource["Properties"]["TableInput"]["Retention"],
                        resource["Properties"]["TableInput"]["Parameters"],
                    ]),
                    "ItemTableC" => resource["Properties"]["TableClass"].clone(),
                    "JobRoleCopy" => resource["Properties"]["MaxSessionDuration"].clone(),
                    "GlueJobCopy" => serde_json::json!([
                        resource["Properties"]["ExecutionProperty"],
                        resource["Properties"]["DefaultArguments"]["--audit"],
                        resource["Properties"]["DefaultArguments"]["--b"],
                        resource["Properties"]["MaintenanceWindow"],
                    ]),
                    _ => continue,
                };
                seen.insert(format!("{file} {id}"), shown);
            }
        }
    }
    let text = format!("{:#}", serde_json::Value::Object(seen));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/escape");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("escape", text));
}

#[test]
fn what_is_added_comes_from_the_blueprint_and_what_follows_does_not() {
    let (lake, assets) = read(ESCAPE);
    let assembly = lowered(&lake, &assets, "dev");
    let stack = |name: &str| assembly.stacks.iter().find(|stack| stack.name == name).unwrap();
    let origin = stack("escape-dev-storage").origin("ReadAlarm").map(ToString::to_string);
    assert_eq!(origin.as_deref(), Some("resources.ReadAlarm"));
    assert_eq!(stack("escape-dev-storage").origin("RunLedger"), None, "the ledger is no part of the last zone");
    let processing = stack("escape-dev-processing");
    assert!(processing.depends_on.contains(&"escape-dev-storage".to_owned()));
}

#[test]
fn every_resource_that_can_be_changed_is_made_and_of_its_type() {
    let (lake, assets) = read(SHOP);
    let resources: Vec<_> = templates(&lake, &assets, "dev")
        .into_iter()
        .flat_map(|(_, template)| template["Resources"].as_object().cloned().unwrap_or_default())
        .collect();
    for of in Generated::ALL {
        let tables = |files: bool| {
            lake.tables.values().filter(move |table| matches!(table.home, Home::DynamoDb { .. }) != files)
        };
        let names: Vec<&str> = match of {
            Generated::CatalogTable => tables(true).map(|table| table.name.as_str()).collect(),
            Generated::ItemTable => tables(false).map(|table| table.in_aws.as_str()).collect(),
            other => match other.section() {
                "zones" => lake.zones.values().map(|zone| zone.in_aws.as_str()).collect(),
                "crawlers" => lake.crawlers.values().map(|crawler| crawler.name.as_str()).collect(),
                "queries" => lake.queries.values().map(|query| query.name.as_str()).collect(),
                "recipes" => lake.recipes.values().map(|recipe| recipe.name.as_str()).collect(),
                "jobs" => lake.jobs.values().map(|job| job.name.as_str()).collect(),
                "models" => lake.models.values().map(|model| model.name.as_str()).collect(),
                "functions" => lake.functions.values().map(|function| function.name.as_str()).collect(),
                section => panic!("{section}"),
            },
        };
        assert!(!names.is_empty(), "{of:?}");
        for name in names {
            let id = escape::id(*of, name);
            let found = resources.iter().find(|(known, _)| *known == id.as_str());
            assert_eq!(found.map(|(_, resource)| &resource["Type"]), Some(&of.ty().into()), "{id}");
        }
    }
}

#[test]
fn results_of_queries_are_kept_as_long_as_their_workgroup_says() {
    let rules = |longest: &str| {
        let text = SHOP.replace("  heavy: { scan_limit", &format!("  heavy: {{ keep_results: {longest}, scan_limit"));
        let (lake, assets) = read(&text);
        let templates = templates(&lake, &assets, "dev");
        let storage = &templates.iter().find(|(name, _)| name.contains("storage")).unwrap().1;
        let rules = &storage["Resources"]["WorkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
        let rules = rules.as_array().unwrap().iter().filter(|rule| rule["ExpirationInDays"].is_u64());
        let kept = rules.map(|rule| (rule["Prefix"].as_str().map(str::to_owned), rule["ExpirationInDays"].as_u64()));
        kept.collect::<Vec<_>>()
    };
    let of = |prefix: &str, days| (Some(prefix.to_owned()), Some(days));
    assert_eq!(rules("14 days"), [(None, Some(14)), of("athena/", 5)]);
    // A rule for the whole bucket would take the results that are kept for longer.
    let longer = [of("jobs/", 14), of("profiles/", 14), of("athena/", 5), of("athena-heavy/", 90)];
    assert_eq!(rules("90 days"), longer);
}
