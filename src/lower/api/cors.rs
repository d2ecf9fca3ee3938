//! What web pages of other origins need: an answer to the browser's question before the request, and the header on answers
//! that the gateway gives itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::names::Kind;
use super::Tree;
use crate::assembly::StackTemplate;
use crate::cfn::Declaration;
use crate::cfn::apigateway::{
    Authorization, Deployment, GatewayResponse, Integration, IntegrationResponse, Method, MethodResponse,
};
use crate::lake::{Api, Cors};

const ORIGIN: &str = "Access-Control-Allow-Origin";

/// Adds them, and lets the deployment wait for them.
pub(super) fn lower(
    stack: &mut StackTemplate,
    tree: &mut Tree,
    api: &Api,
    cors: &Cors,
    mut deployment: Declaration<Deployment>,
) -> Declaration<Deployment> {
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX"] {
        let answer = GatewayResponse { api: tree.rest.api_id(), kind, parameters: Some(header(cors)), templates: None };
        let answer = stack.template.add(Kind::ApiGatewayResponse.digested(kind), answer);
        deployment = deployment.after(&answer);
    }
    let mut paths: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, route) in api.routes.iter().enumerate() {
        paths.entry(&route.path).or_default().push(at);
    }
    for (path, routes) in paths {
        let Some(first) = routes.first().and_then(|at| api.routes.get(*at)) else { continue };
        let headers = answer_headers(api, cors, path);
        let method = Method {
            api: tree.rest.api_id(),
            resource: tree.resource(stack, &first.segments),
            verb: "OPTIONS",
            // A browser asks without any credentials.
            authorization: Authorization::None,
            authorizer: None,
            scopes: None,
            key_required: false,
            validator: None,
            parameters: None,
            models: None,
            integration: Integration::mock(IntegrationResponse {
                status: "204",
                parameters: headers.iter().map(|(name, value)| (response(name), quoted(value))).collect(),
            }),
            responses: Some(vec![MethodResponse {
                status: "204",
                parameters: headers.iter().map(|(name, _)| (response(name), true)).collect(),
            }]),
        };
        let method = stack.template.add(Kind::ApiCorsMethod.digested(path), method);
        deployment = deployment.after(&method);
    }
    deployment
}

/// The header on an answer of the gateway's own, without which a page cannot read it.
pub(super) fn header(cors: &Cors) -> Vec<(Cow<'static, str>, String)> {
    vec![(Cow::Owned(format!("gatewayresponse.header.{ORIGIN}")), quoted(&cors.origin))]
}

/// The headers of the answer to a browser's question about a path.
fn answer_headers(api: &Api, cors: &Cors, path: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        (ORIGIN, cors.origin.clone()),
        ("Access-Control-Allow-Methods", api.cors_methods(path).join(",")),
        ("Access-Control-Allow-Headers", api.cors_headers(cors).join(",")),
        ("Access-Control-Max-Age", cors.seconds.to_string()),
    ];
    if cors.origin != "*" {
        headers.push(("Vary", "Origin".to_owned()));
    }
    headers
}

fn response(header: &str) -> Cow<'static, str> {
    Cow::Owned(format!("method.response.header.{header}"))
}

/// A fixed text, as API Gateway's mappings take it.
fn quoted(text: &str) -> String {
    format!("'{text}'")
}
