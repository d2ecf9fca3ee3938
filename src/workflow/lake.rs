//! What a lake's workflow does.
//!
//! Pull requests are checked, whoever they are from; those from the repository itself are planned as well, with a role that can
//! change nothing. A commit on the branch is deployed to one environment after the other, each behind what GitHub asks for there.
//! No job holds a key: each exchanges its token for credentials that last an hour.

use super::actions::{CHECKOUT, CREDENTIALS, DOWNLOAD, RUST_CACHE, SETUP_PYTHON, UPLOAD};
use super::model::{Concurrency, Does, Input, Job, Permission, Step, Triggers, Workflow};
use super::yaml::Node;
use crate::lake::{Drift, Environment, Github, GithubGate, Lake, Tool};
use crate::lower::access_role_arn;

/// Where the blueprint is in the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The project's folder, with `/`; none if it is the repository's.
    pub folder: Option<String>,
    /// The blueprint, from the project's folder; none if lakegen finds it there by itself.
    pub blueprint: Option<String>,
}

/// The variable of the repository that is `true` once there are environments on GitHub and roles in AWS.
pub const CONNECTED: &str = "LAKEGEN_CONNECTED";

const CONTENTS: Permission = Permission { scope: "contents", access: "read", reason: "to check the repository out" };
const ID_TOKEN: Permission = Permission { scope: "id-token", access: "write", reason: "to prove to AWS who this is" };
const COMMENTS: Permission =
    Permission { scope: "pull-requests", access: "write", reason: "to keep one comment with the plan" };

/// Pull requests from forks get no credentials: they could hold anything, a changed lakegen among it.
const OWN_PULL_REQUEST: &str =
    "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository";
const PUSH: &str = "github.event_name == 'push'";
const LATER: &str = "!cancelled()";
/// Where lakegen is, on the machine.
const TOOL_FOLDER: &str = "${{ runner.temp }}/lakegen";
const PLANS: &str = "${{ runner.temp }}/plans";
const BUILD: &str = "lakegen";

/// The workflow of a lake.
#[must_use]
pub fn workflow(lake: &Lake, github: &Github, layout: &Layout) -> Workflow {
    let cx = Context { lake, github, layout };
    let gates: Vec<_> = lake.environments.iter().filter_map(|one| Some((one, github.gate(&one.name)?))).collect();
    let deployed: Vec<_> = gates.iter().filter(|(_, gate)| gate.deploy).map(|(environment, _)| *environment).collect();
    let destroyable: Vec<_> = lake.environments.iter().filter(|environment| !environment.protected).collect();
    let mut jobs = Vec::new();
    if github.tool == Tool::Source {
        jobs.push(cx.build());
    }
    jobs.push(cx.check());
    jobs.extend(gates.iter().enumerate().map(|(at, (environment, _))| cx.plan(at + 1, environment)));
    if !gates.is_empty() {
        jobs.push(cx.comment(&gates));
    }
    let before = std::iter::once(None).chain(deployed.iter().copied().map(Some));
    jobs.extend(deployed.iter().zip(before).map(|(environment, before)| cx.deploy(environment, before)));
    let schedule = match github.drift {
        // Not at the full hour, when GitHub has most to do.
        Drift::Daily => Some("17 5 * * *"),
        Drift::Weekly => Some("17 5 * * 1"),
        Drift::Never => None,
    };
    if schedule.is_some() {
        jobs.extend(lake.environments.iter().map(|environment| cx.drift(environment)));
    }
    jobs.extend(destroyable.iter().map(|environment| cx.destroy(environment)));
    let inputs = if destroyable.is_empty() { Vec::new() } else { cx.inputs(&destroyable) };
    Workflow {
        name: "lakegen".to_owned(),
        on: Triggers { branch: github.branch.clone(), schedule, inputs },
        concurrency: Concurrency {
            // A newer commit makes the check of an older one pointless. A deploy is never ended, and waits in a group of its own.
            group: "lakegen-${{ github.event_name == 'pull_request' && github.ref || github.run_id }}".to_owned(),
            cancel: "${{ github.event_name == 'pull_request' }}".into(),
        },
        env: layout.blueprint.iter().map(|path| ("LAKEGEN_BLUEPRINT", path.clone())).collect(),
        directory: layout.folder.clone(),
        jobs,
    }
}

struct Context<'a> {
    lake: &'a Lake,
    github: &'a Github,
    layout: &'a Layout,
}

impl Context<'_> {
    /// A job that runs on one of the machines, after `needs` and after lakegen was built if it has to be.
    fn job(&self, id: String, name: String, needs: &[String], permissions: &[Permission], steps: Vec<Step>) -> Job {
        let built = (self.github.tool == Tool::Source && id != BUILD).then(|| BUILD.to_owned());
        Job {
            id,
            name,
            needs: built.into_iter().chain(needs.iter().cloned()).collect(),
            condition: None,
            runs_on: self.github.runner.clone(),
            timeout_minutes: 30,
            permissions: permissions.to_vec(),
            environment: None,
            concurrency: None,
            steps,
        }
    }

    /// Builds lakegen, in lakegen's own repository.
    fn build(&self) -> Job {
        let path = "target/release/lakegen";
        let upload = vec![("name", "lakegen".into()), ("path", path.into()), ("retention-days", 1.into())];
        let mut steps = vec![check_out(1)];
        if self.keeps() {
            steps.push(uses("Keep what Cargo has built", &RUST_CACHE, Vec::new()));
        }
        steps.push(runs("Build lakegen", include_str!("scripts/build.sh"), Vec::new()));
        steps.push(uses("Hand lakegen on", &UPLOAD, upload));
        self.job(BUILD.to_owned(), "build lakegen".to_owned(), &[], &[CONTENTS], steps)
    }

    /// Whether runs keep files for later ones. Releases do not rest on what other runs have left behind.
    fn keeps(&self) -> bool {
        !self.github.branch.starts_with("release")
    }

    /// The steps after which `lakegen` can be called.
    fn install(&self) -> Vec<Step> {
        match &self.github.tool {
            Tool::Source => {
                let with = vec![("name", "lakegen".into()), ("path", TOOL_FOLDER.into())];
                vec![
                    uses("Take lakegen", &DOWNLOAD, with),
                    runs("Make lakegen a command", include_str!("scripts/take.sh"), Vec::new()),
                ]
            }
            Tool::Release { version, sha256, url } => {
                let env = vec![
                    ("ARCHIVE_URL", url.clone()),
                    ("ARCHIVE_SHA256", sha256.clone()),
                    ("ARCHIVE_VERSION", version.clone()),
                ];
                vec![runs("Install lakegen", include_str!("scripts/install.sh"), env)]
            }
        }
    }

    /// Checks the repository out, installs lakegen, and does the rest.
    fn steps(&self, depth: u32, rest: impl IntoIterator<Item = Step>) -> Vec<Step> {
        std::iter::once(check_out(depth)).chain(self.install()).chain(rest).collect()
    }

    /// The steps after which AWS takes the job for one of the roles of an environment.
    fn sign_in(&self, environment: &Environment, role: &'static str) -> Step {
        let account = account(environment);
        let mut with = vec![
            ("role-to-assume", access_role_arn(self.lake, environment, &account, role).into()),
            ("role-session-name", "lakegen-${{ github.run_id }}-${{ github.run_attempt }}".into()),
            ("aws-region", environment.region.as_str().into()),
        ];
        if environment.account.is_some() {
            with.push(("allowed-account-ids", account.into()));
        }
        uses("Sign in to AWS", &CREDENTIALS, with)
    }

    fn check(&self) -> Job {
        let mut python: Vec<(_, Node)> = vec![("python-version", "3.12".into())];
        if self.keeps() {
            python.extend([("cache", "pip".into()), ("cache-dependency-path", super::REQUIREMENTS.into())]);
        }
        let environments = self.lake.environments.iter().map(|one| format!("{}={}", one.name, one.region));
        let lint = vec![
            ("ENVIRONMENTS", environments.collect::<Vec<_>>().join(" ")),
            ("LAKE", self.lake.name.replace('_', "-")),
        ];
        let folder = vec![("FOLDER", self.layout.folder.clone().unwrap_or_else(|| ".".to_owned()))];
        let upload = vec![("name", "plan-templates".into()), ("path", PLANS.into()), ("retention-days", 7.into())];
        let on_pull_request = |step: Step| Step { condition: Some("github.event_name == 'pull_request'"), ..step };
        let rest = [
            runs("Check the blueprint and these workflows", include_str!("scripts/check.sh"), Vec::new()),
            runs("Write the templates", include_str!("scripts/synth.sh"), Vec::new()),
            runs("Ask AWS's validator of templates", include_str!("scripts/validate.sh"), Vec::new()),
            uses("Install Python", &SETUP_PYTHON, python),
            runs("Lint the templates", include_str!("scripts/lint.sh"), lint),
            on_pull_request(runs("Compare the templates", include_str!("scripts/differences.sh"), folder)),
            on_pull_request(uses("Hand the comparison on", &UPLOAD, upload)),
        ];
        let condition = format!("github.event_name == 'pull_request' || {PUSH}");
        let job = self.job("check".to_owned(), "check".to_owned(), &[], &[CONTENTS], self.steps(2, rest));
        Job { condition: Some(condition), ..job }
    }

    fn plan(&self, place: usize, environment: &Environment) -> Job {
        let Environment { name, .. } = environment;
        let env = vec![("ENVIRONMENT", name.clone()), ("PLACE", place.to_string())];
        let artifact = format!("plan-{name}");
        let upload = vec![("name", artifact.into()), ("path", PLANS.into()), ("retention-days", 7.into())];
        let rest = [
            self.sign_in(environment, "plan"),
            runs("Plan", include_str!("scripts/plan.sh"), env),
            Step { condition: Some(LATER), ..uses("Hand the plan on", &UPLOAD, upload) },
        ];
        let (id, label) = (format!("plan-{name}"), format!("plan {name}"));
        let job = self.job(id, label, &[], &[CONTENTS, ID_TOKEN], self.steps(1, rest));
        Job { condition: Some(connected(OWN_PULL_REQUEST)), ..job }
    }

    fn comment(&self, gates: &[(&Environment, &GithubGate)]) -> Job {
        let plans = gates.iter().map(|(environment, _)| format!("plan-{}", environment.name));
        let needs: Vec<_> = std::iter::once("check".to_owned()).chain(plans).collect();
        let download = vec![("pattern", "plan-*".into()), ("path", PLANS.into()), ("merge-multiple", true.into())];
        let env = vec![("GITHUB_TOKEN", "${{ github.token }}".to_owned())];
        let rest =
            [uses("Take the plans", &DOWNLOAD, download), runs("Comment", include_str!("scripts/comment.sh"), env)];
        let job =
            self.job("comment".to_owned(), "comment".to_owned(), &needs, &[CONTENTS, COMMENTS], self.steps(1, rest));
        Job { condition: Some(connected(&format!("{LATER} && {OWN_PULL_REQUEST}"))), ..job }
    }

    fn deploy(&self, environment: &Environment, before: Option<&Environment>) -> Job {
        let Environment { name, .. } = environment;
        let before = before.map_or_else(|| "check".to_owned(), |before| format!("deploy-{}", before.name));
        let role = access_role_arn(self.lake, environment, &account(environment), "cloudformation");
        let env = vec![("ENVIRONMENT", name.clone()), ("LAKEGEN_SERVICE_ROLE", role)];
        let rest = [self.sign_in(environment, "deploy"), runs("Deploy", include_str!("scripts/deploy.sh"), env)];
        let (id, label) = (format!("deploy-{name}"), format!("deploy {name}"));
        let job = self.job(id, label, &[before], &[CONTENTS, ID_TOKEN], self.steps(1, rest));
        Job { condition: Some(connected(PUSH)), ..self.alone(job, environment) }
    }

    fn drift(&self, environment: &Environment) -> Job {
        let Environment { name, .. } = environment;
        let env = vec![("ENVIRONMENT", name.clone())];
        let rest = [
            self.sign_in(environment, "drift"),
            runs("Look for what was changed by hand", include_str!("scripts/drift.sh"), env),
        ];
        let (id, label) = (format!("drift-{name}"), format!("drift of {name}"));
        let job = self.job(id, label, &[], &[CONTENTS, ID_TOKEN], self.steps(1, rest));
        Job { condition: Some(connected("github.event_name == 'schedule'")), ..job }
    }

    fn destroy(&self, environment: &Environment) -> Job {
        let Environment { name, .. } = environment;
        let env = vec![("ENVIRONMENT", name.clone()), ("CONFIRMATION", "${{ inputs.confirmation }}".to_owned())];
        let rest = [self.sign_in(environment, "deploy"), runs("Destroy", include_str!("scripts/destroy.sh"), env)];
        let (id, label) = (format!("destroy-{name}"), format!("destroy {name}"));
        let job = self.job(id, label, &[], &[CONTENTS, ID_TOKEN], self.steps(1, rest));
        let condition = format!("github.event_name == 'workflow_dispatch' && inputs.destroy == '{name}'");
        Job { condition: Some(connected(&condition)), ..self.alone(job, environment) }
    }

    /// The job behind what GitHub asks for in an environment, and never two of them in it at a time.
    fn alone(&self, job: Job, environment: &Environment) -> Job {
        let group = format!("lakegen-{}-{}", self.lake.name, environment.name);
        Job {
            timeout_minutes: 60,
            environment: Some(environment.name.clone()),
            concurrency: Some(Concurrency { group, cancel: false.into() }),
            ..job
        }
    }

    fn inputs(&self, destroyable: &[&Environment]) -> Vec<Input> {
        let lake = &self.lake.name;
        let example = destroyable.first().map_or("", |environment| environment.name.as_str());
        vec![
            Input {
                name: "destroy",
                description: "The environment to destroy, with all data in it".to_owned(),
                options: destroyable.iter().map(|environment| environment.name.clone()).collect(),
            },
            Input {
                name: "confirmation",
                description: format!("What goes, typed out: {lake}-{example} for {example}"),
                options: Vec::new(),
            },
        ]
    }
}

/// The account of an environment: as the blueprint has it, or a variable of the repository.
fn account(environment: &Environment) -> String {
    environment.account.clone().unwrap_or_else(|| format!("${{{{ vars.{} }}}}", account_variable(&environment.name)))
}

/// Holds only where the repository is connected to AWS: until then nothing but the check runs.
fn connected(condition: &str) -> String {
    format!("{condition} && vars.{CONNECTED} == 'true'")
}

/// The variable of the repository that holds the account of an environment whose account is not in the blueprint.
#[must_use]
pub fn account_variable(environment: &str) -> String {
    format!("LAKEGEN_{}_ACCOUNT", environment.to_uppercase())
}

fn check_out(depth: u32) -> Step {
    let mut with: Vec<(&str, Node)> = vec![("persist-credentials", false.into())];
    if depth > 1 {
        with.push(("fetch-depth", depth.into()));
    }
    uses("Check the repository out", &CHECKOUT, with)
}

fn uses(name: &str, action: &'static super::model::Action, with: Vec<(&'static str, Node)>) -> Step {
    Step { name: name.to_owned(), condition: None, does: Does::Uses(action, with) }
}

fn runs(name: &str, script: &'static str, env: Vec<(&'static str, String)>) -> Step {
    Step { name: name.to_owned(), condition: None, does: Does::Runs(script, env) }
}
