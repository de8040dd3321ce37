use super::{Item, batch, key, keys, number, read, text};
use crate::limits::BATCH_GET_MAX;
use crate::{Fault, now};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use chat::{Profile, Timestamp, UserId};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// How users are shown: the user part of the Chat table, `USER#<userId>` / `PROFILE`.
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
}

impl Users {
    pub(crate) fn new(client: Client, table: &str, expose_email: bool) -> Self {
        Self { client, table: table.to_owned(), expose_email }
    }

    /// Keeps a user's profile as a token gives it; `createTime` stays that of the first time. Answers whether the token may be
    /// used: false if it was issued, in seconds, before the user's tokens were revoked.
    pub async fn remember(&self, profile: &Profile, issued_at: i64) -> Result<bool, Fault> {
        let mut update = String::from("SET userId = :userId, username = :username, nickName = :nickName");
        update.push_str(", createTime = if_not_exists(createTime, :now)");
        let id = serde_dynamo::to_attribute_value(&profile.id).map_err(Fault::doing("failed to write a profile"))?;
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&keys::user(&profile.id), keys::PROFILE)))
            .expression_attribute_values(":userId", id)
            .expression_attribute_values(":username", text(&profile.username))
            .expression_attribute_values(":nickName", text(&profile.nick_name))
            .expression_attribute_values(":now", number(now().millis()))
            .condition_expression("attribute_not_exists(revokedAt) OR revokedAt < :issuedAt")
            .expression_attribute_values(":issuedAt", number(issued_at));
        let mut absent = Vec::new();
        for (name, value) in [("email", &profile.email), ("headPic", &profile.head_pic)] {
            match value {
                Some(value) => {
                    update.push_str(&format!(", {name} = :{name}"));
                    request = request.expression_attribute_values(format!(":{name}"), text(value));
                }
                None => absent.push(name),
            }
        }
        if !absent.is_empty() {
            update.push_str(&format!(" REMOVE {}", absent.join(", ")));
        }
        match request.update_expression(update).send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(Fault::because("failed to write a profile", error)),
        }
    }

    /// Has no token of a user connect again that was issued until now, whether the user was seen before or not.
    pub async fn revoke(&self, user: &UserId) -> Result<(), Fault> {
        let doing = "failed to revoke a user's tokens";
        let unknown = Profile::unknown(user.clone());
        let update = "SET revokedAt = :now, userId = :userId, createTime = if_not_exists(createTime, :millis), \
                      username = if_not_exists(username, :name), nickName = if_not_exists(nickName, :name)";
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&keys::user(user), keys::PROFILE)))
            .update_expression(update)
            .expression_attribute_values(":now", number(now().seconds()))
            .expression_attribute_values(":millis", number(now().millis()))
            .expression_attribute_values(
                ":userId",
                serde_dynamo::to_attribute_value(user).map_err(Fault::doing(doing))?,
            )
            .expression_attribute_values(":name", text(unknown.username));
        request.send().await.map(drop).map_err(Fault::doing(doing))
    }

    /// The profiles of several users by one batch read; a user whose profile is not stored is shown by the id alone.
    pub async fn profiles(&self, ids: BTreeSet<UserId>) -> Result<HashMap<UserId, Profile>, Fault> {
        let mut profiles: HashMap<_, _> = ids.iter().map(|id| (id.clone(), Profile::unknown(id.clone()))).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        for chunk in ids.chunks(BATCH_GET_MAX) {
            for item in self.batch(chunk).await? {
                let row: ProfileRow = read(item)?;
                profiles.insert(row.user_id.clone(), self.profile(row));
            }
        }
        Ok(profiles)
    }

    async fn batch(&self, ids: &[UserId]) -> Result<Vec<Item>, Fault> {
        let doing = "failed to read profiles";
        let wanted = ids.iter().map(|id| key(&keys::user(id), keys::PROFILE)).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted)).build().map_err(Fault::doing(doing))?;
        let mut found = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
        Ok(found.remove(&self.table).unwrap_or_default())
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
