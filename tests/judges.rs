//! Judges from outside on what `synth` writes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod support;

use std::path::Path;

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::cli::Starter;
use lakegen::lower::{access, lower};
use lakegen::placement::{Lock, Placement};
use lakegen::project::Project;
use lakegen::starter;
use support::{judges, must_succeed, python, root, shop, small};

#[test]
fn cfn_lint_finds_nothing_in_any_environment_or_format() {
    cfn_lint_finds_nothing_in(root());
}

#[test]
fn cfn_lint_finds_nothing_in_a_lake_of_another_field() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("bikes");
    starter::write(&starter::files(Starter::Bikes, "bikes").unwrap(), &project).unwrap();
    cfn_lint_finds_nothing_in(&project);
}

#[test]
fn cfn_lint_finds_nothing_in_what_the_escape_hatch_adds_and_changes() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path(), "escape");
    cfn_lint_finds_nothing_in(folder.path());
}

#[test]
fn cfn_lint_finds_nothing_in_permissions_by_lake_formation() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path(), "governed");
    cfn_lint_finds_nothing_in(folder.path());
}

#[test]
fn cfn_lint_finds_nothing_in_china_and_govcloud() {
    let folder = tempfile::tempdir().unwrap();
    shop(folder.path());
    let blueprint = folder.path().join("blueprints/shop.yaml");
    let text = std::fs::read_to_string(&blueprint).unwrap();
    let (_, lake) = text.split_once("\nzones:\n").unwrap();
    // China has no user pools.
    let environments = "name: shop\nenvironments:\n  gov: { region: us-gov-west-1, protected: true, alert: ops@example.com }\n  \
        china: { region: cn-north-1, set: { api.access: iam, api.domain.certificate: \"arn:aws-cn:acm:cn-north-1:111122223333:certificate/a\" } }\n";
    let lake = lake.replace("arn:aws:acm:eu-west-1", "arn:aws-us-gov:acm:us-gov-west-1");
    std::fs::write(&blueprint, format!("{environments}zones:\n{lake}")).unwrap();
    cfn_lint_finds_nothing_in(folder.path());
}

fn cfn_lint_finds_nothing_in(project: &Path) {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(None, project).unwrap();
    let (lake, diagnostics) = project.check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let places = project.places(&lake).unwrap();
    for (copy, environment) in lake.copies() {
        let assets = Assets::collect(copy).unwrap();
        for format in [Format::Yaml, Format::Json] {
            let assembly = lower(copy, environment, &assets, &places.of(copy).unwrap(), format);
            let directory = folder.path().join(&environment.name).join(format.extension());
            std::fs::create_dir_all(&directory).unwrap();
            assembly::write(&assembly, &directory).unwrap();
            let files: Vec<_> = assembly.stacks.iter().map(|stack| directory.join(stack.file())).collect();
            if assembly.openapi.is_some() {
                must_succeed(python.tool("openapi-spec-validator").arg(directory.join("openapi.json")));
            }
            let regions = [environment.region.as_str(), "us-east-1"];
            must_succeed(python.tool("cfn-lint").args(["-c", "I", "-r"]).args(regions).arg("--").args(&files));
        }
    }
}

#[test]
fn no_judge_finds_what_is_not_excepted_and_no_exception_is_unused() {
    let folder = tempfile::tempdir().unwrap();
    let (bikes, shop_project) = (folder.path().join("bikes"), folder.path().join("shop"));
    starter::write(&starter::files(Starter::Bikes, "bikes").unwrap(), &bikes).unwrap();
    shop(&shop_project);
    let governed = folder.path().join("governed");
    small(&governed, "governed");
    let out = folder.path().join("templates");
    for project in [root(), &bikes, &shop_project, &governed] {
        let (lake, diagnostics) = Project::open(None, project).unwrap().check();
        let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        for (lake, environment) in lake.copies() {
            let assets = Assets::collect(lake).unwrap();
            let assembly = lower(lake, environment, &assets, &Placement::of(lake, &Lock::default()), Format::Json);
            assembly::write(&assembly, &out.join(&lake.name).join(&environment.name)).unwrap();
            if let Some((github, gate)) =
                lake.github.as_ref().and_then(|github| Some((github, github.gate(&environment.name)?)))
            {
                let stack = access(lake, environment, github, gate, Format::Json);
                let folder = out.join(&lake.name).join(format!("{}-access", environment.name));
                assembly::write(&stack, &folder).unwrap();
                let file = folder.join(stack.stacks[0].file());
                let regions = [environment.region.as_str(), "us-east-1"];
                must_succeed(python().tool("cfn-lint").args(["-c", "I", "-r"]).args(regions).arg("--").arg(file));
            }
        }
    }
    let judge = root().join("tests/judges/judge.py");
    must_succeed(std::process::Command::new(judges()).args(["-W", "ignore"]).arg(judge).arg(out));
}

#[test]
fn what_is_broken_on_purpose_is_caught_as_the_page_on_judges_says() {
    let mut command = std::process::Command::new(judges());
    command.args(["-W", "ignore"]).arg(root().join("tests/judges/breakages.py"));
    must_succeed(command.arg(python().tools.join("bin/cfn-lint")).arg(root().join("docs/judges.md")));
}

/// Reads templates and assets below a folder, and holds the nodes of visual jobs against the model of `UpdateJob`.
const NODES: &str = r#"
import json, pathlib, sys
import botocore.session
from botocore.validate import ParamValidator

shape = botocore.session.get_session().get_service_model("glue").operation_model("UpdateJob").input_shape
judged = 0
for file in pathlib.Path(sys.argv[1]).glob("*.json"):
    for name, resource in json.loads(file.read_text()).get("Resources", {}).items():
        if resource["Type"] == "Custom::VisualJob":
            nodes = resource["Properties"]["Nodes"]
            nodes = json.loads(nodes["Fn::Sub"].replace("${!", "${") if isinstance(nodes, dict) else nodes)
            report = ParamValidator().validate({"JobName": name, "JobUpdate": {"CodeGenConfigurationNodes": nodes}}, shape)
            assert not report.has_errors(), report.generate_report()
            judged += 1
assert judged, "no visual job was judged"
"#;

#[test]
fn visual_jobs_are_clean_scripts_and_nodes_that_update_job_takes() {
    let folder = tempfile::tempdir().unwrap();
    shop(&folder.path().join("shop"));
    visual_jobs_are_clean(root());
    visual_jobs_are_clean(&folder.path().join("shop"));
}

fn visual_jobs_are_clean(project: &Path) {
    let python = python();
    let folder = tempfile::tempdir().unwrap();
    let (lake, diagnostics) = Project::open(None, project).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let assets = Assets::collect(&lake).unwrap();
    let assembly = lower(&lake, &lake.environments[0], &assets, &Placement::of(&lake, &Lock::default()), Format::Json);
    assembly::write(&assembly, folder.path()).unwrap();
    must_succeed(std::process::Command::new(&python.environment.python).args(["-c", NODES]).arg(folder.path()));
    let mut judged = 0;
    for job in lake.jobs.values() {
        if let lakegen::lake::Script::Visual(graph) = &job.script {
            let path = folder.path().join(format!("{}.py", job.name));
            std::fs::write(&path, lakegen::visual::script(&lake, &job.name, graph)).unwrap();
            must_succeed(python.tool("ruff").args(["check", "--config", "ruff.toml"]).arg(&path).current_dir(root()));
            must_succeed(python.tool("python").args(["-m", "py_compile"]).arg(&path));
            judged += 1;
        }
    }
    assert!(judged > 0, "no visual job was judged");
}
