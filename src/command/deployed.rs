//! What the commands on environments in AWS share.

use super::local::unknown_environment;
use crate::deploy::Session;
use crate::deploy::session::Wanted;
use crate::failure::{Exit, Failure};
use crate::lake::{Environment, Lake};
use crate::operate::{Deployed, Error};

/// Where a command works.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// On this machine.
    Local,
    /// In AWS: the lake as it is in that environment.
    Cloud(&'a Lake, &'a Environment),
}

impl<'a> Place<'a> {
    /// What `--env` names.
    pub fn of(name: &str, lake: &'a Lake) -> Result<Self, Failure> {
        match lake.copy(name) {
            Some((copy, environment)) => Ok(Self::Cloud(copy, environment)),
            None if name == "local" => Ok(Self::Local),
            None => Err(unknown_environment(name, lake)),
        }
    }
}

/// Signs in to the account of an environment.
pub async fn sign_in(environment: &Environment) -> Result<Session, Failure> {
    let Environment { name, region, account, protected: _, alert: _, tags: _ } = environment;
    let wanted = Wanted { environment: name, region, account: account.as_deref() };
    Session::open(wanted).await.map_err(|error| failure(error.into()))
}

/// Signs in, and finds what is deployed of the lake.
pub async fn find(lake: &Lake, environment: &Environment) -> Result<(Session, Deployed), Failure> {
    let session = sign_in(environment).await?;
    let deployed = Deployed::find(&session, &lake.name, &environment.name).await.map_err(failure)?;
    Ok((session, deployed))
}

/// AWS said no, or the user did.
pub fn failure(error: Error) -> Failure {
    let exit = if matches!(error, Error::Interrupted { .. }) { Exit::Interrupted } else { Exit::Edge };
    let help = error.help();
    Failure { exit, error: Some(Box::new(error)), help }
}
