//! What the commands on environments in AWS share.

use super::Context;
use super::github_generate::section;
use super::local::{failed, unknown_environment};
use crate::assembly::{Assembly, Assets};
use crate::cfn::Format;
use crate::cli::OwnStack;
use crate::deploy;
use crate::deploy::progress::{Event, Observer};
use crate::deploy::session::{Session, Wanted};
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Lake};
use crate::lower::{access, lower};
use crate::project::Project;

/// A project and what it comes to in one environment.
pub struct Cloud {
    /// The project on disk.
    pub project: Project,
    /// What there should be in AWS.
    pub assembly: Assembly,
}

/// The stack of those who deploy an environment's copy of the lake from GitHub.
///
/// # Errors
/// A blueprint without a GitHub repository.
pub fn access_stack(
    lake: &Lake,
    (copy, environment): (&Lake, &Environment),
    project: &Project,
    format: Format,
) -> Result<Assembly, Failure> {
    let github = section(lake, project)?;
    let gate = github.gate(&environment.name).ok_or_else(|| unknown_environment(&environment.name, lake))?;
    Ok(access(copy, environment, github, gate, format))
}

impl Cloud {
    /// Checks the blueprint and lowers it for the environment.
    pub fn open(environment: &str, context: &Context<'_>) -> Result<Self, Failure> {
        let project = context.project()?;
        let lake = context.check(&project)?;
        if environment == "local" {
            let help = "`lakegen run --env local` runs the lake here".to_owned();
            return Err(Failure::usage("`local` is this machine, and nothing is deployed to it", Some(help)));
        }
        let (copy, environment) = lake.copy(environment).ok_or_else(|| unknown_environment(environment, &lake))?;
        let assets = Assets::collect(copy).map_err(|error| Failure::edge(error, None))?;
        let places = project.places(&lake)?;
        let assembly = lower(copy, environment, &assets, &*places.of(copy)?, Format::Json);
        if places.remember()? {
            context.console.note("wrote which stack each thing is in to the lock file beside the blueprint; commit it");
        }
        Ok(Self { project, assembly })
    }

    /// The same, of the lake or of another stack of the environment.
    pub fn open_stack(environment: &str, stack: Option<OwnStack>, context: &Context<'_>) -> Result<Self, Failure> {
        let Some(OwnStack::Access) = stack else { return Self::open(environment, context) };
        let project = context.project()?;
        let lake = context.check(&project)?;
        let (copy, environment) = lake.copy(environment).ok_or_else(|| unknown_environment(environment, &lake))?;
        Ok(Self { assembly: access_stack(&lake, (copy, environment), &project, Format::Json)?, project })
    }

    /// Credentials of the environment's account.
    pub async fn session(&self, observer: &dyn Observer) -> Result<Session, Failure> {
        let Assembly { environment, region, account, .. } = &self.assembly;
        let wanted = Wanted { environment, region, account: account.as_deref() };
        let session = Session::open(wanted).await.map_err(|error| self.failure(error))?;
        let caller = session.caller_name();
        observer.event(Event::Signed { account: &session.account, region: &session.region, caller });
        Ok(session)
    }

    /// Why a command ended early, with the line of the blueprint that a failed resource comes from.
    pub fn failure(&self, mut error: deploy::Error) -> Failure {
        if let deploy::Error::Failed(cause) = &mut error {
            let stack = self.assembly.stacks.iter().find(|stack| stack.name == cause.stack);
            let origin = cause.resource.as_ref().and_then(|resource| stack?.origin(&resource.id));
            cause.place = origin.and_then(|origin| self.project.place(origin.section, origin.name.as_deref()));
        }
        let help = error.help();
        let exit = match error {
            deploy::Error::Interrupted(_) => Exit::Interrupted,
            deploy::Error::NotAllowed(_) => Exit::NotAllowed,
            _ => Exit::Edge,
        };
        Failure { exit, ..failed(error, help) }
    }
}
