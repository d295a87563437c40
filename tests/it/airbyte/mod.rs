//! The Airbyte protocol.

mod session;
