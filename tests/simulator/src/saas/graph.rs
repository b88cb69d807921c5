//! A simulated Microsoft Entra tenant, as Microsoft Graph v1.0 shows it: applications and service
//! principals with their credentials, consents, and permissions on Graph itself.
//!
//! Lists go on by `@odata.nextLink` (<https://learn.microsoft.com/graph/paging>); what is not
//! selected or expanded is left out; throttling says `Retry-After`
//! (<https://learn.microsoft.com/graph/throttling>).

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::MARKED;
use super::ask::{Ask, Kind, Route};
use super::holdings::{Holdings, TOKEN_SECS};
use super::page::Next;
use super::tenant::{Cut, Refusal, Tenant};
use crate::change::{Changed, no_such};
use crate::clock::Clock;
use crate::out::Out;

const APPS: &str = "/applications";
const PRINCIPALS: &str = "/servicePrincipals";
const GRANTS: &str = "/oauth2PermissionGrants";
const ORGANIZATION: &str = "/organization";
/// Service principals that are identities of AI agents, with what only those have.
const AGENTS: &str = "/servicePrincipals/microsoft.graph.agentIdentity";

/// Microsoft Graph's own application, in every tenant.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
/// The tenant that owns Microsoft's applications.
const MICROSOFT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// Permissions of Microsoft Graph that this tenant knows.
const ROLES: &[&str] =
    &["Directory.Read.All", "Directory.ReadWrite.All", "Mail.Send", "User.Read.All"];

const PAGES: Kind = Kind::Pages { size: 100, most: 999 };

/// A tenant.
#[derive(Debug)]
pub struct Graph {
    holdings: Holdings,
    /// Microsoft Graph's own service principal.
    own: String,
}

const fn route(template: &'static str, kind: Kind, needs: &'static str) -> Route {
    Route { template, kind, field: "value", needs }
}

const ROUTES: &[Route] = &[
    route(ORGANIZATION, Kind::Whole, "Organization.Read.All"),
    route(APPS, PAGES, "Application.Read.All"),
    route(
        "/applications/{application}/federatedIdentityCredentials",
        PAGES,
        "Application.Read.All",
    ),
    route(PRINCIPALS, PAGES, "Application.Read.All"),
    route(AGENTS, PAGES, "AgentIdentity.Read.All"),
    route("/servicePrincipals/{principal}/appRoleAssignedTo", PAGES, "Application.Read.All"),
    route(GRANTS, PAGES, "DelegatedPermissionGrant.Read.All"),
];

impl Graph {
    pub const TENANT: &'static str = "72f00000-0000-4000-8000-00000000aced";
    /// The application that reads, and its secret, which opens nothing else.
    pub const READER: &'static str = "4ead0000-0000-4000-8000-00000000aced";
    pub const SECRET: &'static str = "EXAMPLE-client-secret";

    /// A tenant with nothing but Microsoft Graph itself.
    pub fn empty(clock: &Clock) -> Self {
        let mut graph = Self { holdings: Holdings::new(clock.clone()), own: String::new() };
        for path in [AGENTS, APPS, PRINCIPALS, GRANTS] {
            graph.holdings.open(path);
        }
        let row = json!({"id": Self::TENANT, "displayName": "Acme",
            "verifiedDomains": [{"name": "example.com", "isDefault": true}]});
        graph.holdings.put(ORGANIZATION, Self::TENANT, row);
        graph.own = graph.add_principal("Microsoft Graph", GRAPH, MICROSOFT);
        let roles: Vec<Value> = ROLES
            .iter()
            .map(|value| {
                json!({"id": graph.id(), "value": value, "displayName": value,
                    "description": value, "isEnabled": true, "allowedMemberTypes": ["Application"]})
            })
            .collect();
        if let Ok(row) = graph.holdings.row(PRINCIPALS, "appId", GRAPH) {
            row["appRoles"] = Value::Array(roles);
        }
        graph
    }

    /// A tenant with some of everything, made before the clock's time.
    pub fn seeded(clock: &Clock) -> Changed<Self> {
        let now = clock.now();
        clock.set(now - SignedDuration::from_hours(24 * 250));
        let mut graph = Self::empty(clock);
        let billing = graph.add_application("Billing export", Some("ana@example.com"));
        graph.add_secret(&billing, "ci", 365)?;
        graph.add_certificate(&billing, 400)?;
        graph.permit(&billing, "Directory.ReadWrite.All")?;
        let deploy = graph.add_application("Deployments", Some("bo@example.com"));
        let github = "https://token.actions.githubusercontent.com";
        graph.federate(&deploy, "github", (github, "repo:acme/shop:ref:refs/heads/main"))?;
        let old = graph.add_application("Old tool", None);
        graph.add_secret(&old, "forgotten", 180)?;
        graph.permit(&old, "User.Read.All")?;
        graph.consent("Calendar helper", "User.Read Calendars.Read");
        graph.add_agent("Support agent", "ana@example.com")?;
        clock.set(now);
        Ok(graph)
    }

    fn id(&mut self) -> String {
        let serial = self.holdings.serial();
        format!("{serial:08x}-0000-4000-8000-{:012x}", 0xace_0000 + serial)
    }

    fn made(&self) -> String {
        self.holdings.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn after(&self, days: i64) -> String {
        let at = self.holdings.now() + SignedDuration::from_hours(24 * days);
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn add_principal(&mut self, name: &str, app_id: &str, tenant: &str) -> String {
        let id = self.id();
        let row = json!({"id": id, "appId": app_id, "displayName": name,
            "servicePrincipalType": "Application", "accountEnabled": true,
            "appOwnerOrganizationId": tenant, "notes": null, "tags": [], "appRoles": [],
            "owners": [], "passwordCredentials": [], "keyCredentials": []});
        self.holdings.put(PRINCIPALS, &id, row);
        self.holdings.open(&format!("{PRINCIPALS}/{id}/appRoleAssignedTo"));
        id
    }

    /// An application of this tenant and its service principal; gives the application's id.
    pub fn add_application(&mut self, name: &str, owner: Option<&str>) -> String {
        let (id, app_id) = (self.id(), self.id());
        let owners: Vec<Value> = owner.map(|owner| self.person(owner)).into_iter().collect();
        let row = json!({"id": id, "appId": app_id, "displayName": name,
            "createdDateTime": self.made(), "signInAudience": "AzureADMyOrg", "notes": null,
            "serviceManagementReference": null, "owners": owners, "passwordCredentials": [],
            "keyCredentials": []});
        self.holdings.put(APPS, &id, row);
        self.holdings.open(&format!("{APPS}/{id}/federatedIdentityCredentials"));
        self.add_principal(name, &app_id, Self::TENANT);
        id
    }

    fn person(&mut self, name: &str) -> Value {
        json!({"@odata.type": "#microsoft.graph.user", "id": self.id(), "displayName": name,
            "userPrincipalName": name})
    }

    /// The identity of an AI agent, with somebody who answers for it; gives its id.
    pub fn add_agent(&mut self, name: &str, sponsor: &str) -> Changed<String> {
        let (app_id, sponsor) = (self.id(), self.person(sponsor));
        let id = self.add_principal(name, &app_id, Self::TENANT);
        self.holdings.row(PRINCIPALS, "id", &id)?["servicePrincipalType"] =
            json!("ServiceIdentity");
        let row = json!({"id": id, "displayName": name, "agentIdentityBlueprintId": app_id,
            "sponsors": [sponsor]});
        self.holdings.put(AGENTS, &id, row);
        Ok(id)
    }

    /// Nobody owns an application any more.
    pub fn disown(&mut self, application: &str) -> Changed<()> {
        self.holdings.row(APPS, "id", application)?["owners"] = json!([]);
        Ok(())
    }

    pub fn delete_application(&mut self, application: &str) -> Changed<()> {
        let row = self.holdings.take(APPS, "id", application)?;
        self.holdings.withdraw(&format!("{APPS}/{application}"));
        self.holdings.take(PRINCIPALS, "appId", row["appId"].as_str().unwrap_or_default())?;
        Ok(())
    }

    /// A client secret that holds so many days; gives its id.
    pub fn add_secret(&mut self, application: &str, name: &str, days: i64) -> Changed<String> {
        let id = self.id();
        let row = json!({"keyId": id, "displayName": name, "customKeyIdentifier": null,
            "hint": MARKED, "secretText": null, "startDateTime": self.made(),
            "endDateTime": self.after(days)});
        self.add_to(application, "passwordCredentials", row)?;
        Ok(id)
    }

    pub fn remove_secret(&mut self, application: &str, secret: &str) -> Changed<()> {
        let row = self.holdings.row(APPS, "id", application)?;
        let secrets = row["passwordCredentials"].as_array_mut();
        secrets.ok_or_else(|| no_such("secret", secret))?.retain(|one| one["keyId"] != secret);
        Ok(())
    }

    /// A new secret of the same name, and the old one goes. Gives the new one's id.
    pub fn rotate_secret(&mut self, application: &str, secret: &str) -> Changed<String> {
        self.remove_secret(application, secret)?;
        self.add_secret(application, "rotated", 180)
    }

    pub fn add_certificate(&mut self, application: &str, days: i64) -> Changed<String> {
        let id = self.id();
        let row = json!({"keyId": id, "displayName": "CN=example", "customKeyIdentifier": null,
            "key": null, "type": "AsymmetricX509Cert", "usage": "Verify",
            "startDateTime": self.made(), "endDateTime": self.after(days)});
        self.add_to(application, "keyCredentials", row)?;
        Ok(id)
    }

    fn add_to(&mut self, application: &str, field: &str, row: Value) -> Changed<()> {
        let list = self.holdings.row(APPS, "id", application)?[field].as_array_mut();
        list.ok_or_else(|| no_such("list", field))?.push(row);
        Ok(())
    }

    /// Somebody outside may become the application; gives the credential's id.
    pub fn federate(
        &mut self,
        application: &str,
        name: &str,
        (issuer, subject): (&str, &str),
    ) -> Changed<String> {
        self.holdings.row(APPS, "id", application)?;
        let id = self.id();
        let row = json!({"id": id, "name": name, "issuer": issuer, "subject": subject,
            "audiences": ["api://AzureADTokenExchange"], "description": null});
        self.holdings.put(&format!("{APPS}/{application}/federatedIdentityCredentials"), &id, row);
        Ok(id)
    }

    /// Gives an application a permission on Microsoft Graph itself.
    pub fn permit(&mut self, application: &str, permission: &str) -> Changed<()> {
        let row = self.holdings.row(APPS, "id", application)?;
        let app_id = row["appId"].as_str().unwrap_or_default().to_owned();
        let principal = self.holdings.row(PRINCIPALS, "appId", &app_id)?.clone();
        let graph = self.holdings.row(PRINCIPALS, "appId", GRAPH)?;
        let roles = graph["appRoles"].as_array().into_iter().flatten();
        let role = roles.into_iter().find(|role| role["value"] == permission);
        let role = role.ok_or_else(|| no_such("permission", permission))?["id"].clone();
        let id = format!("assignment-EXAMPLE-{}", self.holdings.serial());
        let row = json!({"id": id, "appRoleId": role, "createdDateTime": self.made(),
            "principalDisplayName": principal["displayName"], "principalId": principal["id"],
            "principalType": "ServicePrincipal", "resourceDisplayName": "Microsoft Graph",
            "resourceId": self.own, "deletedDateTime": null});
        let path = format!("{PRINCIPALS}/{}/appRoleAssignedTo", self.own);
        self.holdings.put(&path, &id, row);
        Ok(())
    }

    /// An administrator consents for everyone to an application of another organisation; gives
    /// the id of its service principal.
    pub fn consent(&mut self, vendor: &str, scopes: &str) -> String {
        let (app_id, tenant) = (self.id(), self.id());
        let principal = self.add_principal(vendor, &app_id, &tenant);
        let id = format!("grant-EXAMPLE-{}", self.holdings.serial());
        let row = json!({"id": id, "clientId": principal, "consentType": "AllPrincipals",
            "principalId": null, "resourceId": self.own, "scope": scopes});
        self.holdings.put(GRANTS, &id, row);
        principal
    }

    /// The consent is taken back, and the application goes.
    pub fn withdraw_consent(&mut self, principal: &str) -> Changed<()> {
        self.holdings.take(GRANTS, "clientId", principal)?;
        self.holdings.take(PRINCIPALS, "id", principal).map(drop)
    }

    /// A token, as somebody has it who asked for one before.
    pub fn give_token(&mut self) -> String {
        self.holdings.issue("graph")
    }

    /// The id of the application with this name.
    pub fn application(&self, name: &str) -> Option<String> {
        let found = self.holdings.rows(APPS).find(|row| row["displayName"] == name)?;
        found["id"].as_str().map(str::to_owned)
    }

    /// The ids of the secrets of an application.
    pub fn secrets(&self, application: &str) -> Vec<String> {
        let found = self.holdings.rows(APPS).find(|row| row["id"] == application);
        let secrets = found.and_then(|row| row["passwordCredentials"].as_array());
        let id = |secret: &Value| secret["keyId"].as_str().map(str::to_owned);
        secrets.into_iter().flatten().filter_map(id).collect()
    }
}

/// A row with what was selected and expanded.
fn selected(ask: &Ask, row: Value) -> Value {
    let names = |param: &str| -> Option<Vec<String>> {
        Some(ask.query.get(param)?.split(',').map(str::to_owned).collect())
    };
    let (select, expand) = (names("$select"), names("$expand").unwrap_or_default());
    let Value::Object(fields) = row else { return row };
    let wanted = |name: &str| {
        if matches!(name, "owners" | "sponsors") {
            return expand.iter().any(|own| own == name);
        }
        select.as_ref().is_none_or(|select| select.iter().any(|own| own == name))
    };
    Value::Object(fields.into_iter().filter(|(name, _)| wanted(name)).collect::<Map<_, _>>())
}

#[allow(private_interfaces, reason = "as the trait")]
impl Tenant for Graph {
    const BELOW: &'static str = "/v1.0";
    const ROUTES: &'static [Route] = ROUTES;

    fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    fn holdings_mut(&mut self) -> &mut Holdings {
        &mut self.holdings
    }

    fn exchange(&mut self, path: &str, form: &BTreeMap<String, String>) -> Option<Out> {
        if path != format!("/{}/oauth2/v2.0/token", Self::TENANT) {
            return None;
        }
        let field = |name: &str| form.get(name).map(String::as_str);
        let known = field("client_id") == Some(Self::READER)
            && field("client_secret") == Some(Self::SECRET)
            && field("grant_type") == Some("client_credentials")
            && field("scope").is_some_and(|scope| scope.ends_with("/.default"));
        if !known {
            let wrong = json!({"error": "invalid_client", "error_codes": [7_000_215],
                "error_description": "AADSTS7000215: Invalid client secret provided.",
                "timestamp": self.made(), "trace_id": "EXAMPLE", "correlation_id": "EXAMPLE"});
            return Some(Out::json(401, &wrong));
        }
        let token = self.give_token();
        let granted = json!({"token_type": "Bearer", "expires_in": TOKEN_SECS,
            "ext_expires_in": TOKEN_SECS, "access_token": token});
        Some(Out::json(200, &granted))
    }

    /// The one filter that this tenant understands: `appId eq '…'`.
    fn wants(&self, ask: &Ask, row: &Value) -> bool {
        let Some(filter) = ask.query.get("$filter") else { return true };
        let wanted = filter.strip_prefix("appId eq '").and_then(|rest| rest.strip_suffix('\''));
        wanted.is_some_and(|wanted| row["appId"] == wanted)
    }

    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal> {
        let size = self.size(ask, (route, "$top"), &cut);
        let page = self.rows_after(ask, ("$skiptoken", size), cut.fault)?;
        let rows: Vec<Value> = page.rows.into_iter().map(|row| selected(ask, row)).collect();
        let context = format!("{}/$metadata#{}", ask.base, ask.path.trim_start_matches('/'));
        let mut body = json!({"@odata.context": context, "value": rows});
        match page.next {
            Next::Nothing => {}
            Next::Token(token) => {
                body["@odata.nextLink"] = json!(ask.address(&[("$skiptoken", &token)], &[]));
            }
            Next::Unsaid => body["@odata.nextLink"] = json!(ask.address(&[], &[])),
        }
        Ok(Out::json(200, &body))
    }

    fn refuse(&self, refusal: &Refusal) -> Out {
        let (status, code, message) = match refusal {
            Refusal::NoToken => (401, "InvalidAuthenticationToken", "Access token is empty."),
            Refusal::BadToken => (
                401,
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.",
            ),
            Refusal::Denied(_) => (
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            ),
            Refusal::NotFound => (
                404,
                "Request_ResourceNotFound",
                "Resource does not exist or one of its queried reference-property objects are not present.",
            ),
            Refusal::BadRequest(_) => (400, "Request_BadRequest", "Invalid page token."),
            Refusal::Throttled(_) => {
                (429, "TooManyRequests", "Please retry after the time in Retry-After.")
            }
            Refusal::Trouble(status) => (*status, "InternalServerError", "Something went wrong."),
        };
        let mut out = Out::json(
            status,
            &json!({"error": {"code": code, "message": message, "innerError": {
                "date": self.made().trim_end_matches('Z'), "request-id": "EXAMPLE",
                "client-request-id": "EXAMPLE"}}}),
        );
        if let Refusal::Throttled(wait) = refusal {
            out.headers.push(("retry-after", wait.to_string()));
        }
        out
    }
}
