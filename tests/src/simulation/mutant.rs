//! The mistakes that the simulation must find.

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A message is stored only after it was pushed to somebody, and every fifth function dies between the two.
    PushBeforeStore,
    /// The row that remembers a send is not written.
    RetryRowForgotten,
    /// The members are read before the message is counted.
    MembersReadBeforeCounting,
    /// A join reads the newest id before it becomes a member.
    LastIdReadBeforeJoining,
    /// Every fifth message gets the id of the one before it.
    IdsGivenTwice,
    /// A message is pushed to the members of another room.
    PushedToAnotherRoom,
    /// Members are never removed.
    MembersNeverRemoved,
    /// Every seventh message is not stored, and its sender gets an ack.
    StoreForgotten,
    /// A join is not verified.
    JoinNotVerified,
    /// A leave takes a room off its connection whatever the number of the join.
    RoomRemovedWhateverTheNumber,
    /// A join writes its member over that of a later join.
    MemberWrittenOverALaterOne,
    /// A join that is undone removes the member whatever the number of its join.
    UndoneWhateverTheNumber,
    /// A handshake opens its connection although another one closed it meanwhile.
    OpenedWhateverIsThere,
    /// A handshake that makes place closes only connections whose handshake is over.
    ClosedOnlyIfThere,
    /// Frames of closed connections do not end them.
    ClosedAreNotEnded,
    /// A send does not look whether its connection is open.
    SendsNotLookedAt,
    /// A connection that made place is forgotten although it was not ended.
    ForgottenThoughNotEnded,
    /// A change is committed only after it was pushed to somebody, and every fifth function dies between the two.
    PushBeforeCommit,
    /// A change has no place in the feed.
    ChangeNotListed,
    /// The members are read before a change is committed.
    MembersReadBeforeCommit,
    /// A join reads how far the changes reach before it becomes a member.
    ChangesReadBeforeJoining,
    /// The names of a message's edits are not kept.
    EditsForgotten,
    /// A change is written over whatever became of its message.
    ChangedWhateverTheVersion,
    /// A change takes its number whatever was given out meanwhile.
    NumberedWhateverIsThere,
    /// A reaction is counted again when it is repeated.
    ReactionCountedTwice,
    /// The row of a member does not say that its client speaks Socket.IO.
    EncodingForgotten,
    /// A message is counted whoever is barred.
    CountedWhoeverIsBarred,
    /// A join does not look who is banned.
    BansNotLookedAt,
    /// A bar is not copied to where edits look.
    BarNotCopied,
    /// A courier goes on behind a hole, and does not seal it.
    CursorPassesHoles,
    /// A courier rests although something was counted meanwhile.
    RestsWhateverWasCounted,
    /// A courier rests although a change was brought to it meanwhile.
    RestsWhateverWasChanged,
    /// A message is stored over the seal of its id.
    StoredOverASeal,
    /// A send that has no place wakes nobody.
    RefusedWakesNobody,
    /// A courier reads the members once, before it knows how far the room reaches.
    MembersReadBeforeLastId,
    /// Lambda does not bring an event again on which its function failed.
    FailedIsNotRepeated,
    /// Every fifth wake is lost, and whoever woke goes on.
    AckBeforeWake,
    /// A courier notes what it pushed although it has lost its room.
    StepsWhoeverHasTheRoom,
    /// A change is not brought to the courier.
    KnockForgotten,
    /// The last part of a round is not posted.
    PartLeftOut,
    /// A part ends before the member that cuts it off.
    PartEndsBeforeItsCut,
}

impl Mutant {
    /// Those of every room.
    const PLAIN: [Self; 26] = [
        Self::PushBeforeStore,
        Self::RetryRowForgotten,
        Self::MembersReadBeforeCounting,
        Self::LastIdReadBeforeJoining,
        Self::IdsGivenTwice,
        Self::PushedToAnotherRoom,
        Self::MembersNeverRemoved,
        Self::StoreForgotten,
        Self::JoinNotVerified,
        Self::RoomRemovedWhateverTheNumber,
        Self::MemberWrittenOverALaterOne,
        Self::UndoneWhateverTheNumber,
        Self::OpenedWhateverIsThere,
        Self::ClosedOnlyIfThere,
        Self::ClosedAreNotEnded,
        Self::SendsNotLookedAt,
        Self::ForgottenThoughNotEnded,
        Self::PushBeforeCommit,
        Self::ChangeNotListed,
        Self::MembersReadBeforeCommit,
        Self::ChangesReadBeforeJoining,
        Self::EditsForgotten,
        Self::ChangedWhateverTheVersion,
        Self::NumberedWhateverIsThere,
        Self::ReactionCountedTwice,
        Self::EncodingForgotten,
    ];

    /// Mistakes that only schedules with a moderator show.
    const OF_BARS: [Self; 3] = [Self::CountedWhoeverIsBarred, Self::BansNotLookedAt, Self::BarNotCopied];

    /// Mistakes that only rooms in rounds show.
    const OF_ROUNDS: [Self; 12] = [
        Self::CursorPassesHoles,
        Self::RestsWhateverWasCounted,
        Self::RestsWhateverWasChanged,
        Self::StoredOverASeal,
        Self::RefusedWakesNobody,
        Self::MembersReadBeforeLastId,
        Self::FailedIsNotRepeated,
        Self::AckBeforeWake,
        Self::StepsWhoeverHasTheRoom,
        Self::KnockForgotten,
        Self::PartLeftOut,
        Self::PartEndsBeforeItsCut,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().chain(Self::OF_BARS).chain(Self::OF_ROUNDS)
    }

    pub fn is_of_bars(self) -> bool {
        Self::OF_BARS.contains(&self)
    }

    pub fn is_of_rounds(self) -> bool {
        Self::OF_ROUNDS.contains(&self)
    }
}
