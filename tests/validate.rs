//! `lakegen synth --validate`: with the Cargo feature `validate` AWS's own validator, without it how to get it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail like tests")]

mod support;

use std::path::Path;
use std::process::{Command, Output};

/// A lake with resources of its own, two of which are not as AWS wants them; `check` has nothing against them.
const LAKE: &str = r#"name: shop
environments: { dev: { region: eu-west-1 } }
zones: { raw: }
resources:
  Greeter:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.7
      Handler: index.handler
      Role: { "Fn::GetAtt": [GreeterRole, Arn] }
      Code: { ZipFile: "def handler(event, context): return 1" }
  GreeterRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: "sts:AssumeRole" }]
  Door:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: open to everybody
      SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: "0.0.0.0/0" }]
"#;

/// `lakegen synth` of that lake.
fn synth(project: &Path, arguments: &[&str]) -> Output {
    std::fs::create_dir_all(project.join("blueprints")).unwrap();
    std::fs::write(project.join("blueprints/shop.yaml"), LAKE).unwrap();
    Command::new(env!("CARGO_BIN_EXE_lakegen")).arg("synth").args(arguments).current_dir(project).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(not(feature = "validate"))]
#[test]
fn a_lakegen_without_the_validator_says_how_to_get_one() {
    let project = tempfile::tempdir().unwrap();
    let (code, said) = said(&synth(project.path(), &["--validate"]));
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(
        said,
        "error: this lakegen was built without AWS's validator\n  \
         = help: take a released lakegen, or build it with `--features validate --ignore-rust-version`\n"
    );
    assert!(!project.path().join("lakegen-out").exists(), "asked before anything is written");
}

#[cfg(feature = "validate")]
mod with_it {
    use lakegen::assembly::{self, Assets};
    use lakegen::cfn::Format;
    use lakegen::cli::Starter;
    use lakegen::lower::{access, lower};
    use lakegen::project::Project;
    use lakegen::starter;
    use lakegen::validate::Validator;

    use super::support::{root, shop, small};
    use super::{Path, said, synth};

    fn finds_nothing_in(validator: &Validator, project: &Path) {
        let project = Project::open(None, project).unwrap();
        let (lake, diagnostics) = project.check();
        let lake = lake.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let places = project.places(&lake).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (copy, environment) in lake.copies() {
            let (assets, places) = (Assets::collect(copy).unwrap(), places.of(copy).unwrap());
            let gate = copy.github.as_ref().and_then(|github| Some((github, github.gate(&environment.name)?)));
            for format in [Format::Yaml, Format::Json] {
                let access = gate.map(|(github, gate)| access(copy, environment, github, gate, format));
                for assembly in std::iter::once(lower(copy, environment, &assets, &places, format)).chain(access) {
                    let out = folder.path().join("out");
                    assembly::write(&assembly, &out).unwrap();
                    let found = validator.diagnostics(&assembly, &out).unwrap();
                    assert_eq!(found.sources.len(), assembly.stacks.len());
                    assert_eq!(found.render(false), "");
                }
            }
        }
    }

    #[test]
    fn it_finds_nothing_in_what_lakegen_writes() {
        let validator = Validator::new(Vec::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (bikes, every) = (folder.path().join("bikes"), folder.path().join("shop"));
        starter::write(&starter::files(Starter::Bikes, "bikes").unwrap(), &bikes).unwrap();
        shop(&every);
        let governed = folder.path().join("governed");
        small(&governed, "governed");
        for project in [root(), &bikes, &every, &governed] {
            finds_nothing_in(&validator, project);
        }
    }

    #[test]
    fn what_it_finds_is_shown_in_the_template_with_what_it_comes_from() {
        let project = tempfile::tempdir().unwrap();
        let output = synth(project.path(), &["--validate"]);
        let (code, said) = said(&output);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with("error: E2531: Runtime 'python3.7' was deprecated"), "{said}");
        let place = "\n  --> lakegen-out/dev/shop-dev-processing.yaml:36:7\n   |\n36 |       Runtime: python3.7\n   |       ^^^^^^^ from `resources.Greeter`\n";
        assert!(said.contains(place), "{said}");
        assert!(said.contains("warning: W2508: Security group allows 0.0.0.0/0"), "{said}");
        assert!(said.ends_with("\n1 error, 1 warning\n"), "{said}");
        assert!(project.path().join("lakegen-out/dev/manifest.json").exists(), "the templates are there to be read");

        let output = synth(project.path(), &["--validate", "--output", "json"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let first = &found[0]["findings"][0];
        assert_eq!((&first["severity"], &first["line"], &first["column"]), (&"error".into(), &36.into(), &7.into()));
        let without: serde_json::Value =
            serde_json::from_slice(&synth(project.path(), &["--output", "json"]).stdout).unwrap();
        assert!(without[0].get("findings").is_none(), "nobody was asked");
    }

    #[test]
    fn rules_of_ones_own_join_it() {
        let project = tempfile::tempdir().unwrap();
        let guard = |text: &str| {
            std::fs::write(project.path().join("own.guard"), text).unwrap();
            said(&synth(project.path(), &["--validate", "--guard", "own.guard"]))
        };
        let (code, said) = guard(
            "let buckets = Resources.*[ Type == 'AWS::S3::Bucket' ]\nrule buckets_are_locked when %buckets !empty {\n  \
             %buckets.Properties.ObjectLockEnabled == true <<ours are locked>>\n}\n",
        );
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("error: buckets_are_locked: ours are locked\n"), "{said}");
        assert!(said.contains("from `zones.raw`"), "{said}");

        let (code, said) = guard("rule {");
        assert_eq!(code, Some(3), "{said}");
        assert!(said.starts_with("error: the rules cannot be read\n  because: "), "{said}");
        assert!(said.contains("own.guard"), "{said}");
    }

    #[test]
    fn rules_that_are_not_there_are_named() {
        let project = tempfile::tempdir().unwrap();
        let (code, said) = said(&synth(project.path(), &["--validate", "--guard", "none.guard"]));
        assert_eq!(code, Some(3), "{said}");
        assert!(said.starts_with("error: cannot read `none.guard`\n  because: "), "{said}");
    }
}
