//! Installed GitHub Apps.

use headcount_sdk::{Class, Expiry, Observation, Purpose, Status};

use super::{access_word, privilege, write_permissions};
use crate::id::Place;
use crate::wire::Installation;

pub(crate) fn installation(place: &Place, row: &Installation) -> Observation {
    let slug = row.app_slug.clone().unwrap_or_else(|| format!("installation {}", row.id));
    let id = place.numbered("app-installation", row.id);
    let mut observation = Observation::new(id, Class::Identity, "app-installation", &slug);
    observation.native = row.id.to_string();
    observation.status = if row.suspended_at.is_some() { Status::Disabled } else { Status::Active };
    observation.created_at = row.created_at;
    observation.expiry = Expiry::NotApplicable;
    observation.privilege = Some(privilege(&row.permissions));
    let attributes = &mut observation.attributes;
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value);
        }
    };
    put("app_slug", row.app_slug.clone());
    put("app_id", row.app_id.map(|id| id.to_string()));
    put("repository_selection", row.repository_selection.clone());
    put("write_permissions", write_permissions(&row.permissions));
    put("permissions", permissions(row));
    put("events", (!row.events.is_empty()).then(|| row.events.join(",")));
    put("contact_email", row.contact_email.clone().filter(|email| !email.is_empty()));
    observation
}

fn permissions(row: &Installation) -> Option<String> {
    let word = |(name, access): (&String, &String)| format!("{name}:{}", access_word(access));
    let all: Vec<String> = row.permissions.iter().map(word).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// Who made the App, and whether that is somebody else.
pub(crate) fn owned_by(observation: &mut Observation, owner: &str, is_third_party: bool) {
    observation.attributes.insert("app_owner".to_owned(), owner.to_owned());
    observation.attributes.insert("is_third_party".to_owned(), is_third_party.to_string());
    if is_third_party {
        let text = format!("GitHub App of {owner}");
        observation.purpose = Some(Purpose { text, locator: "app owner".to_owned() });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use headcount_sdk::Level;
    use serde_json::json;

    use super::*;
    use crate::config::Edition;

    #[test]
    fn what_stands_in_the_place_of_a_permission_s_word_is_not_kept() {
        let row = json!({
            "id": 7,
            "permissions": { "contents": "write", "checks": "leaked", "members": "no_access" },
        });
        let row: Installation = serde_json::from_value(row).unwrap();
        let read = installation(&Place::new(&Edition::Public, 1), &row);
        let told = &read.attributes["permissions"];
        assert_eq!(told, "checks:unknown,contents:write,members:none");
        let privilege = read.privilege.clone().unwrap();
        assert_eq!(privilege.level, Level::Write);
        assert!(!serde_json::to_string(&read).unwrap().contains("leaked"));
    }
}
