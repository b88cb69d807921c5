//! A simulated Okta organisation: users, API tokens, service apps with keys, grants and roles,
//! integrations of other vendors, and service accounts in apps.
//!
//! Pages go on by `Link` with an opaque `after`
//! (<https://developer.okta.com/docs/api/#pagination>); limits are told in `X-Rate-Limit-*`; errors
//! carry a code (<https://developer.okta.com/docs/reference/error-codes/>).
//!
//! Some lines over 400: one vendor's rows, changes and words are read together.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::MARKED;
use super::ask::{Ask, Kind, Route};
use super::holdings::{Budget, Holdings, TOKEN_SECS};
use super::page::Next;
use super::tenant::{Cut, Refusal, Tenant};
use crate::change::Changed;
use crate::clock::Clock;
use crate::out::Out;

const TOKENS: &str = "/api/v1/api-tokens";
const APPS: &str = "/api/v1/apps";
const USERS: &str = "/api/v1/users";
const INTEGRATIONS: &str = "/integrations/api/v1/api-services";
const ACCOUNTS: &str = "/privileged-access/api/v1/service-accounts";

/// A token of the management API ends when it was not used for so long.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An Okta organisation.
#[derive(Debug)]
pub struct Okta {
    holdings: Holdings,
    domain: String,
}

const fn pages(size: usize, most: usize) -> Kind {
    Kind::Pages { size, most }
}

const fn route(template: &'static str, kind: Kind, needs: &'static str) -> Route {
    Route { template, kind, field: "", needs }
}

const ROUTES: &[Route] = &[
    route("/api/v1/org", Kind::One, "okta.orgs.read"),
    route(TOKENS, pages(200, 200), "okta.apiTokens.read"),
    route(APPS, pages(20, 200), "okta.apps.read"),
    route("/api/v1/apps/{app}/grants", pages(20, 200), "okta.appGrants.read"),
    route("/api/v1/apps/{app}/credentials/jwks", Kind::Whole, "okta.apps.read"),
    route("/api/v1/apps/{app}/credentials/secrets", Kind::Whole, "okta.apps.read"),
    route("/oauth2/v1/clients/{client}/roles", Kind::Whole, "okta.roles.read"),
    route(INTEGRATIONS, pages(20, 20), "okta.oauthIntegrations.read"),
    route(ACCOUNTS, pages(20, 100), "okta.serviceAccounts.read"),
    route(USERS, pages(200, 200), "okta.users.read"),
];

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

impl Okta {
    /// The token that opens it: `Authorization: SSWS …`.
    pub const TOKEN: &'static str = "00EXAMPLE-okta-reader";
    /// The app whose signed JWT is exchanged for a token.
    pub const READER: &'static str = "0oaEXAMPLE-reader";

    /// An organisation with nobody in it.
    pub fn empty(clock: &Clock) -> Self {
        let domain = "acme.okta.example.com".to_owned();
        let mut okta = Self { holdings: Holdings::new(clock.clone()), domain };
        for path in [TOKENS, APPS, USERS, INTEGRATIONS, ACCOUNTS] {
            okta.holdings.open(path);
        }
        let id = "00oEXAMPLE0000000001";
        let row = json!({"id": id, "companyName": "Acme", "status": "ACTIVE",
            "subdomain": "acme", "created": "2019-04-01T08:00:00.000Z"});
        okta.holdings.put("/api/v1/org", id, row);
        okta
    }

    /// An organisation with some of everything, made long before the clock's time.
    pub fn seeded(clock: &Clock) -> Changed<Self> {
        let now = clock.now();
        clock.set(now - SignedDuration::from_hours(24 * 400));
        let mut okta = Self::empty(clock);
        let (ana, bo) = (okta.add_user("ana@example.com"), okta.add_user("bo@example.com"));
        for (label, scopes, role) in [
            ("payments worker", &["okta.users.manage", "okta.logs.read"][..], Some("SUPER_ADMIN")),
            ("log shipper", &["okta.logs.read"], Some("READ_ONLY_ADMIN")),
            ("group provisioner", &["okta.groups.manage"], None),
        ] {
            let app = okta.add_service_app(label);
            okta.rotate_key(&app)?;
            for scope in scopes {
                okta.grant(&app, scope, &ana)?;
            }
            if let Some(role) = role {
                okta.assign_role(&app, role)?;
            }
        }
        okta.add_app("wiki", "SAML_2_0");
        okta.add_app("portal", "OPENID_CONNECT");
        okta.add_integration("Posture scanner", &bo, &["okta.logs.read", "okta.users.read"]);
        okta.add_service_account("crm-sync", &[&ana]);
        clock.set(now - SignedDuration::from_hours(24 * 20));
        let terraform = okta.make_token(&ana, "terraform");
        okta.make_token(&bo, "spare");
        clock.set(now - SignedDuration::from_hours(24 * 2));
        okta.use_token(&terraform)?;
        clock.set(now);
        Ok(okta)
    }

    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}EXAMPLE{:010}", self.holdings.serial())
    }

    fn made(&self) -> String {
        time(self.holdings.now())
    }

    /// A person; gives the id.
    pub fn add_user(&mut self, login: &str) -> String {
        let (id, made) = (self.id("00u"), self.made());
        let (first, _) = login.split_once('@').unwrap_or((login, ""));
        let row = json!({"id": id, "status": "ACTIVE", "created": made, "activated": made,
            "statusChanged": made, "lastLogin": null, "lastUpdated": made,
            "type": {"id": "otyEXAMPLE"},
            "profile": {"login": login, "email": login, "firstName": first, "lastName": "Example",
                "mobilePhone": null},
            "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}}});
        self.holdings.put(USERS, &id, row);
        id
    }

    /// A person leaves: the user stays, without its rights.
    pub fn deprovision(&mut self, user: &str) -> Changed<()> {
        let made = self.made();
        let row = self.holdings.row(USERS, "id", user)?;
        row["status"] = json!("DEPROVISIONED");
        row["statusChanged"] = json!(made);
        Ok(())
    }

    /// A token that acts as `user`; gives the id.
    pub fn make_token(&mut self, user: &str, name: &str) -> String {
        let (id, now) = (self.id("00T"), self.holdings.now());
        let row = json!({"id": id, "name": name, "userId": user, "clientName": "Okta API",
            "created": time(now), "lastUpdated": time(now), "expiresAt": time(now + WINDOW),
            "tokenWindow": "P30D", "network": {"connection": "ANYWHERE"}});
        self.holdings.put(TOKENS, &id, row);
        id
    }

    /// Each use moves the end of a token.
    pub fn use_token(&mut self, token: &str) -> Changed<()> {
        let now = self.holdings.now();
        let row = self.holdings.row(TOKENS, "id", token)?;
        row["expiresAt"] = json!(time(now + WINDOW));
        row["lastUpdated"] = json!(time(now));
        Ok(())
    }

    pub fn revoke_token(&mut self, token: &str) -> Changed<()> {
        self.holdings.take(TOKENS, "id", token).map(drop)
    }

    fn add_app(&mut self, label: &str, mode: &str) -> String {
        let (id, made) = (self.id("0oa"), self.made());
        let row = json!({"id": id, "label": label, "name": "oidc_client", "signOnMode": mode,
            "status": "ACTIVE", "created": made, "lastUpdated": made,
            "accessibility": {"selfService": false}, "features": [],
            "visibility": {"autoSubmitToolbar": false, "hide": {"iOS": true, "web": true}},
            "settings": {"notes": {"admin": null}}, "profile": {}});
        self.holdings.put(APPS, &id, row);
        for below in ["grants", "credentials/jwks", "credentials/secrets"] {
            self.holdings.open(&format!("{APPS}/{id}/{below}"));
        }
        self.holdings.open(&format!("/oauth2/v1/clients/{id}/roles"));
        id
    }

    /// An app that gets tokens without a person, with one key; gives the id.
    pub fn add_service_app(&mut self, label: &str) -> String {
        let id = self.add_app(label, "OPENID_CONNECT");
        let key = self.add_key(&id);
        if let Ok(row) = self.holdings.row(APPS, "id", &id) {
            row["settings"] = json!({"oauthClient": {"application_type": "service",
                "grant_types": ["client_credentials"], "response_types": ["token"],
                "dpop_bound_access_tokens": false, "jwks": {"keys": [key]}}});
            row["credentials"] = json!({"oauthClient": {"client_id": id,
                "client_secret": MARKED, "token_endpoint_auth_method": "private_key_jwt"}});
        }
        let (secret, made) = (self.id("ocs"), self.made());
        let row = json!({"id": secret, "client_secret": MARKED, "secret_hash": "EXAMPLE",
            "status": "ACTIVE", "created": made, "lastUpdated": made});
        self.holdings.put(&format!("{APPS}/{id}/credentials/secrets"), &secret, row);
        id
    }

    pub fn deactivate_app(&mut self, app: &str) -> Changed<()> {
        self.holdings.row(APPS, "id", app)?["status"] = json!("INACTIVE");
        Ok(())
    }

    pub fn delete_app(&mut self, app: &str) -> Changed<()> {
        self.holdings.take(APPS, "id", app)?;
        self.holdings.withdraw(&format!("{APPS}/{app}"));
        self.holdings.withdraw(&format!("/oauth2/v1/clients/{app}"));
        Ok(())
    }

    fn add_key(&mut self, app: &str) -> Value {
        let (id, made) = (self.id("pks"), self.made());
        let row = json!({"id": id, "kid": format!("key-{id}"), "kty": "RSA", "use": "sig",
            "e": "AQAB", "n": "EXAMPLE", "status": "ACTIVE", "created": made, "lastUpdated": made});
        self.holdings.put(&format!("{APPS}/{app}/credentials/jwks"), &id, row.clone());
        row
    }

    /// A new key; those before it stay, inactive. Gives the new one's id.
    pub fn rotate_key(&mut self, app: &str) -> Changed<String> {
        self.holdings.row(APPS, "id", app)?;
        let path = format!("{APPS}/{app}/credentials/jwks");
        let before: Vec<String> = self.holdings.rows(&path).map(|row| text(&row["id"])).collect();
        for id in before {
            self.holdings.row(&path, "id", &id)?["status"] = json!("INACTIVE");
        }
        Ok(text(&self.add_key(app)["id"]))
    }

    /// Gives a service app a scope of Okta's own API; gives the grant's id.
    pub fn grant(&mut self, app: &str, scope: &str, by: &str) -> Changed<String> {
        self.holdings.row(APPS, "id", app)?;
        let (id, made) = (self.id("oag"), self.made());
        let row = json!({"id": id, "clientId": app, "scopeId": scope, "status": "ACTIVE",
            "issuer": format!("https://{}", self.domain), "source": "ADMIN", "created": made,
            "lastUpdated": made, "createdBy": {"id": by, "type": "User"}});
        self.holdings.put(&format!("{APPS}/{app}/grants"), &id, row);
        Ok(id)
    }

    pub fn revoke_grant(&mut self, app: &str, grant: &str) -> Changed<()> {
        self.holdings.take(&format!("{APPS}/{app}/grants"), "id", grant).map(drop)
    }

    /// Makes a service app an administrator of some kind.
    pub fn assign_role(&mut self, app: &str, role: &str) -> Changed<()> {
        self.holdings.row(APPS, "id", app)?;
        let (id, made) = (self.id("irb"), self.made());
        let row = json!({"id": id, "type": role, "label": role.replace('_', " "),
            "status": "ACTIVE", "assignmentType": "CLIENT", "created": made, "lastUpdated": made});
        self.holdings.put(&format!("/oauth2/v1/clients/{app}/roles"), &id, row);
        Ok(())
    }

    /// An integration of another vendor; gives the id.
    pub fn add_integration(&mut self, name: &str, by: &str, scopes: &[&str]) -> String {
        let (id, made) = (self.id("0oi"), self.made());
        let row = json!({"id": id, "name": name, "type": "vendor_cie", "createdAt": made,
            "createdBy": by, "grantedScopes": scopes,
            "configGuideUrl": "https://docs.example.com/guide"});
        self.holdings.put(INTEGRATIONS, &id, row);
        id
    }

    pub fn remove_integration(&mut self, integration: &str) -> Changed<()> {
        self.holdings.take(INTEGRATIONS, "id", integration).map(drop)
    }

    /// A service account in an app; gives the id.
    pub fn add_service_account(&mut self, name: &str, owners: &[&str]) -> String {
        let (id, made) = (self.id("sac"), self.made());
        let row = json!({"id": id, "name": name, "description": format!("Runs {name}"),
            "containerInstanceName": "CRM", "containerOrn": "orn:okta:directory:EXAMPLE:apps:crm",
            "username": name, "password": MARKED, "ownerUserIds": owners, "ownerGroupIds": [],
            "status": "MANAGED", "created": made, "lastUpdated": made});
        self.holdings.put(ACCOUNTS, &id, row);
        id
    }

    /// Nobody owns a service account any more.
    pub fn disown(&mut self, account: &str) -> Changed<()> {
        self.holdings.row(ACCOUNTS, "id", account)?["ownerUserIds"] = json!([]);
        Ok(())
    }

    /// The organisation has no such feature: its lists answer 404.
    pub fn without_privileged_access(&mut self) {
        self.holdings.withdraw(ACCOUNTS);
    }

    /// The id of the app with this label.
    pub fn app(&self, label: &str) -> Option<String> {
        self.holdings.rows(APPS).find(|row| row["label"] == label).map(|row| text(&row["id"]))
    }

    /// The id of the token with this name.
    pub fn token(&self, name: &str) -> Option<String> {
        self.holdings.rows(TOKENS).find(|row| row["name"] == name).map(|row| text(&row["id"]))
    }

    /// The id of the person with this login.
    pub fn user(&self, login: &str) -> Option<String> {
        let mut rows = self.holdings.rows(USERS);
        rows.find(|row| row["profile"]["login"] == login).map(|row| text(&row["id"]))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[allow(private_interfaces, reason = "as the trait")]
impl Tenant for Okta {
    const BELOW: &'static str = "";
    const ROUTES: &'static [Route] = ROUTES;

    fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    fn holdings_mut(&mut self) -> &mut Holdings {
        &mut self.holdings
    }

    fn shown<'a>(&self, ask: &'a Ask) -> Option<&'a str> {
        ask.header("authorization")
    }

    fn opens(&self, shown: &str) -> bool {
        match shown.split_once(' ') {
            Some(("Bearer", token)) => self.holdings.holds(token),
            Some(("SSWS", token)) => token == Self::TOKEN,
            _ => false,
        }
    }

    fn exchange(&mut self, path: &str, form: &BTreeMap<String, String>) -> Option<Out> {
        if path != "/oauth2/v1/token" {
            return None;
        }
        let wrong = json!({"error": "invalid_client",
            "error_description": "The client_assertion is invalid."});
        let field = |name: &str| form.get(name).map(String::as_str);
        let known = field("client_id") == Some(Self::READER)
            && field("grant_type") == Some("client_credentials")
            && field("client_assertion").is_some_and(|jwt| jwt.split('.').count() == 3);
        if !known {
            return Some(Out::json(401, &wrong));
        }
        let token = self.holdings.issue("okta");
        Some(Out::json(
            200,
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECS,
                "scope": field("scope").unwrap_or_default()}),
        ))
    }

    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal> {
        let size = self.size(ask, (route, "limit"), &cut);
        let page = self.rows_after(ask, ("after", size), cut.fault)?;
        let mut out = Out::json(200, &Value::Array(page.rows));
        let mut links = vec![format!("<{}>; rel=\"self\"", ask.address(&[], &[]))];
        match page.next {
            Next::Nothing => {}
            Next::Token(after) => {
                links.push(format!("<{}>; rel=\"next\"", ask.address(&[("after", &after)], &[])));
            }
            Next::Unsaid => links.push("<>; rel=\"next\"".to_owned()),
        }
        if route.kind != Kind::Whole {
            out.headers.push(("link", links.join(", ")));
        }
        Ok(out)
    }

    fn refuse(&self, refusal: &Refusal) -> Out {
        let (status, code, summary) = match refusal {
            Refusal::NoToken | Refusal::BadToken => (401, "E0000011", "Invalid token provided"),
            Refusal::Denied(_) => {
                (403, "E0000006", "You do not have permission to perform the requested action")
            }
            Refusal::NotFound => (404, "E0000007", "Not found: Resource not found"),
            Refusal::BadRequest(_) => (400, "E0000001", "Api validation failed: after"),
            Refusal::Throttled(_) => {
                (429, "E0000047", "API call exceeded rate limit due to too many requests.")
            }
            Refusal::Trouble(status) => (*status, "E0000009", "Internal Server Error"),
        };
        let mut out = Out::json(
            status,
            &json!({"errorCode": code, "errorSummary": summary, "errorLink": code,
                "errorId": "oaeEXAMPLE", "errorCauses": []}),
        );
        if let Refusal::Throttled(wait) = refusal {
            let reset = self.holdings.now().as_second() + wait;
            out.headers.push(("x-rate-limit-reset", reset.to_string()));
            out.headers.push(("x-rate-limit-remaining", "0".to_owned()));
        }
        out
    }

    fn limits(&self, budget: Budget) -> Vec<(&'static str, String)> {
        vec![
            ("x-rate-limit-limit", budget.limit.to_string()),
            ("x-rate-limit-remaining", budget.remaining().to_string()),
            ("x-rate-limit-reset", budget.reset().to_string()),
        ]
    }
}
