//! `chatrooms`: rooms that are kept. A file for each thing that is done with them; the routes and their shapes are the
//! course's, and what writes takes a `POST` as well.

pub mod change_members;
pub mod create_group;
pub mod create_pair;
pub mod list_reads;
pub mod list_rooms;
pub mod show_room;

use chat::limits::ROOM_CHANGES_PER_SECOND;
use chat::{Caller, Profile, RoomId, UserId};
use chat_aws::entry::{self, Function};
use chat_aws::{Aws, Failure, Fault, Inbox, KeptRooms, Membership, Pace, Personal, Users, Vars};
use std::collections::BTreeSet;

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let parts = Parts::new(&Aws::new(vars)?)?;
    // The course's page writes by GET.
    let writes = ["GET", "POST"].into_iter().flat_map(|method| {
        let parts = || parts.clone();
        [
            (format!("{method} /chatroom/create-one-to-one"), entry::http(parts(), create_pair::handle)),
            (format!("{method} /chatroom/create-group"), entry::http(parts(), create_group::handle)),
            (format!("{method} /chatroom/join/{{id}}"), entry::http(parts(), change_members::join)),
            (format!("{method} /chatroom/quit/{{id}}"), entry::http(parts(), change_members::quit)),
        ]
    });
    let reads = [
        ("GET /chatroom/list", entry::http(parts.clone(), list_rooms::handle)),
        ("GET /chatroom/info/{id}", entry::http(parts.clone(), show_room::info)),
        ("GET /chatroom/members", entry::http(parts.clone(), show_room::members)),
        ("GET /chatroom/findChatroom", entry::http(parts.clone(), show_room::find)),
        ("GET /chatroom/reads", entry::http(parts.clone(), list_reads::handle)),
    ];
    let reads = reads.map(|(route, function)| (route.to_owned(), function));
    Ok(Function::of_routes(writes.chain(reads)))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    users: Users,
    kept: KeptRooms,
    inbox: Inbox,
    membership: Membership,
    personal: Personal,
}

impl Parts {
    fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(ROOM_CHANGES_PER_SECOND),
            users: aws.users()?,
            kept: aws.kept_rooms()?,
            inbox: aws.inbox()?,
            membership: aws.membership()?,
            personal: aws.personal()?,
        })
    }

    /// Lets a caller make or change rooms: not too fast, and not with a token that was revoked, since no handshake would
    /// have refused it.
    async fn admit(&self, caller: &Caller) -> Result<(), Failure> {
        self.pace.admit_anywhere(caller.user())?;
        self.users.may_act(caller, None).await.map(drop)
    }

    /// The same in a room, from which the caller is not banned.
    async fn admit_in(&self, caller: &Caller, room: &RoomId) -> Result<(), Failure> {
        self.pace.admit_anywhere(caller.user())?;
        self.users.may_act_in(caller, room).await
    }

    /// How these people of a room are shown, in the order of their ids. Refused to a reader whose token was revoked, or who
    /// is banned from the room.
    async fn profiles_in(
        &self,
        room: &RoomId,
        users: BTreeSet<UserId>,
        reader: &Caller,
    ) -> Result<Vec<Profile>, Failure> {
        let mut profiles: Vec<_> = self.users.profiles_in(room, users, reader).await?.into_values().collect();
        profiles.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(profiles)
    }
}
