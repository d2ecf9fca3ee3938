//! Cognito: pools of users.

use super::node::TagMap;
use super::shape::{resource, shape};
use super::template::Ref;
use super::value::{Arn, Attribute, Name, Value};

resource! {
    /// A pool of users. `Ref` is its id.
    "AWS::Cognito::UserPool" UserPool {
        name: Value<Name<UserPool>> = "UserPoolName",
        deletion_protection: &'static str = "DeletionProtection",
        administration: AdminCreateUserConfig = "AdminCreateUserConfig",
        user_names: Vec<&'static str> = "UsernameAttributes",
        verified: Vec<&'static str> = "AutoVerifiedAttributes",
        policies: Policies = "Policies",
        recovery: AccountRecoverySetting = "AccountRecoverySetting",
        mfa: &'static str = "MfaConfiguration",
        mfa_kinds: Vec<&'static str> = "EnabledMfas",
        tags: TagMap = "UserPoolTags",
    }
}

impl Ref<UserPool> {
    /// Its ARN.
    pub fn arn(&self) -> Value<Arn<UserPool>> {
        self.attribute("Arn")
    }

    /// Its id.
    pub fn pool_id(&self) -> Value<Attribute<UserPool>> {
        self.reference()
    }
}

shape! {
    /// Who makes users.
    AdminCreateUserConfig { only_administrators: bool = "AllowAdminCreateUserOnly" }
}

shape! {
    /// What the pool asks of its users.
    Policies { password: PasswordPolicy = "PasswordPolicy" }
}

shape! {
    /// What a password must be.
    PasswordPolicy {
        length: u32 = "MinimumLength",
        lower_case: bool = "RequireLowercase",
        upper_case: bool = "RequireUppercase",
        digits: bool = "RequireNumbers",
        symbols: bool = "RequireSymbols",
        temporary_days: u32 = "TemporaryPasswordValidityDays",
    }
}

shape! {
    /// How users who forgot their password come back.
    AccountRecoverySetting { ways: Vec<RecoveryOption> = "RecoveryMechanisms" }
}

shape! {
    /// One way back.
    RecoveryOption {
        name: &'static str = "Name",
        priority: u32 = "Priority",
    }
}

resource! {
    /// A program that signs users in. `Ref` is its id.
    "AWS::Cognito::UserPoolClient" UserPoolClient {
        name: String = "ClientName",
        pool: Value<Attribute<UserPool>> = "UserPoolId",
        secret: bool = "GenerateSecret",
        flows: Vec<&'static str> = "ExplicitAuthFlows",
        existence_errors: &'static str = "PreventUserExistenceErrors",
        revocation: bool = "EnableTokenRevocation",
    }
}

impl Ref<UserPoolClient> {
    /// Its id.
    pub fn client_id(&self) -> Value<Attribute<UserPoolClient>> {
        self.reference()
    }
}
