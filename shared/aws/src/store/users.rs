use super::messages::{is_void, message_of};
use super::time::ServerTime;
use super::{Item, answer, batch, key, keys, number, read, text};
use crate::limits::{BANS_FORGOTTEN, BANS_KEPT, BATCH_GET_MAX};
use crate::{Failure, Fault, now};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use chat::{Bar, Barred, Caller, Device, Message, MessageId, Profile, Rejection, RoomId, Timestamp, UserId};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// Profiles, revocations and connections of users: the user part of the Chat table, `USER#<userId>` / `PROFILE`.
///
/// Their connections stand here and not with the other short-lived rows, because `$connect` writes this row anyway: so
/// they are counted, and a revocation meets all of them, without a request of its own. Stale entries are removed when
/// the user exceeds the limit.
#[derive(Clone)]
pub struct Users {
    client: Client,
    table: String,
    expose_email: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileRow {
    user_id: UserId,
    username: String,
    nick_name: String,
    email: Option<String>,
    head_pic: Option<String>,
    create_time: i64,
    /// In seconds, as tokens say when they were issued.
    revoked_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RevocationRow {
    revoked_at: Option<i64>,
}

/// What `profiles` reads of a row: not the connections.
const PROFILE_ATTRIBUTES: &str = "userId, username, nickName, email, headPic, createTime, revokedAt";

/// Sees to it that a user's row is one, for a user who was never seen.
const IS_A_PROFILE: &str = "userId = :userId, createTime = if_not_exists(createTime, :millis), \
                            username = if_not_exists(username, :name), nickName = if_not_exists(nickName, :name)";

/// What a user's row says of a ban: until which second, and by which change of the room's bars.
#[derive(Deserialize)]
struct BanRow {
    until: i64,
}

/// The ban from a room that stands in a user's row, if it holds.
fn ban(item: &Item, room: &RoomId, now: Timestamp) -> Option<Barred> {
    let row: BanRow = read(item.get(&keys::ban(room))?.as_m().ok()?.clone()).ok()?;
    let until = Timestamp::from_millis(row.until.saturating_mul(1_000));
    (until > now).then_some(Barred { bar: Bar::Ban, until })
}

/// What somebody reads at once.
pub(crate) struct Reader {
    pub profiles: HashMap<UserId, Profile>,
    pub messages: HashMap<(RoomId, MessageId), Message>,
}

/// Users as they are shown if no row is found.
fn unknown(ids: &BTreeSet<UserId>) -> HashMap<UserId, Profile> {
    ids.iter().map(|id| (id.clone(), Profile::unknown(id.clone()))).collect()
}

/// Whether a row has expired.
fn is_over(item: &Item, now: Timestamp) -> bool {
    let at = item.get("expiresAt").and_then(|at| at.as_n().ok()?.parse::<i64>().ok());
    at.is_some_and(|at| at <= now.seconds())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DevicesRow {
    devices: BTreeSet<String>,
}

/// The connections in an answer of DynamoDB.
fn devices(attributes: Option<Item>) -> Result<Vec<Device>, Fault> {
    let row: DevicesRow = read(attributes.unwrap_or_default())?;
    Ok(row.devices.iter().filter_map(|device| keys::parse_device(device)).collect())
}

impl Users {
    pub(crate) fn new(client: Client, table: &str, expose_email: bool) -> Self {
        Self { client, table: table.to_owned(), expose_email }
    }

    /// Keeps a user's profile as a token gives it, `createTime` as of the first time, and that this connection is one
    /// of the user's. Answers all of them. Refused if the token was issued, in seconds, before the user's tokens were
    /// revoked.
    pub async fn remember(&self, profile: &Profile, issued_at: i64, device: &Device) -> Result<Vec<Device>, Failure> {
        let mut change = String::from("SET userId = :userId, username = :username, nickName = :nickName");
        change.push_str(", createTime = if_not_exists(createTime, :now)");
        let id = serde_dynamo::to_attribute_value(&profile.id).map_err(Fault::doing("failed to write a profile"))?;
        let mut request = self
            .update(&profile.id)
            .expression_attribute_values(":userId", id)
            .expression_attribute_values(":username", text(&profile.username))
            .expression_attribute_values(":nickName", text(&profile.nick_name))
            .expression_attribute_values(":now", number(now().millis()))
            .condition_expression("attribute_not_exists(revokedAt) OR revokedAt < :issuedAt")
            .expression_attribute_values(":issuedAt", number(issued_at))
            .expression_attribute_values(":devices", AttributeValue::Ss(vec![keys::device(device)]));
        let mut absent = Vec::new();
        for (name, value) in [("email", &profile.email), ("headPic", &profile.head_pic)] {
            match value {
                Some(value) => {
                    change.push_str(&format!(", {name} = :{name}"));
                    request = request.expression_attribute_values(format!(":{name}"), text(value));
                }
                None => absent.push(name),
            }
        }
        if !absent.is_empty() {
            change.push_str(&format!(" REMOVE {}", absent.join(", ")));
        }
        change.push_str(" ADD devices :devices");
        let request = request.update_expression(change).return_values(ReturnValue::UpdatedNew);
        match answer(request.send()).await {
            Ok(updated) => Ok(devices(updated.attributes)?),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Err(Rejection::TokenRevoked.into()),
            Err(error) => Err(Fault::because("failed to write a profile", error).into()),
        }
    }

    /// Removes closed connections from those of a user.
    pub async fn forget(&self, user: &UserId, gone: &[Device]) -> Result<(), Fault> {
        // DynamoDB knows no empty set.
        if gone.is_empty() {
            return Ok(());
        }
        let request = self
            .update(user)
            .update_expression("DELETE devices :gone")
            .expression_attribute_values(":gone", AttributeValue::Ss(gone.iter().map(keys::device).collect()))
            // Without this condition the update would create a row for an unknown user.
            .condition_expression("attribute_exists(PK)");
        match answer(request.send()).await {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to forget a user's connections", error)),
        }
    }

    /// Whether a user was ever seen, and DynamoDB's time: the clock of this machine may be wrong.
    pub async fn look(&self, user: &UserId) -> Result<(bool, Timestamp), Fault> {
        let doing = "failed to look for a user";
        let time = ServerTime::default();
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::user(user), keys::PROFILE))).projection_expression("PK");
        let found = request.customize().interceptor(time.clone()).send().await.map_err(Fault::doing(doing))?;
        let time = time.get().ok_or_else(|| Fault::because(doing, "the answer does not say what time it is"))?;
        Ok((found.item.is_some(), time))
    }

    /// Refused if the caller's tokens were revoked since this one was issued. For whoever comes by no handshake, which
    /// [remembers](Self::remember) a user and is refused there. Answers whether the caller is banned from a room that is
    /// asked for.
    pub async fn may_act(&self, caller: &Caller, room: Option<&RoomId>) -> Result<Option<Barred>, Failure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::user(caller.user()), keys::PROFILE)));
        let request = match room {
            None => request.projection_expression("revokedAt"),
            Some(room) => {
                request.projection_expression("revokedAt, #ban").expression_attribute_names("#ban", keys::ban(room))
            }
        };
        let found = answer(request.send()).await;
        let found = found.map_err(Fault::doing("failed to look whether a token was revoked"))?;
        let item = found.item.unwrap_or_default();
        let banned = room.and_then(|room| ban(&item, room, now()));
        let row: RevocationRow = read(item)?;
        if row.revoked_at.is_some_and(|at| caller.issued_at <= at) {
            return Err(Rejection::TokenRevoked.into());
        }
        Ok(banned)
    }

    /// The same of what is done in a room: refused to whoever is banned from it.
    pub async fn may_act_in(&self, caller: &Caller, room: &RoomId) -> Result<(), Failure> {
        match self.may_act(caller, Some(room)).await? {
            Some(banned) => Err(banned.refusal(now()).into()),
            None => Ok(()),
        }
    }

    /// Keeps until when a user is banned from a room, even if the user was never seen, unless a later change of the room's
    /// bars said so before.
    pub(super) async fn ban(&self, user: &UserId, room: &RoomId, until: Timestamp, bars: u64) -> Result<(), Fault> {
        let doing = "failed to keep a ban";
        let ban = [("until".into(), number(until.seconds())), ("bars".into(), number(bars))];
        let request = self
            .known(user, &format!("SET #ban = :ban, {IS_A_PROFILE}"), now(), doing)?
            .condition_expression("attribute_not_exists(#ban) OR #ban.bars < :bars")
            .expression_attribute_names("#ban", keys::ban(room))
            .expression_attribute_values(":ban", AttributeValue::M(ban.into()))
            .expression_attribute_values(":bars", number(bars));
        match answer(request.return_values(ReturnValue::AllNew).send()).await {
            Ok(kept) => self.forget_bans(user, &kept.attributes.unwrap_or_default()).await,
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because(doing, error)),
        }
    }

    /// Removes the bans that are long over, some at a time, so that a user's row does not grow with every one.
    async fn forget_bans(&self, user: &UserId, row: &Item) -> Result<(), Fault> {
        let long_over = now().seconds() - BANS_KEPT.as_secs().cast_signed();
        let until = |ban: &AttributeValue| ban.as_m().ok()?.get("until")?.as_n().ok()?.parse::<i64>().ok();
        let is_over = |ban: &AttributeValue| until(ban).is_some_and(|until| until < long_over);
        let over = row.iter().filter(|(name, ban)| keys::is_ban(name) && is_over(ban)).map(|(name, _)| name);
        let over: Vec<_> = over.take(BANS_FORGOTTEN).collect();
        if over.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = (0..over.len()).map(|number| format!("#ban{number}")).collect();
        let still: Vec<_> = names.iter().map(|name| format!("{name}.#until < :over")).collect();
        let mut request = self
            .update(user)
            .update_expression(format!("REMOVE {}", names.join(", ")))
            .condition_expression(still.join(" AND "))
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":over", number(long_over));
        for (name, ban) in names.into_iter().zip(over) {
            request = request.expression_attribute_names(name, ban);
        }
        match answer(request.send()).await {
            // Another ban of the user forgot them, or set one anew.
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to forget a ban", error)),
        }
    }

    /// The connections that the user's row still lists.
    pub async fn devices(&self, user: &UserId) -> Result<Vec<Device>, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::user(user), keys::PROFILE))).projection_expression("devices");
        let found = request.send().await.map_err(Fault::doing("failed to list a user's connections"))?;
        devices(found.item)
    }

    /// Revokes all tokens that were issued to a user until a certain time, even if the user was never seen. Answers the
    /// user's connections.
    pub async fn revoke(&self, user: &UserId, until: Timestamp) -> Result<Vec<Device>, Fault> {
        let doing = "failed to revoke a user's tokens";
        let request = self
            .known(user, &format!("SET revokedAt = :until, {IS_A_PROFILE}"), until, doing)?
            .expression_attribute_values(":until", number(until.seconds()))
            .return_values(ReturnValue::AllNew);
        devices(request.send().await.map_err(Fault::doing(doing))?.attributes)
    }

    /// A change of a user's row that leaves a profile there, where there was none.
    fn known(
        &self,
        user: &UserId,
        change: &str,
        since: Timestamp,
        doing: &'static str,
    ) -> Result<UpdateItemFluentBuilder, Fault> {
        let id = serde_dynamo::to_attribute_value(user).map_err(Fault::doing(doing))?;
        let request = self.update(user).update_expression(change);
        Ok(request
            .expression_attribute_values(":millis", number(since.millis()))
            .expression_attribute_values(":userId", id)
            .expression_attribute_values(":name", text(Profile::unknown(user.clone()).username)))
    }

    fn update(&self, user: &UserId) -> UpdateItemFluentBuilder {
        let key = key(&keys::user(user), keys::PROFILE);
        self.client.update_item().table_name(&self.table).set_key(Some(key))
    }

    /// The profiles of several users by one batch read; a user whose profile is not stored is shown by the id alone.
    /// Refused to a reader whose tokens were revoked since this one was issued: the reader's row is read with the
    /// others.
    pub async fn profiles(&self, ids: BTreeSet<UserId>, reader: &Caller) -> Result<HashMap<UserId, Profile>, Failure> {
        self.shown(ids, reader, None).await
    }

    /// The same for somebody who reads in a room: refused as well to whoever is banned from it.
    pub async fn profiles_in(
        &self,
        room: &RoomId,
        ids: BTreeSet<UserId>,
        reader: &Caller,
    ) -> Result<HashMap<UserId, Profile>, Failure> {
        self.shown(ids, reader, Some(room)).await
    }

    async fn shown(
        &self,
        mut ids: BTreeSet<UserId>,
        reader: &Caller,
        room: Option<&RoomId>,
    ) -> Result<HashMap<UserId, Profile>, Failure> {
        let (mut profiles, now) = (unknown(&ids), now());
        ids.insert(reader.user().clone());
        let ids: Vec<_> = ids.into_iter().collect();
        for chunk in ids.chunks(BATCH_GET_MAX) {
            for item in self.batch(chunk, room).await? {
                // Of the reader alone: others are shown, banned or not.
                let banned = room.and_then(|room| ban(&item, room, now));
                let user = self.show(item, reader, &mut profiles)?;
                if let Some(banned) = banned.filter(|_| user == *reader.user()) {
                    return Err(banned.refusal(now).into());
                }
            }
        }
        Ok(profiles)
    }

    /// The same for whoever may read without being asked: an operator, whom the account itself lets in, and a connection,
    /// which a revocation ends.
    pub async fn profiles_of(&self, ids: BTreeSet<UserId>) -> Result<HashMap<UserId, Profile>, Fault> {
        let mut profiles = unknown(&ids);
        let ids: Vec<_> = ids.into_iter().collect();
        for chunk in ids.chunks(BATCH_GET_MAX) {
            for item in self.batch(chunk, None).await? {
                let profile = self.profile(read(item)?);
                profiles.insert(profile.id.clone(), profile);
            }
        }
        Ok(profiles)
    }

    /// The same beside rows of messages, in the same requests. A message that is void, or over, is not in it.
    pub(crate) async fn beside(
        &self,
        ids: BTreeSet<UserId>,
        reader: &Caller,
        messages: Vec<Item>,
    ) -> Result<Reader, Failure> {
        let doing = "failed to read profiles and messages";
        let mut profiles = unknown(&ids);
        let users = ids.iter().chain([reader.user()]).map(|id| key(&keys::user(id), keys::PROFILE));
        let wanted: Vec<_> = users.chain(messages).collect();
        let (mut found, now) = (HashMap::new(), now());
        for chunk in wanted.chunks(BATCH_GET_MAX) {
            let wanted = KeysAndAttributes::builder().set_keys(Some(chunk.to_vec()));
            let wanted = wanted.build().map_err(Fault::doing(doing))?;
            let mut rows = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
            for item in rows.remove(&self.table).unwrap_or_default() {
                if item.contains_key("username") {
                    self.show(item, reader, &mut profiles)?;
                } else if !is_void(Some(&item)) && !is_over(&item, now) {
                    let message = message_of(item)?;
                    found.insert((message.room.clone(), message.id), message);
                }
            }
        }
        Ok(Reader { profiles, messages: found })
    }

    async fn batch(&self, ids: &[UserId], room: Option<&RoomId>) -> Result<Vec<Item>, Fault> {
        let doing = "failed to read profiles";
        let wanted = ids.iter().map(|id| key(&keys::user(id), keys::PROFILE)).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted));
        let wanted = match room {
            None => wanted.projection_expression(PROFILE_ATTRIBUTES),
            Some(room) => wanted
                .projection_expression(format!("{PROFILE_ATTRIBUTES}, #ban"))
                .expression_attribute_names("#ban", keys::ban(room)),
        };
        let wanted = wanted.build().map_err(Fault::doing(doing))?;
        let mut found = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
        Ok(found.remove(&self.table).unwrap_or_default())
    }

    /// Takes a row's profile in, if it is one of those. Refused if the row is the reader's, and says that the token was
    /// revoked. Answers whose row it is.
    fn show(&self, item: Item, reader: &Caller, profiles: &mut HashMap<UserId, Profile>) -> Result<UserId, Failure> {
        let row: ProfileRow = read(item)?;
        if row.user_id == *reader.user() && row.revoked_at.is_some_and(|at| reader.issued_at <= at) {
            return Err(Rejection::TokenRevoked.into());
        }
        let user = row.user_id.clone();
        if let Some(profile) = profiles.get_mut(&user) {
            *profile = self.profile(row);
        }
        Ok(user)
    }

    fn profile(&self, row: ProfileRow) -> Profile {
        Profile {
            id: row.user_id,
            username: row.username,
            nick_name: row.nick_name,
            // Rows may be older than the deployment's decision not to show addresses.
            email: row.email.filter(|_| self.expose_email),
            head_pic: row.head_pic,
            create_time: Some(Timestamp::from_millis(row.create_time)),
        }
    }
}
