//! Pushes through the API Gateway management API.

use crate::Fault;
use crate::clients::TOO_MANY_REQUESTS;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::http::HttpResponse;
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use chat::{ConnectionId, Frames, Member};
use futures_util::{Stream, StreamExt};
use std::sync::Arc;

/// HTTP's status for a resource that is gone (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

/// A frame, encoded once for all members of one encoding.
pub(crate) type Frame = Arc<[u8]>;

/// Posts frames to connections, and ends them.
#[derive(Clone)]
pub struct Pusher {
    client: Client,
    in_flight: usize,
}

/// What became of one frame that was posted to several members.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    pub delivered: usize,
    /// How many of the members did not ask for batches.
    pub single: usize,
    /// Members whose connection is gone.
    pub gone: Vec<Member>,
    /// Members whose client does not read.
    pub full: usize,
    pub failed: usize,
    /// Why one of the failed did.
    pub failure: Option<Fault>,
    /// Why no more members could be read.
    pub unread: Option<Fault>,
    /// Whether the connection that was looked out for was among the members.
    pub met: bool,
}

impl Posted {
    /// How many members it was posted to.
    pub fn posts(&self) -> usize {
        self.delivered + self.gone.len() + self.full + self.failed
    }

    /// With what became of the frame at one more member.
    pub fn and(mut self, member: Member, told: Result<Told, Fault>) -> Self {
        match told {
            Ok(Told::Delivered) => self.delivered += 1,
            Ok(Told::Full) => self.full += 1,
            Ok(Told::Gone) => {
                self.gone.push(member);
                return self;
            }
            Err(fault) => {
                self.failed += 1;
                self.failure = Some(fault);
            }
        }
        self.single += usize::from(!member.batches);
        self
    }
}

/// What became of one post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Delivered,
    /// The connection is gone.
    Gone,
    /// The client does not read, and its buffer is full; or the account makes more requests a second than it may.
    Full,
}

impl Pusher {
    /// Ends a connection. Answers whether it was still there; its `$disconnect` follows.
    pub async fn close(&self, connection: &ConnectionId) -> Result<bool, Fault> {
        let request = self.client.delete_connection().connection_id(connection.as_str());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(GONE) => Ok(false),
            Err(error) => Err(Fault::because("failed to end a connection", error)),
        }
    }

    /// Ends a connection after its last frames. API Gateway lets nobody choose the close code, so a frame has to say
    /// why. What follows a frame that is not taken is not said: a goodbye without a word would keep a client away that
    /// does not know why. Answers whether the connection was there to be told.
    pub(crate) async fn dismiss(&self, connection: &ConnectionId, frames: &[&[u8]]) -> Result<bool, Fault> {
        for frame in frames {
            match self.tell(connection, frame).await? {
                Told::Delivered => {}
                Told::Full => break,
                Told::Gone => {
                    self.close(connection).await?;
                    return Ok(false);
                }
            }
        }
        self.close(connection).await?;
        Ok(true)
    }

    /// A pusher with so many posts in flight at most.
    pub(crate) fn new(client: Client, in_flight: usize) -> Self {
        Self { client, in_flight }
    }

    /// Posts one frame to all, many at a time, while the next of them are still being read; and looks out for a
    /// connection among them.
    pub(crate) async fn post(
        &self,
        members: impl Stream<Item = Result<Member, Fault>>,
        frames: &Frames,
        looked_for: Option<&ConnectionId>,
    ) -> Posted {
        let posts = members.map(|member| {
            let member = member?;
            let frame = Frame::clone(frames.encoded(member.encoding));
            Ok((member, frame))
        });
        self.post_each(posts, looked_for).await
    }

    /// The same with frames of their own.
    pub(crate) async fn post_each(
        &self,
        posts: impl Stream<Item = Result<(Member, Frame), Fault>>,
        looked_for: Option<&ConnectionId>,
    ) -> Posted {
        let posts = posts.map(|post| async {
            let (member, frame) = match post {
                Ok(post) => post,
                Err(fault) => return Err(fault),
            };
            let told = self.tell(&member.connection, &frame).await;
            Ok((member, told))
        });
        let fold = |mut posted: Posted, post: Result<(Member, Result<Told, Fault>), Fault>| async {
            let (member, told) = match post {
                Ok(post) => post,
                Err(fault) => {
                    posted.unread = Some(fault);
                    return posted;
                }
            };
            posted.met |= looked_for == Some(&member.connection);
            posted.and(member, told)
        };
        posts.buffer_unordered(self.in_flight).fold(Posted::default(), fold).await
    }

    /// How many posts are in flight at once.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Posts one frame to one connection.
    pub(crate) async fn tell(&self, connection: &ConnectionId, frame: &[u8]) -> Result<Told, Fault> {
        let request = self.client.post_to_connection().connection_id(connection.as_str());
        match request.data(Blob::new(frame)).send().await {
            Ok(_) => Ok(Told::Delivered),
            Err(error) => match status(&error) {
                Some(GONE) => Ok(Told::Gone),
                Some(TOO_MANY_REQUESTS) => Ok(Told::Full),
                _ => Err(Fault::because("failed to push", error)),
            },
        }
    }
}

/// The status that a call was refused with. It says what there is to know: not every gateway names the error in a
/// header.
fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
