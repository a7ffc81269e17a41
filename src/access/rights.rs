//! What a caller may do: roles, each over one study or over all of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::access::role::{Permission, Role};

/// What a role holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One study, by its name.
    Study(String),
    /// Every study there is or will be, and the site itself.
    All,
}

/// A role over something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Over what.
    pub scope: Scope,
    /// Which.
    pub role: Role,
}

/// All that a caller was granted; with none, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(Vec<Grant>);

/// The studies for which a permission holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every one, and what belongs to none.
    All,
    /// These alone.
    Studies(BTreeSet<String>),
}

/// What a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds<'a> {
    /// The study of this name, whether there is one or not.
    Study(&'a str),
    /// Studies among others: the answer keeps to what the caller's rights reach.
    Reached,
    /// The site as a whole.
    Site,
}

/// Why something is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The caller's role does not permit it.
    Forbidden,
    /// The caller does not know whether the study exists, and is not told.
    Hidden,
}

impl Rights {
    /// Rights of these grants.
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    /// Everything.
    pub fn whole() -> Self {
        Self(vec![Grant { scope: Scope::All, role: Role::Admin }])
    }

    /// How far this permission reaches for something within these bounds, or why it does not.
    pub fn decide(&self, permission: Permission, bounds: Bounds<'_>) -> Result<Reach, Denied> {
        let reach = self.reach(permission);
        let permitted = match bounds {
            Bounds::Study(name) => reach.covers(name),
            Bounds::Reached => reach != Reach::Studies(BTreeSet::new()),
            Bounds::Site => reach == Reach::All,
        };
        if permitted {
            return Ok(reach);
        }
        match bounds {
            Bounds::Study(name) if !self.knows(name) => Err(Denied::Hidden),
            Bounds::Study(_) | Bounds::Reached | Bounds::Site => Err(Denied::Forbidden),
        }
    }

    fn reach(&self, permission: Permission) -> Reach {
        let mut studies = BTreeSet::new();
        for grant in self.0.iter().filter(|grant| grant.role.permits(permission)) {
            match &grant.scope {
                Scope::All => return Reach::All,
                Scope::Study(name) => studies.insert(name.clone()),
            };
        }
        Reach::Studies(studies)
    }

    /// Whether any grant is for this study.
    fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|grant| match &grant.scope {
            Scope::All => true,
            Scope::Study(own) => own == name,
        })
    }
}

impl<'a> Bounds<'a> {
    /// The study it is about, where it is about one.
    pub fn study(self) -> Option<&'a str> {
        match self {
            Self::Study(name) => Some(name),
            Self::Reached | Self::Site => None,
        }
    }
}

impl Reach {
    /// Whether it holds for the study of this name.
    pub fn covers(&self, study: &str) -> bool {
        match self {
            Self::All => true,
            Self::Studies(names) => names.contains(study),
        }
    }

    /// Whether it holds for what is of this study, or of none: the latter is seen by whoever sees all.
    pub fn covers_some(&self, study: Option<&str>) -> bool {
        study.map_or(*self == Self::All, |study| self.covers(study))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(scope: &str, role: Role) -> Grant {
        let scope = if scope == "*" { Scope::All } else { Scope::Study(scope.to_owned()) };
        Grant { scope, role }
    }

    fn check(grants: &[Grant], permission: Permission, bounds: Bounds<'_>, expected: Result<(), Denied>) {
        let decided = Rights::new(grants.to_vec()).decide(permission, bounds).map(|_| ());
        assert_eq!(decided, expected, "{grants:?} {permission:?} {bounds:?}");
    }

    #[test]
    fn another_study_is_hidden_and_a_missing_role_is_said() {
        let own = [over("A", Role::Exporter)];
        for permission in Permission::ALL {
            check(&own, permission, Bounds::Study("B"), Err(Denied::Hidden));
            check(&own, permission, Bounds::Study("no such study"), Err(Denied::Hidden));
            check(&own, permission, Bounds::Site, Err(Denied::Forbidden));
        }
        check(&own, Permission::Export, Bounds::Study("A"), Ok(()));
        check(&own, Permission::Withdraw, Bounds::Study("A"), Err(Denied::Forbidden));
        check(&own, Permission::Withdraw, Bounds::Reached, Err(Denied::Forbidden));
        check(&[], Permission::Status, Bounds::Reached, Err(Denied::Forbidden));
    }

    #[test]
    fn rights_over_all_reach_the_site_and_names_that_do_not_exist() {
        let all = [over("*", Role::Viewer)];
        check(&all, Permission::Read, Bounds::Study("no such study"), Ok(()));
        check(&all, Permission::Status, Bounds::Site, Ok(()));
        check(&all, Permission::Export, Bounds::Study("A"), Err(Denied::Forbidden));
    }

    #[test]
    fn each_grant_holds_for_its_own_study_alone() {
        let rights = Rights::new(vec![over("A", Role::Exporter), over("B", Role::Viewer)]);
        assert!(rights.decide(Permission::Export, Bounds::Study("A")).is_ok());
        assert_eq!(rights.decide(Permission::Export, Bounds::Study("B")), Err(Denied::Forbidden));
        let reach = rights.decide(Permission::Read, Bounds::Reached).expect("permitted");
        assert!(reach.covers("A") && reach.covers("B") && !reach.covers("C") && !reach.covers_some(None));
        let exports = rights.decide(Permission::Export, Bounds::Reached).expect("permitted");
        assert!(!exports.covers("B"));
    }
}
