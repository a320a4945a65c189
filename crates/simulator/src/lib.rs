//! A stand-in for 1Password's Events API, for tests of any collector.
