//! Proves to the source who asks: fixed headers, or a token that is exchanged and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use headcount_sdk::ScanError;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::config::Secrets;
use crate::describe::{AuthKind, ClientSecretIn, Grant, Header, SignedJwt, SigningAlgorithm};
use crate::expr::Template;
use crate::transport::{Body, Request, Transport};

/// What requests for a token are called in the manifest.
pub const TOKEN: &str = "token";
/// How long a signed assertion holds. Servers allow little more.
const ASSERTION_SECS: i64 = 300;

/// One way to prove who asks, its settings filled in.
pub struct Authenticator {
    how: Filled,
    secrets: Arc<dyn Secrets>,
    token: Mutex<Option<Token>>,
}

/// A way whose templates are filled in.
pub enum Filled {
    Bearer(String),
    Basic {
        username: String,
        secret: String,
    },
    Headers(Vec<(String, String, String)>),
    ClientCredentials {
        url: Url,
        client_id: String,
        secret: String,
        form: Vec<(String, String)>,
        within: ClientSecretIn,
    },
    SignedJwt(Jwt),
}

/// What is signed and where it goes.
pub struct Jwt {
    pub url: Url,
    pub client_id: String,
    pub secret: String,
    pub algorithm: SigningAlgorithm,
    pub key_id: Option<String>,
    pub audience: String,
    pub scope: Option<String>,
    pub grant: Grant,
}

struct Token {
    value: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

type Headers = Vec<(String, SecretString)>;

type Fill<'a> = &'a dyn Fn(&Template) -> Result<String, String>;

impl Filled {
    /// Fills in templates with the settings; `fill` does one of them.
    ///
    /// # Errors
    ///
    /// What `fill` says, or which address is none.
    pub fn new(kind: &AuthKind, fill: Fill<'_>) -> Result<Self, String> {
        Ok(match kind {
            AuthKind::Bearer { secret } => Self::Bearer(secret.clone()),
            AuthKind::Basic { username, secret } => {
                Self::Basic { username: fill(username)?, secret: secret.clone() }
            }
            AuthKind::Headers(headers) => {
                let header = |h: &Header| (h.name.clone(), h.prefix.clone(), h.secret.clone());
                Self::Headers(headers.iter().map(header).collect())
            }
            AuthKind::ClientCredentials(client) => {
                let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
                form.extend(client.scope.iter().map(|s| ("scope".to_owned(), s.clone())));
                if let Some(audience) = &client.audience {
                    form.push(("audience".to_owned(), fill(audience)?));
                }
                Self::ClientCredentials {
                    url: address(&client.token_url, fill)?,
                    client_id: fill(&client.client_id)?,
                    secret: client.secret.clone(),
                    form,
                    within: client.secret_in,
                }
            }
            AuthKind::SignedJwt(described) => Self::SignedJwt(Jwt::new(described, fill)?),
        })
    }

    /// The same, with tokens asked for elsewhere. An assertion still names the server that the
    /// description means: a proxy hands it on.
    ///
    /// # Errors
    ///
    /// When that is no address, or nothing is asked for in this way.
    pub fn at(mut self, elsewhere: Option<&str>) -> Result<Self, String> {
        let Some(elsewhere) = elsewhere else { return Ok(self) };
        match &mut self {
            Self::ClientCredentials { url, .. } | Self::SignedJwt(Jwt { url, .. }) => {
                *url = token_url(elsewhere)?;
            }
            _ => return Err("this way to authenticate asks for no token".to_owned()),
        }
        Ok(self)
    }
}

fn address(template: &Template, fill: Fill<'_>) -> Result<Url, String> {
    token_url(&fill(template)?)
}

fn token_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "the token URL is no address".to_owned())?;
    let is_safe = crate::config::safe(&url);
    is_safe.then_some(url).ok_or_else(|| "the token URL is not https".to_owned())
}

impl Authenticator {
    #[must_use]
    pub fn new(how: Filled, secrets: Arc<dyn Secrets>) -> Self {
        Self { how, secrets, token: Mutex::new(None) }
    }

    /// Whether a token was exchanged, which may have ended before its time.
    #[must_use]
    pub const fn exchanges(&self) -> bool {
        matches!(self.how, Filled::ClientCredentials { .. } | Filled::SignedJwt(_))
    }

    /// Forgets the token, so that the next request gets a new one.
    pub async fn forget(&self) {
        *self.token.lock().await = None;
    }

    /// The headers that prove it.
    pub async fn headers(
        &self,
        transport: &dyn Transport,
        now: Timestamp,
    ) -> Result<Headers, ScanError> {
        let authorization =
            |text: String| vec![("authorization".to_owned(), SecretString::from(text))];
        Ok(match &self.how {
            Filled::Bearer(secret) => {
                authorization(format!("Bearer {}", self.secret(secret)?.expose_secret()))
            }
            Filled::Basic { username, secret } => {
                let pair = format!("{username}:{}", self.secret(secret)?.expose_secret());
                authorization(format!("Basic {}", STANDARD.encode(pair)))
            }
            Filled::Headers(headers) => {
                let mut all = Vec::new();
                for (name, prefix, secret) in headers {
                    let value = format!("{prefix}{}", self.secret(secret)?.expose_secret());
                    all.push((name.to_ascii_lowercase(), SecretString::from(value)));
                }
                all
            }
            Filled::ClientCredentials { .. } | Filled::SignedJwt(_) => {
                let token = self.token(transport, now).await?;
                authorization(format!("Bearer {}", token.expose_secret()))
            }
        })
    }

    fn secret(&self, name: &str) -> Result<SecretString, ScanError> {
        self.secrets.reveal(name).ok_or_else(|| ScanError::Denied {
            operation: "authenticate".to_owned(),
            permission: format!("the secret `{name}` of this source, which cannot be read"),
        })
    }

    /// The token that is kept, or a new one. Whoever comes second waits for the first.
    async fn token(
        &self,
        transport: &dyn Transport,
        now: Timestamp,
    ) -> Result<SecretString, ScanError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.value.clone());
        }
        let granted = granted(transport, self.request(now)?).await?;
        // A fifth is left for clocks and requests on their way.
        let lifetime = Duration::from_secs(granted.expires_in.unwrap_or(300)) * 4 / 5;
        let value = SecretString::from(granted.access_token);
        *kept = Some(Token { value: value.clone(), until: Instant::now() + lifetime });
        Ok(value)
    }

    fn request(&self, now: Timestamp) -> Result<Request, ScanError> {
        let mut headers = vec![("accept".to_owned(), SecretString::from("application/json"))];
        let (url, form) = match &self.how {
            Filled::ClientCredentials { url, client_id, secret, form, within } => {
                let secret = self.secret(secret)?;
                let mut fields = Serializer::new(String::new());
                fields.extend_pairs(form);
                match within {
                    ClientSecretIn::Body => {
                        fields.append_pair("client_id", client_id);
                        fields.append_pair("client_secret", secret.expose_secret());
                    }
                    ClientSecretIn::Header => {
                        let pair =
                            STANDARD.encode(format!("{client_id}:{}", secret.expose_secret()));
                        headers.push(("authorization".to_owned(), format!("Basic {pair}").into()));
                    }
                }
                (url, fields.finish())
            }
            Filled::SignedJwt(jwt) => {
                let assertion = jwt.sign(&self.secret(&jwt.secret)?, now)?;
                (&jwt.url, jwt.form(assertion.expose_secret()))
            }
            _ => return Err(unusable("this way needs no token")),
        };
        let body = Some(Body::Form(SecretString::from(form)));
        Ok(Request { method: "POST", url: url.clone(), headers, body })
    }
}

impl Jwt {
    fn new(described: &SignedJwt, fill: Fill<'_>) -> Result<Self, String> {
        let url = address(&described.token_url, fill)?;
        let audience = described.audience.as_ref().map(fill).transpose()?;
        let key_id = described.key_id.as_ref().map(fill).transpose()?;
        Ok(Self {
            client_id: fill(&described.client_id)?,
            secret: described.secret.clone(),
            algorithm: described.algorithm,
            key_id: key_id.filter(|id| !id.is_empty()),
            audience: audience.unwrap_or_else(|| url.to_string()),
            scope: described.scope.clone(),
            grant: described.grant,
            url,
        })
    }

    fn form(&self, assertion: &str) -> String {
        let mut fields = Serializer::new(String::new());
        match self.grant {
            Grant::ClientAssertion => fields
                .append_pair("grant_type", "client_credentials")
                .append_pair("client_id", &self.client_id)
                .append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .append_pair("client_assertion", assertion),
            Grant::JwtBearer => fields
                .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                .append_pair("assertion", assertion),
        };
        if let (Grant::ClientAssertion, Some(scope)) = (self.grant, &self.scope) {
            fields.append_pair("scope", scope);
        }
        fields.finish()
    }

    fn sign(&self, key: &SecretString, now: Timestamp) -> Result<SecretString, ScanError> {
        let (algorithm, at) = match self.algorithm {
            SigningAlgorithm::Rs256 => ("RS256", now.as_second()),
            SigningAlgorithm::Es256 => ("ES256", now.as_second()),
        };
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let Some(id) = &self.key_id {
            header["kid"] = id.as_str().into();
        }
        let mut claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.audience,
            // Clocks differ; a server refuses what is not valid yet.
            "iat": at - 30, "exp": at + ASSERTION_SECS, "jti": random_id()?,
        });
        if let (Grant::JwtBearer, Some(scope)) = (self.grant, &self.scope) {
            // Google reads the scope from the claims, and takes `sub` for a person to act as.
            claims["scope"] = scope.as_str().into();
            claims.as_object_mut().map(|claims| claims.remove("sub"));
        }
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.signature(key, signed.as_bytes())?;
        Ok(SecretString::from(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn signature(&self, key: &SecretString, message: &[u8]) -> Result<Vec<u8>, ScanError> {
        let lines = key.expose_secret().lines().map(str::trim);
        let base64: String = lines.filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(base64).map_err(|_| unusable("the private key is not PEM"))?;
        let random = SystemRandom::new();
        match self.algorithm {
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&der);
                let pair = pair.map_err(|_| unusable("the private key is not RSA in PKCS #8"))?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| unusable("signing failed"))?;
                Ok(signature)
            }
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
                let pair = pair.map_err(|_| unusable("the private key is not P-256 in PKCS #8"))?;
                let signature =
                    pair.sign(&random, message).map_err(|_| unusable("signing failed"))?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

fn random_id() -> Result<String, ScanError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| unusable("there is no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

async fn granted(transport: &dyn Transport, request: Request) -> Result<Granted, ScanError> {
    let unavailable =
        |reason: String| ScanError::Unavailable { operation: TOKEN.to_owned(), reason };
    let answer =
        transport.exchange(request).await.map_err(|broken| unavailable(broken.to_string()))?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| ScanError::Malformed {
            operation: TOKEN.to_owned(),
            path: "access_token".to_owned(),
        }),
        // RFC 6749, 5.2: a wrong client or scope is a 400 or 401.
        400 | 401 | 403 => Err(ScanError::Denied {
            operation: TOKEN.to_owned(),
            permission: "a client that the token server accepts".to_owned(),
        }),
        429 => Err(ScanError::Throttled { operation: TOKEN.to_owned(), retry_after_secs: None }),
        status => Err(unavailable(format!("status {status}"))),
    }
}

fn unusable(why: &str) -> ScanError {
    ScanError::Denied {
        operation: "authenticate".to_owned(),
        permission: format!("a usable key: {why}"),
    }
}
