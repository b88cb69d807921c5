//! Repositories and environments, and as whom their workflows present themselves elsewhere.

use headcount_sdk::{Class, Expiry, FederatedSubject, Observation, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::not_observable;
use crate::id::Place;
use crate::wire::{EnvironmentNode, FileNodes, OidcTemplate};

/// A repository as the bulk answer shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: u64,
    /// GraphQL's own id.
    pub(crate) node: String,
    pub(crate) name: String,
    /// `owner/name`.
    pub(crate) full_name: String,
    pub(crate) archived: bool,
    pub(crate) visibility: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) environments: Vec<EnvironmentNode>,
    /// Keys that the bulk answer counts, and a fingerprint of them where it shows them all.
    pub(crate) deploy_keys: u64,
    pub(crate) deploy_key_fingerprint: Option<String>,
    /// Of everything whose change asks for another look.
    pub(crate) fingerprint: String,
    /// Only their `oid`.
    pub(crate) files: FileNodes,
}

/// Who signs the tokens of workflows, and what the organisation puts into their subject.
#[derive(Clone, Debug)]
pub(crate) struct Federation {
    pub(crate) issuer: String,
    pub(crate) organization: String,
    pub(crate) organization_id: u64,
    /// Servers know no subjects with numeric ids.
    pub(crate) immutable: bool,
    pub(crate) template: OidcTemplate,
}

impl Federation {
    /// Everything that workflows of a repository may present: the default subject, with names and
    /// with ids, and the organisation's own where it has one. Which of them a repository has
    /// chosen is not read.
    pub(crate) fn of_repository(&self, row: &Row) -> Vec<FederatedSubject> {
        self.subjects(row, None)
    }

    pub(crate) fn of_environment(&self, row: &Row, environment: &str) -> Vec<FederatedSubject> {
        self.subjects(row, Some(environment))
    }

    fn subjects(&self, row: &Row, environment: Option<&str>) -> Vec<FederatedSubject> {
        let tail = environment.map_or("*".to_owned(), |name| format!("environment:{name}"));
        let mut subjects = vec![format!("repo:{}:{tail}", row.full_name)];
        if self.immutable {
            subjects.push(format!("repo:{}:{tail}", self.with_ids(row)));
        }
        let own = self.templated(row, environment).filter(|own| !subjects.contains(own));
        subjects.extend(own);
        let issuer = &self.issuer;
        subjects
            .into_iter()
            .map(|subject| FederatedSubject { issuer: issuer.clone(), subject })
            .collect()
    }

    /// <https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens>
    fn with_ids(&self, row: &Row) -> String {
        format!("{}-{}/{}-{}", self.organization, self.organization_id, row.name, row.id)
    }

    /// The organisation's template, as far as its claims are known; behind the first that only a
    /// run knows, anything may stand.
    fn templated(&self, row: &Row, environment: Option<&str>) -> Option<String> {
        let keys = self.template.include_claim_keys.as_deref().filter(|keys| !keys.is_empty())?;
        let immutable = self.template.use_immutable_subject == Some(true);
        let mut parts = Vec::new();
        for key in keys {
            let value = match key.as_str() {
                "repo" if immutable => self.with_ids(row),
                "repo" | "repository" => row.full_name.clone(),
                "repository_id" => row.id.to_string(),
                "repository_owner" => self.organization.clone(),
                "repository_owner_id" => self.organization_id.to_string(),
                "repository_visibility" => row.visibility.clone()?.to_ascii_lowercase(),
                "context" if environment.is_some() => {
                    parts.push(format!("environment:{}", environment?));
                    continue;
                }
                "environment" if environment.is_some() => environment?.to_owned(),
                // Nothing is known of it: it would match every trust there is.
                _ if parts.is_empty() => return None,
                _ => {
                    parts.push("*".to_owned());
                    break;
                }
            };
            parts.push(format!("{key}:{value}"));
        }
        Some(parts.join(":"))
    }
}

pub(crate) fn repository(place: &Place, row: &Row, federation: &Federation) -> Observation {
    let id = place.repository(row.id);
    let mut observation = Observation::new(id, Class::Workload, "repository", &row.full_name);
    observation.native = row.full_name.clone();
    observation.status = if row.archived { Status::Disabled } else { Status::Active };
    observation.created_at = row.created_at;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("a repository is not an identity");
    observation.subjects = federation.of_repository(row);
    observation.attributes.insert("archived".to_owned(), row.archived.to_string());
    if let Some(visibility) = &row.visibility {
        observation.attributes.insert("visibility".to_owned(), visibility.to_ascii_lowercase());
    }
    observation
}

pub(crate) fn environment(
    place: &Place,
    row: &Row,
    environment: &EnvironmentNode,
    federation: &Federation,
) -> Observation {
    let id = place.environment(environment.database_id);
    let native = format!("{}/environments/{}", row.full_name, environment.name);
    let mut observation = Observation::new(id, Class::Workload, "environment", &native);
    observation.native = native;
    observation.parent = Some(place.repository(row.id));
    observation.status = if row.archived { Status::Disabled } else { Status::Active };
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("an environment is not an identity");
    observation.subjects = federation.of_environment(row, &environment.name);
    observation.attributes.insert("archived".to_owned(), row.archived.to_string());
    observation.attributes.insert("environment".to_owned(), environment.name.clone());
    observation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            id: 456,
            node: "R_1".to_owned(),
            name: "shop".to_owned(),
            full_name: "acme/shop".to_owned(),
            archived: false,
            visibility: Some("PRIVATE".to_owned()),
            created_at: None,
            environments: Vec::new(),
            deploy_keys: 0,
            deploy_key_fingerprint: None,
            fingerprint: String::new(),
            files: FileNodes::default(),
        }
    }

    fn subjects(keys: &[&str], immutable: Option<bool>, environment: Option<&str>) -> Vec<String> {
        let federation = Federation {
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            organization: "acme".to_owned(),
            organization_id: 123,
            immutable: true,
            template: OidcTemplate {
                include_claim_keys: Some(keys.iter().map(|key| (*key).to_owned()).collect()),
                use_immutable_subject: immutable,
            },
        };
        let found = federation.subjects(&row(), environment).into_iter();
        found.map(|subject| subject.subject).collect()
    }

    #[test]
    fn workflows_present_names_and_ids_and_the_organisations_own_subject() {
        let default = ["repo:acme/shop:*", "repo:acme-123/shop-456:*"];
        assert_eq!(subjects(&[], None, None), default);
        let named = ["repo:acme/shop:environment:prod", "repo:acme-123/shop-456:environment:prod"];
        assert_eq!(subjects(&[], None, Some("prod")), named);
        let last = |keys: &[&str], environment| subjects(keys, None, environment).pop();
        assert_eq!(subjects(&["repo", "context"], None, Some("prod")), named, "as the default");
        assert_eq!(subjects(&["job_workflow_ref", "repo"], None, None), default, "not known");
        let rows: [(&[&str], Option<&str>, &str); 2] = [
            (
                &["repository_owner", "repository_visibility"],
                None,
                "repository_owner:acme:repository_visibility:private",
            ),
            (&["repository_id", "job_workflow_ref"], None, "repository_id:456:*"),
        ];
        for (keys, environment, expected) in rows {
            assert_eq!(last(keys, environment).as_deref(), Some(expected), "{keys:?}");
        }
    }
}
