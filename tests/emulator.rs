//! The emulator that deploys are tested against takes every template that lakegen writes, unmodified.

mod support;

use lakegen::assembly::{self, Assets};
use lakegen::cfn::Format;
use lakegen::lower::lower;
use lakegen::placement::{Lock, Placement};
use lakegen::project::Project;
use support::emulator::Emulator;
use support::root;

/// Uploads the assets and creates the stacks in the manifest's order, as any tool could; prints the statuses.
const DEPLOY: &str = r#"
import pathlib, sys
cloudformation, s3 = boto3.client("cloudformation"), boto3.client("s3")
manifest = json.loads(pathlib.Path("manifest.json").read_text())
s3.create_bucket(Bucket="assets", CreateBucketConfiguration={"LocationConstraint": manifest["region"]})
for asset in manifest["assets"]:
    s3.upload_file(asset["path"], "assets", asset["path"])
outputs = {}
def value(source):
    match source:
        case "asset_bucket": return "assets"
        case {"output": output}: return outputs[output["stack"], output["output"]]
for stack in manifest["stacks"]:
    name = stack["name"]
    parameters = [{"ParameterKey": k, "ParameterValue": value(v)} for k, v in stack["parameters"].items() if v != "kept"]
    s3.upload_file(stack["template"], "assets", stack["template"])
    url = f'{s3.meta.endpoint_url}/assets/{stack["template"]}'
    cloudformation.create_stack(
        StackName=name, TemplateURL=url, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])
    while True:
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if described["StackStatus"] != "CREATE_IN_PROGRESS": break
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:
        if "FAILED" in event["ResourceStatus"]:
            print(event["LogicalResourceId"], event.get("ResourceStatusReason"))
    print(name, described["StackStatus"])
    outputs |= {(name, o["OutputKey"]): o["OutputValue"] for o in described.get("Outputs", [])}
"#;

#[test]
fn the_reference_lake_deploys_as_it_is_written() {
    let emulator = Emulator::start(&[]);
    let (lake, diagnostics) = Project::open(None, root()).unwrap().check();
    let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    let environment = lake.environment("dev").unwrap();
    let assets = Assets::collect(&lake).unwrap();
    let folder = emulator.folder().join("assembly");
    std::fs::create_dir(&folder).unwrap();
    assembly::write(
        &lower(&lake, environment, &assets, &Placement::of(&lake, &Lock::default())),
        &folder,
        Format::Yaml,
    )
    .unwrap();
    let output = emulator.boto3(&environment.region, &format!("import os; os.chdir({:?})\n{DEPLOY}", folder));
    let expected: Vec<_> = ["storage", "processing", "endpoint-buy-again", "serving", "pipelines"]
        .map(|stack| format!("instacart-dev-{stack} CREATE_COMPLETE"))
        .into();
    assert_eq!(output.lines().collect::<Vec<_>>(), expected, "{}", emulator.log());
}
