use super::{KeptRooms, LISTING, kept, last_id};
use crate::limits::BATCH_GET_MAX;
use crate::store::bars::bars_of;
use crate::store::messages::message_of;
use crate::store::query::{Range, Rows};
use crate::store::{Item, key, keys};
use crate::{Fault, now};
use chat::{Bars, KeptRoom, Mark, Message, MessageId, RoomId, UserId};
use std::collections::{BTreeMap, HashMap};

/// What a room's list and counter say.
struct Known {
    room: KeptRoom,
    last_id: MessageId,
    bars: Bars,
}

/// A kept room in somebody's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub room: KeptRoom,
    pub mark: Mark,
    pub last_id: MessageId,
}

impl KeptRooms {
    /// A user's rooms, each with its list and its counter: one query, and a batch read for each fifty.
    pub async fn list(&self, user: &UserId) -> Result<Vec<Listed>, Fault> {
        let mine = self.rights(user).await?;
        let rooms: Vec<_> = mine.keys().cloned().collect();
        let mut known = BTreeMap::new();
        for some in rooms.chunks(BATCH_GET_MAX / 2) {
            known.extend(self.known(some, false).await?);
        }
        // A room that was made a moment ago may be seen by a strongly consistent read alone.
        let unseen: Vec<_> = rooms.into_iter().filter(|room| !known.contains_key(room)).collect();
        for some in unseen.chunks(BATCH_GET_MAX / 2) {
            known.extend(self.known(some, true).await?);
        }
        let now = now();
        let listed = known.into_iter().map(|(id, Known { room, last_id, bars })| {
            let mark = mine.get(&id).copied().unwrap_or_default();
            // Whoever is banned is shown the room, and nothing of what is said there.
            let banned = bars.banned(now).contains(user);
            Listed { room, mark, last_id: if banned { MessageId::new(0) } else { last_id } }
        });
        Ok(listed.collect())
    }

    /// The key of the message that a room's counter names.
    pub(crate) fn last_message(listed: &Listed) -> Item {
        key(&keys::room(&listed.room.id), &keys::message(listed.last_id))
    }

    /// What was said last in a room whose last id is nobody's.
    pub async fn last_before(&self, listed: &Listed) -> Result<Option<Message>, Fault> {
        let partition = keys::room(&listed.room.id);
        let Some((first, last)) = keys::messages_between(None, Some(listed.last_id)) else { return Ok(None) };
        let (first, last) = (first.as_str(), last.as_str());
        let range = Range {
            table: &self.table,
            partition: &partition,
            first,
            last,
            forward: false,
            wanted: 1,
            rows: Rows::Good,
        };
        range.read(&self.client, LISTING).await?.into_iter().next().map(message_of).transpose()
    }

    async fn known(&self, rooms: &[RoomId], consistent: bool) -> Result<BTreeMap<RoomId, Known>, Fault> {
        let wanted = rooms.iter().flat_map(|room| [keys::INFO, keys::HEAD].map(|sort| key(&keys::room(room), sort)));
        let (mut known, mut last_ids) = (BTreeMap::new(), HashMap::new());
        for item in self.batch(wanted.collect(), consistent, LISTING).await? {
            let id = item.get(keys::PARTITION).and_then(|partition| keys::parse_room(partition.as_s().ok()?));
            let Some(id) = id else { continue };
            if item.contains_key("members") {
                known.insert(
                    id.clone(),
                    Known { room: kept(&id, item)?, last_id: MessageId::new(0), bars: Bars::default() },
                );
            } else if let Some(last_id) = last_id(&item) {
                last_ids.insert(id, (last_id, bars_of(&item)));
            }
        }
        for (id, known) in &mut known {
            if let Some((last_id, bars)) = last_ids.remove(id) {
                (known.last_id, known.bars) = (last_id, bars);
            }
        }
        Ok(known)
    }
}
