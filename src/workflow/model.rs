//! What a workflow of GitHub Actions is: the part of the language that lakegen writes.

use super::yaml::{Entry, Node};

/// A workflow. Its jobs run their scripts in bash, which ends at the first command that fails, within pipes as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// Its name.
    pub name: String,
    /// What starts it.
    pub on: Triggers,
    /// Which runs of it exclude each other.
    pub concurrency: Concurrency,
    /// Variables of all scripts.
    pub env: Vec<(&'static str, String)>,
    /// The folder in which scripts run, if it is not the repository's.
    pub directory: Option<String>,
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// What starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggers {
    /// Pull requests into this branch, and commits on it.
    pub branch: String,
    /// When, as cron has it.
    pub schedule: Option<&'static str>,
    /// What is asked of whoever starts it by hand.
    pub inputs: Vec<Input>,
}

/// Something that is asked of whoever starts a workflow by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// What is asked.
    pub description: String,
    /// What can be chosen; anything if there is nothing to choose from.
    pub options: Vec<String>,
}

/// A group of which one member runs at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// Its name.
    pub group: String,
    /// Whether a newer member ends the one that runs: true, false, or an expression.
    pub cancel: Node,
}

/// A job. Each gets a machine of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Jobs that must have succeeded before.
    pub needs: Vec<String>,
    /// An expression that must be true.
    pub condition: Option<String>,
    /// The label of the machine.
    pub runs_on: String,
    /// After how many minutes it is ended.
    pub timeout_minutes: u32,
    /// What its token may do.
    pub permissions: Vec<Permission>,
    /// The environment of GitHub whose rules it obeys, and whose name AWS is told.
    pub environment: Option<String>,
    /// Which jobs exclude each other.
    pub concurrency: Option<Concurrency>,
    /// What it does.
    pub steps: Vec<Step>,
}

/// Something that the token of a job may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Of what.
    pub scope: &'static str,
    /// `read` or `write`.
    pub access: &'static str,
    /// For what.
    pub reason: &'static str,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does, for people.
    pub name: String,
    /// An expression that must be true, where it is not only run after those before it succeeded.
    pub condition: Option<&'static str>,
    /// What it does.
    pub does: Does,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// Runs an action with these inputs.
    Uses(&'static Action, Vec<(&'static str, Node)>),
    /// Runs a script with these variables; a script holds no expression, which could become part of a command.
    Runs(&'static str, Vec<(&'static str, String)>),
}

/// An action at one commit, which cannot be changed behind our back as a tag can.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    /// Owner and name.
    pub repository: &'static str,
    /// 40 hexadecimal digits.
    pub commit: &'static str,
    /// What its authors call the commit.
    pub version: &'static str,
}

impl Workflow {
    /// The workflow as a document.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { name, on, concurrency, env, directory, jobs } = self;
        let mut run = vec![Entry::new("shell", "bash")];
        run.extend(directory.iter().map(|directory| Entry::new("working-directory", directory.as_str())));
        let mut entries = vec![
            Entry::new("name", name.as_str()),
            Entry::new("on", on.entries()),
            Entry::new("permissions", Node::Map(Vec::new())),
            Entry::new("concurrency", concurrency.entries()),
            Entry::new("defaults", vec![Entry::new("run", run)]),
        ];
        if !env.is_empty() {
            entries.push(Entry::new("env", variables(env)));
        }
        entries.push(Entry::new("jobs", jobs.iter().map(Job::entry).collect::<Vec<_>>()));
        super::yaml::document(&entries)
    }

    /// Each script, with the job and the step that run it.
    pub fn scripts(&self) -> impl Iterator<Item = (&Job, &Step, &'static str)> {
        self.jobs.iter().flat_map(|job| {
            job.steps.iter().filter_map(move |step| match step.does {
                Does::Runs(script, _) => Some((job, step, script)),
                Does::Uses(..) => None,
            })
        })
    }
}

impl Triggers {
    fn entries(&self) -> Vec<Entry> {
        let Self { branch, schedule, inputs } = self;
        let branches = || vec![Entry::new("branches", Node::from_iter([branch.as_str()]))];
        let mut entries = vec![Entry::new("pull_request", branches()), Entry::new("push", branches())];
        if let Some(cron) = schedule {
            let cron = Node::from(vec![Entry::new("cron", *cron)]);
            entries.push(Entry::new("schedule", Node::List(vec![cron])));
        }
        if !inputs.is_empty() {
            let inputs = inputs.iter().map(Input::entry).collect::<Vec<_>>();
            entries.push(Entry::new("workflow_dispatch", vec![Entry::new("inputs", inputs)]));
        }
        entries
    }
}

impl Input {
    fn entry(&self) -> Entry {
        let Self { name, description, options } = self;
        let mut entries = vec![
            Entry::new("description", description.as_str()),
            Entry::new("required", true),
            Entry::new("type", if options.is_empty() { "string" } else { "choice" }),
        ];
        if !options.is_empty() {
            entries.push(Entry::new("options", options.iter().map(String::as_str).collect::<Node>()));
        }
        Entry::new(*name, entries)
    }
}

impl Concurrency {
    fn entries(&self) -> Vec<Entry> {
        let Self { group, cancel } = self;
        vec![Entry::new("group", group.as_str()), Entry::new("cancel-in-progress", cancel.clone())]
    }
}

impl Job {
    fn entry(&self) -> Entry {
        let Self { id, name, needs, condition, runs_on, timeout_minutes, permissions, environment, concurrency, steps } =
            self;
        let mut entries = vec![Entry::new("name", name.as_str())];
        if !needs.is_empty() {
            entries.push(Entry::new("needs", needs.iter().map(String::as_str).collect::<Node>()));
        }
        entries.extend(condition.iter().map(|condition| Entry::new("if", expression(condition))));
        entries.push(Entry::new("runs-on", runs_on.as_str()));
        entries.push(Entry::new("timeout-minutes", *timeout_minutes));
        let permissions =
            permissions.iter().map(|Permission { scope, access, reason }| Entry::new(*scope, *access).comment(*reason));
        entries.push(Entry::new("permissions", permissions.collect::<Vec<_>>()));
        entries.extend(environment.iter().map(|environment| Entry::new("environment", environment.as_str())));
        entries.extend(concurrency.iter().map(|concurrency| Entry::new("concurrency", concurrency.entries())));
        entries.push(Entry::new("steps", steps.iter().map(Step::node).collect::<Node>()));
        Entry::new(id.as_str(), entries)
    }
}

impl Step {
    fn node(&self) -> Node {
        let Self { name, condition, does } = self;
        let mut entries = vec![Entry::new("name", name.as_str())];
        entries.extend(condition.iter().map(|condition| Entry::new("if", expression(condition))));
        match does {
            Does::Uses(Action { repository, commit, version }, with) => {
                entries.push(Entry::new("uses", format!("{repository}@{commit}")).comment(*version));
                if !with.is_empty() {
                    let with = with.iter().map(|(key, value)| Entry::new(*key, value.clone()));
                    entries.push(Entry::new("with", with.collect::<Vec<_>>()));
                }
            }
            Does::Runs(script, env) => {
                if !env.is_empty() {
                    entries.push(Entry::new("env", variables(env)));
                }
                entries.push(Entry::new("run", Node::Lines((*script).to_owned())));
            }
        }
        Node::Map(entries)
    }
}

fn variables(variables: &[(&'static str, String)]) -> Vec<Entry> {
    variables.iter().map(|(name, value)| Entry::new(*name, value.as_str())).collect()
}

/// An expression is marked as one: `!` at its beginning would be a tag to YAML.
fn expression(text: &str) -> String {
    format!("${{{{ {text} }}}}")
}
