//! Files that messages carry: where each lies in the bucket, and how it may be shown.

use crate::limits::{CLIENT_MESSAGE_ID_CHARS_MAX, FILE_NAME_CHARS_MAX, ID_BYTES_MAX, MEDIA_TYPE_CHARS_MAX};
use crate::wire::Invalid;
use crate::{ClientMessageId, RoomId, UserId};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use std::fmt;

/// What all keys begin with: rights, and the deletion of old files, are said by it.
pub const FILES_PREFIX: &str = "rooms/";

/// Longest id in base64url, in characters.
const ENCODED_ID_MAX: usize = ID_BYTES_MAX.div_ceil(3) * 4;

/// The name of a file that has none left.
const NAMELESS: &str = "file";

/// What a browser may show where it stands. Everything else is only saved: pages and SVGs run scripts.
const SHOWN: [&str; 5] = ["image/avif", "image/gif", "image/jpeg", "image/png", "image/webp"];

/// A file's key: `rooms/<room>/<user>/<clientMessageId>/<name>`.
///
/// It says whose file it is, and of which message, so nothing has to be looked up, a retry writes the same file again,
/// and nobody can name somebody else's. Ids are encoded in base64url (RFC 4648, section 5), since they may be any text;
/// a `clientMessageId` and the name have an alphabet that an address takes as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Attachment(String);

impl Attachment {
    /// That of a file of one send. Of its name those characters are kept that an address takes as they are.
    pub fn of(room: &RoomId, user: &UserId, id: &ClientMessageId, name: &str) -> Self {
        Self(format!("{}{}", folder(room, user, id), plain_name(name)))
    }

    /// Takes what a client sends, if it is a key, of whosever file.
    pub(crate) fn parse(key: &str) -> Result<Self, Invalid> {
        let is_made_of = |part: &str, most: usize, more: &[u8]| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            (1..=most).contains(&part.len()) && part.bytes().all(plain)
        };
        let parts: Vec<_> = key.strip_prefix(FILES_PREFIX).unwrap_or_default().split('/').collect();
        let is_key = match parts[..] {
            [room, user, id, name] => {
                [room, user].iter().all(|part| is_made_of(part, ENCODED_ID_MAX, b"-_"))
                    && is_made_of(id, CLIENT_MESSAGE_ID_CHARS_MAX, b"-_")
                    && is_made_of(name, FILE_NAME_CHARS_MAX, b"-_.")
                    && !name.starts_with('.')
            }
            _ => false,
        };
        let expected = || Invalid::expected("what createUpload answered");
        is_key.then(|| Self(key.to_owned())).ok_or_else(expected)
    }

    /// Whether it is the file of one send.
    pub(crate) fn belongs_to(&self, room: &RoomId, user: &UserId, id: &ClientMessageId) -> bool {
        self.0.starts_with(&folder(room, user, id))
    }

    /// A key that was checked when it was stored.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    pub fn key(&self) -> &str {
        &self.0
    }

    /// What the keys of a user's files in a room begin with.
    pub fn folder(room: &RoomId, user: &UserId) -> String {
        format!("{FILES_PREFIX}{}/{}/", encoded(room), encoded(user))
    }

    /// Whether a key is of a user's file, whatever its room and message.
    pub fn is_of(key: &str, user: &UserId) -> bool {
        let mut parts = key.strip_prefix(FILES_PREFIX).unwrap_or_default().split('/');
        parts.nth(1).is_some_and(|part| part == encoded(user)) && parts.count() == 2
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn folder(room: &RoomId, user: &UserId, id: &ClientMessageId) -> String {
    format!("{}{id}/", Attachment::folder(room, user))
}

fn encoded(id: impl fmt::Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.to_string())
}

/// A name in letters, digits, `.`, `_` and `-`, its end rather than its beginning: that is where its kind stands. What
/// begins with a dot is hidden on some systems, and `..` is another address.
fn plain_name(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
            plain.push(c);
        } else if !plain.ends_with('_') {
            plain.push('_');
        }
    }
    let end = plain.len().saturating_sub(FILE_NAME_CHARS_MAX);
    match plain[end..].trim_start_matches('.') {
        "" | "_" => NAMELESS.to_owned(),
        plain => plain.to_owned(),
    }
}

/// What kind of file it is (RFC 6838, section 4.2), in lower case and without parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Nothing known about it.
    pub fn unknown() -> Self {
        Self("application/octet-stream".into())
    }

    /// Reads what a browser calls the type of a file, which is empty if it knows none.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let is_name = |name: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && name.bytes().all(plain)
        };
        match text.split_once('/') {
            None if text.is_empty() => Ok(Self::unknown()),
            Some((kind, of)) if text.len() <= MEDIA_TYPE_CHARS_MAX && is_name(kind) && is_name(of) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(Invalid::expected("a media type such as image/png, without parameters")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a browser is told to do with the file (RFC 6266): show it where it stands, or save it under this name.
    pub fn disposition(&self, name: &str) -> String {
        if SHOWN.contains(&self.as_str()) {
            return "inline".into();
        }
        // RFC 8187: in UTF-8, percent-encoded.
        let mut disposition = String::from("attachment; filename*=UTF-8''");
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                disposition.push(char::from(byte));
            } else {
                disposition.push_str(&format!("%{byte:02X}"));
            }
        }
        disposition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CLIENT_MESSAGE_ID_CHARS_MAX, ID_BYTES_MAX};
    use proptest::prelude::*;
    use serde_json::json;

    /// Longest key of an object, in bytes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
    const KEY_BYTES_MAX: usize = 1_024;

    fn room(id: &str) -> RoomId {
        RoomId::parse(id).expect("an id")
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("an id")
    }

    fn send(id: &str) -> ClientMessageId {
        ClientMessageId::from_json(&json!(id)).expect("an id")
    }

    fn key(name: &str) -> String {
        Attachment::of(&room("lobby"), &user("auth0|5"), &send("7f3a"), name).key().to_owned()
    }

    #[test]
    fn a_key_says_whose_file_it_is_and_of_which_message() {
        assert_eq!(key("cat.png"), "rooms/bG9iYnk/YXV0aDB8NQ/7f3a/cat.png");
        let longest = "光".repeat(ID_BYTES_MAX / 3);
        let id = "x".repeat(CLIENT_MESSAGE_ID_CHARS_MAX);
        let longest = Attachment::of(&room(&longest), &user(&longest), &send(&id), &"x".repeat(1_000));
        assert!(longest.key().len() <= KEY_BYTES_MAX, "{}", longest.key().len());
    }

    #[test]
    fn a_name_is_kept_as_far_as_an_address_takes_it() {
        for (name, plain) in [
            ("cat.png", "cat.png"),
            ("my cat (2).PNG", "my_cat_2_.PNG"),
            ("猫.png", "_.png"),
            ("猫", "file"),
            ("", "file"),
            ("..", "file"),
            ("../../etc/passwd", "_.._etc_passwd"),
            (".htaccess", "htaccess"),
            ("a\u{0}\n\"'b", "a_b"),
        ] {
            assert_eq!(key(name), format!("rooms/bG9iYnk/YXV0aDB8NQ/7f3a/{plain}"), "{name:?}");
        }
        let long = key(&format!("{}.png", "x".repeat(500)));
        assert!(long.ends_with("xx.png") && long.len() < 140, "{long}");
    }

    #[test]
    fn a_key_belongs_to_one_send() {
        let belongs = |attachment: &Attachment| attachment.belongs_to(&room("lobby"), &user("auth0|5"), &send("7f3a"));
        let of =
            |room: &str, user: &str, id: &str| Attachment::of(&self::room(room), &self::user(user), &send(id), "a");
        assert!(belongs(&of("lobby", "auth0|5", "7f3a")));
        for other in [of("1", "auth0|5", "7f3a"), of("lobby", "7", "7f3a"), of("lobby", "auth0|5", "7f3a7")] {
            assert!(!belongs(&other), "{other}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_read() {
        assert_eq!(Attachment::parse(&key("my cat.png")).map(|attachment| attachment.0), Ok(key("my cat.png")));
        let longest = "x".repeat(FILE_NAME_CHARS_MAX);
        assert!(Attachment::parse(&key(&longest)).is_ok());
        for (of, key) in [
            ("a folder", key("").replace("file", "")),
            ("a name that leads elsewhere", key("").replace("file", "..")),
            ("a name that is hidden", key("").replace("file", ".a")),
            ("a name that is too long", key("").replace("file", &(longest + "x"))),
            ("a folder more", key("").replace("file", "a/b")),
            ("a folder less", key("").replace("/7f3a", "")),
            ("an escape", key("").replace("file", "a%2fb")),
            ("a question", key("").replace("file", "a?b")),
            ("an address", format!("https://example.com/{}", key("a"))),
            ("another prefix", key("a").replace("rooms/", "logs/")),
            ("an id that is too long", key("a").replace("bG9iYnk", &"x".repeat(ENCODED_ID_MAX + 1))),
            ("nothing", String::new()),
        ] {
            assert!(Attachment::parse(&key).is_err(), "{of}: {key}");
        }
    }

    #[test]
    fn a_users_files_are_known_by_their_keys() {
        let key = key("cat.png");
        assert!(Attachment::is_of(&key, &user("auth0|5")));
        assert!(!Attachment::is_of(&key, &user("lobby")) && !Attachment::is_of(&key, &user("7")));
        assert!(!Attachment::is_of(&format!("{key}/more"), &user("auth0|5")), "no key of ours");
        assert!(key.starts_with(&Attachment::folder(&room("lobby"), &user("auth0|5"))));
    }

    #[test]
    fn a_media_type_is_one_by_its_grammar() {
        let read = |text: &str| MediaType::parse(text).ok().map(|kind| kind.0);
        assert_eq!(read("image/PNG").as_deref(), Some("image/png"));
        assert_eq!(read("").as_deref(), Some("application/octet-stream"));
        assert!(read("application/vnd.oasis.opendocument.text").is_some() && read("x-a/y+z").is_some());
        let long = format!("a/{}", "b".repeat(MEDIA_TYPE_CHARS_MAX));
        for bad in ["image", "image/", "/png", "text/html; charset=utf-8", "a/b/c", "a/b\r\nc", "ä/b", " a/b", &long] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_pictures_that_run_nothing_are_shown_where_they_stand() {
        let of = |kind: &str| MediaType::parse(kind).expect("a type").disposition("猫 \"1\".png");
        for kind in SHOWN {
            assert_eq!(of(kind), "inline");
        }
        for kind in ["image/svg+xml", "text/html", "application/pdf", "text/plain", "application/xhtml+xml", ""] {
            assert_eq!(of(kind), "attachment; filename*=UTF-8''%E7%8C%AB%20%221%22.png", "{kind}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_its_key_is_read_back(name in "\\PC{0,300}", other in "[a-z|#/]{1,8}") {
            let (room, user, id) = (room("a/b"), user(&other), send("7f3a"));
            let attachment = Attachment::of(&room, &user, &id, &name);
            prop_assert_eq!(Attachment::parse(attachment.key()), Ok(attachment.clone()));
            prop_assert!(attachment.belongs_to(&room, &user, &id));
            prop_assert!(Attachment::is_of(attachment.key(), &user));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
            prop_assert!(attachment.key().bytes().all(plain) && attachment.key().split('/').count() == 5);
        }
    }
}
