//! The actions, a file each: what a client asks for, what is allowed, what it is answered, and what others are pushed.
//!
//! An action that is new has its file here, a variant of [`Reply`], and one of [`Push`] if others are told of it. Each has
//! its examples in `docs/asyncapi.yaml`, which the test below makes from the types.

mod bar_user;
mod chatrooms;
mod create_upload;
mod delete_message;
mod disconnect_user;
mod edit_message;
mod join_room;
mod leave_room;
mod list_bars;
mod list_changes;
mod list_history;
mod list_members;
mod list_reports;
mod mark_read;
mod ping;
mod react_message;
mod report_message;
mod send_message;
mod signal;
mod slow_mode;

pub use bar_user::{Act, BarUser, BarUserReply, RemovedPush};
pub use chatrooms::{
    ChangeMembers, CreateGroup, CreatePair, FindPair, LastMessage, ListRooms, ListedRoom, Mark, ReadMark,
    RoomAddedPush, RoomInfo, ShowRoom,
};
pub use create_upload::{CreateUpload, CreateUploadReply, FileSize};
pub use delete_message::DeleteMessage;
pub use disconnect_user::{DisconnectUser, DisconnectUserReply};
pub use edit_message::{ChangeMessagePush, ChangeMessageReply, EditMessage};
pub use join_room::{JoinRoom, JoinRoomPush, JoinRoomReply, LastChange, Newest};
pub use leave_room::{LeaveRoom, LeaveRoomPush, LeaveRoomReply};
pub use list_bars::{ListBars, ListBarsReply};
pub use list_changes::{ChangesPage, ListChanges};
pub use list_history::{Cursor, HistoryItem, HistoryPage, ListHistory};
pub use list_members::{ListMembers, ListMembersReply};
pub use list_reports::{ListReports, ListReportsReply, Report, ReportKey};
pub use mark_read::{MarkRead, MarkReadPush, MarkReadReply};
pub use react_message::{ReactMessage, ReactMessagePush, ReactMessageReply, Reaction};
pub use report_message::{ReportMessage, ReportMessageReply};
pub use send_message::{SendMessage, SendMessagePush, SendMessageReply, SentMessage};
pub use signal::{Signal, SignalPush, SignalReply};
pub use slow_mode::{SlowMode, SlowModeReply};

use crate::rounds::RoundPush;
use crate::wire::ErrorReply;
use serde::Serialize;

/// What a request is answered: an action's own reply, or an error.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    JoinRoom(JoinRoomReply),
    LeaveRoom(LeaveRoomReply),
    SendMessage(SendMessageReply),
    EditMessage(ChangeMessageReply),
    DeleteMessage(ChangeMessageReply),
    ReactMessage(ReactMessageReply),
    Signal(SignalReply),
    ListMembers(ListMembersReply),
    MarkRead(MarkReadReply),
    BarUser(BarUserReply),
    SlowMode(SlowModeReply),
    ListBars(ListBarsReply),
    ReportMessage(ReportMessageReply),
    ListReports(ListReportsReply),
    CreateUpload(CreateUploadReply),
    Ping {},
    Error(ErrorReply),
}

/// A frame that is pushed to the members of a room. Its `type` is the action that it tells of.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Push<'a> {
    JoinRoom(JoinRoomPush<'a>),
    LeaveRoom(LeaveRoomPush<'a>),
    SendMessage(SendMessagePush<'a>),
    EditMessage(ChangeMessagePush<'a>),
    DeleteMessage(ChangeMessagePush<'a>),
    ReactMessage(ReactMessagePush<'a>),
    Signal(SignalPush<'a>),
    MarkRead(MarkReadPush<'a>),
    RoomAdded(RoomAddedPush<'a>),
    Removed(RemovedPush<'a>),
    Messages(RoundPush<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{assert_shown, every};
    use crate::rejection::tests::rejections;
    use crate::rounds::{ChangesOfRound, Round};
    use crate::{
        Access, Attachment, Bar, BarChange, Barred, Bars, Caller, Change, ChangeNumber, ClientMessageId, ConnectionId,
        Content, Emoji, Encoding, Grant, Member, Message, MessageId, MessageKind, Presence, Profile, Reactions,
        Rejection, Request, RoomId, Standing, Timestamp, UserId,
    };
    use serde_json::{Value, json};
    use std::time::Duration;

    /// User 1, who may enter rooms 1 and lobby.
    pub(super) fn caller() -> Caller {
        Caller {
            profile: Profile::unknown(UserId::parse("1").expect("an id")),
            rooms: Access::parse_default("1,lobby,@mine").expect("a list"),
            moderates: Grant::none(),
            issued_at: 0,
            good_until: Timestamp::from_millis(0),
        }
    }

    pub(super) fn request(body: &Value) -> Request {
        Request::parse(&body.to_string()).expect("an object")
    }

    /// What a client reads.
    pub(super) fn text(frame: impl Serialize) -> String {
        serde_json::to_string(&frame).expect("serializes")
    }

    /// What `read` says of each body, as far as it is given; nothing where it takes it.
    pub(super) fn refuses<T>(read: impl Fn(&Request, &Caller) -> Result<T, Rejection>, bodies: &[(Value, &str)]) {
        for (body, said) in bodies {
            let refused = read(&request(body), &caller()).err();
            let refused = refused.map(|rejection| format!("{}: {rejection}", rejection.code())).unwrap_or_default();
            assert!(refused.starts_with(said) && refused.is_empty() == said.is_empty(), "{body}: {refused}");
        }
    }

    fn room(id: &str) -> RoomId {
        RoomId::parse(id).expect("an id")
    }

    fn named(id: &str, username: &str, nick_name: &str) -> Profile {
        let id = UserId::parse(id).expect("an id");
        Profile { username: username.into(), nick_name: nick_name.into(), ..Profile::unknown(id) }
    }

    fn said() -> Message {
        Message {
            id: MessageId::new(42),
            room: room("1"),
            sender: UserId::parse("7").expect("an id"),
            content: Content::parse(MessageKind::Text, "hi").expect("content"),
            create_time: Timestamp::from_millis(1_741_746_165_123),
            client_message_id: ClientMessageId::from_json(&json!("7f3a")).ok(),
            changed: None,
            reactions: Reactions::default(),
        }
    }

    /// The message, edited by the change of this number.
    pub(super) fn edited(version: u64) -> Message {
        let content = Content::parse(MessageKind::Text, "hi there").expect("content");
        let client_message_id = ClientMessageId::from_json(&json!("9c1e")).expect("an id");
        change(&Change::Edit { content, client_message_id }, version)
    }

    fn change(change: &Change, version: u64) -> Message {
        let (said, time) = (said(), Timestamp::from_millis(1_741_746_225_456));
        let by = said.sender.clone();
        change.apply(said, &by, ChangeNumber::new(version), time)
    }

    fn pushes() -> Vec<String> {
        let (one, lobby, unused) = (room("1"), room("lobby"), Some(MessageId::new(43)));
        let group = room("g-AAAAAAAAAAAAAAAAAAAAAA");
        let at = Timestamp::from_millis(1_741_746_165_123);
        let ban = Barred { bar: Bar::Ban, until: Timestamp::from_millis(1_741_749_766_000) };
        let dong = named("7", "dong", "东");
        let guang = Profile {
            email: Some("guang@example.com".into()),
            head_pic: Some("https://example.com/g.png".into()),
            ..named("auth0|5", "guang", "光")
        };
        let gone = ["7", "guang"].map(|id| UserId::parse(id).expect("an id"));
        let picture = Content::parse(MessageKind::Image, "https://example.com/cat.png").expect("content");
        let image = Message { room: lobby.clone(), sender: guang.id.clone(), content: picture, ..said() };
        let cat = Attachment::stored("rooms/MQ/Nw/7f3a/cat.png".into());
        // Of an address as AWS signs it, less the most of it.
        let address = format!("https://files.s3.us-east-1.amazonaws.com/{cat}?X-Amz-Signature=5a0f");
        let cat = Message { content: Content::attached(MessageKind::Image, cat).at(address), ..said() };
        let erased = Message { content: Content::erased(Timestamp::from_millis(1_741_832_565_000)), ..said() };
        let (said, edited, recalled) = (said(), edited(18), change(&Change::Recall, 19));
        let thumb = Reaction { emoji: Emoji::parse("👍").expect("an emoji"), on: true };
        let users = ["7", "9"].map(|id| UserId::parse(id).expect("an id")).into();
        let by_emoji = [(thumb.emoji.clone(), users)].into();
        let reactions = Reactions { version: ChangeNumber::new(12), by_emoji };
        let extras = json!({"replyTo": 41, "mentions": ["auth0|5", "all"], "metadata": {"mood": "happy"}});
        let extras = serde_json::from_value(extras).expect("extras");
        let reply = Content::parse(MessageKind::Text, "so do I").expect("content").with(extras);
        let reply = Message { content: reply, ..said.clone() };
        let answer = Message { content: edited.content.clone().with(reply.content.extras().clone()), ..edited.clone() };
        let typing = Signal { room: room("1"), kind: "typing".into(), data: None };
        let cursor = Signal { kind: "cursor".into(), data: Some(json!({"x": 0.5, "y": 12})), ..typing.clone() };
        let senders = [(dong.id.clone(), dong.clone())].into();
        let slots = vec![(said.id, Some(said.clone())), (MessageId::new(43), None)];
        let busy = Round::of(one.clone(), MessageId::new(41), slots, &senders, 10_342);
        let empty = Round::of(one.clone(), MessageId::new(43), vec![(MessageId::new(44), None)], &senders, 0);
        let (after, up_to) = (ChangeNumber::new(17), ChangeNumber::new(18));
        let changes = vec![(up_to, edited.clone())];
        let changed =
            Round { up_to: empty.after, ..empty.clone() }.with_changes(ChangesOfRound { after, up_to, changes });
        let pushes = every!(Push {
            JoinRoom: [Push::joined(&one, &dong), Push::joined(&lobby, &guang)],
            LeaveRoom: [Push::left(&one, &dong.id), Push::left_together(&one, &gone).expect("somebody left")],
            SendMessage: [
                Push::sent(&said, &dong, None),
                Push::sent(&reply, &dong, None),
                Push::sent(&image, &guang, unused),
                Push::sent(&cat, &dong, None),
                Push::sent(&erased, &dong, unused),
                Push::sent(&edited, &dong, unused),
                Push::sent(&recalled, &dong, unused),
            ],
            EditMessage: [Push::edited(&edited, &dong.id), Push::edited(&answer, &dong.id)],
            DeleteMessage: [Push::deleted(&recalled, &dong.id)],
            ReactMessage: [Push::reacted(&one, &dong.id, said.id, &thumb, &reactions).expect("there are some")],
            MarkRead: [Push::marked(&one, &dong.id, said.id)],
            RoomAdded: [Push::room_added(&group, &dong.id)],
            Removed: [Push::removed(&group), Push::kicked(&one), Push::banned(&one, ban, at)],
            Signal: [Push::signal(&typing, &dong.id), Push::signal(&cursor, &guang.id)],
            Messages: [Push::round(&busy), Push::round(&empty), Push::round(&changed)],
        });
        pushes.iter().map(text).collect()
    }

    fn upload() -> Reply {
        let asked =
            json!({"chatroomId": 1, "clientMessageId": "7f3a", "name": "cat.png", "type": "image/png", "size": 51_234});
        let upload = CreateUpload::read(&request(&asked), &caller(), FileSize::up_to_megabytes(10)).expect("it may");
        Reply::upload(upload, "https://files.s3.us-east-1.amazonaws.com".into(), [("policy", "eyJl".into())].into())
    }

    fn replies() -> Vec<String> {
        let (one, last) = (room("1"), MessageId::new(41));
        let (edited, recalled) = (edited(18), change(&Change::Recall, 19));
        let plain = Newest { id: last, change: None };
        let changed = |number, settled: Option<u64>| Newest {
            change: Some(LastChange { number: ChangeNumber::new(number), settled: settled.map(ChangeNumber::new) }),
            ..plain
        };
        let dong = named("7", "dong", "东");
        let member = |number: i64, user: &str| Member {
            connection: ConnectionId::new(format!("c{number}")),
            user: UserId::parse(user).expect("an id"),
            joined_at: Timestamp::from_millis(number),
            batches: false,
            rounds: false,
            encoding: Encoding::Json,
        };
        let members = [member(1, "7"), member(2, "guang"), member(3, "7")];
        let small = Presence::of(&members, true, &dong.id, 20);
        let large = Presence::of(&members, false, &dong.id, 2);
        let round = Some(Duration::from_millis(2_068));
        let at = Timestamp::from_millis(1_741_746_165_123);
        let ban = Barred { bar: Bar::Ban, until: Timestamp::from_millis(1_741_749_766_000) };
        let seven = dong.id.clone();
        let act = |act| BarUser { room: one.clone(), target: seven.clone(), act };
        let bars = Bars::default().with(&seven, BarChange::Set(ban), at).expect("a bar");
        let (muted, slow) = (Some(Timestamp::from_millis(1_741_746_225_123)), Some(Duration::from_secs(10)));
        let slow_and_muted = Standing { muted, slow };
        let report = ReportMessage { room: one.clone(), id: MessageId::new(42), reason: String::new() };
        let reported =
            Report { id: MessageId::new(42), reporter: seven.clone(), reason: "spam".into(), create_time: at };
        let replies = every!(Reply {
            JoinRoom: [
                Reply::joined(one.clone(), plain, false, None),
                Reply::joined(one.clone(), plain, true, None),
                Reply::joined(one.clone(), changed(18, None), false, None),
                Reply::joined(one.clone(), changed(18, Some(17)), false, None),
                Reply::joined(one.clone(), plain, false, Some(small)),
                Reply::joined(one.clone(), plain, true, Some(large)),
                Reply::joined(one.clone(), plain, false, None).standing(slow_and_muted, at),
            ],
            LeaveRoom: [Reply::left(one.clone())],
            Signal: [Reply::signalled(one.clone(), true), Reply::signalled(one.clone(), false)],
            ListMembers: [
                Reply::members(one.clone(), [dong.clone()], 1, false),
                Reply::members(one.clone(), [dong.clone()], 1_100, true),
            ],
            MarkRead: [Reply::marked(one.clone(), MessageId::new(42))],
            SendMessage: [
                Reply::sent(&said(), None),
                Reply::sent(&said(), Some(MessageId::new(43))),
                Reply::sent_in_rounds(&said(), None, Duration::from_millis(2_068)),
            ],
            EditMessage: [
                Reply::edited(&edited, false, None),
                Reply::edited(&edited, true, None),
                Reply::edited(&edited, false, round),
            ],
            DeleteMessage: [
                Reply::deleted(&recalled, false, None),
                Reply::deleted(&recalled, true, None),
                Reply::deleted(&recalled, false, round),
            ],
            ReactMessage: [
                Reply::reacted(one.clone(), MessageId::new(42), false),
                Reply::reacted(one.clone(), MessageId::new(42), true),
            ],
            BarUser: [
                Reply::barred(act(Act::Bar(BarChange::Set(ban)))),
                Reply::barred(act(Act::Bar(BarChange::Lift))),
                Reply::barred(act(Act::Kick)),
            ],
            SlowMode: [Reply::slowed(SlowMode { room: one.clone(), seconds: 10 })],
            ListBars: [
                Reply::bars(one.clone(), &bars, 10, [(seven.clone(), dong.clone())].into(), at),
                Reply::bars(one.clone(), &Bars::default(), 0, [].into(), at),
            ],
            ReportMessage: [Reply::reported(ReportMessage { reason: "spam".into(), ..report })],
            ListReports: [
                Reply::reports(one.clone(), vec![reported], true, &[(seven, dong)].into()),
                Reply::reports(one.clone(), Vec::new(), false, &[].into()),
            ],
            CreateUpload: [upload()],
            Ping: [Reply::pong()],
            Error: [Reply::internal("4f")],
        });
        let answer = |reply: Reply| {
            let asked = match &reply {
                Reply::JoinRoom(_) => json!({"action": "joinRoom", "requestId": "r1"}),
                Reply::LeaveRoom(_) => json!({"action": "leaveRoom", "requestId": "r3"}),
                Reply::Signal(_) => json!({"action": "signal", "requestId": "r5"}),
                Reply::ListMembers(_) => json!({"action": "listMembers", "requestId": "r6"}),
                Reply::MarkRead(_) => json!({"action": "markRead", "requestId": "r10"}),
                Reply::SendMessage(_) | Reply::Error(_) => json!({"action": "sendMessage", "requestId": "r2"}),
                Reply::EditMessage(_) => json!({"action": "editMessage", "requestId": "r7"}),
                Reply::DeleteMessage(_) => json!({"action": "deleteMessage", "requestId": "r8"}),
                Reply::ReactMessage(_) => json!({"action": "reactMessage", "requestId": "r9"}),
                Reply::BarUser(_) => json!({"action": "barUser", "requestId": "r11"}),
                Reply::SlowMode(_) => json!({"action": "slowMode", "requestId": "r12"}),
                Reply::ListBars(_) => json!({"action": "listBars", "requestId": "r13"}),
                Reply::ReportMessage(_) => json!({"action": "reportMessage", "requestId": "r14"}),
                Reply::ListReports(_) => json!({"action": "listReports", "requestId": "r15"}),
                Reply::CreateUpload(_) => json!({"action": "createUpload"}),
                Reply::Ping {} => json!({"action": "ping", "requestId": 5}),
            };
            text(reply.answering(Some(&request(&asked))))
        };
        // Over HTTP alone.
        let of_the_socket = |reply: &Reply| !matches!(reply, Reply::CreateUpload(_));
        replies.into_iter().filter(of_the_socket).map(answer).chain([text(Reply::pong().answering(None))]).collect()
    }

    fn refusals() -> Vec<String> {
        // HTTP alone says the first nine; a client of Socket.IO alone hears the others.
        let of_the_socket = |rejection: &Rejection| {
            !matches!(
                rejection,
                Rejection::QueryTooLarge
                    | Rejection::TwoCursors
                    | Rejection::KeptRoomsNotGranted
                    | Rejection::NotOwner
                    | Rejection::PairIsClosed
                    | Rejection::RoomFull { .. }
                    | Rejection::TooManyKeptRooms { .. }
                    | Rejection::FileTooLarge { .. }
                    | Rejection::NoFiles
                    | Rejection::NotAnEvent
                    | Rejection::Binary
                    | Rejection::TokenMissing
                    | Rejection::TokenRefused
                    | Rejection::NotAdmitted
                    | Rejection::AnothersConnection
            )
        };
        let answer = |rejection: Rejection| {
            let action = match &rejection {
                Rejection::NotAnObject | Rejection::TooManyConnections { .. } => None,
                Rejection::UnknownAction { action } => Some(action.as_str()),
                Rejection::Missing { .. }
                | Rejection::TooLarge { .. }
                | Rejection::TooManyBytes { .. }
                | Rejection::RateLimited { .. }
                | Rejection::Barred { bar: Bar::Mute, .. }
                | Rejection::Reviewed { .. } => Some("sendMessage"),
                Rejection::NotUploader => Some("sendMessage"),
                Rejection::NotJoined => Some("signal"),
                Rejection::NotFound
                | Rejection::NotAuthor
                | Rejection::NotText
                | Rejection::TooManyEdits
                | Rejection::TooLate { what: "edited", .. } => Some("editMessage"),
                Rejection::TooManyReactions { .. } => Some("reactMessage"),
                Rejection::NotInCharge | Rejection::OwnerIsNotBarred | Rejection::TooManyBars { .. } => Some("barUser"),
                Rejection::NotModerator | Rejection::TooLate { .. } => Some("deleteMessage"),
                _ => Some("joinRoom"),
            };
            let asked = action.map(|action| request(&json!({"action": action, "requestId": "r2"})));
            text(Reply::rejected(&rejection).answering(asked.as_ref()))
        };
        rejections().into_iter().filter(of_the_socket).map(answer).collect()
    }

    /// So no frame is sent that is not described, nor is one described that is not sent.
    #[test]
    fn the_frames_are_the_examples_of_the_document() {
        assert_shown(&[pushes(), replies(), refusals()].concat());
    }

    #[test]
    fn what_holds_for_every_action_is_checked_by_each() {
        let foreign = "notAllowed: userId is not the user this token was issued to";
        let cases = |body: Value| {
            let with = |field: &str, value: Value| {
                let mut body = body.clone();
                body[field] = value;
                body
            };
            vec![
                (with("chatroomId", Value::Null), "badRequest: chatroomId is missing"),
                (with("chatroomId", json!({})), "badRequest: chatroomId must be a whole number"),
                (with("chatroomId", json!(-1)), "badRequest: chatroomId must be"),
                (with("userId", json!([])), "badRequest: userId must be"),
                (with("userId", json!(2)), foreign),
                (with("sendUserId", json!(1.5)), "badRequest: sendUserId must be"),
                (with("requestId", json!({})), "badRequest: requestId must be"),
                (with("userId", json!(1)), ""),
            ]
        };
        refuses(JoinRoom::read, &cases(json!({"action": "joinRoom", "chatroomId": 1})));
        refuses(LeaveRoom::read, &cases(json!({"action": "leaveRoom", "chatroomId": 1})));
        let message = json!({"type": "text", "content": "hi"});
        refuses(ListMembers::read, &cases(json!({"action": "listMembers", "chatroomId": 1})));
        refuses(Signal::read, &cases(json!({"action": "signal", "chatroomId": 1, "kind": "typing"})));
        refuses(SendMessage::read, &cases(json!({"action": "sendMessage", "chatroomId": 1, "message": message})));
        let edit =
            json!({"action": "editMessage", "chatroomId": 1, "id": 42, "message": message, "clientMessageId": "a"});
        refuses(EditMessage::read, &cases(edit));
        let react = json!({"action": "reactMessage", "chatroomId": 1, "id": 42, "emoji": "👍", "on": true});
        refuses(ReactMessage::read, &cases(react));
        refuses(DeleteMessage::read, &cases(json!({"action": "deleteMessage", "chatroomId": 1, "id": 42})));
        refuses(MarkRead::read, &cases(json!({"action": "markRead", "chatroomId": 1, "id": 42})));
        let bar_user = |request: &Request, caller: &Caller| BarUser::read(request, caller, Timestamp::from_millis(0));
        let kick = json!({"action": "barUser", "chatroomId": 1, "targetId": 7, "bar": "kick"});
        refuses(bar_user, &cases(kick));
        refuses(SlowMode::read, &cases(json!({"action": "slowMode", "chatroomId": 1, "seconds": 10})));
        refuses(ListBars::read, &cases(json!({"action": "listBars", "chatroomId": 1})));
        refuses(ListReports::read, &cases(json!({"action": "listReports", "chatroomId": 1})));
        let report = json!({"action": "reportMessage", "chatroomId": 1, "id": 42, "reason": "spam"});
        refuses(ReportMessage::read, &cases(report));
    }
}
