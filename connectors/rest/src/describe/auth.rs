//! How a source is told who asks. Secrets are named here and given by the configured source.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::expr::Template;

/// One way to prove who asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// What the configured source calls it.
    pub name: String,
    pub about: String,
    pub how: AuthKind,
}

/// One key says which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthKind {
    /// `Authorization: Bearer …`
    Bearer {
        /// Name of the secret.
        secret: String,
    },
    Basic {
        username: Template,
        secret: String,
    },
    /// Secrets in headers of their own.
    Headers(Vec<Header>),
    /// OAuth 2.0 client credentials (RFC 6749, 4.4).
    ClientCredentials(ClientCredentials),
    /// A JWT that the agent signs is exchanged for a token (RFC 7523).
    SignedJwt(SignedJwt),
}

/// A client and its secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    pub token_url: Template,
    pub client_id: Template,
    pub secret: String,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub audience: Option<Template>,
    #[serde(default)]
    pub secret_in: ClientSecretIn,
}

/// A client and its key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedJwt {
    pub token_url: Template,
    /// Issuer and subject of the JWT.
    pub client_id: Template,
    /// The secret that holds the private key: PKCS #8 in PEM.
    pub secret: String,
    pub algorithm: SigningAlgorithm,
    /// The id of the key, where the server wants one.
    #[serde(default)]
    pub key_id: Option<Template>,
    /// Left out, the token URL.
    #[serde(default)]
    pub audience: Option<Template>,
    #[serde(default)]
    pub scope: Option<String>,
    #[serde(default)]
    pub grant: Grant,
}

/// A secret in a header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub name: String,
    pub secret: String,
    /// Stands before the secret, e.g. `SSWS `.
    #[serde(default)]
    pub prefix: String,
}

/// Where a client secret goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientSecretIn {
    #[default]
    Header,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SigningAlgorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}

/// What the JWT is, in the request for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// It proves the client: `client_credentials` with a `client_assertion` (RFC 7523, 2.2).
    #[default]
    ClientAssertion,
    /// It is the grant itself: `jwt-bearer` (RFC 7523, 2.1), as Google wants it.
    JwtBearer,
}

impl AuthKind {
    /// The secrets that the configured source must give.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Bearer { secret } | Self::Basic { secret, .. } => vec![secret],
            Self::ClientCredentials(client) => vec![&client.secret],
            Self::SignedJwt(jwt) => vec![&jwt.secret],
            Self::Headers(headers) => headers.iter().map(|h| h.secret.as_str()).collect(),
        }
    }
}
