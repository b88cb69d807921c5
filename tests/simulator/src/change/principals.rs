//! Changes of users, roles and groups, and of the tags and policies they hold.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::{ChangeError, Changed, Holder, no_such, path_and_name};
use crate::organization::{
    Account, Group, InstanceProfile, Organization, Password, Role, RoleUse, Tags, User,
};
use crate::trust::Trust;

/// Users.
impl Organization {
    /// A user without password, keys, groups or policies; returns its id (`AIDA…`).
    pub fn create_user(&mut self, account: &str, name: &str) -> Changed<String> {
        let (id, now) = (self.ids.unique("AIDA"), self.now());
        let (path, name) = path_and_name(name);
        let user = User {
            id: id.clone(),
            name: name.clone(),
            path,
            created_at: now,
            password: None,
            mfa: false,
            tags: Tags::new(),
            groups: BTreeSet::new(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: None,
            access_keys: Vec::new(),
            ssh_keys: Vec::new(),
            signing_certificates: Vec::new(),
            service_credentials: Vec::new(),
        };
        insert_new(&mut self.account_mut(account)?.users, name, user)?;
        Ok(id)
    }

    /// Deletes a user with all credentials.
    pub fn delete_user(&mut self, account: &str, name: &str) -> Changed<()> {
        self.take_user(account, name).map(drop)
    }

    /// Deletes a user and makes one of the same name, path, tags, groups and policies, but with
    /// a new id and no credentials: what infrastructure code does. Returns the new id.
    pub fn recreate_user(&mut self, account: &str, name: &str) -> Changed<String> {
        let old = self.take_user(account, name)?;
        let (id, now) = (self.ids.unique("AIDA"), self.now());
        let user = User {
            id: id.clone(),
            created_at: now,
            password: None,
            mfa: false,
            access_keys: Vec::new(),
            ssh_keys: Vec::new(),
            signing_certificates: Vec::new(),
            service_credentials: Vec::new(),
            ..old
        };
        let owner = self.account_mut(account)?;
        owner.count_policies(&user.attached, user.boundary.as_ref(), Count::Up);
        owner.users.insert(name.to_owned(), user);
        Ok(id)
    }

    /// Gives a user a console password, or a new one.
    pub fn set_password(&mut self, account: &str, user: &str) -> Changed<()> {
        let now = self.now();
        let user = self.user_mut(account, user)?;
        let last_used = user.password.as_ref().and_then(|password| password.last_used);
        user.password = Some(Password { changed_at: now, last_used });
        Ok(())
    }

    /// The user signs in to the console.
    pub fn use_password(&mut self, account: &str, user: &str) -> Changed<()> {
        let now = self.now();
        let found = self.user_mut(account, user)?;
        found.password.as_mut().ok_or_else(|| no_such("password", user))?.last_used = Some(now);
        Ok(())
    }

    /// Takes the console password away.
    pub fn delete_password(&mut self, account: &str, user: &str) -> Changed<()> {
        self.user_mut(account, user)?.password = None;
        Ok(())
    }

    /// Registers a second factor.
    pub fn enable_mfa(&mut self, account: &str, user: &str) -> Changed<()> {
        self.user_mut(account, user)?.mfa = true;
        Ok(())
    }

    /// The root user signs in.
    pub fn use_root_password(&mut self, account: &str) -> Changed<()> {
        let now = self.now();
        self.account_mut(account)?.root.password_last_used = Some(now);
        Ok(())
    }

    fn take_user(&mut self, account: &str, name: &str) -> Changed<User> {
        let owner = self.account_mut(account)?;
        let user = owner.users.remove(name).ok_or_else(|| no_such("user", name))?;
        owner.count_policies(&user.attached, user.boundary.as_ref(), Count::Down);
        for id in &user.service_credentials {
            owner.service_credentials.remove(id);
        }
        for id in &user.access_keys {
            owner.access_keys.remove(id);
        }
        for id in &user.access_keys {
            self.key_home.remove(id);
        }
        Ok(user)
    }
}

/// Roles.
impl Organization {
    /// A role that nobody has used; returns its id (`AROA…`).
    pub fn create_role(&mut self, account: &str, name: &str, trust: &Trust) -> Changed<String> {
        let (id, now) = (self.ids.unique("AROA"), self.now());
        let (path, name) = path_and_name(name);
        let role = Role {
            id: id.clone(),
            name: name.clone(),
            path,
            created_at: now,
            trust: trust.document(&self.partition, account),
            description: None,
            max_session: 3600,
            tags: Tags::new(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: None,
            last_used: None,
            instance_profile: None,
        };
        insert_new(&mut self.account_mut(account)?.roles, name, role)?;
        Ok(id)
    }

    /// Deletes a role.
    pub fn delete_role(&mut self, account: &str, name: &str) -> Changed<()> {
        self.take_role(account, name).map(drop)
    }

    /// Deletes a role and makes one that differs only in id, creation date and use.
    /// Returns the new id.
    pub fn recreate_role(&mut self, account: &str, name: &str) -> Changed<String> {
        let old = self.take_role(account, name)?;
        let (id, now) = (self.ids.unique("AROA"), self.now());
        let role = Role { id: id.clone(), created_at: now, last_used: None, ..old };
        let owner = self.account_mut(account)?;
        owner.count_policies(&role.attached, role.boundary.as_ref(), Count::Up);
        owner.roles.insert(name.to_owned(), role);
        Ok(id)
    }

    /// Somebody is the role, in a region such as `eu-west-1`.
    pub fn use_role(&mut self, account: &str, name: &str, region: &str) -> Changed<()> {
        let at = self.now();
        self.role_mut(account, name)?.last_used = Some(RoleUse { at, region: region.to_owned() });
        Ok(())
    }

    /// Replaces the trust policy.
    pub fn set_trust(&mut self, account: &str, role: &str, trust: &Trust) -> Changed<()> {
        let document = trust.document(&self.partition, account);
        self.role_mut(account, role)?.trust = document;
        Ok(())
    }

    /// Sets the description; an empty one takes it away.
    pub fn describe_role(&mut self, account: &str, role: &str, text: &str) -> Changed<()> {
        self.role_mut(account, role)?.description = (!text.is_empty()).then(|| text.to_owned());
        Ok(())
    }

    /// Puts the role into an instance profile of the same name; returns its id (`AIPA…`).
    pub fn create_instance_profile(&mut self, account: &str, role: &str) -> Changed<String> {
        let (id, created_at) = (self.ids.unique("AIPA"), self.now());
        self.role_mut(account, role)?.instance_profile =
            Some(InstanceProfile { id: id.clone(), name: role.to_owned(), created_at });
        Ok(id)
    }

    fn take_role(&mut self, account: &str, name: &str) -> Changed<Role> {
        let owner = self.account_mut(account)?;
        let role = owner.roles.remove(name).ok_or_else(|| no_such("role", name))?;
        owner.count_policies(&role.attached, role.boundary.as_ref(), Count::Down);
        Ok(role)
    }
}

/// Groups, tags and policies held.
impl Organization {
    /// An empty group; returns its id (`AGPA…`).
    pub fn create_group(&mut self, account: &str, name: &str) -> Changed<String> {
        let (id, created_at) = (self.ids.unique("AGPA"), self.now());
        let (path, name) = path_and_name(name);
        let group = Group {
            id: id.clone(),
            name: name.clone(),
            path,
            created_at,
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
        };
        insert_new(&mut self.account_mut(account)?.groups, name, group)?;
        Ok(id)
    }

    /// Puts a user into a group.
    pub fn join_group(&mut self, account: &str, user: &str, group: &str) -> Changed<()> {
        if !self.account_mut(account)?.groups.contains_key(group) {
            return Err(no_such("group", group));
        }
        self.user_mut(account, user)?.groups.insert(group.to_owned());
        Ok(())
    }

    /// Takes a user out of a group.
    pub fn leave_group(&mut self, account: &str, user: &str, group: &str) -> Changed<()> {
        self.user_mut(account, user)?.groups.remove(group);
        Ok(())
    }

    /// Puts a tag on a user or role.
    pub fn tag(&mut self, account: &str, on: Holder<'_>, key: &str, value: &str) -> Changed<()> {
        self.tags_mut(account, on)?.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Takes a tag off a user or role; the key's case counts.
    pub fn untag(&mut self, account: &str, on: Holder<'_>, key: &str) -> Changed<()> {
        self.tags_mut(account, on)?.remove(key);
        Ok(())
    }

    /// Attaches a managed policy by ARN.
    pub fn attach_policy(&mut self, account: &str, to: Holder<'_>, arn: &str) -> Changed<()> {
        let owner = self.account_mut(account)?;
        if owner.held(to)?.0.insert(arn.to_owned()) {
            *owner.attachments.entry(arn.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// Detaches a managed policy by ARN.
    pub fn detach_policy(&mut self, account: &str, from: Holder<'_>, arn: &str) -> Changed<()> {
        let owner = self.account_mut(account)?;
        if !owner.held(from)?.0.remove(arn) {
            return Err(no_such("attachment", arn));
        }
        count_down(&mut owner.attachments, arn);
        Ok(())
    }

    /// Writes an inline policy.
    pub fn put_policy(
        &mut self,
        account: &str,
        to: Holder<'_>,
        name: &str,
        document: &str,
    ) -> Changed<()> {
        let inline = self.account_mut(account)?.held(to)?.1;
        inline.insert(name.to_owned(), document.to_owned());
        Ok(())
    }

    /// Deletes an inline policy.
    pub fn delete_inline_policy(
        &mut self,
        account: &str,
        from: Holder<'_>,
        name: &str,
    ) -> Changed<()> {
        let inline = self.account_mut(account)?.held(from)?.1;
        inline.remove(name).map(drop).ok_or_else(|| no_such("inline policy", name))
    }

    /// Bounds a user or role by a managed policy.
    pub fn set_boundary(&mut self, account: &str, of: Holder<'_>, arn: &str) -> Changed<()> {
        let boundary = match of {
            Holder::User(name) => &mut self.user_mut(account, name)?.boundary,
            Holder::Role(name) => &mut self.role_mut(account, name)?.boundary,
            Holder::Group(name) => return Err(no_such("boundary of group", name)),
        };
        let old = boundary.replace(arn.to_owned());
        let owner = self.account_mut(account)?;
        if let Some(old) = old {
            count_down(&mut owner.boundaries, &old);
        }
        *owner.boundaries.entry(arn.to_owned()).or_default() += 1;
        Ok(())
    }

    fn tags_mut(&mut self, account: &str, on: Holder<'_>) -> Changed<&mut Tags> {
        match on {
            Holder::User(name) => Ok(&mut self.user_mut(account, name)?.tags),
            Holder::Role(name) => Ok(&mut self.role_mut(account, name)?.tags),
            Holder::Group(name) => Err(no_such("tag of group", name)),
        }
    }
}

/// Managed policies by ARN, inline policies by name.
type Held<'a> = (&'a mut BTreeSet<String>, &'a mut BTreeMap<String, String>);

#[derive(Clone, Copy)]
enum Count {
    Up,
    Down,
}

impl Account {
    fn held(&mut self, holder: Holder<'_>) -> Changed<Held<'_>> {
        match holder {
            Holder::User(name) => {
                let user = self.users.get_mut(name).ok_or_else(|| no_such("user", name))?;
                Ok((&mut user.attached, &mut user.inline))
            }
            Holder::Role(name) => {
                let role = self.roles.get_mut(name).ok_or_else(|| no_such("role", name))?;
                Ok((&mut role.attached, &mut role.inline))
            }
            Holder::Group(name) => {
                let group = self.groups.get_mut(name).ok_or_else(|| no_such("group", name))?;
                Ok((&mut group.attached, &mut group.inline))
            }
        }
    }

    /// Keeps the usage counts of policies, so that no page has to look at every principal.
    fn count_policies(
        &mut self,
        attached: &BTreeSet<String>,
        bound: Option<&String>,
        count: Count,
    ) {
        let tally = |counts: &mut BTreeMap<String, u32>, arn: &String| match count {
            Count::Up => *counts.entry(arn.clone()).or_default() += 1,
            Count::Down => count_down(counts, arn),
        };
        for arn in attached {
            tally(&mut self.attachments, arn);
        }
        if let Some(arn) = bound {
            tally(&mut self.boundaries, arn);
        }
    }
}

fn count_down(counts: &mut BTreeMap<String, u32>, arn: &str) {
    if let Some(count) = counts.get_mut(arn) {
        *count = count.saturating_sub(1);
    }
}

pub(super) fn insert_new<T>(into: &mut BTreeMap<String, T>, name: String, value: T) -> Changed<()> {
    match into.entry(name) {
        Entry::Occupied(taken) => Err(ChangeError::Exists(taken.key().clone())),
        Entry::Vacant(free) => {
            free.insert(value);
            Ok(())
        }
    }
}
