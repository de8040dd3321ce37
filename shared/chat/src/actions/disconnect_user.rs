//! `disconnect-user`: shut a user out. No client asks for it; an application's backend does.

use crate::{Rejection, UserId};
use serde::Serialize;
use serde_json::Value;

/// What the backend asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisconnectUser {
    pub user: UserId,
}

impl DisconnectUser {
    pub fn read(payload: &Value) -> Result<Self, Rejection> {
        let user =
            payload.get("userId").filter(|user| !user.is_null()).ok_or(Rejection::Missing { field: "userId" })?;
        Ok(Self { user: UserId::from_json(user).map_err(|invalid| invalid.in_field("userId"))? })
    }
}

/// What the backend is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DisconnectUserReply {
    pub user_id: UserId,
    /// Whether the user ever connected: an id that nobody knows may be mistyped.
    pub seen: bool,
    pub connections_ended: usize,
    /// How many more were known, and not there to be ended.
    pub connections_missing: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_backend_names_the_user_that_it_shuts_out() {
        let user = |payload: Value| DisconnectUser::read(&payload).map(|request| request.user.to_string());
        assert_eq!(
            (user(json!({"userId": 7})), user(json!({"userId": "auth0|5"}))),
            (Ok("7".into()), Ok("auth0|5".into()))
        );
        for nobody in [json!({}), json!({"userId": null}), json!("7")] {
            assert_eq!(user(nobody), Err(Rejection::Missing { field: "userId" }));
        }
        assert!(matches!(user(json!({"userId": [7]})), Err(Rejection::Invalid { field: "userId", .. })));
    }
}
