//! The plan for one summary type: what each member of its records becomes, decided once and not for every record.
//!
//! A tree of the members that the tables name, with the rules' verdict on each; members that records bring besides are
//! put in as they come, a bounded number of them.

use crate::dataset::{
    column::{Origin, Rows},
    deidentify::{Change, Changed, Deidentify, Verdict},
    fields::{self, Members, Shape},
    row::Layout,
};
use crate::model::shift::Shift;

/// The plan for the records of one type under one study's rules.
pub(super) struct Plan<'a> {
    rules: Deidentify<'a>,
    known: Option<Members>,
    nodes: Vec<Node>,
}

/// An object, or the objects of an array.
#[derive(Debug, Default)]
struct Node {
    path: Vec<Box<str>>,
    members: Vec<Member>,
    /// Where the next member is looked for first: most records have theirs in the same order.
    next: usize,
    /// What a member named by a number is, where this is a map.
    entry: Option<Member>,
    /// Tables that have a row for each object here; for tables of maps, a group of rows.
    rows: Vec<usize>,
}

#[derive(Debug)]
struct Member {
    name: Box<str>,
    /// What the rules say of it.
    verdict: Verdict,
    /// What the tables make of it.
    targets: Vec<Target>,
    below: Option<usize>,
}

/// What a table makes of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The cell of a column of the row.
    Cell(usize, usize),
    /// A cell of the record's that stands in each of its rows.
    Record(usize, usize),
    /// A cell of the row of this offset.
    Entry(usize, usize),
    /// The row's time.
    Time(usize),
    /// The row's offset from UTC.
    UtcOffset(usize),
}

/// Where in a record an object stands.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At a node.
    Node(usize),
    /// Below what the plan holds.
    Beyond(Vec<Box<str>>),
}

/// Members kept for one object; those that no table names come on top as long as there is room.
const MEMBERS_MAX: usize = 128;
const NODES_MAX: usize = 2048;

impl<'a> Plan<'a> {
    /// The plan for tables of one type.
    pub(super) fn new(rules: Deidentify<'a>, summary_type: &str, layouts: &[&Layout]) -> Self {
        let mut plan = Self { rules, known: fields::of(summary_type), nodes: vec![Node::default()] };
        for (table, layout) in layouts.iter().enumerate() {
            plan.add_table(summary_type, table, layout);
        }
        plan
    }

    /// The top of a record.
    pub(super) fn top() -> Place {
        Place::Node(0)
    }

    /// The tables with a row for each object at this place.
    pub(super) fn rows(&self, place: &Place) -> &[usize] {
        match place {
            Place::Node(node) => &self.nodes[*node].rows,
            Place::Beyond(_) => &[],
        }
    }

    /// What stands in the place of a value that is changed, of a participant with this shift.
    pub(super) fn changed(&self, change: Change, value: &str, shift: Option<Shift>) -> Option<Changed> {
        self.rules.changed(change, value, shift)
    }

    /// Whether a place has this path, names joined by dots; the top's is empty.
    pub(super) fn is_at(&self, place: &Place, path: &str) -> bool {
        let steps = match place {
            Place::Node(node) => &self.nodes[*node].path,
            Place::Beyond(path) => path,
        };
        steps.iter().map(|step| &**step).eq(path.split('.').filter(|step| !step.is_empty()))
    }

    /// The last name of a place's path.
    pub(super) fn name<'p>(&'p self, place: &'p Place) -> &'p str {
        let path = match place {
            Place::Node(node) => &self.nodes[*node].path,
            Place::Beyond(path) => path,
        };
        path.last().map_or("", |name| name)
    }

    /// What the rules say of a member of the object at a place, and a name for it.
    pub(super) fn member(&mut self, place: &Place, name: &str) -> (Verdict, Step) {
        let node = match place {
            Place::Beyond(path) => return (self.rules.verdict(path, name), Step::Beyond),
            Place::Node(node) => *node,
        };
        if let Some(number) = self.nodes[node].find(name) {
            return (self.nodes[node].members[number].verdict, Step::Member(node, number));
        }
        if let Some(entry) = self.nodes[node].entry.as_ref().filter(|_| fields::is_offset(name)) {
            return (entry.verdict, Step::Entry(node));
        }
        let verdict = self.rules.verdict(&self.nodes[node].path, name);
        if self.nodes[node].members.len() >= MEMBERS_MAX {
            return (verdict, Step::Beyond);
        }
        let number = self.nodes[node].members.len();
        self.nodes[node].members.push(Member { name: name.into(), verdict, targets: Vec::new(), below: None });
        (verdict, Step::Member(node, number))
    }

    /// What the tables make of a scalar there.
    pub(super) fn targets(&self, step: Step) -> &[Target] {
        match step {
            Step::Member(node, number) => &self.nodes[node].members[number].targets,
            Step::Entry(node) => self.nodes[node].entry.as_ref().map_or(&[], |entry| &entry.targets),
            Step::Beyond => &[],
        }
    }

    /// The members that came and that this version does not know, with the rules' verdict; of very many not all.
    pub(super) fn brought(&self) -> impl Iterator<Item = (String, Verdict)> {
        self.nodes.iter().flat_map(move |node| {
            let is_known = |member: &Member| {
                self.known.is_some_and(|known| fields::find(known, &node.path, &member.name).is_some())
            };
            node.members.iter().filter(move |member| !is_known(member)).map(|member| {
                let path: Vec<&str> = node.path.iter().chain([&member.name]).map(|name| &**name).collect();
                (path.join("."), member.verdict)
            })
        })
    }

    /// The place of what opens at a member.
    pub(super) fn below(&mut self, place: &Place, step: Step, name: &str) -> Place {
        if let Step::Member(node, number) = step
            && let Some(below) = self.node_below(node, number)
        {
            return Place::Node(below);
        }
        let mut path = match place {
            Place::Node(node) => self.nodes[*node].path.clone(),
            Place::Beyond(path) => path.clone(),
        };
        path.push(name.into());
        Place::Beyond(path)
    }

    fn node_below(&mut self, node: usize, number: usize) -> Option<usize> {
        if let Some(below) = self.nodes[node].members[number].below {
            return Some(below);
        }
        if self.nodes.len() >= NODES_MAX {
            return None;
        }
        let mut path = self.nodes[node].path.clone();
        path.push(self.nodes[node].members[number].name.clone());
        let below = self.nodes.len();
        self.nodes.push(Node { path, ..Node::default() });
        self.nodes[node].members[number].below = Some(below);
        Some(below)
    }

    fn add_table(&mut self, summary_type: &str, table: usize, layout: &Layout) {
        if let Rows::Elements(_) | Rows::Spans(..) | Rows::Offsets(_) = layout.table.rows {
            for place in layout.table.places() {
                let node = self.node_at(&place);
                self.nodes[node].rows.push(table);
            }
        }
        let [times, offsets] = layout.table.time_paths();
        times.iter().for_each(|path| self.add_target(path, Target::Time(table)));
        offsets.iter().for_each(|path| self.add_target(path, Target::UtcOffset(table)));
        for (number, column) in layout.columns.iter().enumerate() {
            for path in layout.table.garmin_paths(column) {
                match column.from {
                    Origin::Map(_) => self.add_entry(summary_type, &path, Target::Entry(table, number)),
                    Origin::Record(_) => self.add_target(&path, Target::Record(table, number)),
                    Origin::Garmin(_) => self.add_target(&path, Target::Cell(table, number)),
                    Origin::Head(_) | Origin::Participant(_) | Origin::File(_) => {}
                }
            }
        }
    }

    fn add_target(&mut self, path: &str, target: Target) {
        let (place, name) = path.rsplit_once('.').unwrap_or(("", path));
        let node = self.node_at(place);
        let number = self.member_of(node, name);
        self.nodes[node].members[number].targets.push(target);
    }

    /// A target of the values of a map. A map is known as one, so that the verdict on one number is that on all.
    fn add_entry(&mut self, summary_type: &str, path: &str, target: Target) {
        let node = self.node_at(path);
        debug_assert!(is_map(summary_type, path), "{path} is declared as a map");
        let verdict = self.rules.verdict(&self.nodes[node].path, "0");
        let entry = Member { name: "".into(), verdict, targets: Vec::new(), below: None };
        self.nodes[node].entry.get_or_insert(entry).targets.push(target);
    }

    fn node_at(&mut self, path: &str) -> usize {
        let mut node = 0;
        for name in path.split('.').filter(|name| !name.is_empty()) {
            let number = self.member_of(node, name);
            node = self.node_below(node, number).expect("the tables name far fewer objects");
        }
        node
    }

    fn member_of(&mut self, node: usize, name: &str) -> usize {
        if let Some(number) = self.nodes[node].members.iter().position(|member| *member.name == *name) {
            return number;
        }
        let verdict = self.rules.verdict(&self.nodes[node].path, name);
        self.nodes[node].members.push(Member { name: name.into(), verdict, targets: Vec::new(), below: None });
        self.nodes[node].members.len() - 1
    }
}

/// How to go on from a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To what is below this member of this node.
    Member(usize, usize),
    /// To a value of the map that this node is.
    Entry(usize),
    /// Out of the plan.
    Beyond,
}

impl Node {
    #[inline]
    fn find(&mut self, name: &str) -> Option<usize> {
        let is_it = |member: &Member| *member.name == *name;
        let number = match self.members.get(self.next) {
            Some(member) if is_it(member) => self.next,
            Some(_) | None => self.members.iter().position(is_it)?,
        };
        self.next = number + 1;
        Some(number)
    }
}

fn is_map(summary_type: &str, path: &str) -> bool {
    let mut path: Vec<Box<str>> = path.split('.').map(Into::into).collect();
    let name = path.pop().unwrap_or_default();
    fields::of(summary_type).is_some_and(|known| matches!(fields::find(known, &path, &name), Some(Shape::Offsets)))
}
