use crate::{Rejection, RoomId, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeSet;

/// What `deliver` is invoked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    Wake(Wake),
    Hand(Box<Hand>),
}

impl Errand {
    /// Reads an event. Nobody but functions of this deployment may send one.
    pub fn read(payload: &Value) -> Result<Self, Rejection> {
        let wrong = |error: serde_json::Error| Rejection::Invalid {
            field: "event",
            expected: format!("a wake or a hand ({:?}, column {})", error.classify(), error.column()),
        };
        if payload.get("frame").is_some() {
            return Hand::deserialize(payload).map(Box::new).map(Self::Hand).map_err(wrong);
        }
        Wake::deserialize(payload).map(Self::Wake).map_err(wrong)
    }
}

/// Something came to a room in rounds, and nobody delivers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wake {
    pub room: RoomId,
    /// The end of the lease that whoever wakes saw, and found to be over; none if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "write", deserialize_with = "read")]
    pub seen: Option<Timestamp>,
}

/// One round, for a part of a room's members: posted by another run of the function, for the courier. It has no lease
/// and leaves nothing behind, so it may be done twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hand {
    pub room: RoomId,
    /// After this connection, in the order of ids; from the first if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Up to this connection; to the last if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<String>,
    /// The round as one frame.
    pub frame: String,
    /// The same for members that did not ask for rounds: a frame for each of its messages and changes.
    pub singly: Vec<String>,
    /// Whose connections are passed over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub banned: BTreeSet<UserId>,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// How many connections there are.
    pub people: usize,
    /// Connections in the order of their ids, each with how many there are since the one before: where the members may
    /// be cut into parts.
    pub marks: Vec<(String, usize)>,
}

impl Met {
    /// What comes after this part.
    pub fn and(mut self, next: Self) -> Self {
        self.people += next.people;
        self.marks.extend(next.marks);
        self
    }

    /// Cuts the members into so many parts of about the same size.
    pub fn cuts(&self, parts: usize) -> Vec<String> {
        let (mut cuts, mut before) = (Vec::new(), 0);
        for (mark, since) in &self.marks {
            before += since;
            if cuts.len() + 1 < parts && before * parts >= self.people * (cuts.len() + 1) && before < self.people {
                cuts.push(mark.clone());
            }
        }
        cuts
    }
}

#[allow(clippy::ref_option, reason = "as serde calls it")]
fn write<S: Serializer>(seen: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    seen.map(Timestamp::millis).serialize(serializer)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_errand_is_read_as_it_was_written() {
        let room = RoomId::parse("lobby").expect("an id");
        for seen in [None, Some(Timestamp::from_millis(1_741_746_165_123))] {
            let wake = Wake { room: room.clone(), seen };
            assert_eq!(Errand::read(&serde_json::to_value(&wake).expect("JSON")), Ok(Errand::Wake(wake)));
        }
        let hand = Hand {
            room,
            after: None,
            up_to: Some("L0S=".into()),
            frame: "{}".into(),
            singly: vec!["{}".into()],
            banned: BTreeSet::new(),
        };
        assert_eq!(Errand::read(&serde_json::to_value(&hand).expect("JSON")), Ok(Errand::Hand(Box::new(hand))));
    }

    #[test]
    fn what_is_no_errand_is_refused_without_repeating_it() {
        for payload in [json!(null), json!({}), json!({"room": 1, "x": "secret"}), json!({"room": "1", "frame": 7})] {
            let refused = Errand::read(&payload).expect_err("no errand").to_string();
            assert!(refused.starts_with("event must be a wake or a hand") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn members_are_cut_into_parts_of_about_the_same_size() {
        let marks = |sizes: &[usize]| {
            let marks = sizes.iter().enumerate().map(|(n, size)| (format!("c{n}"), *size)).collect();
            Met { people: sizes.iter().sum(), marks }
        };
        let even = marks(&[500, 500, 100, 500, 500, 100, 300]);
        assert_eq!(even.cuts(1), Vec::<String>::new());
        assert_eq!(even.cuts(2), ["c3"]);
        assert_eq!(even.cuts(5), ["c0", "c1", "c3", "c4"]);
        assert_eq!(marks(&[10]).cuts(4), Vec::<String>::new(), "nothing is cut where nobody is behind");
        assert_eq!(marks(&[500]).and(marks(&[500])).cuts(2), ["c0"]);
    }
}
