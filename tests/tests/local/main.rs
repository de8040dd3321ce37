//! Tests that need the inside of a local run: its tables, its functions, its limits, an altered template. Every test
//! has its own gateway, DynamoDB and ports.

mod attachments;
mod batches;
mod bounds;
mod changes;
mod contract;
mod corpus;
mod costs;
mod delivery;
mod deploying;
mod documents;
mod events;
mod expiry;
mod faults;
mod gateway;
mod handshake;
mod history;
mod http_routes;
mod injection;
mod invocations;
mod mangled;
mod posts;
mod presence;
mod refusals;
mod rights;
mod rooms;
mod rounds;
mod schemas;
mod secrets;
mod signals;
mod socket_io;
mod sockets;
mod store;
