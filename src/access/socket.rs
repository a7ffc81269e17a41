//! What the system's groups may do at the socket.

use crate::access::rights::{Grant, Rights};

/// The grants of `[[local.grant]]`. Without one, whoever may open the socket may do everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketGrants {
    grants: Vec<(u32, Grant)>,
    /// The gateway's own user.
    own_uid: u32,
}

impl SocketGrants {
    /// These grants to groups, by number. Root and the gateway's own user keep all rights: they have the keys.
    pub fn new(grants: Vec<(u32, Grant)>, own_uid: u32) -> Self {
        Self { grants, own_uid }
    }

    /// What a process of this user and these groups may do.
    pub fn rights(&self, uid: u32, groups: &[u32]) -> Rights {
        if self.grants.is_empty() || uid == 0 || uid == self.own_uid {
            return Rights::whole();
        }
        let theirs = self.grants.iter().filter(|(group, _)| groups.contains(group));
        Rights::new(theirs.map(|(_, grant)| grant.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::rights::{Bounds, Denied, Scope};
    use crate::access::role::{Permission, Role};

    #[test]
    fn grants_hold_for_members_of_their_groups_and_take_everything_else_away() {
        let of = |group, study: &str, role| (group, Grant { scope: Scope::Study(study.to_owned()), role });
        let grants = SocketGrants::new(vec![of(100, "A", Role::Coordinator), of(200, "B", Role::Viewer)], 42);
        let decide = |uid, groups: &[u32], permission, study| {
            grants.rights(uid, groups).decide(permission, Bounds::Study(study)).map(|_| ())
        };
        assert_eq!(decide(1000, &[7, 100], Permission::Enrol, "A"), Ok(()));
        assert_eq!(decide(1000, &[7, 100], Permission::Read, "B"), Err(Denied::Hidden));
        assert_eq!(decide(1000, &[100, 200], Permission::Enrol, "B"), Err(Denied::Forbidden));
        assert_eq!(decide(1000, &[7], Permission::Status, "A"), Err(Denied::Hidden));
        for own in [0, 42] {
            assert_eq!(decide(own, &[], Permission::Tokens, "A"), Ok(()));
        }
    }

    #[test]
    fn without_a_grant_everybody_at_the_socket_may_do_everything() {
        let rights = SocketGrants::default().rights(1000, &[]);
        for permission in Permission::ALL {
            assert!(rights.decide(permission, Bounds::Site).is_ok());
        }
    }
}
