use super::{Item, key, keys, now_in_seconds, number, read, row, text};
use crate::limits::{CONNECTION_LIFETIME, MEMBERS_PER_PAGE};
use crate::{Fault, now};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::limits::ROOMS_PER_CONNECTION_MAX;
use chat::{ConnectionId, Device, Member, Rejection, RoomId, Timestamp, UserId};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Who is connected, and where: the Connections table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `CONN#<connectionId>` | `CONN` | that the connection is open, and the rooms it is in |
/// | `ROOM#<roomId>` | `CONN#<connectionId>` | a member to push to |
#[derive(Clone)]
pub struct Connections {
    client: Client,
    table: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenRow {
    user_id: UserId,
    connected_at: i64,
    expires_at: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMemberRow {
    user_id: UserId,
    joined_at: i64,
    expires_at: i64,
}

/// What is read of a member: the id of its connection is in its key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberRow {
    #[serde(rename = "SK")]
    sort: String,
    user_id: UserId,
    joined_at: i64,
}

/// What is read of a connection.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionRow {
    #[serde(default)]
    rooms: BTreeSet<String>,
    closed_at: Option<i64>,
}

impl Connections {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Notes that a connection is open.
    pub async fn open(&self, device: &Device, user: &UserId) -> Result<(), Fault> {
        let expires_at = now().after(CONNECTION_LIFETIME).seconds();
        let attributes = OpenRow { user_id: user.clone(), connected_at: device.connected_at.millis(), expires_at };
        let open = row(&keys::connection(&device.connection), keys::OPEN, &attributes)?;
        self.put(open, "failed to note a connection").await
    }

    /// Notes that a connection is closed, and answers the rooms it was in, each time it is asked until the connection is
    /// forgotten.
    ///
    /// In this order, and `joinRoom` the other way round (it enters, then [notes](Self::note) the room here), one of the two
    /// always sees the other: no member stays behind whose connection is closed.
    pub async fn close(&self, connection: &ConnectionId) -> Result<BTreeSet<RoomId>, Fault> {
        let doing = "failed to close a connection";
        let update = self.update(connection, "SET closedAt = if_not_exists(closedAt, :now)", "attribute_exists(PK)");
        let update = update.expression_attribute_values(":now", now_in_seconds()).return_values(ReturnValue::AllNew);
        let item = match Box::pin(update.send()).await.map_err(|error| error.into_service_error()) {
            Ok(closed) => closed.attributes.unwrap_or_default(),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(BTreeSet::new()),
            Err(error) => return Err(Fault::because(doing, error)),
        };
        let room = |id: &String| {
            RoomId::parse(id).ok_or_else(|| Fault::because(doing, format!("it is in {id:?}, which is no room")))
        };
        read::<ConnectionRow>(item)?.rooms.iter().map(room).collect()
    }

    /// Removes what says that there is, or was, a connection.
    pub async fn forget(&self, connection: &ConnectionId) -> Result<(), Fault> {
        let key = key(&keys::connection(connection), keys::OPEN);
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        Box::pin(request.send()).await.map(drop).map_err(Fault::doing("failed to forget a connection"))
    }

    /// Notes at a connection that it is in a room, for its end; unless it is closed, or in too many.
    pub async fn note(&self, connection: &ConnectionId, room: &RoomId) -> Result<Result<(), Rejection>, Fault> {
        let may_be_noted = "attribute_exists(PK) AND attribute_not_exists(closedAt) \
                            AND (attribute_not_exists(rooms) OR size(rooms) < :most OR contains(rooms, :room))";
        let update = self
            .update(connection, "ADD rooms :rooms", may_be_noted)
            .expression_attribute_values(":rooms", AttributeValue::Ss(vec![room.to_string()]))
            .expression_attribute_values(":room", text(room.to_string()))
            .expression_attribute_values(":most", number(ROOMS_PER_CONNECTION_MAX))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match Box::pin(update.send()).await.map_err(|error| error.into_service_error()) {
            Ok(_) => Ok(Ok(())),
            Err(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let found = refused.item.map(read::<ConnectionRow>).transpose()?;
                let is_open = found.is_some_and(|connection| connection.closed_at.is_none());
                Ok(Err(if is_open { Rejection::TooManyRooms } else { Rejection::ConnectionGone }))
            }
            Err(error) => Err(Fault::because("failed to note a connection's room", error)),
        }
    }

    /// Notes at a connection that it is in a room no more.
    pub async fn strike(&self, connection: &ConnectionId, room: &RoomId) -> Result<(), Fault> {
        let update = self.update(connection, "DELETE rooms :rooms", "attribute_exists(PK)");
        let update = update.expression_attribute_values(":rooms", AttributeValue::Ss(vec![room.to_string()]));
        match Box::pin(update.send()).await.map_err(|error| error.into_service_error()) {
            // A connection that is forgotten is in no room.
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to strike a connection's room", error)),
        }
    }

    /// Makes a connection a member of a room, until its token is good no more: so nothing is pushed to it from then on, even
    /// if it is never heard of again.
    pub async fn enter(&self, member: &Member, room: &RoomId, good_until: Timestamp) -> Result<(), Fault> {
        let expires_at = now().after(CONNECTION_LIFETIME).min(good_until).seconds();
        let attributes =
            NewMemberRow { user_id: member.user.clone(), joined_at: member.joined_at.millis(), expires_at };
        let member = row(&keys::room(room), &keys::connection(&member.connection), &attributes)?;
        self.put(member, "failed to make a connection a member").await
    }

    /// Takes a connection out of a room. Answers whether it was in.
    pub async fn leave(&self, connection: &ConnectionId, room: &RoomId) -> Result<bool, Fault> {
        let key = key(&keys::room(room), &keys::connection(connection));
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        let left = Box::pin(request.return_values(ReturnValue::AllOld).send()).await;
        Ok(left.map_err(Fault::doing("failed to remove a member"))?.attributes.is_some())
    }

    /// The members of a room, whoever's connection has not expired: a first page of them, and the way to the others.
    pub async fn members(&self, room: &RoomId) -> Result<Members, Fault> {
        let (page, next) = self.page_of_members(room, None).await?;
        Ok(Members { page, rest: next.map(|next| (self.clone(), room.clone(), next)) })
    }

    async fn page_of_members(&self, room: &RoomId, start: Option<Item>) -> Result<(Vec<Member>, Option<Item>), Fault> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":pk", text(keys::room(room)))
            .expression_attribute_values(":prefix", text(keys::CONNECTION_PREFIX))
            .expression_attribute_values(":now", now_in_seconds())
            .limit(MEMBERS_PER_PAGE)
            .set_exclusive_start_key(start);
        let answer = Box::pin(query.send()).await.map_err(Fault::doing("failed to list a room's members"))?;
        let page: Result<_, _> = answer.items.unwrap_or_default().into_iter().map(member).collect();
        Ok((page?, answer.last_evaluated_key))
    }

    /// A change of what stands at a connection, if a condition holds.
    fn update(&self, connection: &ConnectionId, change: &str, condition: &str) -> UpdateItemFluentBuilder {
        let key = key(&keys::connection(connection), keys::OPEN);
        let update = self.client.update_item().table_name(&self.table).set_key(Some(key));
        update.update_expression(change).condition_expression(condition)
    }

    // Boxed, here and elsewhere: two of the SDK's futures side by side are too large to be moved about.
    async fn put(&self, item: Item, doing: &'static str) -> Result<(), Fault> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        Box::pin(request.send()).await.map(drop).map_err(Fault::doing(doing))
    }
}

/// The members of a room, as many at a time as one answer holds, so that a room of any size fits a small function.
pub struct Members {
    page: Vec<Member>,
    /// Where the next page begins, if there is one.
    rest: Option<(Connections, RoomId, Item)>,
}

impl Members {
    /// One after another. The next page is read when those before it have been taken.
    pub fn stream(self) -> impl Stream<Item = Result<Member, Fault>> {
        let pages = stream::try_unfold(Some(self), |members| async {
            let Some(Members { page, rest }) = members else { return Ok(None) };
            if !page.is_empty() {
                let rest = Members { page: Vec::new(), rest };
                return Ok(Some((stream::iter(page).map(Ok), Some(rest))));
            }
            let Some((connections, room, start)) = rest else { return Ok(None) };
            let (page, next) = connections.page_of_members(&room, Some(start)).await?;
            let rest = next.map(|next| Members { page: Vec::new(), rest: Some((connections, room, next)) });
            Ok(Some((stream::iter(page).map(Ok), rest)))
        });
        pages.try_flatten()
    }

    /// All of them.
    pub async fn all(self) -> Result<Vec<Member>, Fault> {
        self.stream().try_collect().await
    }
}

/// Members that are all known.
impl From<Vec<Member>> for Members {
    fn from(page: Vec<Member>) -> Self {
        Self { page, rest: None }
    }
}

fn member(item: Item) -> Result<Member, Fault> {
    let row: MemberRow = read(item)?;
    let connection = row.sort.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&row.sort);
    Ok(Member {
        connection: ConnectionId::new(connection),
        user: row.user_id,
        joined_at: Timestamp::from_millis(row.joined_at),
    })
}
