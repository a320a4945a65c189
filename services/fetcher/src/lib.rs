//! Polls 1Password and publishes raw pages.
