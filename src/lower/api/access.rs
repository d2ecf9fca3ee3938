//! Who may call: the pool of users and the authorizer that looks at their tokens.

use super::super::names::Kind;
use super::Context;
use crate::assembly::{Exported, StackTemplate};
use crate::cfn::apigateway::{Authorization, Authorizer, RestApi};
use crate::cfn::cognito::{
    AccountRecoverySetting, AdminCreateUserConfig, PasswordPolicy, Policies, RecoveryOption, UserPool, UserPoolClient,
};
use crate::cfn::{Arn, Attribute, Declaration, LogicalId, Ref, TagMap, Value};
use crate::lake::{Access, Api, Route};

/// Adds the pool of the API's users to the stack with what must not be lost, unless the blueprint names one or wants none.
pub(in crate::lower) fn lower_pool(
    cx: &Context,
    stack: &mut StackTemplate,
    api: &Api,
) -> Option<Exported<Arn<UserPool>>> {
    let Access::Cognito { pool: None, scopes: _ } = &api.access else { return None };
    let pool = UserPool {
        name: cx.names.user_pool(),
        deletion_protection: if cx.environment.protected { "ACTIVE" } else { "INACTIVE" },
        administration: AdminCreateUserConfig { only_administrators: true },
        user_names: vec!["email"],
        verified: vec!["email"],
        policies: Policies {
            password: PasswordPolicy {
                length: 12,
                lower_case: true,
                upper_case: true,
                digits: true,
                symbols: false,
                temporary_days: 7,
            },
        },
        recovery: AccountRecoverySetting { ways: vec![RecoveryOption { name: "verified_email", priority: 1 }] },
        mfa: "OPTIONAL",
        mfa_kinds: vec!["SOFTWARE_TOKEN_MFA"],
        tags: TagMap(cx.tag_list()),
    };
    let pool = stack.template.add(Kind::ApiUserPool.fixed(), Declaration::from(pool).retention(cx.retention()));
    let client = UserPoolClient {
        name: cx.names.plain(&[], 128),
        pool: pool.pool_id(),
        secret: false,
        flows: vec!["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        existence_errors: "ENABLED",
        revocation: true,
    };
    let client = stack.template.add(Kind::ApiUserClient.fixed(), client);
    stack.template.output(LogicalId::fixed("UserPoolId"), "Pool of the API's users", pool.pool_id(), None);
    let description = "Client with which a program signs users in";
    stack.template.output(LogicalId::fixed("UserPoolClientId"), description, client.client_id(), None);
    Some(stack.export(LogicalId::fixed("UserPoolArn"), "ARN of the pool of the API's users", pool.arn()))
}

/// How an API lets its callers in.
pub(super) struct Door {
    authorizer: Option<Ref<Authorizer>>,
}

impl Door {
    pub(super) fn lower(
        stack: &mut StackTemplate,
        rest: &Ref<RestApi>,
        access: &Access,
        pool: Option<&Exported<Arn<UserPool>>>,
    ) -> Self {
        let Access::Cognito { pool: written, scopes: _ } = access else { return Self { authorizer: None } };
        let pool: Option<Value<Arn<UserPool>>> = match (written, pool) {
            (Some(arn), _) => Some(Value::literal(arn.clone())),
            (None, Some(pool)) => Some(stack.import(pool, "ARN of the pool of the API's users")),
            (None, None) => None,
        };
        let authorizer = Authorizer {
            api: rest.api_id(),
            name: "users",
            kind: Authorization::Cognito,
            pools: pool.into_iter().collect(),
            source: "method.request.header.Authorization",
        };
        Self { authorizer: Some(stack.template.add(Kind::ApiAuthorizer.fixed(), authorizer)) }
    }

    /// What a method asks of its callers.
    pub(super) fn of(&self, api: &Api, route: &Route) -> Asked {
        let nothing = Asked { authorization: Authorization::None, authorizer: None, scopes: None, key: false };
        match api.access_to(route) {
            Access::Public => nothing,
            Access::ApiKey => Asked { key: true, ..nothing },
            Access::Iam => Asked { authorization: Authorization::Iam, ..nothing },
            Access::Cognito { pool: _, scopes } => Asked {
                authorization: Authorization::Cognito,
                authorizer: self.authorizer.as_ref().map(Ref::authorizer_id),
                scopes: (!scopes.is_empty()).then(|| scopes.clone()),
                key: false,
            },
        }
    }
}

/// What a method asks of its callers.
pub(super) struct Asked {
    pub(super) authorization: Authorization,
    pub(super) authorizer: Option<Value<Attribute<Authorizer>>>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) key: bool,
}
