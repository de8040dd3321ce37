use crate::clients::{Clients, Invoker};
use crate::delivery::Delivery;
use crate::files::Files;
use crate::inbox::Inbox;
use crate::keep_alive::KeepAlive;
use crate::limits::{DEFAULT_MEMORY, HAND_MEMBERS, HAND_TIMEOUT, REVIEW_TIMEOUT, posts_in_flight};
use crate::membership::Membership;
use crate::personal::Personal;
use crate::pusher::Pusher;
use crate::review::{Fallback, Reviewer};
use crate::rights::Rights;
use crate::rounds::{Budget, Couriers, Posting, Rounds, Waker};
use crate::sessions::Sessions;
use crate::signals::Signals;
use crate::store::{Arrivals, Changes, Connections, Erasure, KeptRooms, Messages, Posts, Reactions, Reports, RoomBars};
use crate::store::{Tables, Users};
use crate::{Fault, Pace, Vars};
use chat::limits::{
    ATTACHMENT_MEGABYTES, CONNECTIONS_PER_USER, EDIT_WINDOW, HOT_ROOM, LARGE_ROOM, NOTICES_UP_TO, POSTS_PER_SECOND,
    RECALL_WINDOW, ROUND_MESSAGES_MAX, SENDS_PER_SECOND, SIGNALS_UP_TO,
};
use chat::rounds::Crowd;
use chat::{FileSize, Windows};
use std::time::Duration;

/// What functions are made of, each part built from the function's variables. A function asks for what it uses, once,
/// when it starts; the parts are cheap to clone. A client that no part needs is not built.
pub struct Aws<'a> {
    vars: &'a Vars,
    clients: Clients<'a>,
}

impl<'a> Aws<'a> {
    pub fn new(vars: &'a Vars) -> Result<Self, Fault> {
        Ok(Self { vars, clients: Clients::new(vars)? })
    }

    pub fn delivery(&self) -> Result<Delivery, Fault> {
        let notices_up_to = self.vars.parsed("NOTICES_UP_TO", NOTICES_UP_TO)?;
        Ok(Delivery::new(self.pusher()?, self.connections()?, notices_up_to))
    }

    pub fn membership(&self) -> Result<Membership, Fault> {
        let arrivals = Arrivals::new(self.clients.dynamodb(), self.connections_table()?, self.chat_table()?);
        Ok(Membership::new(self.connections()?, arrivals, self.delivery()?))
    }

    pub fn sessions(&self) -> Result<Sessions, Fault> {
        let per_user = self.vars.parsed("CONNECTIONS_PER_USER", CONNECTIONS_PER_USER)?;
        Ok(Sessions::new(self.users()?, self.connections()?, self.pusher()?, per_user))
    }

    pub fn keep_alive(&self) -> Result<KeepAlive, Fault> {
        Ok(KeepAlive::new(self.connections()?, self.pusher()?))
    }

    pub fn connections(&self) -> Result<Connections, Fault> {
        Ok(Connections::new(self.clients.dynamodb(), self.connections_table()?))
    }

    pub fn messages(&self) -> Result<Messages, Fault> {
        let retention_days = self.vars.parsed("MESSAGE_RETENTION_DAYS", 0)?;
        Ok(Messages::new(self.clients.dynamodb(), self.chat_table()?, retention_days))
    }

    pub fn reactions(&self) -> Result<Reactions, Fault> {
        Ok(Reactions::new(self.clients.dynamodb(), self.chat_table()?))
    }

    /// What messages become.
    pub fn changes(&self) -> Result<Changes, Fault> {
        let edit = self.vars.parsed("EDIT_MINUTES", EDIT_WINDOW)?;
        let recall = self.vars.parsed("RECALL_MINUTES", RECALL_WINDOW)?;
        Ok(Changes::new(self.clients.dynamodb(), self.chat_table()?, Windows { edit, recall }))
    }

    /// Who may not speak in a room, or be in it.
    pub fn bars(&self) -> Result<RoomBars, Fault> {
        Ok(RoomBars::new(self.clients.dynamodb(), self.chat_table()?, self.users()?))
    }

    /// Whom the deployment asks before something is said, if anybody.
    pub fn reviewer(&self) -> Result<Reviewer, Fault> {
        let Some(function) = self.vars.optional("REVIEW_FUNCTION") else { return Ok(Reviewer::none()) };
        let fallback = self.vars.parsed("REVIEW_FALLBACK", Fallback::Allow)?;
        let default = u64::try_from(REVIEW_TIMEOUT.as_millis()).unwrap_or_default();
        let patience = Duration::from_millis(self.vars.parsed("REVIEW_TIMEOUT_MS", default)?);
        Ok(Reviewer::new(self.clients.invoker().once().with_patience(patience), function, fallback))
    }

    /// Messages that somebody told the moderators of.
    pub fn reports(&self) -> Result<Reports, Fault> {
        Ok(Reports::new(self.clients.dynamodb(), self.chat_table()?))
    }

    pub fn kept_rooms(&self) -> Result<KeptRooms, Fault> {
        Ok(KeptRooms::new(self.clients.dynamodb(), self.chat_table()?))
    }

    /// Who may enter them.
    pub fn rights(&self) -> Result<Rights, Fault> {
        Ok(Rights::new(self.kept_rooms()?))
    }

    pub fn inbox(&self) -> Result<Inbox, Fault> {
        Ok(Inbox::new(self.kept_rooms()?, self.users()?))
    }

    pub fn personal(&self) -> Result<Personal, Fault> {
        Ok(Personal::new(self.users()?, self.connections()?, self.pusher()?))
    }

    /// The files that messages carry.
    pub fn files(&self) -> Result<Files, Fault> {
        Ok(Files::new(self.clients.bucket()?))
    }

    /// How large one may be.
    pub fn file_size(&self) -> Result<FileSize, Fault> {
        Ok(FileSize::up_to_megabytes(self.vars.parsed("ATTACHMENT_MEGABYTES", ATTACHMENT_MEGABYTES)?))
    }

    pub fn users(&self) -> Result<Users, Fault> {
        Ok(Users::new(self.clients.dynamodb(), self.chat_table()?, self.vars.flag("EXPOSE_EMAIL")?))
    }

    /// Whoever asks for the chat table alone need not name the other one.
    pub fn tables(&self) -> Result<Tables, Fault> {
        let connections = self.vars.optional("CONNECTIONS_TABLE");
        Ok(Tables::new(self.clients.dynamodb(), connections, self.chat_table()?))
    }

    /// Only operators erase.
    pub fn erasure(&self) -> Result<Erasure, Fault> {
        Ok(Erasure::new(self.clients.dynamodb(), self.connections_table()?, self.chat_table()?))
    }

    /// What senders do for rooms in rounds.
    pub fn rounds(&self) -> Result<Rounds, Fault> {
        Ok(Rounds::new(self.messages()?, self.waker("DELIVER_FUNCTION")?, self.crowd()?))
    }

    /// What the function does that delivers rooms in rounds.
    pub fn couriers(&self) -> Result<Couriers, Fault> {
        let (me, crowd) = ("AWS_LAMBDA_FUNCTION_NAME", self.crowd()?);
        let budget = Posts::new(self.clients.dynamodb(), self.connections_table()?);
        let budget = Budget::new(budget, crowd.posts_per_second);
        let invoker = self.clients.invoker().with_patience(HAND_TIMEOUT);
        let posting = Posting::new(
            self.pusher()?,
            self.connections()?,
            self.delivery()?,
            budget,
            (invoker, self.vars.required(me)?),
            crowd.posts_per_second,
            self.vars.parsed("HAND_MEMBERS", HAND_MEMBERS)?.max(1),
        );
        Ok(Couriers::new(
            (self.messages()?, self.changes()?),
            self.users()?,
            self.files()?,
            posting,
            self.waker(me)?,
            crowd,
        ))
    }

    fn waker(&self, function: &'static str) -> Result<Waker, Fault> {
        Ok(Waker::new(self.clients.invoker(), self.vars.required(function)?))
    }

    fn crowd(&self) -> Result<Crowd, Fault> {
        Ok(Crowd {
            large: self.vars.parsed("LARGE_ROOM", LARGE_ROOM)?,
            hot: self.vars.parsed("HOT_ROOM", HOT_ROOM)?,
            posts_per_second: self.vars.parsed("POSTS_PER_SECOND", POSTS_PER_SECOND)?,
            round_messages: self.vars.parsed("ROUND_MESSAGES", ROUND_MESSAGES_MAX)?.max(1),
        })
    }

    pub fn pusher(&self) -> Result<Pusher, Fault> {
        let memory = self.vars.parsed("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", DEFAULT_MEMORY)?;
        Ok(Pusher::new(self.clients.management()?, posts_in_flight(memory)))
    }

    /// What invokes other functions.
    pub fn invoker(&self) -> Invoker {
        self.clients.invoker()
    }

    pub fn signals(&self) -> Result<Signals, Fault> {
        Ok(Signals::new(self.connections()?, self.bars()?, self.delivery()?, self.signals_up_to()?))
    }

    /// Up to how many connections in a room signals are pushed.
    pub fn signals_up_to(&self) -> Result<usize, Fault> {
        self.vars.parsed("SIGNALS_UP_TO", SIGNALS_UP_TO)
    }

    /// A pace of its own for what is not sent: so many a second.
    pub fn pace_of(&self, per_second: u32) -> Pace {
        Pace::of(per_second)
    }

    pub fn pace(&self) -> Result<Pace, Fault> {
        Ok(Pace::of(self.vars.parsed("SENDS_PER_SECOND", SENDS_PER_SECOND)?))
    }

    fn connections_table(&self) -> Result<&'a str, Fault> {
        self.vars.required("CONNECTIONS_TABLE")
    }

    fn chat_table(&self) -> Result<&'a str, Fault> {
        self.vars.required("CHAT_TABLE")
    }
}
