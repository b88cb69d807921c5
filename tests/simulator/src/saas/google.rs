//! A simulated Google Cloud project: service accounts with keys and what Policy Analyzer tells of
//! their use, and pools of identities from outside.
//!
//! Lists go on by `nextPageToken` (<https://google.aip.dev/158>), and what is empty is left out, as
//! protocol buffers are written in JSON (<https://protobuf.dev/programming-guides/json/>).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::ask::{Ask, Kind, Route};
use super::holdings::{Holdings, TOKEN_SECS};
use super::page::Next;
use super::tenant::{Cut, Refusal, Tenant};
use crate::change::Changed;
use crate::clock::Clock;
use crate::out::Out;

const ACCOUNTS: &str = "/v1/projects/acme-prod/serviceAccounts";
const POOLS: &str = "/v1/projects/acme-prod/locations/global/workloadIdentityPools";
/// Where Policy Analyzer tells the use of accounts, and of keys.
const USE_OF: [&str; 2] = [
    "/v1/projects/acme-prod/locations/global/activityTypes/serviceAccountLastAuthentication/activities:query",
    "/v1/projects/acme-prod/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities:query",
];
/// Keys that prove nothing but themselves; their strings are told by another call alone.
const API_KEYS: &str = "/v2/projects/acme-prod/locations/global/keys";
/// The project by its number, as some names say it.
const NUMBERED: &str = "projects/100000000001";

/// A project.
#[derive(Debug)]
pub struct Google {
    holdings: Holdings,
}

const fn route(template: &'static str, field: &'static str, needs: &'static str) -> Route {
    Route { template, kind: Kind::Pages { size: 20, most: 1_000 }, field, needs }
}

const ROUTES: &[Route] = &[
    Route {
        template: "/v1/projects/{project}/serviceAccounts",
        kind: Kind::Pages { size: 20, most: 100 },
        field: "accounts",
        needs: "iam.serviceAccounts.list",
    },
    Route {
        template: "/v1/projects/{project}/serviceAccounts/{account}/keys",
        kind: Kind::Whole,
        field: "keys",
        needs: "iam.serviceAccountKeys.list",
    },
    route("/v2/projects/{project}/locations/{location}/keys", "keys", "apikeys.keys.list"),
    route(
        "/v1/projects/{project}/locations/{location}/workloadIdentityPools",
        "workloadIdentityPools",
        "iam.workloadIdentityPools.list",
    ),
    route(
        "/v1/projects/{project}/locations/{location}/workloadIdentityPools/{pool}/providers",
        "workloadIdentityPoolProviders",
        "iam.workloadIdentityPoolProviders.list",
    ),
    route(
        "/v1/projects/{project}/locations/{location}/activityTypes/serviceAccountLastAuthentication/activities:query",
        "activities",
        "policyanalyzer.serviceAccountLastAuthenticationActivities.query",
    ),
    route(
        "/v1/projects/{project}/locations/{location}/activityTypes/serviceAccountKeyLastAuthentication/activities:query",
        "activities",
        "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query",
    ),
];

impl Google {
    pub const PROJECT: &'static str = "acme-prod";
    /// The service account whose signed JWT is exchanged for a token.
    pub const READER: &'static str = "reader@acme-prod.iam.gserviceaccount.com";

    /// A project with nothing in it.
    pub fn empty(clock: &Clock) -> Self {
        let mut google = Self { holdings: Holdings::new(clock.clone()) };
        for path in [ACCOUNTS, API_KEYS, POOLS, USE_OF[0], USE_OF[1]] {
            google.holdings.open(path);
        }
        google
    }

    /// A project with some of everything, made before the clock's time.
    pub fn seeded(clock: &Clock) -> Changed<Self> {
        let now = clock.now();
        clock.set(now - SignedDuration::from_hours(24 * 300));
        let mut google = Self::empty(clock);
        let shop = google.add_account("shop", "Runs the shop");
        let key = google.add_key(&shop)?;
        google.add_key(&shop)?;
        let backup = google.add_account("backup", "");
        google.add_key(&backup)?;
        google.add_account("idle", "");
        google.add_api_key("maps", Some("maps-backend.googleapis.com"));
        google.add_api_key("anything", None);
        google.add_pool("github", "https://token.actions.githubusercontent.com", None);
        let narrow = "assertion.repository_owner_id == '100020'";
        google.add_pool("terraform", "https://app.terraform.io.example.com", Some(narrow));
        clock.set(now - SignedDuration::from_hours(24 * 3));
        google.use_key(&shop, &key)?;
        clock.set(now);
        Ok(google)
    }

    fn made(&self) -> String {
        self.holdings.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Use is told by the day, which begins at seven.
    fn day(&self) -> String {
        self.holdings.now().strftime("%Y-%m-%dT07:00:00Z").to_string()
    }

    fn note(&mut self, path: &str, (resource, who): (&str, Value), used: Option<String>) {
        let project = format!("//cloudresourcemanager.googleapis.com/{NUMBERED}");
        let mut activity = who;
        if let Some(used) = used {
            activity["lastAuthenticatedTime"] = json!(used);
        }
        let before = self.holdings.list(path).and_then(|list| list.get(resource));
        let began = before.map_or_else(
            || json!(self.day()),
            |before| before["observationPeriod"]["startTime"].clone(),
        );
        let kind = path.split('/').nth(7).unwrap_or_default();
        let row = json!({"fullResourceName": resource, "activityType": kind,
            "observationPeriod": {"startTime": began, "endTime": self.day()},
            "activity": activity, "project": project});
        self.holdings.put(path, resource, row);
    }

    fn note_account(&mut self, account: &str, email: &str, used: Option<String>) {
        let resource = format!("//iam.googleapis.com/{}", name_of(email));
        let who = json!({"serviceAccount": {"fullResourceName": resource,
            "projectNumber": "100000000001", "serviceAccountId": account}});
        self.note(USE_OF[0], (&resource, who), used);
    }

    fn note_key(&mut self, (account, key): (&str, &str), used: Option<String>) {
        let resource = format!("//iam.googleapis.com/{key}");
        let who = json!({"serviceAccountKey": {"fullResourceName": resource,
            "projectNumber": "100000000001", "serviceAccountId": account}});
        self.note(USE_OF[1], (&resource, who), used);
    }

    /// A service account; gives its unique id.
    pub fn add_account(&mut self, name: &str, description: &str) -> String {
        let id = format!("1000000000000000{:05}", self.holdings.serial());
        let email = format!("{name}@{}.iam.gserviceaccount.com", Self::PROJECT);
        let mut row = json!({"name": name_of(&email), "projectId": Self::PROJECT, "uniqueId": id,
            "email": email, "displayName": name, "etag": "MDEwMjE5MjA=", "oauth2ClientId": id});
        if !description.is_empty() {
            row["description"] = json!(description);
        }
        self.holdings.put(ACCOUNTS, &id, row);
        self.holdings.open(&format!("{ACCOUNTS}/{id}/keys"));
        self.note_account(&id, &email, None);
        id
    }

    pub fn disable_account(&mut self, account: &str) -> Changed<()> {
        self.holdings.row(ACCOUNTS, "uniqueId", account)?["disabled"] = json!(true);
        Ok(())
    }

    pub fn delete_account(&mut self, account: &str) -> Changed<()> {
        self.holdings.take(ACCOUNTS, "uniqueId", account)?;
        self.holdings.withdraw(&format!("{ACCOUNTS}/{account}"));
        Ok(())
    }

    /// A key that somebody downloads; gives its name.
    pub fn add_key(&mut self, account: &str) -> Changed<String> {
        let row = self.holdings.row(ACCOUNTS, "uniqueId", account)?;
        let name = row["name"].as_str().unwrap_or_default().to_owned();
        let name = format!("{name}/keys/EXAMPLE{:033x}", self.holdings.serial());
        let row = json!({"name": name, "keyOrigin": "GOOGLE_PROVIDED", "keyType": "USER_MANAGED",
            "keyAlgorithm": "KEY_ALG_RSA_2048", "validAfterTime": self.made(),
            "validBeforeTime": "9999-12-31T23:59:59Z"});
        self.holdings.put(&format!("{ACCOUNTS}/{account}/keys"), &name, row);
        self.note_key((account, &name), None);
        Ok(name)
    }

    pub fn use_key(&mut self, account: &str, key: &str) -> Changed<()> {
        let row = self.holdings.row(ACCOUNTS, "uniqueId", account)?;
        let email = row["email"].as_str().unwrap_or_default().to_owned();
        let day = self.day();
        self.note_key((account, key), Some(day.clone()));
        self.note_account(account, &email, Some(day));
        Ok(())
    }

    /// Google found the key in public, and switched it off.
    pub fn expose_key(&mut self, account: &str, key: &str) -> Changed<()> {
        let row = self.holdings.row(&format!("{ACCOUNTS}/{account}/keys"), "name", key)?;
        row["disabled"] = json!(true);
        row["disableReason"] = json!("SERVICE_ACCOUNT_KEY_DISABLE_REASON_EXPOSED");
        Ok(())
    }

    pub fn delete_key(&mut self, account: &str, key: &str) -> Changed<()> {
        self.holdings.take(&format!("{ACCOUNTS}/{account}/keys"), "name", key).map(drop)
    }

    /// A new key, and the old one goes. Gives the new one's name.
    pub fn rotate_key(&mut self, account: &str, key: &str) -> Changed<String> {
        let new = self.add_key(account)?;
        self.delete_key(account, key)?;
        Ok(new)
    }

    /// An API key, for one API or for all.
    pub fn add_api_key(&mut self, name: &str, api: Option<&str>) {
        let uid = format!("00000000-0000-4000-8000-{:012}", self.holdings.serial());
        let full = format!("{NUMBERED}/locations/global/keys/{uid}");
        let mut row = json!({"name": full, "uid": uid, "displayName": name, "etag": "W/EXAMPLE",
            "createTime": self.made(), "updateTime": self.made()});
        if let Some(api) = api {
            row["restrictions"] = json!({"apiTargets": [{"service": api}]});
        }
        self.holdings.put(API_KEYS, &uid, row);
    }

    /// A pool with one provider, which trusts this issuer.
    pub fn add_pool(&mut self, name: &str, issuer: &str, condition: Option<&str>) {
        let full = format!("{NUMBERED}/locations/global/workloadIdentityPools/{name}");
        let row = json!({"name": full, "displayName": name, "state": "ACTIVE",
            "mode": "FEDERATION_ONLY"});
        self.holdings.put(POOLS, &full, row);
        let provider = format!("{full}/providers/main");
        let mut row = json!({"name": provider, "displayName": "main", "state": "ACTIVE",
            "attributeMapping": {"google.subject": "assertion.sub"},
            "oidc": {"issuerUri": issuer, "allowedAudiences": ["acme"]}});
        if let Some(condition) = condition {
            row["attributeCondition"] = json!(condition);
        }
        self.holdings.put(&format!("/v1/{full}/providers"), &provider, row);
    }

    /// A token, as somebody has it who asked for one before.
    pub fn give_token(&mut self) -> String {
        self.holdings.issue("google")
    }

    /// The unique id of the account with this name.
    pub fn account(&self, name: &str) -> Option<String> {
        let found = self.holdings.rows(ACCOUNTS).find(|row| row["displayName"] == name)?;
        found["uniqueId"].as_str().map(str::to_owned)
    }

    /// The names of an account's keys.
    pub fn keys(&self, account: &str) -> Vec<String> {
        let rows = self.holdings.rows(&format!("{ACCOUNTS}/{account}/keys"));
        rows.filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    }
}

fn name_of(email: &str) -> String {
    format!("projects/{}/serviceAccounts/{email}", Google::PROJECT)
}

#[allow(private_interfaces, reason = "as the trait")]
impl Tenant for Google {
    const BELOW: &'static str = "";
    const ROUTES: &'static [Route] = ROUTES;

    fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    fn holdings_mut(&mut self) -> &mut Holdings {
        &mut self.holdings
    }

    fn exchange(&mut self, path: &str, form: &BTreeMap<String, String>) -> Option<Out> {
        if path != "/token" {
            return None;
        }
        let jwt = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let claims = form.get("assertion").and_then(|jwt| claims(jwt)).unwrap_or_default();
        let known = form.get("grant_type").is_some_and(|grant| grant == jwt)
            && claims["iss"] == Self::READER
            && claims["exp"].as_i64() > Some(self.holdings.now().as_second())
            && claims["scope"] == "https://www.googleapis.com/auth/cloud-platform";
        if !known {
            let wrong = json!({"error": "invalid_grant", "error_description": "Invalid JWT."});
            return Some(Out::json(400, &wrong));
        }
        let token = self.give_token();
        let granted = json!({"access_token": token, "expires_in": TOKEN_SECS,
            "token_type": "Bearer"});
        Some(Out::json(200, &granted))
    }

    /// An account may be called by its e-mail, too.
    fn shelf(&self, ask: &Ask) -> String {
        let called = ask.path.strip_prefix(ACCOUNTS).and_then(|rest| rest.split('/').nth(1));
        let found = called.and_then(|called| {
            let mut rows = self.holdings.rows(ACCOUNTS);
            let id = rows.find(|row| row["email"] == called)?["uniqueId"].as_str()?.to_owned();
            Some(ask.path.replacen(called, &id, 1))
        });
        found.unwrap_or_else(|| ask.path.clone())
    }

    fn wants(&self, ask: &Ask, row: &Value) -> bool {
        ask.query.get("keyTypes").is_none_or(|kind| row["keyType"] == kind.as_str())
    }

    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal> {
        let size = self.size(ask, (route, "pageSize"), &cut);
        let page = self.rows_after(ask, ("pageToken", size), cut.fault)?;
        let mut body = json!({});
        if !page.rows.is_empty() {
            body[route.field] = Value::Array(page.rows);
        }
        // Nothing but the token says that there is more.
        if let Next::Token(token) = page.next {
            body["nextPageToken"] = json!(token);
        }
        Ok(Out::json(200, &body))
    }

    fn refuse(&self, refusal: &Refusal) -> Out {
        let (code, status, message) = match refusal {
            Refusal::NoToken | Refusal::BadToken => (
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials.".to_owned(),
            ),
            Refusal::Denied(needs) => {
                (403, "PERMISSION_DENIED", format!("Permission '{needs}' denied on resource."))
            }
            Refusal::NotFound => (404, "NOT_FOUND", "The resource does not exist.".to_owned()),
            Refusal::BadRequest(what) => (400, "INVALID_ARGUMENT", (*what).to_owned()),
            Refusal::Throttled(_) => {
                (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric.".to_owned())
            }
            Refusal::Trouble(code) => (*code, "INTERNAL", "Internal error encountered.".to_owned()),
        };
        let body = json!({"error": {"code": code, "message": message, "status": status}});
        Out::json(code, &body)
    }
}

/// The claims of a JWT. Its signature is not checked.
fn claims(jwt: &str) -> Option<Value> {
    let part = jwt.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
