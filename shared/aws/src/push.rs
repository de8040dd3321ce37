//! Pushes through the API Gateway management API.

use crate::{Fault, Vars, sdk};
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use chat::{ConnectionId, Member};
use futures_util::{Stream, StreamExt};

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
    /// Those whose connection answered 410: it is no more.
    pub gone: Vec<Member>,
    pub failed: usize,
    /// Why one of the failed did.
    pub failure: Option<Fault>,
    /// Why no more members could be read.
    pub unread: Option<Fault>,
}

impl Posted {
    /// How many members it was posted to.
    pub fn posts(&self) -> usize {
        self.delivered + self.gone.len() + self.failed
    }
}

enum Post {
    Delivered,
    Gone(Member),
    Failed(Fault),
    Unread(Fault),
}

impl Pusher {
    /// One for a function that has nothing else to do with AWS.
    pub fn alone(vars: &Vars) -> Result<Self, Fault> {
        Ok(Self::new(sdk::management(vars)?, 1))
    }

    /// Ends a connection. Answers whether it was still there; its `$disconnect` follows.
    pub async fn close(&self, connection: &ConnectionId) -> Result<bool, Fault> {
        let request = self.client.delete_connection().connection_id(connection.as_str());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => Ok(false),
            Err(error) => Err(Fault::because("failed to end a connection", error)),
        }
    }

    /// A pusher with so many posts in flight at most.
    pub(crate) fn new(client: Client, in_flight: usize) -> Self {
        Self { client, in_flight }
    }

    /// Posts one frame to all, many at a time, while the next of them are still being read.
    pub(crate) async fn post(&self, members: impl Stream<Item = Result<Member, Fault>>, frame: &[u8]) -> Posted {
        let posts = members.map(|member| async {
            match member {
                Ok(member) => self.post_one(member, frame).await,
                Err(fault) => Post::Unread(fault),
            }
        });
        let fold = |mut posted: Posted, post| async {
            match post {
                Post::Delivered => posted.delivered += 1,
                Post::Gone(member) => posted.gone.push(member),
                Post::Failed(fault) => {
                    posted.failed += 1;
                    posted.failure = Some(fault);
                }
                Post::Unread(fault) => posted.unread = Some(fault),
            }
            posted
        };
        posts.buffer_unordered(self.in_flight).fold(Posted::default(), fold).await
    }

    async fn post_one(&self, member: Member, frame: &[u8]) -> Post {
        match self.tell(&member.connection, frame).await {
            Ok(true) => Post::Delivered,
            Ok(false) => Post::Gone(member),
            Err(fault) => Post::Failed(fault),
        }
    }

    /// Posts one frame to one connection. Answers whether it was still there.
    pub(crate) async fn tell(&self, connection: &ConnectionId, frame: &[u8]) -> Result<bool, Fault> {
        let request = self.client.post_to_connection().connection_id(connection.as_str());
        match request.data(Blob::new(frame)).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => Ok(false),
            Err(error) => Err(Fault::because("failed to push", error)),
        }
    }
}
