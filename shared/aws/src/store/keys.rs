//! Every key string of both tables.

use chat::limits::SAFE_INTEGER_MAX;
use chat::{ChangeNumber, ClientMessageId, ConnectionId, Device, MessageId, RoomId, Timestamp, UserId};

/// Attribute names of the primary key.
pub const PARTITION: &str = "PK";
pub const SORT: &str = "SK";

/// Sort key of the row that says a connection is open.
pub const OPEN: &str = "CONN";

/// The index of the connections that are kept alive, and the key of its one part: those of Engine.IO 4.
pub const KEPT_ALIVE_INDEX: &str = "KeptAlive";
pub const KEPT_ALIVE: &str = "EIO#4";

/// Sort key of a room's counter.
pub const HEAD: &str = "HEAD";

/// Sort key of what counts a room's changes. They are not counted beside the messages: a transaction there would turn
/// sends away.
pub const CHANGED: &str = "CHANGED";

/// Sort key of what a kept room is.
pub const INFO: &str = "INFO";

/// Sort key of a user's profile.
pub const PROFILE: &str = "PROFILE";

/// What the sort keys of a room's connections begin with.
pub const CONNECTION_PREFIX: &str = "CONN#";

/// What the sort keys of a room's messages begin with.
pub const MESSAGE_PREFIX: &str = "MSG#";

const MINE_PREFIX: &str = "MINE#";
const MARK_PREFIX: &str = "MARK#";

/// What the sort keys of a room's changes begin with.
const CHANGE_PREFIX: &str = "CHG#";

pub fn connection(id: &ConnectionId) -> String {
    format!("{CONNECTION_PREFIX}{id}")
}

pub fn room(id: &RoomId) -> String {
    format!("ROOM#{id}")
}

/// Reads back what [`room`] wrote.
pub fn parse_room(text: &str) -> Option<RoomId> {
    RoomId::parse(text.strip_prefix("ROOM#")?)
}

/// The partition of what a user has in rooms: the sort keys are [`room`]s. It is not the user's own: whoever keeps marks
/// there need not reach profiles and revocations.
pub fn mine(id: &UserId) -> String {
    format!("{MINE_PREFIX}{id}")
}

/// What the sort keys of a user's kept rooms begin with.
pub const ROOM_PREFIX: &str = "ROOM#";

/// The sort key of a user's mark in a room. That of a room that a token grants stands apart from the user's kept rooms: of
/// such rooms there may be any number, and nobody reads through them for a list.
pub fn mark(room_id: &RoomId) -> String {
    if room_id.is_kept() { room(room_id) } else { format!("{MARK_PREFIX}{room_id}") }
}

pub fn user(id: &UserId) -> String {
    format!("USER#{id}")
}

/// Padded to the 16 digits of the largest id, so that text order is the order of numbers.
pub fn message(id: MessageId) -> String {
    format!("{MESSAGE_PREFIX}{:016}", id.get())
}

/// The first sort key of a room's members after this connection, or of all.
pub fn member_after(id: Option<&ConnectionId>) -> String {
    // Nothing sorts between a text and the same with a NUL behind it.
    id.map_or(CONNECTION_PREFIX.to_owned(), |id| format!("{}\0", connection(id)))
}

/// The last sort key of a room's members up to this connection, or of all.
pub fn member_up_to(id: Option<&ConnectionId>) -> String {
    // Ids of connections are ASCII, and nothing of it comes after this.
    id.map_or(format!("{CONNECTION_PREFIX}\u{7f}"), connection)
}

/// What the sort keys of a room's reports begin with.
const REPORT_PREFIX: &str = "REPORT#";

/// Somebody's report of a message; padded as [`message`] is.
pub fn report(id: MessageId, reporter: &UserId) -> String {
    format!("{REPORT_PREFIX}{:016}#{reporter}", id.get())
}

/// The first and last sort keys of a room's reports.
pub fn reports() -> (String, String) {
    // Nothing that a key begins with sorts after it.
    (REPORT_PREFIX.into(), format!("{REPORT_PREFIX}\u{7f}"))
}

/// The attribute of a user's row that says until when the user is banned from a room.
pub fn ban(room: &RoomId) -> String {
    format!("ban#{room}")
}

/// Whether an attribute is one of these.
pub fn is_ban(attribute: &str) -> bool {
    attribute.starts_with("ban#")
}

/// Reads back what [`message`] wrote.
pub fn parse_message(text: &str) -> Option<MessageId> {
    text.strip_prefix(MESSAGE_PREFIX)?.parse().ok().map(MessageId::new)
}

/// Padded as [`message`] is.
pub fn change(number: ChangeNumber) -> String {
    format!("{CHANGE_PREFIX}{:016}", number.get())
}

/// Reads back what [`change`] wrote.
pub fn parse_change(text: &str) -> Option<ChangeNumber> {
    text.strip_prefix(CHANGE_PREFIX)?.parse().ok().map(ChangeNumber::new)
}

/// The first and last sort keys of the changes after one, or none if none can be.
pub fn changes_after(number: ChangeNumber) -> Option<(String, String)> {
    let first = number.next();
    (first.get() <= SAFE_INTEGER_MAX).then(|| (change(first), change(ChangeNumber::new(SAFE_INTEGER_MAX))))
}

/// The first and last sort keys of the messages strictly between two ids, or none if there is no room between them.
pub fn messages_between(after: Option<MessageId>, before: Option<MessageId>) -> Option<(String, String)> {
    let first = after.map_or(0, |id| id.get() + 1);
    let last = before.map_or(Some(SAFE_INTEGER_MAX), |id| id.get().checked_sub(1))?;
    (first <= last).then(|| (message(MessageId::new(first)), message(MessageId::new(last))))
}

/// Unambiguous, because a `clientMessageId` holds no `#`.
pub fn sent(user: &UserId, id: &ClientMessageId) -> String {
    format!("SENT#{user}#{id}")
}

/// A connection in the set of its user's: when it began, in ms, and its id.
pub fn device(device: &Device) -> String {
    format!("{}#{}", device.connected_at.millis(), device.connection)
}

/// Reads back what [`device`] wrote.
pub fn parse_device(text: &str) -> Option<Device> {
    let (connected_at, connection) = text.split_once('#')?;
    let connected_at = Timestamp::from_millis(connected_at.parse().ok()?);
    Some(Device { connection: ConnectionId::new(connection), connected_at })
}

/// A table, as its rows' keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Connections,
    Chat,
    /// Somebody else's.
    Unknown,
}

/// Which table a row with this key belongs to.
pub fn table(partition: &str, sort: &str) -> Table {
    let (in_room, of_connection) = (partition.starts_with("ROOM#"), sort.starts_with(CONNECTION_PREFIX));
    match sort {
        OPEN if partition.starts_with(CONNECTION_PREFIX) => Table::Connections,
        _ if in_room && of_connection => Table::Connections,
        PROFILE if partition.starts_with("USER#") => Table::Chat,
        HEAD | CHANGED | INFO if in_room => Table::Chat,
        _ if partition.starts_with(MINE_PREFIX) && [ROOM_PREFIX, MARK_PREFIX].iter().any(|of| sort.starts_with(of)) => {
            Table::Chat
        }
        _ if in_room
            && [MESSAGE_PREFIX, CHANGE_PREFIX, REPORT_PREFIX, "SENT#"]
                .iter()
                .any(|prefix| sort.starts_with(prefix)) =>
        {
            Table::Chat
        }
        _ => Table::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_read_as_documented() {
        let (room_id, user_id) = (RoomId::parse("01#x").expect("an id"), UserId::parse("7").expect("an id"));
        let client: ClientMessageId = serde_json::from_str("\"a-1\"").expect("an id");
        assert_eq!(room(&room_id), "ROOM#01#x");
        assert_eq!(parse_room("MINE#1"), None);
        assert_eq!(user(&user_id), "USER#7");
        assert_eq!(mark(&room_id), "MARK#01#x");
        let pair = RoomId::of_pair(&user_id, &UserId::parse("8").expect("an id"));
        assert_eq!(mark(&pair), room(&pair));
        assert_eq!((mine(&user_id).as_str(), parse_room("ROOM#01#x")), ("MINE#7", Some(room_id)));
        assert_eq!(connection(&ConnectionId::new("L0SM9cOFvHcCIhw=")), "CONN#L0SM9cOFvHcCIhw=");
        assert_eq!(sent(&user_id, &client), "SENT#7#a-1");
        assert_eq!(message(MessageId::new(42)), "MSG#0000000000000042");
        let connection_id = ConnectionId::new("L0S=");
        assert_eq!((member_after(None), member_up_to(Some(&connection_id))), ("CONN#".into(), "CONN#L0S=".into()));
        assert!(member_after(Some(&connection_id)) > connection(&connection_id));
        assert!(member_after(Some(&connection_id)) < connection(&ConnectionId::new("L0S=A")));
        assert!(member_up_to(None) > connection(&ConnectionId::new("zzz=")));
        assert_eq!(parse_message("MSG#0000000000000042"), Some(MessageId::new(42)));
        assert_eq!(change(ChangeNumber::new(18)), "CHG#0000000000000018");
        assert_eq!(parse_change("CHG#0000000000000018"), Some(ChangeNumber::new(18)));
        assert_eq!(changes_after(ChangeNumber::new(SAFE_INTEGER_MAX)), None);
        let phone =
            Device { connection: ConnectionId::new("L0S#"), connected_at: Timestamp::from_millis(1_741_746_165_123) };
        assert_eq!(device(&phone), "1741746165123#L0S#");
        assert_eq!(parse_device(&device(&phone)), Some(phone));
        assert_eq!((parse_device("x#L0S"), parse_device("L0S")), (None, None));
    }

    #[test]
    fn a_rows_key_tells_its_table() {
        let (room, user) = (room(&RoomId::parse("1").expect("an id")), user(&UserId::parse("7").expect("an id")));
        let connection = connection(&ConnectionId::new("L0S="));
        let client: ClientMessageId = serde_json::from_str("\"a-1\"").expect("an id");
        for (partition, sort) in [(connection.as_str(), OPEN), (room.as_str(), connection.as_str())] {
            assert_eq!(table(partition, sort), Table::Connections, "{partition} {sort}");
        }
        let sent = sent(&UserId::parse("7").expect("an id"), &client);
        let report = report(MessageId::new(1), &UserId::parse("7").expect("an id"));
        let (first, last) = reports();
        assert!(first < report && report < last, "{report}");
        for sort in [HEAD, CHANGED, INFO, &message(MessageId::new(1)), &change(ChangeNumber::new(1)), &report, &sent] {
            assert_eq!(table(&room, sort), Table::Chat, "{sort}");
        }
        assert_eq!(table(&user, PROFILE), Table::Chat);
        assert_eq!(table(&mine(&UserId::parse("7").expect("an id")), &room), Table::Chat);
        assert_eq!((table("order#1", "HEAD"), table(&room, "x")), (Table::Unknown, Table::Unknown));
    }

    #[test]
    fn ranges_exclude_their_ends() {
        let id = MessageId::new;
        assert_eq!(messages_between(Some(id(5)), Some(id(7))), Some((message(id(6)), message(id(6)))));
        assert_eq!(messages_between(None, Some(id(0))), None);
        assert_eq!(messages_between(Some(id(SAFE_INTEGER_MAX)), None), None);
        assert_eq!(messages_between(None, None), Some((message(id(0)), message(id(SAFE_INTEGER_MAX)))));
    }

    proptest! {
        #[test]
        fn message_keys_sort_as_their_ids(a in 0..=SAFE_INTEGER_MAX, b in 0..=SAFE_INTEGER_MAX) {
            prop_assert_eq!(message(MessageId::new(a)).cmp(&message(MessageId::new(b))), a.cmp(&b));
        }

        #[test]
        fn different_sends_have_different_keys(
            user_a in "[a#]{1,4}", user_b in "[a#]{1,4}", client_a in "[a_]{1,3}", client_b in "[a_]{1,3}",
        ) {
            let key = |user: &str, client: &str| {
                let client: ClientMessageId = serde_json::from_value(client.into()).expect("an id");
                sent(&UserId::parse(user).expect("an id"), &client)
            };
            let same = (&user_a, &client_a) == (&user_b, &client_b);
            prop_assert_eq!(key(&user_a, &client_a) == key(&user_b, &client_b), same);
        }

        #[test]
        fn no_key_is_longer_than_dynamodb_takes(user in "\\PC{1,255}", client in "[a-z]{1,64}") {
            if let Some(user) = UserId::parse(&user) {
                let client: ClientMessageId = serde_json::from_value(client.into()).expect("an id");
                prop_assert!(sent(&user, &client).len() <= 1_024);
            }
        }
    }
}
