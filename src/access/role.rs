//! The roles, and the matrix of what each permits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What somebody is to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees how a study goes, and downloads nothing.
    Viewer,
    /// Takes datasets, too.
    Exporter,
    /// Looks after participants, too.
    Coordinator,
    /// Reads what was done.
    Auditor,
    /// A machine that watches the gateway.
    Monitor,
    /// Everything.
    Admin,
}

/// What a route may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// How the gateway is, the site's public key, and what the API is.
    Status,
    /// The metrics.
    Metrics,
    /// Studies and their rules, participants, coverage.
    Read,
    /// What was handed out and what was destroyed: exports, purges, receipts.
    Registers,
    /// Datasets.
    Export,
    /// Adding and changing participants and their links, and what is held for nobody.
    Enrol,
    /// What is held on one participant, whole.
    Disclose,
    /// Deciding about refused items and failed pulls.
    Resolve,
    /// Letting participants leave, and deciding about purges that wait.
    Withdraw,
    /// The audit log.
    Audit,
    /// Adding, changing and closing studies.
    Rules,
    /// Tokens.
    Tokens,
    /// Keys and backups.
    Keys,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Exporter, Self::Coordinator, Self::Auditor, Self::Monitor, Self::Admin];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Exporter => "exporter",
            Self::Coordinator => "coordinator",
            Self::Auditor => "auditor",
            Self::Monitor => "monitor",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it permits this.
    pub fn permits(self, permission: Permission) -> bool {
        use Permission::{Audit, Disclose, Enrol, Export, Metrics, Read, Registers, Resolve, Status, Withdraw};
        match self {
            Self::Viewer => matches!(permission, Status | Read | Registers),
            Self::Exporter => Self::Viewer.permits(permission) || permission == Export,
            Self::Coordinator => {
                Self::Exporter.permits(permission) || matches!(permission, Enrol | Disclose | Resolve | Withdraw)
            }
            Self::Auditor => matches!(permission, Status | Registers | Audit),
            Self::Monitor => matches!(permission, Status | Metrics),
            Self::Admin => true,
        }
    }
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 13] = [
        Self::Status,
        Self::Metrics,
        Self::Read,
        Self::Registers,
        Self::Export,
        Self::Enrol,
        Self::Disclose,
        Self::Resolve,
        Self::Withdraw,
        Self::Audit,
        Self::Rules,
        Self::Tokens,
        Self::Keys,
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_of_roles_is_the_documented_one() {
        let rows = Permission::ALL.map(|permission| {
            let marks = Role::ALL.map(|role| if role.permits(permission) { "x" } else { "-" });
            format!("{:<10} {}\n", format!("{permission:?}"), marks.join(" "))
        });
        // viewer, exporter, coordinator, auditor, monitor, admin
        insta::assert_snapshot!(rows.concat(), @r"
        Status     x x x x x x
        Metrics    - - - - x x
        Read       x x x - - x
        Registers  x x x x - x
        Export     - x x - - x
        Enrol      - - x - - x
        Disclose   - - x - - x
        Resolve    - - x - - x
        Withdraw   - - x - - x
        Audit      - - - x - x
        Rules      - - - - - x
        Tokens     - - - - - x
        Keys       - - - - - x
        ");
    }

    #[test]
    fn roles_are_found_by_their_names() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
        }
        assert_eq!(Role::named("Admin"), None);
    }
}
