//! The API's document: OpenAPI 3.0 of the routes, for those who call the API and for the tools with which they do.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::lake::{Access, Api, Method, Parameter, ParameterType, Route, Segment, object_schema};

/// The version of OpenAPI that most tools read; 3.1 says nothing that an API of ours needs.
const VERSION: &str = "3.0.3";
/// The name of the way of access in the document.
const SCHEME: &str = "caller";

/// Where an API answers.
pub struct Place<'a> {
    /// The lake's name.
    pub lake: &'a str,
    /// The environment's name.
    pub environment: &'a str,
    /// The environment's region.
    pub region: &'a str,
    /// The part of the address behind the host.
    pub stage: &'a str,
}

/// The document of an API, the same bytes for the same API.
#[must_use]
pub fn document(api: &Api, description: Option<&str>, place: &Place<'_>) -> String {
    let mut paths = Map::new();
    let mut ids = BTreeSet::new();
    for route in &api.routes {
        let operations = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        operations[route.method.as_str().to_lowercase()] = operation(api, route, &mut ids);
    }
    let mut document = json!({
        "openapi": VERSION,
        "info": {
            "title": format!("{} in {}", place.lake, place.environment),
            "version": place.stage,
        },
        "servers": servers(api, place),
        "paths": paths,
        "components": { "schemas": { "Refusal": refusal() } },
    });
    if let Some(description) = description {
        document["info"]["description"] = description.into();
    }
    if let Some(scheme) = scheme(&api.access) {
        document["components"]["securitySchemes"] = json!({ SCHEME: scheme });
    }
    let mut text = format!("{document:#}");
    text.push('\n');
    text
}

fn servers(api: &Api, place: &Place<'_>) -> Value {
    let mut servers = Vec::new();
    if let Some(domain) = &api.domain {
        let path = domain.base_path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
        servers.push(json!({ "url": format!("https://{}{path}", domain.name) }));
    }
    let suffix = crate::region::Partition::of(place.region).suffix();
    servers.push(json!({
        "url": format!("https://{{api}}.execute-api.{}.{suffix}/{}", place.region, place.stage),
        "variables": { "api": { "default": "api", "description": "The API's id: the first word of the stack's output ApiUrl" } },
    }));
    servers.into()
}

/// How callers say who they are.
fn scheme(access: &Access) -> Option<Value> {
    match access {
        Access::ApiKey => Some(json!({ "type": "apiKey", "in": "header", "name": "x-api-key" })),
        Access::Iam => Some(json!({
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Signature version 4 of AWS",
            "x-amazon-apigateway-authtype": "awsSigv4",
        })),
        Access::Cognito { pool: _, scopes } => {
            let token = if scopes.is_empty() {
                "Identity token".to_owned()
            } else {
                format!("Access token with one of the scopes {}", scopes.join(", "))
            };
            let description = format!("{token} of the pool of users");
            Some(json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description }))
        }
        Access::Public => None,
    }
}

fn operation(api: &Api, route: &Route, ids: &mut BTreeSet<String>) -> Value {
    let Route {
        method,
        path,
        segments: _,
        function: _,
        path_parameters,
        query_parameters,
        body,
        answer,
        public: _,
        description,
    } = route;
    let places = path_parameters.iter().map(|of| (of, "path")).chain(query_parameters.iter().map(|of| (of, "query")));
    let mut operation = json!({ "operationId": operation_id(*method, route, ids) });
    if let Some(description) = description {
        operation["summary"] = description.as_str().into();
    }
    let parameters: Vec<Value> = places.map(|(of, place)| parameter(of, place)).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if method.has_body() {
        let schema = body.as_ref().map_or_else(|| json!({ "type": "object" }), |fields| described(fields));
        let required = body.as_ref().is_some_and(|fields| fields.iter().any(|field| field.required));
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    let schema = answer.as_ref().map_or_else(|| json!({}), |fields| described(fields));
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({ "description": format!("The answer of {} {path}", method.as_str()), "content": { "application/json": { "schema": schema } } }),
    );
    for (status, description) in refusals(api.access_to(route)) {
        let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Refusal" } } });
        responses.insert((*status).into(), json!({ "description": description, "content": content }));
    }
    operation["responses"] = responses.into();
    operation["security"] = match api.access_to(route) {
        Access::Public => json!([]),
        Access::ApiKey | Access::Iam | Access::Cognito { .. } => json!([{ SCHEME: [] }]),
    };
    operation
}

/// `get_users_by_user_id_orders`: a name for code, which no other operation has.
fn operation_id(method: Method, route: &Route, ids: &mut BTreeSet<String>) -> String {
    let words = route.segments.iter().map(|segment| match segment {
        Segment::Literal(word) => word.replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
        Segment::Parameter(name) => format!("by_{name}"),
    });
    let id = std::iter::once(method.as_str().to_lowercase()).chain(words).collect::<Vec<_>>().join("_");
    let numbered = (2..).map(|number| format!("{id}_{number}"));
    let free = std::iter::once(id.clone()).chain(numbered).find(|id| ids.insert(id.clone()));
    free.unwrap_or(id)
}

fn parameter(of: &Parameter, place: &str) -> Value {
    let mut schema = of.schema();
    if let Some(default) = &of.default {
        // A default is a text in the blueprint; the schema wants it as what it is.
        schema["default"] = match of.ty {
            ParameterType::String => default.as_str().into(),
            _ => serde_json::from_str(default).unwrap_or_else(|_| default.as_str().into()),
        };
    }
    let mut parameter = json!({ "name": of.name, "in": place, "required": of.required, "schema": schema });
    if let Some(description) = &of.description {
        parameter["description"] = description.as_str().into();
    }
    parameter
}

/// The schema of an object, with what the blueprint says of its fields.
fn described(fields: &[Parameter]) -> Value {
    let mut schema = object_schema(fields);
    for field in fields {
        if let Some(description) = &field.description {
            schema["properties"][&field.name]["description"] = description.as_str().into();
        }
    }
    schema
}

/// The answers of the gateway itself.
fn refusals(access: &Access) -> &'static [(&'static str, &'static str)] {
    match access {
        Access::Public => &[BAD, RATE, FAILED, LATE],
        Access::ApiKey => &[BAD, ("403", "There is no such key"), RATE, FAILED, LATE],
        Access::Iam => &[BAD, ("403", "The signature is missing or wrong, or the caller may not"), RATE, FAILED, LATE],
        Access::Cognito { .. } => &[BAD, ("401", "The token is missing, wrong or too old"), RATE, FAILED, LATE],
    }
}

const BAD: (&str, &str) = ("400", "A parameter is missing, or the body is not as it must be");
const RATE: (&str, &str) = ("429", "More requests than the API takes");
const FAILED: (&str, &str) = ("502", "The function failed");
const LATE: (&str, &str) = ("504", "The function did not answer in time");

fn refusal() -> Value {
    json!({ "type": "object", "required": ["message"], "properties": { "message": { "type": "string" }, "detail": { "type": "string" } } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::Id;

    #[test]
    fn operations_are_told_apart_whatever_their_paths_are() {
        let route = |path: &str, segments: &[Segment]| Route {
            method: Method::Get,
            path: path.to_owned(),
            segments: segments.to_vec(),
            function: Id::new(0),
            path_parameters: Vec::new(),
            query_parameters: Vec::new(),
            body: None,
            answer: None,
            public: false,
            description: None,
        };
        let literal = |word: &str| Segment::Literal(word.to_owned());
        let routes = [
            route("/a-b", &[literal("a-b")]),
            route("/a_b", &[literal("a_b")]),
            route("/a/b", &[literal("a"), literal("b")]),
            route("/{a}", &[Segment::Parameter("a".into())]),
        ];
        let mut ids = BTreeSet::new();
        let found: Vec<_> = routes.iter().map(|route| operation_id(route.method, route, &mut ids)).collect();
        assert_eq!(found, ["get_a_b", "get_a_b_2", "get_a_b_3", "get_by_a"]);
    }
}
