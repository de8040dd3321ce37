use super::{Fields, Invalid};
use crate::limits::{FRAME_BYTES_MAX, QUERY_BYTES_MAX};
use crate::{Rejection, RoomId};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// What an HTTP request says: its query string, or the JSON object that is its body, and its path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params {
    fields: Map<String, Value>,
    /// The room that the path names.
    room: Option<RoomId>,
}

impl Params {
    /// Reads a query string. A name that is given twice is refused.
    pub fn of_query(query: &str) -> Result<Self, Rejection> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(Rejection::QueryTooLarge);
        }
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if fields.insert(name.into_owned(), value.into()).is_some() {
                return Err(Invalid::expected("given once, each name").in_field("the query string"));
            }
        }
        Ok(Self { fields, room: None })
    }

    /// Reads a body. Without one, nothing is said.
    pub fn of_body(body: &str) -> Result<Self, Rejection> {
        if body.len() > FRAME_BYTES_MAX {
            return Err(Rejection::TooManyBytes { field: "the body", limit: FRAME_BYTES_MAX });
        }
        if body.trim().is_empty() {
            return Ok(Self::default());
        }
        let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return Err(Rejection::NotAnObject) };
        Ok(Self { fields, room: None })
    }

    /// The same with the room that the path names. An id that cannot be one is nobody's room.
    pub fn in_room(self, id: &str) -> Result<Self, Rejection> {
        let room = RoomId::parse(id).ok_or(Rejection::RoomNotGranted)?;
        Ok(Self { room: Some(room), ..self })
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields(&self.fields)
    }

    /// The room that the path names, or `chatroomId`.
    pub(crate) fn room(&self) -> Result<RoomId, Rejection> {
        self.room.clone().map_or_else(|| self.fields().room(), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_query_and_a_body_say_the_same() {
        let query = Params::of_query("chatroomId=g-1&name=%E5%85%89+a").expect("a query");
        let body = Params::of_body(r#"{"chatroomId":"g-1","name":"光 a"}"#).expect("a body");
        assert_eq!(query, body);
        assert_eq!(query.fields().get("name"), Some(&json!("光 a")));
        let room = query.room().expect("a room");
        assert_eq!(Params::default().in_room("g-1").expect("a room").room(), Ok(room));
        assert_eq!(Params::of_body(" "), Ok(Params::default()));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let refused = |read: Result<Params, Rejection>| read.expect_err("refused").to_string();
        assert_eq!(refused(Params::of_query("a=1&a=2")), "the query string must be given once, each name");
        assert_eq!(Params::of_query(&"x".repeat(QUERY_BYTES_MAX + 1)), Err(Rejection::QueryTooLarge));
        for body in ["[]", "{", "1", "x"] {
            assert_eq!(Params::of_body(body), Err(Rejection::NotAnObject), "{body}");
        }
        let long = " ".repeat(FRAME_BYTES_MAX + 1);
        assert!(matches!(Params::of_body(&long), Err(Rejection::TooManyBytes { .. })));
        assert_eq!(Params::default().in_room(" "), Err(Rejection::RoomNotGranted));
    }
}
