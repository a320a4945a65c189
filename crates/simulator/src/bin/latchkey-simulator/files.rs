//! Writes tokens, lookup tables and the certificate, each file whole or not at all.
//!
//! A collector may watch these files, so they appear by renaming.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use latchkey_simulator::Lookups;

const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// Writes a token to `<directory>/<account>.token`, readable by its owner only, without a line end.
pub(crate) fn write_token(directory: &Path, account: &str, token: &str) -> anyhow::Result<()> {
    replace(&directory.join(format!("{account}.token")), token.as_bytes(), PRIVATE)
}

/// Writes the tables of all accounts, one file per table.
pub(crate) fn write_lookups(directory: &Path, tables: &[Lookups]) -> anyhow::Result<()> {
    let joined = |table: fn(&Lookups) -> &str| tables.iter().map(table).collect::<String>();
    write(&directory.join("items.jsonl"), &joined(|tables| &tables.items))?;
    write(&directory.join("vaults.jsonl"), &joined(|tables| &tables.vaults))?;
    write(&directory.join("users.jsonl"), &joined(|tables| &tables.users))
}

/// Writes a file that anybody may read.
pub(crate) fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    replace(file, text.as_bytes(), PUBLIC)
}

fn replace(file: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        if let Some(directory) = file.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        // One left by an interrupted run may have another mode.
        if unfinished.exists() {
            fs::remove_file(&unfinished)?;
        }
        let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        target.write_all(bytes)?;
        fs::rename(&unfinished, file)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}
