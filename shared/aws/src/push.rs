//! Pushes through the API Gateway management API.

use crate::Fault;
use crate::limits::POSTS_IN_FLIGHT;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use chat::{ConnectionId, Member};
use futures_util::{StreamExt, stream};

/// Posts frames to connections.
#[derive(Clone)]
pub(crate) struct Pusher {
    client: Client,
}

/// What became of one frame that was posted to several connections.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    pub delivered: usize,
    /// Connections that answered 410: they are no more.
    pub gone: Vec<ConnectionId>,
    pub failed: Vec<Fault>,
}

enum Post {
    Delivered,
    Gone(ConnectionId),
    Failed(Fault),
}

impl Pusher {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Posts one frame to all, many at a time.
    pub(crate) async fn post(&self, members: &[Member], frame: &[u8]) -> Posted {
        let posts: Vec<_> = members.iter().map(|member| self.post_one(&member.connection, frame)).collect();
        let fold = |mut posted: Posted, post| async {
            match post {
                Post::Delivered => posted.delivered += 1,
                Post::Gone(connection) => posted.gone.push(connection),
                Post::Failed(fault) => posted.failed.push(fault),
            }
            posted
        };
        stream::iter(posts).buffer_unordered(POSTS_IN_FLIGHT).fold(Posted::default(), fold).await
    }

    async fn post_one(&self, connection: &ConnectionId, frame: &[u8]) -> Post {
        let request = self.client.post_to_connection().connection_id(connection.as_str()).data(Blob::new(frame));
        match request.send().await {
            Ok(_) => Post::Delivered,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_gone_exception()) => {
                Post::Gone(connection.clone())
            }
            Err(error) => Post::Failed(Fault::because("failed to push", error)),
        }
    }
}
