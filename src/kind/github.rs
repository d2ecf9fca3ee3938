//! GitHub: the repository in which the lake is reviewed, and from which it is deployed.

use crate::check::Check;
use crate::decode::{Decode, Decoder, Named, alternatives, quantity, section};
use crate::diagnostic::{did_you_mean, listed};
use crate::kind::environment::Environment;
use crate::schema::{Language, Shape};
use crate::source::{Node, Spanned};

section! {
    /// Where the lake is reviewed and deployed from.
    "the GitHub repository"
    pub struct GithubSpec {
        /// The repository: its owner and its name.
        /// Example: `our-company/data-lake`.
        repository: Spanned<String>,
        /// The numbers of owner and repository, by which repositories made since 15 July 2026 prove to AWS who they are. Older
        /// ones do it by name; with the numbers AWS trusts both. `lakegen github connect` says them.
        /// Default: none: only the name is trusted.
        /// Example: `{ owner: 583231, repository: 1296269 }`.
        ids: Option<IdsSpec>,
        /// The branch whose commits are deployed.
        /// Default: `main`.
        /// Example: `production`.
        branch: Option<Spanned<String>>,
        /// The address of GitHub's API, where it is not github.com's.
        /// Default: `https://api.github.com`.
        /// Example: `https://github.example.com/api/v3`.
        api_url: Option<Spanned<String>>,
        /// The label of the machines on which workflows run.
        /// Default: `ubuntu-24.04`.
        /// Example: `our-runners`.
        runner: Option<Spanned<String>>,
        /// The lakegen that workflows use.
        /// Example: `{ release: { version: 0.1.0, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, url: https://example.com/lakegen-x86_64-unknown-linux-gnu.tar.gz } }`.
        lakegen: ToolSpec,
        /// How often to look for what somebody has changed by hand.
        /// Default: `daily`.
        /// Example: `weekly`.
        drift: Option<DriftSpec>,
        /// What GitHub asks for before it deploys, by environment of the lake. One that is left out asks for nothing.
        /// Example: `{ prod: { reviewers: [octocat], wait: 10 minutes } }`.
        environments: Named<GateSpec>,
    }
}

section! {
    /// The numbers that never change, whatever owner and repository are called.
    "the pair of numbers"
    pub struct IdsSpec {
        /// The owner's.
        /// Example: `583231`.
        owner: u64,
        /// The repository's.
        /// Example: `1296269`.
        repository: u64,
    }
}

alternatives! {
    /// Where workflows get lakegen from.
    "a source of lakegen"
    pub enum ToolSpec {
        /// A release, whose archive must have this checksum.
        /// Example: `{ version: 0.1.0, sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, url: https://example.com/lakegen-x86_64-unknown-linux-gnu.tar.gz }`.
        Release(ReleaseSpec) = "release",
        /// The repository itself: it is lakegen's, and workflows build it.
        Source = "source",
    }
}

section! {
    /// A release of lakegen.
    "a release of lakegen"
    pub struct ReleaseSpec {
        /// Its version.
        /// Example: `0.1.0`.
        version: Spanned<String>,
        /// The checksum of the archive for the machines on which workflows run, from the `SHA256SUMS` of the release.
        /// Example: `e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`.
        sha256: Spanned<String>,
        /// Where the archive is.
        /// Example: `https://github.com/our-company/lakegen/releases/download/v0.1.0/lakegen-x86_64-unknown-linux-gnu.tar.gz`.
        url: Spanned<String>,
    }
}

alternatives! {
    /// How often something is looked at.
    #[derive(Copy, Eq)]
    "a rhythm"
    pub enum DriftSpec {
        /// Every day.
        Daily = "daily",
        /// On Mondays.
        Weekly = "weekly",
        /// Not at all.
        Never = "never",
    }
}

section! {
    /// What stands between a commit and an environment.
    "what GitHub asks for"
    pub struct GateSpec {
        /// Who must agree before it is deployed, one of them: people by their login, teams as `owner/team`.
        /// Example: `[octocat, our-company/data]`.
        reviewers: Vec<Spanned<String>>,
        /// Whether whoever started a deploy may be the one who agrees.
        /// Default: `false`.
        /// Example: `true`.
        self_review: Option<bool>,
        /// How long to wait before it is deployed.
        /// Default: not at all.
        /// Example: `10 minutes`.
        wait: Option<Spanned<Wait>>,
        /// The branches that may be deployed, `*` for any letters but `/`. Tags never may.
        /// Default: the branch whose commits are deployed.
        /// Example: `[main, release/*]`.
        branches: Vec<Spanned<String>>,
        /// Whether a merge deploys it; pull requests show what would change in any case.
        /// Default: `true`.
        /// Example: `false`.
        deploy: Option<bool>,
        /// The OpenID Connect provider that vouches for GitHub in the account, of which an account can have one.
        /// Default: `create` in the first environment of each account, `adopt` in its others.
        /// Example: `adopt`.
        oidc_provider: Option<Spanned<ProviderSpec>>,
    }
}

alternatives! {
    /// Where an account's OpenID Connect provider comes from.
    "an OpenID Connect provider"
    pub enum ProviderSpec {
        /// The `access` stack of the environment makes it.
        Create = "create",
        /// It is there already, under its usual ARN or the one given.
        /// Example: `arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com`.
        Adopt(Option<Spanned<String>>) = "adopt",
    }
}

/// A number of minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub u32);

impl Decode for Wait {
    fn decode(node: &Node, decoder: &mut Decoder) -> Option<Self> {
        let minutes = quantity(node, &UNITS, "10 minutes", decoder)?;
        if minutes > MAX_WAIT {
            decoder.error(node.span, "GitHub waits for at most 30 days");
            return None;
        }
        Some(Self(u32::try_from(minutes).unwrap_or(u32::MAX)))
    }

    fn shape(_: &mut Language) -> Shape {
        Shape::quantity(&UNITS)
    }
}

const UNITS: [(&str, u64); 6] =
    [("minutes", 1), ("minute", 1), ("hours", 60), ("hour", 60), ("days", 1_440), ("day", 1_440)];

/// Source: "Create or update an environment" of GitHub's REST API: `wait_timer` in minutes, `reviewers`.
const MAX_WAIT: u64 = 43_200;
const MAX_REVIEWERS: usize = 6;

/// The repository in which the lake is reviewed, and from which it is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Github {
    /// The owner: a person or an organisation.
    pub owner: String,
    /// The repository's name.
    pub repository: String,
    /// The numbers of owner and repository.
    pub ids: Option<(u64, u64)>,
    /// The branch whose commits are deployed.
    pub branch: String,
    /// The address of the API, without a slash at its end.
    pub api_url: String,
    /// The label of the machines on which workflows run.
    pub runner: String,
    /// The lakegen that workflows use.
    pub tool: Tool,
    /// How often to look for drift.
    pub drift: DriftSpec,
    /// What stands before each environment, in the order of the lake's.
    pub gates: Vec<Gate>,
}

/// Where workflows get lakegen from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tool {
    /// A release's archive.
    Release {
        /// The version.
        version: String,
        /// 64 hexadecimal digits.
        sha256: String,
        /// Where the archive is.
        url: String,
    },
    /// The repository itself.
    Source,
}

/// What stands between a commit and an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The environment, GitHub's and the lake's: both have the same name.
    pub environment: String,
    /// Who must agree.
    pub reviewers: Vec<Reviewer>,
    /// Whether whoever started a deploy may agree.
    pub self_review: bool,
    /// How many minutes to wait.
    pub wait: u32,
    /// Which branches may be deployed.
    pub branches: Vec<String>,
    /// Whether a merge deploys it.
    pub deploy: bool,
    /// Where the account's OpenID Connect provider comes from.
    pub provider: Provider,
}

/// Somebody who agrees to a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reviewer {
    /// A person, by login.
    User(String),
    /// A team of the owner, by its slug.
    Team(String),
}

/// Where an account's OpenID Connect provider comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// The environment's `access` stack makes it.
    Create,
    /// It is there, under the ARN that follows from the account and the issuer.
    Adopt,
    /// It is there, under this ARN.
    AdoptAs(String),
}

impl Github {
    /// `owner/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.repository)
    }

    /// What stands before an environment of the lake.
    #[must_use]
    pub fn gate(&self, environment: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.environment == environment)
    }

    /// Who vouches for workflows to AWS: the address of the issuer without `https://`.
    ///
    /// Source: "OpenID Connect in Amazon Web Services" of GitHub's documentation, for github.com, Enterprise Cloud with data
    /// residency and Enterprise Server.
    #[must_use]
    pub fn issuer(&self) -> String {
        let host = self.api_url.strip_prefix("https://").unwrap_or(&self.api_url);
        let host = host.split('/').next().unwrap_or(host);
        match host.strip_prefix("api.") {
            Some("github.com") => "token.actions.githubusercontent.com".to_owned(),
            Some(tenant) if tenant.ends_with(".ghe.com") => format!("token.actions.{tenant}"),
            _ => format!("{host}/_services/token"),
        }
    }

    /// Whether the numbers or the names of owner and repository begin the subject of a workflow's token, all forms that are to be
    /// trusted: `repo:OWNER/NAME`, and `repo:OWNER@ID/NAME@ID` where the numbers are known.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        let Self { owner, repository, ids, .. } = self;
        let by_number = ids.map(|(owner_id, id)| format!("repo:{owner}@{owner_id}/{repository}@{id}"));
        std::iter::once(format!("repo:{owner}/{repository}")).chain(by_number).collect()
    }
}

impl GithubSpec {
    pub(crate) fn check(&self, environments: &[Option<Environment>], cx: &mut Check<'_>) -> Option<Github> {
        let before = cx.errors();
        let (owner, repository) = self.repository(cx).unwrap_or_default();
        let branch = self.branch.as_ref().map_or("main", |branch| branch.as_str());
        if let Some(branch) = &self.branch {
            check_ref(branch, false, cx);
        }
        let api_url = self.api_url(cx);
        if let Some(runner) = &self.runner
            && (runner.is_empty() || !runner.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)))
        {
            cx.error(runner.span, format!("`{}` is not the label of a runner", printable(runner)))
                .help("letters, digits, `.`, `_` and `-`, like `ubuntu-24.04`");
        }
        let names: Vec<&str> = cx.blueprint.environments.0.iter().map(|(name, _)| name.as_str()).collect();
        for (name, _) in self.environments.0.iter().filter(|(name, _)| !names.contains(&name.as_str())) {
            let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
                true => "declare it in `environments`".to_owned(),
                false => format!("the environments are {}", listed(&names)),
            });
            cx.error(name.span, format!("no environment named `{}`", printable(name))).help(help);
        }
        check_continuations(environments, cx);
        check_endpoints(cx);
        let mut accounts = Vec::new();
        let mut gates = Vec::new();
        for environment in environments.iter().flatten() {
            let first = !accounts.contains(&&environment.account);
            accounts.push(&environment.account);
            let written = self.environments.0.iter().find(|(name, _)| name.value == environment.name);
            let spec = written.and_then(|(_, spec)| spec.as_ref());
            gates.push(gate(environment, spec, branch, &owner, first, cx));
        }
        let tool = self.lakegen.check(cx);
        (cx.errors() == before).then(|| Github {
            owner,
            repository,
            ids: self.ids.as_ref().map(|ids| (ids.owner, ids.repository)),
            branch: branch.to_owned(),
            api_url,
            runner: self.runner.as_ref().map_or("ubuntu-24.04", |runner| runner.as_str()).to_owned(),
            tool,
            drift: self.drift.unwrap_or(DriftSpec::Daily),
            gates,
        })
    }

    fn repository(&self, cx: &mut Check<'_>) -> Option<(String, String)> {
        let written = &self.repository;
        let parts = written.split_once('/').filter(|(owner, name)| is_owner(owner) && is_repository(name));
        if parts.is_none() {
            let trimmed = written.trim_end_matches('/').trim_end_matches(".git");
            let mut last = trimmed.rsplit(['/', ':']);
            let meant = last.next().zip(last.next()).map(|(name, owner)| format!("{owner}/{name}"));
            let help = match meant.filter(|_| trimmed.matches(['/', ':']).count() > 1) {
                Some(meant) => format!("owner and name alone: `{meant}`; `api_url` says where it is not github.com's"),
                None => "write owner and name: `our-company/data-lake`".to_owned(),
            };
            cx.error(written.span, format!("`{}` is not a repository of GitHub", printable(written))).help(help);
        }
        parts.map(|(owner, name)| (owner.to_owned(), name.to_owned()))
    }

    fn api_url(&self, cx: &mut Check<'_>) -> String {
        let Some(written) = &self.api_url else { return "https://api.github.com".to_owned() };
        let url = written.trim_end_matches('/');
        let rest = url.strip_prefix("https://");
        let (host, path) = rest.map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
        let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
        let cloud = host == "api.github.com" || host.starts_with("api.") && host.ends_with(".ghe.com");
        if !plain || path != if cloud { "" } else { "api/v3" } {
            cx.error(written.span, format!("`{}` is not the address of a GitHub API", printable(written)))
                .help("`https://HOST/api/v3` for Enterprise Server, `https://api.NAME.ghe.com` for Enterprise Cloud with data residency");
        }
        url.to_owned()
    }
}

/// Rights in AWS go by the beginnings of names: in one account, those of `dev` would reach what belongs to `dev_eu`.
fn check_continuations(environments: &[Option<Environment>], cx: &mut Check<'_>) {
    let places: Vec<_> = cx.blueprint.environments.0.iter().map(|(name, _)| name.clone()).collect();
    let place = |name: &str| places.iter().find(|written| written.value == name).map(|written| written.span);
    let known: Vec<&Environment> = environments.iter().flatten().collect();
    for long in &known {
        for short in &known {
            let Some(rest) = long.name.strip_prefix(&short.name).and_then(|rest| rest.strip_prefix('_')) else {
                continue;
            };
            let apart = long.account.is_some() && short.account.is_some() && long.account != short.account;
            let (Some(here), Some(there)) = (place(&long.name), place(&short.name)) else { continue };
            if !apart {
                let (long, short) = (&long.name, &short.name);
                let turned = match rest.trim_matches('_') {
                    "" => "give it another name".to_owned(),
                    rest => format!("call it `{rest}_{short}`"),
                };
                cx.error(
                    here,
                    format!("whoever may deploy `{short}` from GitHub could change `{long}`, whose name continues it"),
                )
                .related(there, format!("rights for `{short}` are for what is called `{short}-…`"))
                .help(format!("{turned}, or write the `account` of both, where they are not the same"));
            }
        }
    }
}

/// What is called like the `access` stack is kept from every deploy.
fn check_endpoints(cx: &mut Check<'_>) {
    let blueprint = cx.blueprint;
    for (name, model) in &blueprint.models.0 {
        let Some(model) = model.as_ref().filter(|model| model.endpoint.is_some()) else { continue };
        // Who was renamed keeps the old name in AWS.
        let in_aws = model.was.as_ref().unwrap_or(name);
        let word = |name: &str| name.split('_').any(|word| word == "access");
        if word(in_aws) {
            let way_out = match (&model.was, word(name)) {
                (None, _) => "give the model a name without it",
                (Some(_), false) => "leave `was` out: the model begins anew, under its new name",
                (Some(_), true) => "leave `was` out, and give the model a name without it: it begins anew",
            };
            cx.error(in_aws.span, format!("no deploy from GitHub may touch the endpoint of `{}`", printable(name)))
                .help(format!("a stack with the word `access` in its name says who may deploy; {way_out}"));
        }
    }
}

fn gate(
    environment: &Environment,
    spec: Option<&GateSpec>,
    branch: &str,
    owner: &str,
    first: bool,
    cx: &mut Check<'_>,
) -> Gate {
    let default = if first { Provider::Create } else { Provider::Adopt };
    let mut gate = Gate {
        environment: environment.name.clone(),
        reviewers: Vec::new(),
        self_review: false,
        wait: 0,
        branches: vec![branch.to_owned()],
        deploy: true,
        provider: default,
    };
    let Some(GateSpec { reviewers, self_review, wait, branches, deploy, oidc_provider }) = spec else { return gate };
    crate::check::unique(reviewers, cx);
    crate::check::unique(branches, cx);
    if let Some(seventh) = reviewers.get(MAX_REVIEWERS) {
        cx.error(seventh.span, format!("GitHub takes {MAX_REVIEWERS} reviewers, and there are {}", reviewers.len()))
            .help("name a team instead");
    }
    gate.reviewers = reviewers.iter().filter_map(|reviewer| check_reviewer(reviewer, owner, cx)).collect();
    gate.self_review = self_review.unwrap_or(false);
    gate.wait = wait.as_ref().map_or(0, |wait| wait.value.0);
    branches.iter().for_each(|branch| check_ref(branch, true, cx));
    if !branches.is_empty() {
        gate.branches = branches.iter().map(|branch| branch.value.clone()).collect();
    }
    gate.deploy = deploy.unwrap_or(true);
    match oidc_provider.as_ref().map(|provider| &provider.value) {
        None => {}
        Some(ProviderSpec::Create) => gate.provider = Provider::Create,
        Some(ProviderSpec::Adopt(None)) => gate.provider = Provider::Adopt,
        Some(ProviderSpec::Adopt(Some(arn))) => {
            check_provider(arn, environment, cx);
            gate.provider = Provider::AdoptAs(arn.value.clone());
        }
    }
    gate
}

fn check_reviewer(written: &Spanned<String>, owner: &str, cx: &mut Check<'_>) -> Option<Reviewer> {
    match written.split_once('/') {
        Some((of, team)) if is_owner(of) && is_repository(team) => {
            if !of.eq_ignore_ascii_case(owner) {
                cx.error(written.span, format!("the team `{}` is not one of `{owner}`", written.value))
                    .help("only teams of the repository's owner can be asked");
            }
            Some(Reviewer::Team(team.to_owned()))
        }
        None if is_owner(written) => Some(Reviewer::User(written.value.clone())),
        _ => {
            cx.error(written.span, format!("`{}` is neither a login nor a team", printable(written)))
                .help(format!("write a login, `octocat`, or a team of the owner, `{owner}/team`"));
            None
        }
    }
}

fn check_provider(arn: &Spanned<String>, environment: &Environment, cx: &mut Check<'_>) {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, "iam", "", account, provider] = parts.as_slice() else {
        return not_a_provider(arn, cx);
    };
    if !arn.starts_with("arn:") || !provider.starts_with("oidc-provider/") || provider.ends_with('/') {
        return not_a_provider(arn, cx);
    }
    if let Some(own) = &environment.account
        && own != account
    {
        cx.error(arn.span, format!("this provider is of account `{account}`, and `{}` of `{own}`", environment.name));
    }
}

fn not_a_provider(arn: &Spanned<String>, cx: &mut Check<'_>) {
    cx.error(arn.span, format!("`{}` is not the ARN of an OpenID Connect provider", printable(arn)))
        .help("like `arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com`");
}

impl ToolSpec {
    fn check(&self, cx: &mut Check<'_>) -> Tool {
        let Self::Release(ReleaseSpec { version, sha256, url }) = self else { return Tool::Source };
        if !version.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
            || version.split('.').take_while(|part| !part.is_empty()).count() < 3
        {
            cx.error(version.span, format!("`{}` is not a version of lakegen", printable(version)))
                .help("three numbers, like `0.1.0`");
        }
        let digits = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !digits {
            cx.error(sha256.span, "a SHA-256 checksum has 64 digits, `0` to `9` and `a` to `f`")
                .help("the `SHA256SUMS` of the release has it");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~+%".contains(c);
        if !url.starts_with("https://") || !url.ends_with(".tar.gz") || !url.chars().all(plain) {
            cx.error(url.span, format!("`{}` is not the address of an archive", printable(url)))
                .help("it begins with `https://` and ends with `.tar.gz`");
        }
        Tool::Release { version: version.value.clone(), sha256: sha256.value.clone(), url: url.value.clone() }
    }
}

/// Source: "git check-ref-format"; patterns of deployment branches are Ruby's `File.fnmatch`.
fn check_ref(name: &Spanned<String>, pattern: bool, cx: &mut Check<'_>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/#@+".contains(c) || pattern && c == '*';
    let parts = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    if !parts || name.starts_with('-') || name.contains("..") || name.ends_with('.') || !name.chars().all(fits) {
        let noun = if pattern { "the name of branches" } else { "the name of a branch" };
        cx.error(name.span, format!("`{}` is not {noun}", printable(name)));
    }
}

/// Source: GitHub's form for new accounts: letters, digits and single hyphens inside, at most 39.
fn is_owner(name: &str) -> bool {
    // Accounts that an enterprise manages end with its short code, behind an underscore.
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=39).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') && !name.ends_with('-')
}

fn is_repository(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=100).contains(&name.len()) && name.chars().all(fits) && name != "." && name != ".."
}

fn printable(text: &str) -> String {
    crate::text::printable(text, &[])
}
