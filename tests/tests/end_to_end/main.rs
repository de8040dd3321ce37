//! The whole system over real sockets: every test has a gateway, a DynamoDB and ports of its own.

mod content;
mod contract;
mod costs;
mod events;
mod faults;
mod gateway;
mod handshake;
mod history;
mod presence;
mod refusals;
mod rooms;
mod store;
