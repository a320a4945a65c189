//! The client against servers of every kind of behaviour, over loopback.

mod answers;
mod connections;
mod secrets;
mod support;
