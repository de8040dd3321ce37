//! `createUpload`: ask where a file may be posted, before the message that carries it is sent.

use crate::attachment::MediaType;
use crate::limits::{FILE_NAME_BYTES_MAX, SAFE_INTEGER_MAX};
use crate::wire::Invalid;
use crate::{Attachment, Caller, ClientMessageId, Rejection, Reply, Request, RoomId, visible};
use serde::Serialize;
use std::collections::BTreeMap;

/// How large a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSize {
    megabytes: u64,
}

impl FileSize {
    /// So many times 1,024 times 1,024 bytes at most; 0 takes no files.
    pub const fn up_to_megabytes(megabytes: u64) -> Self {
        Self { megabytes }
    }

    fn admit(self, bytes: u64) -> Result<(), Rejection> {
        if self.megabytes == 0 {
            return Err(Rejection::NoFiles);
        }
        let fits = bytes <= self.megabytes.saturating_mul(1_024 * 1_024);
        if fits { Ok(()) } else { Err(Rejection::FileTooLarge { megabytes: self.megabytes }) }
    }
}

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateUpload {
    pub room: RoomId,
    pub attachment: Attachment,
    pub kind: MediaType,
    /// What a browser is told to do with the file.
    pub disposition: String,
    /// In bytes.
    pub size: u64,
}

impl CreateUpload {
    /// Reads the request of a caller, who needs a grant for the room. The `clientMessageId` is that of the message that
    /// will carry the file.
    pub fn read(request: &Request, caller: &Caller, most: FileSize) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let id = fields.required("clientMessageId", "clientMessageId")?;
        let id = ClientMessageId::from_json(id).map_err(|invalid| invalid.in_field("clientMessageId"))?;
        let name = fields.string("name", "name")?;
        let shown = visible::name(name).filter(|_| name.len() <= FILE_NAME_BYTES_MAX);
        let expected = || Invalid::expected(format!("a name of 1 to {FILE_NAME_BYTES_MAX} bytes that can be seen"));
        let shown = shown.ok_or_else(|| expected().in_field("name"))?.replace(['/', '\\'], "_");
        let kind = fields
            .optional("type", |kind| MediaType::parse(kind.as_str().ok_or_else(|| Invalid::expected("a string"))?))?;
        let kind = kind.unwrap_or_else(MediaType::unknown);
        let size = fields.required("size", "size")?.as_u64().filter(|size| (1..=SAFE_INTEGER_MAX).contains(size));
        let size = size.ok_or_else(|| Invalid::expected("a whole number of bytes, from 1").in_field("size"))?;
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        most.admit(size)?;
        let attachment = Attachment::of(&room, caller.user(), &id, &shown);
        Ok(Self { room, attachment, disposition: kind.disposition(&shown), kind, size })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateUploadReply {
    chatroom_id: RoomId,
    attachment: Attachment,
    url: String,
    fields: BTreeMap<&'static str, String>,
}

impl Reply {
    /// The file may be posted to this address, with these fields before it.
    pub fn upload(upload: CreateUpload, url: String, fields: BTreeMap<&'static str, String>) -> Self {
        let CreateUpload { room, attachment, .. } = upload;
        Self::CreateUpload(CreateUploadReply { chatroom_id: room, attachment, url, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::{Value, json};

    const MOST: FileSize = FileSize::up_to_megabytes(10);

    fn body() -> Value {
        json!({"chatroomId": "lobby", "clientMessageId": "7f3a", "name": "猫 1.png", "type": "image/PNG", "size": 51_234})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = body();
        body[field] = value;
        body
    }

    fn read(body: &Value) -> CreateUpload {
        CreateUpload::read(&request(body), &caller(), MOST).expect("it may")
    }

    #[test]
    fn an_upload_has_its_place_by_who_asks_and_for_what() {
        let upload = read(&body());
        assert_eq!(upload.attachment.key(), "rooms/bG9iYnk/MQ/7f3a/_1.png");
        let told = (upload.kind.as_str(), upload.disposition.as_str(), upload.size);
        assert_eq!(told, ("image/png", "inline", 51_234));
    }

    #[test]
    fn what_is_saved_is_saved_under_its_name_and_in_no_folder() {
        let saved = read(&with("type", json!("application/pdf")));
        assert_eq!(saved.disposition, "attachment; filename*=UTF-8''%E7%8C%AB%201.png");
        let mut elsewhere = with("name", json!("../a\\b\u{202e}gnp.exe"));
        elsewhere["type"] = Value::Null;
        let elsewhere = read(&elsewhere);
        assert_eq!(elsewhere.disposition, "attachment; filename*=UTF-8''.._a_bgnp.exe");
        assert_eq!(elsewhere.kind.as_str(), "application/octet-stream");
    }

    #[test]
    fn every_field_is_named_when_it_is_missing_or_wrong() {
        let longest = "x".repeat(FILE_NAME_BYTES_MAX);
        refuses(
            |request, caller| CreateUpload::read(request, caller, MOST),
            &[
                (body(), ""),
                (with("name", json!(longest)), ""),
                (with("type", json!("")), ""),
                (with("size", json!(10 * 1_024 * 1_024)), ""),
                (with("chatroomId", json!(2)), "notAllowed: the token does not grant"),
                (with("userId", json!(2)), "notAllowed: userId is not the user"),
                (with("clientMessageId", Value::Null), "badRequest: clientMessageId is missing"),
                (with("clientMessageId", json!("a/b")), "badRequest: clientMessageId must be"),
                (with("name", Value::Null), "badRequest: name is missing"),
                (with("name", json!(7)), "badRequest: name must be a string"),
                (with("name", json!("\u{200b}")), "badRequest: name must be a name of 1 to 255 bytes"),
                (with("name", json!(longest + "x")), "badRequest: name must be a name of 1 to 255 bytes"),
                (with("type", json!(7)), "badRequest: type must be a string"),
                (with("type", json!("png")), "badRequest: type must be a media type"),
                (with("size", Value::Null), "badRequest: size is missing"),
                (with("size", json!(0)), "badRequest: size must be a whole number of bytes"),
                (with("size", json!("51234")), "badRequest: size must be a whole number of bytes"),
                (with("size", json!(1.5)), "badRequest: size must be a whole number of bytes"),
                (with("size", json!(10 * 1_024 * 1_024 + 1)), "tooLarge: a file is at most 10 MB"),
            ],
        );
    }

    #[test]
    fn where_no_files_are_taken_none_is_small_enough() {
        let off = FileSize::up_to_megabytes(0);
        refuses(
            |request, caller| CreateUpload::read(request, caller, off),
            &[(with("size", json!(1)), "notAllowed: files are not taken here")],
        );
    }
}
