//! `GET /chat-history/changes`: what changed in a room since.

use super::list_history::{HistoryItem, limit, only};
use crate::limits::{CHANGES_PAGE_MAX, QUERY_BYTES_MAX};
use crate::wire::Invalid;
use crate::{Caller, ChangeNumber, Message, Rejection, RoomId};
use url::form_urlencoded;

/// `GET /chat-history/changes?chatroomId=1&after=17[&limit=100]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChanges {
    pub room: RoomId,
    /// The reader's position: it knows every change up to this one.
    pub after: ChangeNumber,
    pub limit: usize,
}

impl ListChanges {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(query: &str, caller: &Caller) -> Result<Self, Rejection> {
        let asked = Self::parse(query)?;
        caller.may_enter(&asked.room)?;
        Ok(asked)
    }

    /// Reads a query string. Unknown names are ignored; a name given twice is refused.
    pub fn parse(query: &str) -> Result<Self, Rejection> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Rejection::QueryTooLarge);
        }
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let room = only(&pairs, "chatroomId")?.ok_or(Rejection::Missing { field: "chatroomId" })?;
        let after = only(&pairs, "after")?.ok_or(Rejection::Missing { field: "after" })?;
        Ok(Self {
            room: RoomId::parse(room).ok_or_else(|| Invalid::expected("a room id").in_field("chatroomId"))?,
            after: ChangeNumber::parse(after).map_err(|invalid| invalid.in_field("after"))?,
            limit: only(&pairs, "limit")?.map_or(Ok(CHANGES_PAGE_MAX), limit)?,
        })
    }
}

/// Messages in the order of their latest change, each in its latest state, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesPage {
    pub changes: Vec<(ChangeNumber, Message)>,
    pub more: bool,
}

impl ChangesPage {
    /// The page's `Link` header (RFC 8288). It goes on after the last `change`, never after a `version`: a message may
    /// have been changed again meanwhile, and what lies between would be passed over.
    pub fn links(&self, asked: &ListChanges) -> Option<String> {
        let (last, _) = self.changes.last().filter(|_| self.more)?;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("chatroomId", &asked.room.to_string())
            .append_pair("limit", &asked.limit.to_string())
            .append_pair("after", &last.to_string())
            .finish();
        Some(format!("<?{query}>; rel=\"next\""))
    }

    pub fn into_items(self) -> Vec<HistoryItem> {
        self.changes.into_iter().map(|(change, message)| HistoryItem::changed(message, change)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, edited};
    use super::*;

    #[test]
    fn a_position_is_required_and_names_are_given_once() {
        for (query, said) in [
            ("chatroomId=1&after=0", ""),
            ("after=0", "chatroomId is missing"),
            ("chatroomId=1", "after is missing"),
            ("chatroomId=1&after=", "after must be the number of a change"),
            ("chatroomId=1&after=-1", "after must be the number of a change"),
            ("chatroomId=1&after=1&after=2", "after must be given once"),
            ("chatroomId=1&after=1&limit=101", "limit must be a whole number from 1 to 100"),
            ("chatroomId=2&after=1", "the token does not grant the room"),
        ] {
            let refused = ListChanges::read(query, &caller()).err().map(|refused| refused.to_string());
            assert!(refused.clone().unwrap_or_default().starts_with(said), "{query}: {refused:?}");
            assert_eq!(refused.is_none(), said.is_empty(), "{query}");
        }
    }

    #[test]
    fn the_next_page_begins_after_the_last_change_and_not_after_a_version() {
        let asked = ListChanges::parse("chatroomId=1&after=3&limit=2").expect("a request");
        let page = |more| ChangesPage { changes: vec![(ChangeNumber::new(5), edited(18))], more };
        let next = "<?chatroomId=1&limit=2&after=5>; rel=\"next\"";
        assert_eq!((page(true).links(&asked).as_deref(), page(false).links(&asked)), (Some(next), None));
    }
}
