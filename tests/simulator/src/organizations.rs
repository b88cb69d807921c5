//! AWS Organizations (AWS JSON 1.1): the accounts there are.

use std::ops::Bound;

use serde_json::{Value, json};

use crate::call::{ApiError, Request};
use crate::iam::unknown_action;
use crate::organization::{Account, AccountState, Organization};
use crate::page::Limits;
use crate::server::World;

/// `NextToken` and `MaxResults`: never more than 20 accounts a page.
const PAGE: Limits = Limits { marker: "NextToken", size: "MaxResults", most: 20, default: 20 };

pub(crate) fn answer(world: &mut World, request: &Request) -> Result<String, ApiError> {
    if !world.org.in_use {
        let message = "Your account is not a member of an organization.";
        return Err(ApiError::new(400, "AWSOrganizationsNotInUseException", message));
    }
    let answer = match request.action.as_str() {
        "organizations:DescribeOrganization" => describe(world.org),
        "organizations:ListAccounts" => list_accounts(world, request)?,
        "organizations:ListTagsForResource" => list_tags(world, request)?,
        _ => return Err(unknown_action(&request.action)),
    };
    Ok(answer.to_string())
}

fn describe(org: &Organization) -> Value {
    let email = org.accounts.get(&org.management).map(|account| account.email.as_str());
    json!({ "Organization": {
        "Id": org.id,
        "Arn": org_arn(org, &format!("organization/{}", org.id)),
        "FeatureSet": "ALL",
        "MasterAccountId": org.management,
        "MasterAccountArn": account_arn(org, &org.management),
        "MasterAccountEmail": email,
        "AvailablePolicyTypes": [],
    }})
}

fn list_accounts(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    let World { org, pages } = world;
    management_only(org, request)?;
    let page = pages.open(request, PAGE)?;
    let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let all = org.accounts.range::<str, _>((from, Bound::Unbounded));
    let (accounts, tail) = pages.cut(request, &page, all);
    let accounts: Vec<_> =
        accounts.into_iter().map(|account| describe_account(org, account)).collect();
    let mut answer = json!({ "Accounts": accounts });
    if let Some(token) = tail.marker {
        answer["NextToken"] = json!(token);
    }
    Ok(answer)
}

fn list_tags(world: &mut World, request: &Request) -> Result<Value, ApiError> {
    management_only(world.org, request)?;
    let id = request.require("ResourceId")?;
    let account = world.org.accounts.get(id).ok_or_else(|| {
        ApiError::new(400, "TargetNotFoundException", "You specified a target that doesn't exist.")
    })?;
    let tags: Vec<_> =
        account.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "Tags": tags }))
}

/// `Status` has no word for an account that is not yet or no longer there; such an account
/// shows as suspended in it.
fn describe_account(org: &Organization, account: &Account) -> Value {
    let (state, status) = match account.state {
        AccountState::PendingActivation => ("PENDING_ACTIVATION", "SUSPENDED"),
        AccountState::Active => ("ACTIVE", "ACTIVE"),
        AccountState::Suspended => ("SUSPENDED", "SUSPENDED"),
        AccountState::PendingClosure => ("PENDING_CLOSURE", "PENDING_CLOSURE"),
        AccountState::Closed => ("CLOSED", "SUSPENDED"),
    };
    let method = if account.id == org.management { "INVITED" } else { "CREATED" };
    json!({
        "Id": account.id,
        "Arn": account_arn(org, &account.id),
        "Email": account.email,
        "Name": account.name,
        "State": state,
        "Status": status,
        "JoinedMethod": method,
        "JoinedTimestamp": account.joined_at.as_second(),
    })
}

fn management_only(org: &Organization, request: &Request) -> Result<(), ApiError> {
    if request.account == org.management {
        return Ok(());
    }
    let message = "You don't have permissions to access this resource.";
    Err(ApiError::new(400, "AccessDeniedException", message))
}

fn account_arn(org: &Organization, account: &str) -> String {
    org_arn(org, &format!("account/{}/{account}", org.id))
}

fn org_arn(org: &Organization, resource: &str) -> String {
    format!("arn:{}:organizations::{}:{resource}", org.partition, org.management)
}
