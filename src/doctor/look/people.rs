//! Groups of the system, as its own list has them.

use std::fs;

use crate::doctor::facts::{GroupFacts, Look};
use crate::doctor::look::files::of;

const GROUPS: &str = "/etc/group";

/// The group of this number.
pub(super) fn group(number: u32) -> Look<GroupFacts> {
    match fs::read_to_string(GROUPS) {
        Ok(groups) => Look::Seen(listed(&groups, number)),
        Err(error) => of(&error),
    }
}

/// The group of this number among `name:password:number:members` lines.
fn listed(groups: &str, number: u32) -> GroupFacts {
    let of_line = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, found, members] = fields[..] else { return None };
        let count = members.split(',').filter(|member| !member.trim().is_empty()).count();
        (found.parse() == Ok(number)).then(|| GroupFacts { name: name.to_owned(), members: count as u64 })
    };
    let unnamed = || GroupFacts { name: number.to_string(), members: 0 };
    groups.lines().find_map(of_line).unwrap_or_else(unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_group_are_counted() {
        let groups = "root:x:0:\nstudygate:x:998:one,two\n";
        let facts = |name: &str, members| GroupFacts { name: name.to_owned(), members };
        assert_eq!(listed(groups, 998), facts("studygate", 2));
        assert_eq!(listed(groups, 0), facts("root", 0));
        assert_eq!(listed(groups, 4), facts("4", 0));
    }
}
