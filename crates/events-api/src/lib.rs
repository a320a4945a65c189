//! The client of 1Password's Events API: requests, pages, tokens, errors.
