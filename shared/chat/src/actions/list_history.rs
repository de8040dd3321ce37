//! `GET /chat-history/list`: read a page of a room's history.

use crate::limits::{PAGE_DEFAULT, PAGE_MAX, QUERY_BYTES_MAX, SAFE_INTEGER_MAX};
use crate::wire::Invalid;
use crate::{
    Attachment, Caller, ChangeNumber, Emoji, Extras, Message, MessageId, Profile, Rejection, RoomId, Timestamp, UserId,
};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use url::form_urlencoded;

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    Newest,
    Before(MessageId),
    After(MessageId),
}

/// `GET /chat-history/list?chatroomId=1[&limit=50][&before=ID|&after=ID]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListHistory {
    pub room: RoomId,
    pub cursor: Cursor,
    pub limit: usize,
}

impl ListHistory {
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
        let expected_room = || Invalid::expected("a room id").in_field("chatroomId");
        let cursor = |field| {
            let parse = |text| MessageId::parse(text).map_err(|invalid| invalid.in_field(field));
            only(&pairs, field)?.map(parse).transpose()
        };
        Ok(Self {
            room: RoomId::parse(room).ok_or_else(expected_room)?,
            cursor: match (cursor("before")?, cursor("after")?) {
                (None, None) => Cursor::Newest,
                (Some(id), None) => Cursor::Before(id),
                (None, Some(id)) => Cursor::After(id),
                (Some(_), Some(_)) => return Err(Rejection::TwoCursors),
            },
            limit: only(&pairs, "limit")?.map_or(Ok(PAGE_DEFAULT), limit)?,
        })
    }
}

pub(super) fn only<'a>(
    pairs: &'a [(Cow<'_, str>, Cow<'_, str>)],
    field: &'static str,
) -> Result<Option<&'a str>, Rejection> {
    let mut values = pairs.iter().filter(|(name, _)| name == field).map(|(_, value)| value.as_ref());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Invalid::expected("given once").in_field(field)),
        (value, None) => Ok(value),
    }
}

pub(super) fn limit(text: &str) -> Result<usize, Rejection> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = digits.then(|| text.parse().ok()).flatten().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Invalid::expected(format!("a whole number from 1 to {PAGE_MAX}")).in_field("limit"))
}

/// One message of the history, in the course's shape.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryItem {
    id: MessageId,
    /// Where a message is listed for what changed: the number of that change.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeNumber>,
    /// Only of a message that was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<ChangeNumber>,
    content: String,
    #[serde(rename = "type")]
    kind: u8,
    /// Of a file that was uploaded, and whose address is the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<Attachment>,
    chatroom_id: RoomId,
    sender_id: UserId,
    create_time: Timestamp,
    update_time: Timestamp,
    /// Only of a message whose content was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_time: Option<Timestamp>,
    /// Only of a message that was recalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<UserId>,
    /// This and the next only of a message that somebody reacted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: Option<BTreeMap<Emoji, BTreeSet<UserId>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction_version: Option<ChangeNumber>,
    #[serde(flatten)]
    extras: Extras,
    /// Whoever asks for changes has the message, and knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<Profile>,
}

impl HistoryItem {
    /// Of the history.
    pub fn new(message: Message, sender: Profile) -> Self {
        Self { sender: Some(sender), ..Self::of(message) }
    }

    /// Of the feed of changes.
    pub fn changed(message: Message, change: ChangeNumber) -> Self {
        Self { change: Some(change), ..Self::of(message) }
    }

    fn of(message: Message) -> Self {
        let deleted_by = message.deleted_by().cloned();
        let has_reactions = message.reactions.version > ChangeNumber::default();
        Self {
            id: message.id,
            change: None,
            version: message.changed.as_ref().map(|changed| changed.version),
            content: message.content.text().into(),
            kind: message.content.kind().number(),
            attachment: message.content.attachment().cloned(),
            update_time: message.update_time(),
            erase_time: message.content.erased_at(),
            chatroom_id: message.room,
            sender_id: message.sender,
            create_time: message.create_time,
            deleted: deleted_by.as_ref().map(|_| true),
            deleted_by,
            reaction_version: has_reactions.then_some(message.reactions.version),
            reactions: has_reactions.then_some(message.reactions.by_emoji),
            extras: message.content.extras().clone(),
            sender: None,
        }
    }
}

/// The messages of a page, oldest first, and whether more lie beyond it in the direction of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    pub messages: Vec<Message>,
    pub more: bool,
}

impl HistoryPage {
    /// The page's `Link` header (RFC 8288): `prev` leads to older messages, `next` to newer ones.
    ///
    /// The targets are query-only references, so they hold behind any host, stage or base path.
    pub fn links(&self, request: &ListHistory) -> Option<String> {
        let (oldest, newest) = match (self.messages.first(), self.messages.last()) {
            (Some(first), Some(last)) => (first.id.get(), last.id.get()),
            // An empty page still has a place: right before or after the cursor.
            _ => match request.cursor {
                Cursor::Newest => (0, 0),
                Cursor::Before(id) => (0, id.get().saturating_sub(1)),
                // Not above the largest id, or the link would be refused.
                Cursor::After(id) => ((id.get() + 1).min(SAFE_INTEGER_MAX), id.get()),
            },
        };
        let (older, newer) = match request.cursor {
            Cursor::Newest => (self.more, false),
            Cursor::Before(_) => (self.more, true),
            Cursor::After(id) => (id.get() > 0, self.more),
        };
        let prev = older.then(|| link(request, "before", oldest, "prev"));
        let next = newer.then(|| link(request, "after", newest, "next"));
        let links: Vec<_> = prev.into_iter().chain(next).collect();
        (!links.is_empty()).then(|| links.join(", "))
    }
}

fn link(request: &ListHistory, cursor: &str, id: u64, rel: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("chatroomId", &request.room.to_string())
        .append_pair("limit", &request.limit.to_string())
        .append_pair(cursor, &id.to_string())
        .finish();
    format!("<?{query}>; rel=\"{rel}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, MessageKind, Reactions};
    use serde_json::json;

    fn page(ids: impl IntoIterator<Item = u64>, more: bool) -> HistoryPage {
        let message = |id| Message {
            id: MessageId::new(id),
            room: RoomId::parse("1").expect("an id"),
            sender: UserId::parse("1").expect("an id"),
            content: Content::stored(MessageKind::Text, "hi".into()),
            create_time: Timestamp::from_millis(0),
            client_message_id: None,
            changed: None,
            reactions: Reactions::default(),
        };
        HistoryPage { messages: ids.into_iter().map(message).collect(), more }
    }

    fn links(query: &str, page: HistoryPage) -> String {
        page.links(&ListHistory::parse(query).expect("a request")).unwrap_or_default()
    }

    #[test]
    fn an_erased_message_keeps_its_place_and_says_since_when_it_is_empty() {
        let shown = |content| {
            let mut message = page([7], false).messages.remove(0);
            message.content = content;
            let sender = Profile::unknown(message.sender.clone());
            serde_json::to_value(HistoryItem::new(message, sender)).expect("JSON")
        };
        let (sent, erased) = ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.000Z");
        let item = shown(Content::erased(Timestamp::from_millis(1_000)));
        assert_eq!((&item["id"], &item["type"], &item["content"]), (&json!(7), &json!(0), &json!("")));
        assert_eq!((&item["createTime"], &item["updateTime"]), (&json!(sent), &json!(erased)));
        assert_eq!(item["eraseTime"], erased);
        let item = shown(Content::stored(MessageKind::Text, "hi".into()));
        assert_eq!((&item["updateTime"], item.get("eraseTime")), (&json!(sent), None));
    }

    #[test]
    fn a_plain_request_asks_for_the_newest_page() {
        let request = ListHistory::parse("chatroomId=1").expect("a request");
        assert_eq!((request.cursor, request.limit), (Cursor::Newest, PAGE_DEFAULT));
        assert_eq!(ListHistory::parse("chatroomId=%E5%85%89&x=y").expect("a request").room.to_string(), "光");
    }

    #[test]
    fn a_room_is_read_by_those_who_may_enter_it() {
        let read = |query| ListHistory::read(query, &super::super::tests::caller());
        assert!(read("chatroomId=1").is_ok());
        assert_eq!(read("chatroomId=2"), Err(Rejection::RoomNotGranted));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (query, said) in [
            ("", "chatroomId is missing"),
            ("chatroomId=", "chatroomId must be a room id"),
            ("chatroomId=1&chatroomId=2", "chatroomId must be given once"),
            ("chatroomId=1&limit=0", "limit must be a whole number from 1 to 100"),
            ("chatroomId=1&limit=101", "limit must be a whole number from 1 to 100"),
            ("chatroomId=1&limit=ten", "limit must be a whole number from 1 to 100"),
            ("chatroomId=1&limit=%2B5", "limit must be a whole number from 1 to 100"),
            ("chatroomId=1&before=-1", "before must be a message id: a whole number from 0 to 9007199254740991"),
            ("chatroomId=1&after=x", "after must be a message id: a whole number from 0 to 9007199254740991"),
            ("chatroomId=1&after=", "after must be a message id: a whole number from 0 to 9007199254740991"),
            ("chatroomId=1&before=1&after=1", "before and after exclude each other"),
        ] {
            let rejection = ListHistory::parse(query).expect_err(query);
            assert_eq!((rejection.status().0, rejection.to_string().as_str()), (400, said), "{query}");
        }
    }

    #[test]
    fn links_lead_to_the_neighbours_that_exist() {
        let (prev, next) = ("rel=\"prev\"", "rel=\"next\"");
        assert_eq!(links("chatroomId=1", page([], false)), "");
        assert_eq!(
            links("chatroomId=1&limit=2", page([8, 9], true)),
            format!("<?chatroomId=1&limit=2&before=8>; {prev}")
        );
        assert_eq!(
            links("chatroomId=1&limit=2&before=8", page([6, 7], true)),
            format!("<?chatroomId=1&limit=2&before=6>; {prev}, <?chatroomId=1&limit=2&after=7>; {next}")
        );
        assert_eq!(
            links("chatroomId=1&after=0&limit=2", page([1, 2], true)),
            format!("<?chatroomId=1&limit=2&after=2>; {next}")
        );
        assert_eq!(
            links("chatroomId=1&after=9&limit=2", page([], false)),
            format!("<?chatroomId=1&limit=2&before=10>; {prev}")
        );
        assert_eq!(
            links("chatroomId=1&before=1&limit=2", page([], false)),
            format!("<?chatroomId=1&limit=2&after=0>; {next}")
        );
    }

    #[test]
    fn a_link_never_leads_above_the_largest_id() {
        let prev = links("chatroomId=1&limit=2&after=9007199254740991", page([], false));
        assert_eq!(prev, "<?chatroomId=1&limit=2&before=9007199254740991>; rel=\"prev\"");
    }

    #[test]
    fn links_escape_what_a_room_is_called() {
        let text = links("chatroomId=a%26b%3E%22&limit=1", page([2], true));
        assert_eq!(text, "<?chatroomId=a%26b%3E%22&limit=1&before=2>; rel=\"prev\"");
    }
}
