//! Who is said to own an object: labels, annotations, what deployed it, its namespace.
//!
//! Collects claims and weighs none of them. Values that stand for "nobody" are not claims.

use headcount_sdk::owner::{self, Keys, claim, names_someone};
use headcount_sdk::{OwnerBasis, OwnerEvidence, Purpose};

use crate::keep::{Meta, Texts};

/// Keys under which a label or annotation names an owner, compared without case and punctuation.
#[derive(Clone, Debug)]
pub(crate) struct OwnerKeys(Keys);

impl OwnerKeys {
    pub(crate) fn new(keys: &[String]) -> Self {
        Self(Keys::new(keys))
    }

    /// Prefixes of Kubernetes itself are never a company's.
    fn has(&self, key: &str) -> bool {
        let prefix = key.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        let is_reserved = ["kubernetes.io", "k8s.io"]
            .iter()
            .any(|own| prefix == *own || prefix.ends_with(&format!(".{own}")));
        !is_reserved && self.0.has(key)
    }
}

/// Where deployers write the name of what they deploy. The value is taken up to the first of the
/// given character.
const MARKERS: &[(&str, Option<char>, OwnerBasis)] = &[
    ("backstage.io/kubernetes-id", None, OwnerBasis::Catalog),
    ("meta.helm.sh/release-name", None, OwnerBasis::Stack),
    // `app:group/kind:namespace/name`
    ("argocd.argoproj.io/tracking-id", Some(':'), OwnerBasis::Stack),
    ("argocd.argoproj.io/instance", None, OwnerBasis::Stack),
    ("kustomize.toolkit.fluxcd.io/name", None, OwnerBasis::Stack),
    ("helm.toolkit.fluxcd.io/name", None, OwnerBasis::Stack),
];

/// Claims on the object itself, then those inherited from its namespace.
pub(crate) fn evidence(
    keys: &OwnerKeys,
    meta: &Meta,
    namespace: Option<&Meta>,
) -> Vec<OwnerEvidence> {
    let mut found = named(keys, meta, "");
    found.extend(marked(meta));
    if let Some(owner) = &meta.owner {
        let reference = format!("{}/{}", owner.kind, owner.name);
        found.push(claim(&reference, OwnerBasis::Creator, "ownerReferences"));
    }
    if let Some(namespace) = namespace {
        let mut inherited = named(keys, namespace, &format!("namespace {} ", namespace.name));
        for claim in &mut inherited {
            claim.basis = OwnerBasis::Container;
        }
        found.extend(inherited);
    }
    found
}

fn named(keys: &OwnerKeys, meta: &Meta, place: &str) -> Vec<OwnerEvidence> {
    let of = |texts: &Texts, what: &str| -> Vec<OwnerEvidence> {
        texts
            .iter()
            .filter(|(key, value)| keys.has(key) && names_someone(value))
            .map(|(key, value)| {
                let locator = format!("{place}{what} {key}");
                let kind = owner::kind_of(key);
                OwnerEvidence { kind, ..claim(value, OwnerBasis::Label, &locator) }
            })
            .collect()
    };
    let mut found = of(&meta.labels, "label");
    found.extend(of(&meta.annotations, "annotation"));
    found
}

fn marked(meta: &Meta) -> Vec<OwnerEvidence> {
    let mut found: Vec<OwnerEvidence> = Vec::new();
    for (key, end, basis) in MARKERS {
        let places = [(&meta.labels, "label"), (&meta.annotations, "annotation")];
        for (texts, what) in places {
            let Some(value) = texts.get(key) else { continue };
            let value = end.map_or(value, |end| value.split(end).next().unwrap_or(value));
            if names_someone(value) {
                found.push(claim(value, *basis, &format!("{what} {key}")));
            }
        }
    }
    found
}

/// What the object is for, where an annotation says so.
pub(crate) fn purpose(meta: &Meta) -> Option<Purpose> {
    ["kubernetes.io/description", "description", "purpose"].into_iter().find_map(|key| {
        let text = meta.annotations.get(key).filter(|text| names_someone(text))?;
        Some(Purpose { text: text.trim().to_owned(), locator: format!("annotation {key}") })
    })
}

/// The application that an object is part of: the words that people and deployers use, else the
/// object's own name.
pub(crate) fn application<'m>(meta: &'m Meta, name: &'m str) -> &'m str {
    let stated = [
        meta.labels.get("app.kubernetes.io/part-of"),
        meta.labels.get("app.kubernetes.io/instance"),
        meta.annotations.get("meta.helm.sh/release-name"),
    ];
    stated.into_iter().flatten().find(|value| names_someone(value)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::accounts::tests::meta;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        Texts::of(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    fn found(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Vec<String> {
        let keys = OwnerKeys::new(&owner::default_keys());
        let mut object = meta("u", "shop", "web");
        object.labels = texts(labels);
        object.annotations = texts(annotations);
        let claims = evidence(&keys, &object, None).into_iter();
        claims.map(|e| format!("{} {} {}", e.basis.as_str(), e.locator, e.reference)).collect()
    }

    #[test]
    fn owner_labels_are_found_in_any_spelling_and_behind_any_prefix_but_kubernetes_own() {
        for key in ["owner", "Owner", "owner-email", "acme.com/owner", "acme.com/Team"] {
            assert_eq!(found(&[(key, "ana")], &[]), [format!("label label {key} ana")]);
            assert_eq!(found(&[], &[(key, " ana ")]), [format!("label annotation {key} ana")]);
        }
        let none = [("app.kubernetes.io/owner", "x"), ("downer", "x"), ("owner", "none")];
        assert!(found(&none, &none).is_empty());
    }

    #[test]
    fn what_deploys_an_object_is_a_weaker_claim() {
        let annotations = [
            ("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web"),
            ("meta.helm.sh/release-name", "web"),
        ];
        let labels = [("backstage.io/kubernetes-id", "web-service")];
        assert_eq!(
            found(&labels, &annotations),
            [
                "catalog label backstage.io/kubernetes-id web-service",
                "stack annotation meta.helm.sh/release-name web",
                "stack annotation argocd.argoproj.io/tracking-id shop",
            ]
        );
    }

    #[test]
    fn what_a_namespace_says_is_inherited_and_says_where_it_stands() {
        let keys = OwnerKeys::new(&owner::default_keys());
        let mut namespace = meta("n", "", "shop");
        namespace.labels = texts(&[("team", "payments")]);
        let claims = evidence(&keys, &meta("u", "shop", "web"), Some(&namespace));
        let [claim] = claims.as_slice() else { unreachable!("one claim") };
        assert_eq!(claim.basis, OwnerBasis::Container);
        assert_eq!(claim.locator, "namespace shop label team");
        assert_eq!(claim.reference, "payments");
    }
}
