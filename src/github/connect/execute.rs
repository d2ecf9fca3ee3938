//! Does what was decided.

use http::Method;
use serde_json::{Value, json};

use super::decide::{Pull, Reference, Step};
use super::observe::root;
use super::{BRANCH, ConnectError, Wanted, seal};
use crate::github::client::{Call, Client, segment};
use crate::github::error::Error;

const TITLE: &str = "Review and deploy the lake from GitHub";
const TEXT: &str = "\
`lakegen github connect` asks for these files to be merged. They are written from the blueprint; `lakegen github generate --check`
fails when they are out of date, and what is added outside their marked blocks stays.

Once, for each environment, somebody with credentials of its account runs `lakegen deploy --env ENVIRONMENT --stack access`: it makes the
roles that the workflow takes on.";
const MESSAGE: &str = "Write the workflows of lakegen";

/// Does what was decided, one step after the other, and tells each before it is done; the page of the pull request, if there is one.
///
/// # Errors
/// GitHub says no. What was done until then stays, and a second run does the rest.
pub async fn execute(
    client: &Client,
    wanted: &Wanted,
    steps: &[Step],
    tell: &dyn Fn(&Step),
) -> Result<Option<String>, ConnectError> {
    let doing = Doing { client, root: root(&wanted.repository) };
    let mut page = None;
    for step in steps {
        tell(step);
        page = doing.step(step).await?.or(page);
    }
    Ok(page)
}

struct Doing<'a> {
    client: &'a Client,
    root: String,
}

impl Doing<'_> {
    async fn step(&self, step: &Step) -> Result<Option<String>, ConnectError> {
        let root = &self.root;
        match step {
            Step::Environment { name, body, .. } => {
                let path = format!("{root}/environments/{}", segment(name));
                self.send(Method::PUT, format!("set up the environment `{name}`"), path, body).await?;
            }
            Step::AllowBranch { environment, pattern } => {
                let path = format!("{root}/environments/{}/deployment-branch-policies", segment(environment));
                let what = format!("let `{pattern}` be deployed to `{environment}`");
                self.send(Method::POST, what, path, &json!({ "name": pattern })).await?;
            }
            Step::RefuseBranch { environment, pattern, id } => {
                let path = format!("{root}/environments/{}/deployment-branch-policies/{id}", segment(environment));
                let what = format!("stop `{pattern}` from being deployed to `{environment}`");
                let call = Call { method: Method::DELETE, ..Call::get(what, path) };
                self.client.json(&call).await?;
            }
            Step::Variable { environment, name, value, before } => {
                let place = self.place(environment.as_deref());
                let what = format!("set the variable `{name}`");
                let body = json!({ "name": name, "value": value });
                let (method, path) = match before {
                    Some(_) => (Method::PATCH, format!("{place}/variables/{}", segment(name))),
                    None => (Method::POST, format!("{place}/variables")),
                };
                self.send(method, what, path, &body).await?;
            }
            Step::Secret { environment, name, value, new: _ } => {
                let place = self.place(environment.as_deref());
                let what = format!("set the secret `{name}`");
                let key = self.client.json(&Call::get(what.clone(), format!("{place}/secrets/public-key"))).await?;
                let sealed = key["key"].as_str().and_then(|key| seal::seal(&value.0, key));
                let sealed = sealed.ok_or(ConnectError::SecretKey)?;
                let body = json!({ "encrypted_value": sealed, "key_id": key["key_id"] });
                self.send(Method::PUT, what, format!("{place}/secrets/{}", segment(name)), &body).await?;
            }
            Step::Rules { id, body, branch, .. } => {
                let what = format!("set the rules for `{branch}`");
                let (method, path) = match id {
                    Some(id) => (Method::PUT, format!("{root}/rulesets/{id}")),
                    None => (Method::POST, format!("{root}/rulesets")),
                };
                self.send(method, what, path, body).await?;
            }
            Step::Pull(pull) => return Ok(Some(self.pull(pull).await?)),
        }
        Ok(None)
    }

    fn place(&self, environment: Option<&str>) -> String {
        match environment {
            Some(environment) => format!("{}/environments/{}", self.root, segment(environment)),
            None => format!("{}/actions", self.root),
        }
    }

    async fn send(&self, method: Method, what: String, path: String, body: &Value) -> Result<Value, ConnectError> {
        Ok(self.client.json(&Call::send(method, what, path, body)).await?)
    }

    async fn pull(&self, pull: &Pull) -> Result<String, ConnectError> {
        if !pull.files.is_empty() {
            self.commit(pull).await?;
        }
        match &pull.open {
            Some((number, page)) => {
                if pull.retarget {
                    let path = format!("{}/pulls/{number}", self.root);
                    let body = json!({ "base": pull.base });
                    self.send(Method::PATCH, "change the pull request".to_owned(), path, &body).await?;
                }
                Ok(page.clone())
            }
            None => {
                let body = json!({ "title": TITLE, "body": TEXT, "head": BRANCH, "base": pull.base });
                let path = format!("{}/pulls", self.root);
                let made = self.send(Method::POST, "open a pull request".to_owned(), path, &body).await?;
                Ok(made["html_url"].as_str().unwrap_or_default().to_owned())
            }
        }
    }

    /// Puts the files onto lakegen's branch. Only this needs the scope `workflow`, without which GitHub says that nothing is there.
    async fn commit(&self, pull: &Pull) -> Result<(), ConnectError> {
        let root = &self.root;
        let what = format!("write {} to the branch `{BRANCH}`", crate::text::counted(pull.files.len(), "file"));
        let write = |method, path: String, body| {
            let what = what.clone();
            async move {
                let needed: &[&str] = &["repo", "workflow"];
                let call = Call { needed, ..Call::send(method, what.clone(), path, &body) };
                let made = self.client.json(&call).await?;
                let hash = made["sha"].as_str().or(made["object"]["sha"].as_str()).map(str::to_owned);
                hash.ok_or(ConnectError::from(Error::Malformed { what }))
            }
        };
        let (commit, tree) = &pull.onto;
        let blob = |(path, text): &(String, String)| json!({ "path": path, "mode": "100644", "type": "blob", "content": text });
        let files: Vec<_> = pull.files.iter().map(blob).collect();
        let tree =
            write(Method::POST, format!("{root}/git/trees"), json!({ "base_tree": tree, "tree": files })).await?;
        let body = json!({ "message": MESSAGE, "tree": tree, "parents": [commit] });
        let commit = write(Method::POST, format!("{root}/git/commits"), body).await?;
        let (method, path, body) = match pull.reference {
            Reference::Create => {
                let body = json!({ "ref": format!("refs/heads/{BRANCH}"), "sha": commit });
                (Method::POST, format!("{root}/git/refs"), body)
            }
            Reference::Forward | Reference::Replace => {
                let body = json!({ "sha": commit, "force": pull.reference == Reference::Replace });
                (Method::PATCH, format!("{root}/git/refs/{}", segment(&format!("heads/{BRANCH}"))), body)
            }
        };
        write(method, path, body).await?;
        Ok(())
    }
}
