use super::Prefix;
use crate::actions::{HistoryItem, SentMessage};
use crate::limits::ROUND_FRAME_BYTES;
use crate::{ChangeNumber, Message, MessageId, Profile, Push, RoomId, UserId};
use serde::Serialize;
use std::collections::BTreeMap;

/// What one round carries.
#[derive(Debug, Clone)]
pub struct Round {
    pub room: RoomId,
    pub after: MessageId,
    /// Every id above `after` up to this one is in `messages`, or void.
    pub up_to: MessageId,
    /// How many connections the round before met; 0 before the first.
    pub people: usize,
    pub messages: Vec<Message>,
    /// The newest message up to `after`, and its sender, where there are only void ids: it tells of them whoever knows no
    /// rounds.
    pub last: Option<(Message, Profile)>,
    pub senders: BTreeMap<UserId, Profile>,
    pub changes: Option<ChangesOfRound>,
}

/// The changes of a round, each message in its latest state.
#[derive(Debug, Clone)]
pub struct ChangesOfRound {
    pub after: ChangeNumber,
    pub up_to: ChangeNumber,
    pub changes: Vec<(ChangeNumber, Message)>,
}

/// What stands under an id: a message, or nothing for ever.
pub type Slot = (MessageId, Option<Message>);

impl Round {
    /// Of what stands after what was pushed, in the order of ids: as much of it as comes without a hole, and as one
    /// frame holds. One message always fits: it is smaller than API Gateway's largest frame.
    pub fn of(
        room: RoomId,
        after: MessageId,
        slots: Vec<Slot>,
        profiles: &BTreeMap<UserId, Profile>,
        people: usize,
    ) -> Self {
        let prefix = Prefix::of(after, slots.iter().map(|(id, _)| *id));
        let (messages, senders) = (Vec::new(), BTreeMap::new());
        let mut round = Self { room, after, up_to: after, people, messages, last: None, senders, changes: None };
        let mut bytes = ENVELOPE_BYTES;
        for (id, message) in slots.into_iter().take(prefix.rows) {
            if let Some(message) = message {
                let sender = message.sender.clone();
                let new = (!round.senders.contains_key(&sender))
                    .then(|| profiles.get(&sender).cloned().unwrap_or_else(|| Profile::unknown(sender.clone())));
                bytes += size(&SentMessage::in_round(&message))
                    + new.as_ref().map_or(0, |new| size(new) + size(&sender) + 4);
                if bytes > ROUND_FRAME_BYTES && !round.messages.is_empty() {
                    break;
                }
                if let Some(profile) = new {
                    round.senders.insert(sender, profile);
                }
                round.messages.push(message);
            }
            round.up_to = id;
        }
        round
    }

    /// Takes changes along, as many as the frame has place for; all of them where it has no messages.
    pub fn with_changes(mut self, mut changes: ChangesOfRound) -> Self {
        let mut bytes = size(&RoundPush::of(&self));
        let mut fits = |(change, message): &(ChangeNumber, Message)| {
            bytes += size(&HistoryItem::changed(message.clone(), *change));
            bytes <= ROUND_FRAME_BYTES
        };
        let fitting = changes.changes.iter().take_while(|change| fits(change)).count();
        let fitting = if self.messages.is_empty() { fitting.max(1) } else { fitting };
        if fitting < changes.changes.len() {
            changes.changes.truncate(fitting);
            changes.up_to = changes.changes.last().map_or(changes.after, |(change, _)| *change);
        }
        self.changes = Some(changes);
        self
    }

    /// Whether there is nothing but void ids in it.
    pub fn is_void(&self) -> bool {
        self.messages.is_empty() && self.after < self.up_to
    }

    /// For members that did not ask for rounds: what they would be pushed in a small room, in order. An id that is void is
    /// told with the message before it or after it, one at a time: then that message comes again.
    pub fn singly(&self) -> Vec<Push<'_>> {
        let mut pushes = Vec::new();
        let mut known = self.last.as_ref().map(|(message, sender)| (message, sender));
        let mut next = self.after.next();
        for message in &self.messages {
            let sender = &self.senders[&message.sender];
            let voids = (next.get()..message.id.get()).map(MessageId::new).map(Some);
            let voids: Vec<_> = if next == message.id { vec![None] } else { voids.collect() };
            pushes.extend(voids.into_iter().map(|unused| Push::sent(message, sender, unused)));
            (known, next) = (Some((message, sender)), message.id.next());
        }
        for unused in (next.get()..=self.up_to.get()).map(MessageId::new) {
            pushes.extend(known.map(|(message, sender)| Push::sent(message, sender, Some(unused))));
        }
        for (_, message) in self.changes.iter().flat_map(|changes| &changes.changes) {
            pushes.push(match message.deleted_by() {
                Some(by) => Push::deleted(message, by),
                None => Push::edited(message, &message.sender),
            });
        }
        pushes
    }
}

/// The frame of a round: what the members of a room in rounds are pushed who asked for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoundPush<'a> {
    chatroom_id: &'a RoomId,
    after: MessageId,
    up_to: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<usize>,
    senders: &'a BTreeMap<UserId, Profile>,
    messages: Vec<SentMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes_after: Option<ChangeNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes_up_to: Option<ChangeNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<HistoryItem>>,
}

impl<'a> RoundPush<'a> {
    fn of(round: &'a Round) -> Self {
        let items = |changes: &ChangesOfRound| {
            changes.changes.iter().map(|(change, message)| HistoryItem::changed(message.clone(), *change)).collect()
        };
        Self {
            chatroom_id: &round.room,
            after: round.after,
            up_to: round.up_to,
            members: (round.people > 0).then_some(round.people),
            senders: &round.senders,
            messages: round.messages.iter().map(SentMessage::in_round).collect(),
            changes_after: round.changes.as_ref().map(|changes| changes.after),
            changes_up_to: round.changes.as_ref().map(|changes| changes.up_to),
            changes: round.changes.as_ref().map(items),
        }
    }
}

impl<'a> Push<'a> {
    /// The messages of a round, and its changes.
    pub fn round(round: &'a Round) -> Self {
        Self::Messages(RoundPush::of(round))
    }
}

/// What a frame has beside its messages, changes and senders: names, the longest room id, numbers.
const ENVELOPE_BYTES: usize = 600;

/// As JSON, with the comma after it.
fn size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(ROUND_FRAME_BYTES, |json| json.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{ROUND_MESSAGES_MAX, ROUND_MESSAGES_MIN};
    use crate::rounds::Crowd;
    use crate::{Content, MessageKind, Reactions, Timestamp};

    fn message(id: u64, chars: usize, sender: &str) -> Slot {
        let content = Content::parse(MessageKind::Text, &"x".repeat(chars)).expect("content");
        let message = Message {
            id: MessageId::new(id),
            room: RoomId::parse("1").expect("an id"),
            sender: UserId::parse(sender).expect("an id"),
            content,
            create_time: Timestamp::from_millis(0),
            client_message_id: None,
            changed: None,
            reactions: Reactions::default(),
        };
        (message.id, Some(message))
    }

    fn round(after: u64, slots: Vec<Slot>) -> Round {
        let room = RoomId::parse("1").expect("an id");
        Round::of(room, MessageId::new(after), slots, &BTreeMap::new(), 0)
    }

    fn ids(round: &Round) -> (Vec<u64>, u64) {
        (round.messages.iter().map(|message| message.id.get()).collect(), round.up_to.get())
    }

    #[test]
    fn a_round_ends_before_a_hole_and_takes_void_ids_along() {
        let void = |id| (MessageId::new(id), None);
        let slots = vec![message(5, 1, "7"), void(6), message(7, 1, "8"), void(8), message(10, 1, "7")];
        let round = round(4, slots);
        assert_eq!(ids(&round), (vec![5, 7], 8));
        let singly = round.singly().iter().map(|push| serde_json::to_value(push).expect("JSON")).collect::<Vec<_>>();
        let told: Vec<_> =
            singly.iter().map(|push| (push["message"]["id"].as_u64(), push["unusedId"].as_u64())).collect();
        assert_eq!(told, [(Some(5), None), (Some(7), Some(6)), (Some(7), Some(8))]);
        assert_eq!(ids(&self::round(4, vec![message(6, 1, "7")])), (vec![], 4), "a hole comes first");
    }

    #[test]
    fn who_knows_no_rounds_is_told_of_every_void_id() {
        let void = |id| (MessageId::new(id), None);
        let told = |round: &Round| {
            let pushes = round.singly();
            let pushes = pushes.iter().map(|push| serde_json::to_value(push).expect("JSON"));
            pushes.map(|push| (push["message"]["id"].as_u64(), push["unusedId"].as_u64())).collect::<Vec<_>>()
        };
        let two = round(4, vec![void(5), void(6), message(7, 1, "7")]);
        assert_eq!(told(&two), [(Some(7), Some(5)), (Some(7), Some(6))]);
        let mut empty = round(4, vec![void(5), void(6)]);
        assert!(empty.is_void() && told(&empty).is_empty(), "nobody has said anything yet");
        let last = message(3, 1, "7").1.expect("a message");
        empty.last = Some((last.clone(), Profile::unknown(last.sender.clone())));
        assert_eq!(told(&empty), [(Some(3), Some(5)), (Some(3), Some(6))]);
    }

    #[test]
    fn a_round_is_one_frame() {
        let slots: Vec<_> = (1..=200).map(|id| message(id, 100, &format!("user {}", id % 90))).collect();
        let round = round(0, slots);
        let bytes = serde_json::to_vec(&Push::round(&round)).expect("JSON").len();
        assert!((ROUND_FRAME_BYTES - 1_500..=ROUND_FRAME_BYTES).contains(&bytes), "{bytes}");
        assert!(round.messages.len() > 80, "{}", round.messages.len());
        let large = vec![message(1, 4_000, "7"), message(2, 4_000, "7")];
        assert_eq!(ids(&self::round(0, large)), (vec![1, 2], 2));
        let mut larger = message(1, 4_000, "7");
        if let Some(message) = &mut larger.1 {
            message.content = Content::stored(MessageKind::Text, "\u{1}".repeat(6_000));
        }
        assert_eq!(ids(&self::round(0, vec![larger, message(2, 1, "7")])), (vec![1], 1), "one always fits");
    }

    #[test]
    fn what_is_accepted_fits_one_frame() {
        let crowd = Crowd { large: 1, hot: 1.0, posts_per_second: 1.0, round_messages: ROUND_MESSAGES_MAX };
        for (chars, people) in [20, 92, 100, 130, 250, 700].into_iter().flat_map(|chars| [(chars, 3), (chars, 200)]) {
            let slots = |after: u64| {
                let ids = after + 1..=after + ROUND_MESSAGES_MAX as u64;
                ids.map(|id| message(id, chars, &format!("user {}", id % people))).collect()
            };
            let first = round(0, slots(0));
            let second = round(first.up_to.get(), slots(first.up_to.get()));
            let bytes = serde_json::to_vec(&Push::round(&first)).expect("JSON").len();
            let (counted_on, carried) = (crowd.carries(first.messages.len(), bytes), second.messages.len() as u64);
            let is_close = counted_on + ROUND_MESSAGES_MIN as u64 > carried;
            assert!(counted_on <= carried && is_close, "{chars}, {people}: {counted_on} for {carried}");
        }
    }
}
