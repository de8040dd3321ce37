use super::connections::{Connections, JoinNumber, named, written};
use super::{Item, answer, key, keys, now_in_seconds, number, read, row, text};
use crate::limits::{CONNECTION_LIFETIME, MEMBERS_PER_PAGE};
use crate::{Fault, now};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::{ConnectionId, Member, RoomId, Timestamp, UserId};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const REMOVING: &str = "failed to remove a member";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMemberRow {
    user_id: UserId,
    joined_at: i64,
    join: JoinNumber,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    batches: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

/// What is read of a member: the id of its connection is in its key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberRow {
    #[serde(rename = "SK")]
    sort: String,
    user_id: UserId,
    joined_at: i64,
    #[serde(default)]
    batches: bool,
    #[serde(default)]
    rounds: bool,
    encoding: Option<String>,
}

/// What a member's row says of the join that wrote it. Rows of a version before have no number.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JoinRow {
    join: Option<JoinNumber>,
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The connection was not in the room.
    WasNotIn,
    /// It was in by this join, if its row says which.
    WasIn(Option<JoinNumber>),
}

/// The members of rooms: the other rows of the table.
impl Connections {
    /// Adds a member row that expires with the token, so pushes stop even if `$disconnect` never comes. Answers false
    /// if a later join of the connection wrote the row already.
    pub async fn add_member(
        &self,
        member: &Member,
        join: JoinNumber,
        room: &RoomId,
        good_until: Timestamp,
    ) -> Result<bool, Fault> {
        let attributes = NewMemberRow {
            user_id: member.user.clone(),
            joined_at: member.joined_at.millis(),
            join,
            expires_at: now().after(CONNECTION_LIFETIME).min(good_until).seconds(),
            batches: member.batches.then_some(true),
            rounds: member.rounds.then_some(true),
            encoding: written(member.encoding),
        };
        let member = row(&keys::room(room), &keys::connection(&member.connection), &attributes)?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(member));
        let request = request
            // Its own number too: the SDK repeats a call whose answer was lost.
            .condition_expression("attribute_not_exists(#join) OR #join <= :join")
            .expression_attribute_names("#join", "join")
            .expression_attribute_values(":join", number(join.0));
        match answer(request.send()).await {
            Ok(_) => Ok(true),
            Err(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
            Err(error) => Err(Fault::because("failed to make a connection a member", error)),
        }
    }

    /// Takes a connection out of a room. Answers whether it was in.
    pub async fn remove_member(&self, connection: &ConnectionId, room: &RoomId) -> Result<bool, Fault> {
        let request = self.removal(connection, room).return_values(ReturnValue::AllOld);
        let left = answer(request.send()).await.map_err(Fault::doing(REMOVING))?;
        Ok(left.attributes.is_some())
    }

    /// Takes a connection out of a room as its client asked at a certain time. A join that began later stays: the SDK
    /// gives up attempts that DynamoDB may still carry out, and such a late one must not take a newer membership away.
    pub async fn remove_member_unless_newer(
        &self,
        connection: &ConnectionId,
        room: &RoomId,
        asked_at: Timestamp,
    ) -> Result<Removal, Fault> {
        let request = self
            .removal(connection, room)
            .condition_expression("attribute_not_exists(PK) OR joinedAt <= :askedAt")
            .expression_attribute_values(":askedAt", number(asked_at.millis()))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match answer(request.send()).await {
            Ok(left) => match left.attributes {
                None => Ok(Removal::WasNotIn),
                Some(row) => Ok(Removal::WasIn(read::<JoinRow>(row)?.join)),
            },
            // Two clocks differ: what stands there now is what the client meant.
            Err(DeleteItemError::ConditionalCheckFailedException(newer)) => {
                let join = newer.item.map(read::<JoinRow>).transpose()?.and_then(|row| row.join);
                let Some(join) = join else { return Ok(Removal::WasNotIn) };
                let was_in = self.remove_member_of_join(connection, room, join).await?;
                Ok(if was_in { Removal::WasIn(Some(join)) } else { Removal::WasNotIn })
            }
            Err(error) => Err(Fault::because(REMOVING, error)),
        }
    }

    /// Takes a connection out of a room that it entered by this join, and by no later one. Answers whether it was in.
    pub async fn remove_member_of_join(
        &self,
        connection: &ConnectionId,
        room: &RoomId,
        join: JoinNumber,
    ) -> Result<bool, Fault> {
        let request = self
            .removal(connection, room)
            .condition_expression("#join = :join")
            .expression_attribute_names("#join", "join")
            .expression_attribute_values(":join", number(join.0));
        match answer(request.send()).await {
            Ok(_) => Ok(true),
            Err(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
            Err(error) => Err(Fault::because(REMOVING, error)),
        }
    }

    /// Takes a member out of a room as it was read there: one that joined again since stays.
    pub async fn remove_member_as_seen(&self, member: &Member, room: &RoomId) -> Result<Removal, Fault> {
        let request = self
            .removal(&member.connection, room)
            .condition_expression("joinedAt = :joinedAt")
            .expression_attribute_values(":joinedAt", number(member.joined_at.millis()))
            .return_values(ReturnValue::AllOld);
        match answer(request.send()).await {
            Ok(left) => {
                let join = left.attributes.map(read::<JoinRow>).transpose()?.and_then(|row| row.join);
                Ok(Removal::WasIn(join))
            }
            Err(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(Removal::WasNotIn),
            Err(error) => Err(Fault::because(REMOVING, error)),
        }
    }

    fn removal(&self, connection: &ConnectionId, room: &RoomId) -> DeleteItemFluentBuilder {
        let key = key(&keys::room(room), &keys::connection(connection));
        self.client.delete_item().table_name(&self.table).set_key(Some(key))
    }

    /// The members of a room whose rows have not expired: a first page of them, and the way to the others.
    pub async fn members(&self, room: &RoomId) -> Result<Members, Fault> {
        let (page, next) = self.page_of_members(&Place::first(room), MEMBERS_PER_PAGE).await?;
        Ok(Members { page, rest: next.map(|next| (self.clone(), next)), passed_over: BTreeSet::new() })
    }

    /// The same of one part of a room's members.
    pub fn members_of_part(&self, room: &RoomId, part: Part) -> Members {
        let rest = Some((self.clone(), Place { part, ..Place::first(room) }));
        Members { page: Vec::new(), rest, passed_over: BTreeSet::new() }
    }

    /// As many members of a room as one answer holds.
    pub async fn some_members(&self, room: &RoomId) -> Result<Found, Fault> {
        let (members, next) = self.page_of_members(&Place::first(room), MEMBERS_PER_PAGE).await?;
        Ok(Found { members, all: next.is_none() })
    }

    /// All members of a room, unless there are more than `most`; then it reads only as many as it takes to know that.
    pub async fn members_up_to(&self, room: &RoomId, most: usize) -> Result<Found, Fault> {
        let limit = i32::try_from(most + 1).map_or(MEMBERS_PER_PAGE, |limit| limit.min(MEMBERS_PER_PAGE));
        let (mut members, mut place) = (Vec::new(), Place::first(room));
        loop {
            let (page, next) = self.page_of_members(&place, limit).await?;
            members.extend(page);
            if members.len() > most {
                return Ok(Found { members, all: false });
            }
            let Some(next) = next else { return Ok(Found { members, all: true }) };
            place = next;
        }
    }

    /// A page of members, and where the next one begins, if there is one.
    async fn page_of_members(&self, place: &Place, limit: i32) -> Result<(Vec<Member>, Option<Place>), Fault> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = match &place.part {
            Part { after: None, up_to: None } => query
                .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
                .expression_attribute_values(":prefix", text(keys::CONNECTION_PREFIX)),
            Part { after, up_to } => query
                .key_condition_expression("PK = :pk AND SK BETWEEN :first AND :last")
                .expression_attribute_values(":first", text(keys::member_after(after.as_ref())))
                .expression_attribute_values(":last", text(keys::member_up_to(up_to.as_ref()))),
        };
        let query = query
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":pk", text(keys::room(&place.room)))
            .expression_attribute_values(":now", now_in_seconds())
            .limit(limit)
            .set_exclusive_start_key(place.start.clone());
        let answer = answer(query.send()).await.map_err(Fault::doing("failed to list a room's members"))?;
        let page: Result<_, _> = answer.items.unwrap_or_default().into_iter().map(member).collect();
        let next = answer.last_evaluated_key.map(|start| Place { start: Some(start), ..place.clone() });
        Ok((page?, next))
    }
}

/// A part of a room's members, in the order of their connections' ids: those after one, up to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    pub after: Option<ConnectionId>,
    pub up_to: Option<ConnectionId>,
}

/// Where a page of members begins.
#[derive(Clone)]
struct Place {
    room: RoomId,
    part: Part,
    start: Option<Item>,
}

impl Place {
    fn first(room: &RoomId) -> Self {
        Self { room: room.clone(), part: Part::default(), start: None }
    }
}

/// Members of a room, read once.
#[derive(Debug)]
pub struct Found {
    pub members: Vec<Member>,
    /// Whether there are no others.
    pub all: bool,
}

impl Found {
    /// None where there are others.
    pub fn whole(self) -> Option<Vec<Member>> {
        self.all.then_some(self.members)
    }
}

/// The members of a room, as many at a time as one answer holds, so that a room of any size fits a small function.
pub struct Members {
    page: Vec<Member>,
    /// Where the next page begins, if there is one.
    rest: Option<(Connections, Place)>,
    /// Whose connections are left out.
    passed_over: BTreeSet<UserId>,
}

impl Members {
    /// Without those of users who are banned. A join that died on its way may have left one here.
    #[must_use]
    pub fn but(self, banned: BTreeSet<UserId>) -> Self {
        Self { passed_over: banned, ..self }
    }

    /// How many are known already, and whether there are others.
    pub fn first_page(&self) -> (usize, bool) {
        (self.page.len(), self.rest.is_some())
    }

    /// Page by page. The next page is read when those before it have been taken.
    pub fn pages(self) -> impl Stream<Item = Result<Vec<Member>, Fault>> {
        stream::try_unfold(Some(self), |members| async {
            let Some(Members { mut page, mut rest, passed_over }) = members else { return Ok(None) };
            if page.is_empty() {
                let Some((connections, place)) = rest else { return Ok(None) };
                let next;
                (page, next) = connections.page_of_members(&place, MEMBERS_PER_PAGE).await?;
                rest = next.map(|next| (connections, next));
            }
            if !passed_over.is_empty() {
                page.retain(|member| !passed_over.contains(&member.user));
            }
            Ok(Some((page, Some(Members { page: Vec::new(), rest, passed_over }))))
        })
    }

    /// One after another.
    pub fn stream(self) -> impl Stream<Item = Result<Member, Fault>> {
        self.pages().map_ok(|page| stream::iter(page).map(Ok)).try_flatten()
    }

    /// All of them.
    pub async fn all(self) -> Result<Vec<Member>, Fault> {
        self.stream().try_collect().await
    }
}

/// Members that are all known.
impl From<Vec<Member>> for Members {
    fn from(page: Vec<Member>) -> Self {
        Self { page, rest: None, passed_over: BTreeSet::new() }
    }
}

fn member(item: Item) -> Result<Member, Fault> {
    let row: MemberRow = read(item)?;
    let connection = row.sort.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&row.sort);
    Ok(Member {
        connection: ConnectionId::new(connection),
        user: row.user_id,
        joined_at: Timestamp::from_millis(row.joined_at),
        batches: row.batches,
        rounds: row.rounds,
        encoding: named(row.encoding.as_deref()),
    })
}
