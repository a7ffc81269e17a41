//! `[[local.grant]]`: what the system's groups may do at the socket.

use std::{fs, io};

use serde::Deserialize;

use crate::access::rights::{Grant, Scope};
use crate::access::role::Role;

/// The system's groups by name. A static program asks no name service: groups of a directory are given by number.
const GROUPS_FILE: &str = "/etc/group";
const ALL: &str = "*";

/// One `[[local.grant]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalGrant {
    /// The system's group, by name or number.
    pub group: String,
    /// The study's name, or `*`.
    pub study: String,
    /// The role.
    pub role: String,
}

/// A grant cannot be given to a group.
#[derive(Debug)]
pub enum GroupError {
    /// The machine has no group of this name.
    Unknown(String),
    /// The groups cannot be read.
    Unreadable(io::Error),
}

impl LocalGrant {
    /// What is wrong with it, whatever groups there are.
    pub(super) fn fault(&self) -> Option<String> {
        let known = Role::ALL.map(Role::name).join(", ");
        if Role::named(&self.role).is_none() {
            return Some(format!("a grant's role is \"{}\", which is none; set it to one of {known}", self.role));
        }
        if self.group.trim().is_empty() {
            return Some("a grant's group is empty; name a group of the system".to_owned());
        }
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if self.study != ALL && (self.study.is_empty() || !self.study.bytes().all(of_name)) {
            return Some(format!(
                "a grant's study is \"{}\", which is no study's name; or set it to \"*\"",
                self.study
            ));
        }
        None
    }

    fn grant(&self) -> Option<Grant> {
        let scope = if self.study == ALL { Scope::All } else { Scope::Study(self.study.clone()) };
        Some(Grant { scope, role: Role::named(&self.role)? })
    }
}

/// The grants of a checked configuration, by the numbers of their groups.
pub fn read_grants(grants: &[LocalGrant]) -> Result<Vec<(u32, Grant)>, GroupError> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let groups = fs::read_to_string(GROUPS_FILE).map_err(GroupError::Unreadable)?;
    numbered(grants, &groups)
}

fn numbered(grants: &[LocalGrant], groups: &str) -> Result<Vec<(u32, Grant)>, GroupError> {
    let numbered = |grant: &LocalGrant| {
        let number = number(&grant.group, groups).ok_or_else(|| GroupError::Unknown(grant.group.clone()))?;
        Ok(grant.grant().map(|grant| (number, grant)))
    };
    grants.iter().filter_map(|grant| numbered(grant).transpose()).collect()
}

/// The number of a group of `name:password:number:members` lines, or the number that the text is.
fn number(group: &str, groups: &str) -> Option<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    };
    groups.lines().find_map(of_line).or_else(|| group.parse().ok())
}

impl std::fmt::Display for GroupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(group) => {
                write!(
                    f,
                    "[[local.grant]] names the group {group}, which {GROUPS_FILE} does not; make it, or give its number"
                )
            }
            Self::Unreadable(cause) => write!(f, "{GROUPS_FILE} cannot be read ({cause}); [[local.grant]] needs it"),
        }
    }
}

impl std::error::Error for GroupError {}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\ncoordinators:x:2001:somebody,else\nbroken\n";

    fn grant(group: &str) -> LocalGrant {
        LocalGrant { group: group.to_owned(), study: "*".to_owned(), role: "viewer".to_owned() }
    }

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        let found = |group: &str| numbered(&[grant(group)], GROUPS).map(|grants| grants[0].0).ok();
        assert_eq!(found("coordinators"), Some(2001));
        assert_eq!(found("4711"), Some(4711));
        assert_eq!(found("nobody-knows"), None);
        assert_eq!(found("broken"), None);
    }

    #[test]
    fn each_fault_of_a_grant_has_its_sentence() {
        assert_eq!(grant("g").fault(), None);
        assert!(grant(" ").fault().is_some_and(|text| text.contains("group is empty")));
        let role = LocalGrant { role: "boss".to_owned(), ..grant("g") };
        assert!(role.fault().is_some_and(|text| text.contains("viewer, exporter, coordinator")));
        let study = LocalGrant { study: "A B".to_owned(), ..grant("g") };
        assert!(study.fault().is_some_and(|text| text.contains("no study's name")));
    }
}
