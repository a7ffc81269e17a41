//! Pages of a list: so many, in a stable order, behind what a cursor says.

use serde_json::Value;

use crate::http::local::members::Query;
use crate::http::local::schema::{Member, Schema, may};
use crate::http::problem::Problem;

/// Items in a page, at most and unless fewer are asked for.
pub(super) const LIMIT_MAX: usize = 1000;

/// The parameters of every list.
pub(super) const PARAMETERS: [Member; 2] =
    [may("limit", Schema::Between(1, LIMIT_MAX as u64)), may("after", Schema::Text)];

/// Which page is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// So many.
    pub(super) limit: usize,
    /// Behind this.
    pub(super) after: Option<String>,
}

impl Page {
    /// The names of its parameters.
    pub(super) const QUERY: &'static [&'static str] = &["limit", "after"];

    /// What the query says.
    pub(super) fn of(query: &Query) -> Result<Self, Problem> {
        let wrong = || Problem::invalid(format!("\"limit\" must be a whole number from 1 to {LIMIT_MAX}."));
        let limit = match query.one("limit")? {
            None => LIMIT_MAX,
            Some(text) => text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(wrong)?,
        };
        Ok(Self { limit, after: query.one("after")?.map(str::to_owned) })
    }

    /// The page of these items, ordered by their keys, and the cursor of the next page: the key of its last item, which
    /// holds also where that item is gone by then. Keys are unique.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        items.sort_by_cached_key(&key);
        if let Some(after) = &self.after {
            items.retain(|item| key(item) > *after);
        }
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| more).map(&key);
        (items, next)
    }

    /// The same of JSON objects, by the texts of these members.
    pub(super) fn cut_values(&self, items: Vec<Value>, members: &[&str]) -> (Vec<Value>, Option<String>) {
        let key = |item: &Value| {
            let texts: Vec<_> = members.iter().map(|member| item[*member].as_str().unwrap_or_default()).collect();
            texts.join("~")
        };
        self.cut(items, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, Problem> {
        Page::of(&Query::parse(query, Page::QUERY).expect("a query"))
    }

    fn check(query: &str, items: &[&str], expected: &[&str], next: Option<&str>) {
        let (found, cursor) = page(query).expect("a page").cut(items.to_vec(), ToString::to_string);
        assert_eq!((found.as_slice(), cursor.as_deref()), (expected, next), "{query}");
    }

    #[test]
    fn pages_follow_each_other_in_the_order_of_the_keys() {
        let items = ["c", "a", "d", "b"];
        check("", &items, &["a", "b", "c", "d"], None);
        check("limit=2", &items, &["a", "b"], Some("b"));
        check("limit=2&after=b", &items, &["c", "d"], None);
        check("limit=2&after=zz", &items, &[], None);
    }

    #[test]
    fn cursor_holds_where_its_item_is_gone_and_others_have_come() {
        check("limit=2&after=b", &["a", "aa", "c", "d", "e"], &["c", "d"], Some("d"));
    }

    #[test]
    fn limits_out_of_bounds_are_refused() {
        for wrong in ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit="] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }
}
