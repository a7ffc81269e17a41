//! The path of a resource below `/api/v1`, built of encoded segments and query members.

/// A path with its query; whatever the segments hold, it stays one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    text: String,
    has_query: bool,
}

impl Resource {
    /// The path of these segments.
    pub(super) fn of(segments: &[&str]) -> Resource {
        let encoded: Vec<_> = segments.iter().map(|segment| encode(segment)).collect();
        Resource { text: encoded.join("/"), has_query: false }
    }

    /// The same with a query member.
    pub(super) fn with(mut self, name: &str, value: &str) -> Resource {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.text.push_str(&format!("{}={}", encode(name), encode(value)));
        self.has_query = true;
        self
    }

    /// The same with a query member where there is a value.
    pub(super) fn with_some(self, name: &str, value: Option<&str>) -> Resource {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Its text, without a slash before it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters; a segment of dots alone is encoded, too, since it would
/// otherwise name another resource.
fn encode(text: &str) -> String {
    let only_dots = text.bytes().all(|byte| byte == b'.');
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !only_dots) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_cannot_leave_its_place() {
        let path = Resource::of(&["studies", "../x?y", "participants", ".."]);
        assert_eq!(path.as_str(), "studies/..%2Fx%3Fy/participants/%2E%2E");
    }

    #[test]
    fn query_members_are_joined() {
        let path = Resource::of(&["studies", "A", "export"]).with("participant", "A-1").with("from", "a&b");
        assert_eq!(path.with_some("to", None).as_str(), "studies/A/export?participant=A-1&from=a%26b");
    }
}
