use crate::limits::{TEXT_CHARS_MAX, URL_CHARS_MAX};
use crate::visible::is_blank;
use crate::wire::Invalid;
use crate::{
    Attachment, ChangeNumber, Changed, ClientMessageId, Extras, MessageId, Reactions, Rejection, RoomId, Timestamp,
    UserId,
};
use serde::{Deserialize, Serialize};
use url::Url;

/// What a message carries. The socket says it in words, the history in the course's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MessageKind {
    Text,
    Image,
    File,
}

impl MessageKind {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "text" => Ok(Self::Text),
            "image" => Ok(Self::Image),
            "file" => Ok(Self::File),
            _ => Err(Invalid::expected("\"text\", \"image\" or \"file\"")),
        }
    }

    /// The number that the history shows: text 0, image 1, file 2.
    pub const fn number(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Image => 1,
            Self::File => 2,
        }
    }
}

/// Content that keeps to the rules of its kind, byte for byte as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    kind: MessageKind,
    text: String,
    erased_at: Option<Timestamp>,
    /// Erased content has none.
    extras: Extras,
    /// Of an image or a file that was uploaded. Recalled content keeps it, so that the file can be deleted again.
    file: Option<Attachment>,
}

impl Content {
    /// Takes a text of 1 to 4,000 characters of which something can be seen, or the absolute http(s) address of an
    /// image or file.
    pub fn parse(kind: MessageKind, text: &str) -> Result<Self, Rejection> {
        const FIELD: &str = "message.content";
        match kind {
            MessageKind::Text if is_blank(text) => {
                return Err(Invalid::expected("a text that is not blank").in_field(FIELD));
            }
            MessageKind::Text if text.chars().count() > TEXT_CHARS_MAX => {
                return Err(Rejection::TooLarge { field: FIELD, limit: TEXT_CHARS_MAX });
            }
            MessageKind::Image | MessageKind::File if !is_web_address(text) => {
                let expected = format!("an absolute http or https URL of at most {URL_CHARS_MAX} characters");
                return Err(Invalid::expected(expected).in_field(FIELD));
            }
            _ => {}
        }
        Ok(Self::stored(kind, text.into()))
    }

    /// Content that was checked when it was stored.
    pub fn stored(kind: MessageKind, text: String) -> Self {
        Self { kind, text, erased_at: None, extras: Extras::default(), file: None }
    }

    /// A file that was uploaded. What it says is an [address](Self::at), which is good for a while and so not stored.
    pub fn attached(kind: MessageKind, file: Attachment) -> Self {
        Self { file: Some(file), ..Self::stored(kind, String::new()) }
    }

    /// The same with a file, or without one, as it was stored.
    #[must_use]
    pub fn with_file(self, file: Option<Attachment>) -> Self {
        Self { file, ..self }
    }

    /// The same with the address under which its file is to be had.
    #[must_use]
    pub fn at(self, address: String) -> Self {
        Self { text: address, ..self }
    }

    /// The same with what is said beside it.
    #[must_use]
    pub fn with(self, extras: Extras) -> Self {
        Self { extras, ..self }
    }

    /// What is left of content that was erased. It is an empty text: every client can show an empty text, but not an
    /// empty address.
    pub fn erased(at: Timestamp) -> Self {
        Self { erased_at: Some(at), ..Self::stored(MessageKind::Text, String::new()) }
    }

    /// What is left of content that was recalled: an empty text, as of content that was erased.
    #[must_use]
    pub fn recalled(self) -> Self {
        Self::stored(MessageKind::Text, String::new()).with_file(self.file)
    }

    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file that it shows; of content that was recalled, none.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.file.as_ref().filter(|_| self.kind != MessageKind::Text)
    }

    /// The file that it shows, or showed.
    pub fn file(&self) -> Option<&Attachment> {
        self.file.as_ref()
    }

    pub fn extras(&self) -> &Extras {
        &self.extras
    }

    /// When an operator erased it, if one did.
    pub fn erased_at(&self) -> Option<Timestamp> {
        self.erased_at
    }
}

fn is_web_address(text: &str) -> bool {
    // The URL standard strips blanks and line breaks before it parses; what we store is what was sent, so refuse them.
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    plain
        && text.chars().count() <= URL_CHARS_MAX
        && has_authority(text)
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `https:host` and `http:/host` parse as absolute by the URL standard, yet a page on https reads them as relative.
fn has_authority(text: &str) -> bool {
    text.split_once(':').is_some_and(|(_, rest)| rest.starts_with("//"))
}

/// A message as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    pub room: RoomId,
    pub sender: UserId,
    pub content: Content,
    pub create_time: Timestamp,
    pub client_message_id: Option<ClientMessageId>,
    /// Nothing of a message that is as it was sent.
    pub changed: Option<Changed>,
    pub reactions: Reactions,
}

impl Message {
    /// The number of its latest change; 0 of a message that is as it was sent.
    pub fn version(&self) -> ChangeNumber {
        self.changed.as_ref().map_or(ChangeNumber::default(), |changed| changed.version)
    }

    /// When it became what it is.
    pub fn update_time(&self) -> Timestamp {
        let changed = self.changed.as_ref().map(|changed| changed.time);
        self.content.erased_at().max(changed).unwrap_or(self.create_time)
    }

    /// Who recalled it, if somebody did.
    pub fn deleted_by(&self) -> Option<&UserId> {
        self.changed.as_ref()?.deleted_by.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: MessageKind, text: &str) -> Option<&'static str> {
        Content::parse(kind, text).err().map(|rejection| rejection.code())
    }

    #[test]
    fn text_is_kept_byte_for_byte() {
        for text in ["hi", " leading", "a\u{0}b", "🦀 👩‍👩‍👧‍👦", "مرحبا \u{202e}abc", "<b>&amp;</b>", "e\u{301}"]
        {
            let content = Content::parse(MessageKind::Text, text).expect(text);
            assert_eq!(content.text(), text);
        }
    }

    #[test]
    fn blank_and_endless_text_is_refused() {
        for blank in [
            "",
            " ",
            "\t\r\n",
            "\u{3000}",
            "\u{200b}\u{200d}\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{202e}\u{202c}",
            "\u{0}",
        ] {
            assert_eq!(code(MessageKind::Text, blank), Some("badRequest"), "{blank:?}");
        }
        assert_eq!(code(MessageKind::Text, &"光".repeat(TEXT_CHARS_MAX)), None);
        assert_eq!(code(MessageKind::Text, &"x".repeat(TEXT_CHARS_MAX + 1)), Some("tooLarge"));
    }

    #[test]
    fn images_and_files_are_web_addresses() {
        let fits = format!("https://example.com/{}", "a".repeat(URL_CHARS_MAX - 20));
        for url in ["http://a", "https://example.com/猫.png?x=1#y", "HTTPS://EXAMPLE.COM", "http://[::1]:80/", &fits] {
            assert_eq!(code(MessageKind::Image, url), None, "{url}");
        }
        let long = format!("{fits}a");
        for url in [
            "",
            "cat.png",
            "/cat.png",
            "//example.com/a",
            "ftp://example.com/a",
            "javascript:alert(1)",
            "https:example.com",
            "data:image/png;base64,AA==",
            "http://",
            "https://exa mple.com",
            " https://example.com",
            "https://a/\n",
            &long,
        ] {
            assert_eq!(code(MessageKind::File, url), Some("badRequest"), "{url}");
        }
    }
}
