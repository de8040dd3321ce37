//! From a verified token's claims to a caller.

use crate::limits::{CLOCK_SKEW_SECONDS, PROFILE_TEXT_CHARS_MAX, URL_CHARS_MAX};
use crate::{Access, Caller, Grant, Profile, Timestamp, UserId, visible};
use serde_json::{Map, Value};
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// A token that is signed by the right key, and still says nothing we can use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidClaims {
    #[error("the token names no user: userId or sub must be an id")]
    NoUser,
    #[error("the token's rooms must be \"*\", \"@mine\" or a list of room ids")]
    Rooms,
    #[error("the token's moderates must be \"*\" or a list of room ids")]
    Moderates,
    #[error("the token has no expiry: exp must be a number of seconds")]
    NoExpiry,
}

impl Caller {
    /// Reads a verified token. `userId` (what the course signs) goes before `sub`; without `rooms` the default holds.
    ///
    /// Names are shown to everybody, so they are cleaned of what cannot be seen. Those that are missing, empty or too
    /// long then fall back rather than lock a user out; a grant never does.
    pub fn from_claims(claims: &Map<String, Value>, default_rooms: &Access) -> Result<Self, InvalidClaims> {
        let id = claims.get("userId").or_else(|| claims.get("sub")).ok_or(InvalidClaims::NoUser)?;
        let id = UserId::from_json(id).map_err(|_| InvalidClaims::NoUser)?;
        let rooms = match claims.get("rooms") {
            None => default_rooms.clone(),
            Some(rooms) => Access::from_json(rooms).ok_or(InvalidClaims::Rooms)?,
        };
        // Nobody is a moderator by default.
        let moderates = match claims.get("moderates") {
            None => Grant::none(),
            Some(rooms) => Grant::from_json(rooms).ok_or(InvalidClaims::Moderates)?,
        };
        let texts = |keys: &[&str]| keys.iter().filter_map(|key| claims.get(*key)?.as_str()).collect::<Vec<_>>();
        let fits = |name: &String| name.chars().count() <= PROFILE_TEXT_CHARS_MAX;
        let name = |keys: &[&str]| texts(keys).into_iter().filter_map(visible::name).find(fits);
        let address = |text: &&str| !text.trim().is_empty() && text.chars().count() <= URL_CHARS_MAX;
        // The course's names go before those of OpenID Connect (Core 1.0, section 5.1), and those before Cognito's own.
        let username = name(&["username", "preferred_username", "cognito:username"]);
        let nick_name = name(&["nickName", "name", "nickname"]);
        let fallback = || visible::name(&id.to_string()).unwrap_or_else(|| id.to_string());
        let picture = texts(&["headPic", "picture"]).into_iter().find(address);
        let profile = Profile {
            username: username.clone().unwrap_or_else(fallback),
            nick_name: nick_name.or(username).unwrap_or_else(fallback),
            email: name(&["email"]),
            head_pic: picture.filter(|address| runs_nothing(address)).map(String::from),
            create_time: None,
            id,
        };
        let seconds = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
        let expiry = seconds("exp").ok_or(InvalidClaims::NoExpiry)?;
        let expiry = Timestamp::from_millis(expiry.saturating_mul(1_000));
        let good_until = expiry.after(Duration::from_secs(CLOCK_SKEW_SECONDS));
        Ok(Self { profile, rooms, moderates, issued_at: seconds("iat").unwrap_or_default(), good_until })
    }
}

/// Whether a picture's address does no harm wherever a frontend puts it: users choose it, and many providers take any.
fn runs_nothing(address: &str) -> bool {
    Url::parse(address).map_or(true, |url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn caller(mut claims: Value) -> Result<Caller, InvalidClaims> {
        let claims = claims.as_object_mut().expect("an object");
        claims.entry("exp").or_insert(json!(1_741_749_765));
        let none = Access::parse_default("").expect("none");
        Caller::from_claims(claims, &none)
    }

    #[test]
    fn a_token_is_good_until_its_expiry_and_a_minute_for_clocks_that_differ() {
        let caller = caller(json!({"sub": "1", "iat": 1_741_746_165.9, "exp": 1_741_749_765})).expect("a caller");
        assert_eq!((caller.issued_at, caller.good_until.millis()), (1_741_746_165, 1_741_749_825_000));
        assert!(
            !caller.is_over(caller.good_until) && caller.is_over(caller.good_until.after(Duration::from_millis(1)))
        );
    }

    #[test]
    fn a_token_without_an_expiry_is_nobodys() {
        for exp in [json!(null), json!("later"), json!([1])] {
            assert_eq!(self::caller(json!({"sub": "1", "exp": exp})), Err(InvalidClaims::NoExpiry));
        }
    }

    #[test]
    fn the_tokens_of_the_course_and_of_an_oidc_provider_name_a_caller() {
        let course = caller(json!({"userId": 1, "username": "guang", "rooms": "*"})).expect("a caller");
        assert_eq!((course.user().to_string().as_str(), course.profile.nick_name.as_str()), ("1", "guang"));
        assert_eq!(course.rooms, Grant::All.into());
        let none = Access::parse_default("").expect("none");
        let auth0 = json!({"sub": "auth0|5", "nickname": "g", "name": "Guang", "picture": "https://example.com/p"});
        let auth0 = caller(auth0).expect("a caller");
        assert_eq!((auth0.user().to_string().as_str(), auth0.profile.nick_name.as_str()), ("auth0|5", "Guang"));
        assert_eq!((auth0.profile.head_pic.as_deref(), auth0.rooms), (Some("https://example.com/p"), none.clone()));
        for (cognito, name) in [
            (json!({"sub": "d3a1-7f", "token_use": "id", "cognito:username": "guang"}), "guang"),
            (json!({"sub": "d3a1-7f", "token_use": "access", "username": "guang"}), "guang"),
            (
                json!({"sub": "d3a1-7f", "token_use": "id", "cognito:username": "d3a1-7f", "preferred_username": "g"}),
                "g",
            ),
        ] {
            let cognito = caller(cognito).expect("a caller");
            assert_eq!((cognito.user().to_string().as_str(), cognito.profile.username.as_str()), ("d3a1-7f", name));
            assert_eq!(cognito.rooms, none);
        }
    }

    #[test]
    fn rooms_may_be_numbers_and_strings() {
        let rooms = caller(json!({"sub": "1", "rooms": [1, "2", "lobby"]})).expect("a caller").rooms;
        assert_eq!(Some(rooms), Access::parse_default("1,2,lobby"));
    }

    #[test]
    fn a_grant_that_cannot_be_read_grants_nothing() {
        for rooms in [json!("1"), json!(1), json!(null), json!([1, {}]), json!({"1": true}), json!([-1])] {
            assert_eq!(caller(json!({"sub": "1", "rooms": rooms.clone()})), Err(InvalidClaims::Rooms), "{rooms}");
        }
    }

    #[test]
    fn a_token_without_a_user_names_nobody() {
        for claims in [json!({}), json!({"sub": ""}), json!({"sub": null}), json!({"userId": 1.5}), json!({"sub": {}})]
        {
            assert_eq!(caller(claims.clone()), Err(InvalidClaims::NoUser), "{claims}");
        }
    }

    #[test]
    fn names_and_pictures_are_taken_up_to_their_bounds() {
        let name = |chars| "光".repeat(chars);
        let picture = |chars| format!("https://example.com/{}", "a".repeat(chars - 20));
        let fits = json!({"sub": "u", "username": name(PROFILE_TEXT_CHARS_MAX), "headPic": picture(URL_CHARS_MAX)});
        let profile = caller(fits).expect("a caller").profile;
        assert_eq!(profile.username.chars().count(), PROFILE_TEXT_CHARS_MAX);
        assert_eq!(profile.head_pic.map(|url| url.len()), Some(URL_CHARS_MAX));
        let over =
            json!({"sub": "u", "username": name(PROFILE_TEXT_CHARS_MAX + 1), "headPic": picture(URL_CHARS_MAX + 1)});
        let profile = caller(over).expect("a caller").profile;
        assert_eq!((profile.username.as_str(), profile.head_pic), ("u", None));
    }

    #[test]
    fn a_picture_is_of_the_web_or_relative() {
        let picture =
            |address: &str| caller(json!({"sub": "u", "picture": address})).expect("a caller").profile.head_pic;
        for address in ["https://example.com/p.png", "HTTP://example.com/p", "/p.png", "p.png", "//example.com/p.png"] {
            assert_eq!(picture(address).as_deref(), Some(address));
        }
        for address in
            ["javascript:alert(1)", " JavaScript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "file:///p"]
        {
            assert_eq!(picture(address), None, "{address}");
        }
    }

    #[test]
    fn a_name_has_nothing_in_it_that_nobody_sees() {
        let of = |claims: Value| caller(claims).expect("a caller").profile;
        let profile = of(json!({"sub": "u", "username": "gu\u{0}ang\nadmin", "name": "\u{202e}gnauG\u{200b}",
            "email": "g@example.com\u{2028}"}));
        let shown = (profile.username.as_str(), profile.nick_name.as_str(), profile.email.as_deref());
        assert_eq!(shown, ("guang admin", "gnauG", Some("g@example.com")));
        // One that is nothing then is none, and so is an id's.
        let profile =
            of(json!({"sub": "u\u{202e}7", "username": "\u{3164}", "preferred_username": "g", "name": "\u{200b}"}));
        assert_eq!((profile.username.as_str(), profile.nick_name.as_str()), ("g", "g"));
        let profile = of(json!({"sub": "u\u{202e}7", "username": "\u{3164}"}));
        assert_eq!((profile.username.as_str(), profile.id.to_string().as_str()), ("u7", "u\u{202e}7"));
    }

    #[test]
    fn names_that_do_not_fit_fall_back() {
        let profile = caller(json!({"sub": "u", "username": "x".repeat(300), "name": " ", "email": 5}))
            .expect("a caller")
            .profile;
        assert_eq!((profile.username.as_str(), profile.nick_name.as_str(), profile.email), ("u", "u", None));
    }
}
