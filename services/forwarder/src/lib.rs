//! Delivers events to files and object stores, each exactly once.
