//! `barUser`: mute somebody in a room, ban them from it, take them out, or let them be.

use super::Parts;
use chat::{Act, Bar, BarChange, BarUser, Push, Reply};
use chat_aws::entry::ActionEvent;
use chat_aws::{Failure, now};

/// Writes a ban before it reads who is there: whoever joins meanwhile is seen here, or itself finds the ban.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let now = now();
    let asked = BarUser::read(&event.request, &event.caller, now)?;
    let BarUser { room, target, act } = &asked;
    if let Some(kept) = parts.admit(&event.caller, room).await? {
        asked.suits(&kept)?;
    }

    match act {
        Act::Kick => parts.membership.take_out(target, room, async { Ok(false) }, &Push::kicked(room)).await?,
        Act::Bar(change) => {
            parts.bars.change(room, target, *change, now).await?;
            if let BarChange::Set(ban) = change
                && ban.bar == Bar::Ban
            {
                let may_stay = parts.bars.lets_in(target, room, now);
                parts.membership.take_out(target, room, may_stay, &Push::banned(room, *ban, now)).await?;
            }
        }
    }
    Ok(Reply::barred(asked))
}
