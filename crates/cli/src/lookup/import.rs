//! `latchkey lookup import`.

use std::{io, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use latchkey_core::lookup::{
    MAX_FILE_BYTES,
    import::{Imported, Kind, Options, Scope, import},
};
use latchkey_runtime::Failure;

use super::{Columns, files, say};

/// What `latchkey lookup import` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A file with what op or jq printed (default: standard input)
    file: Option<PathBuf>,
    /// The directory with the tables
    #[arg(long, value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    dir: PathBuf,
    /// items, vaults, users, groups or "1Password Translation" (default: what it looks like)
    #[arg(long, value_name = "TABLE")]
    table: Option<Kind>,
    /// The list is not complete: rows that it lacks are not marked as deleted
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    columns: Columns,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let made = make(arguments);
    // Lists and tables that cannot be used are not the program's fault.
    let (path, imported) = made.map_err(|error| Failure::Configuration(format!("{error:#}")))?;
    files::replace(&path, &imported.data)?;
    Ok(say(&imported)?)
}

/// What the table is to hold, and in which file.
fn make(arguments: &Arguments) -> anyhow::Result<(PathBuf, Imported)> {
    let from = arguments.file.as_ref().map_or_else(|| "standard input".into(), |path| path.display().to_string());
    let list = match &arguments.file {
        Some(path) => std::fs::File::open(path).and_then(|file| files::bounded(file, MAX_FILE_BYTES)),
        None => files::bounded(io::stdin().lock(), MAX_FILE_BYTES),
    };
    let list = list.with_context(|| from.clone())?;
    let scope = if arguments.partial { Scope::Partial } else { Scope::Everything };
    let options = Options { kind: arguments.table, scope, ..arguments.columns.options() };
    // Which table it is, and hence what is there already, shows in the list itself.
    let kind = import(&[&list], b"", &options).context(from)?.kind;
    let path = arguments.dir.join(format!("{}.jsonl", kind.table()));
    let earlier = files::read_or_nothing(&path)?;
    let imported = import(&[&list], &earlier, &options).with_context(|| path.display().to_string())?;
    Ok((path, imported))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_list_keeps_what_is_gone_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list.json");
        let run = |text: &str| {
            fs::write(&list, text).unwrap();
            let columns = Columns { omit: Vec::new(), redact: Vec::new() };
            let (file, dir) = (Some(list.clone()), directory.path().join("lookups"));
            super::run(&Arguments { file, dir, table: None, partial: false, columns })
        };
        run(r#"[{"id":"a","name":"Shared","content_version":1},{"id":"b","name":"Old","content_version":1}]"#).unwrap();
        run(r#"[{"id":"a","name":"Shared","content_version":2}]"#).unwrap();
        let expect = "{\"uuid\":\"a\",\"name\":\"Shared\"}\n{\"uuid\":\"b\",\"name\":\"Old\",\"deleted\":true}\n";
        let path = directory.path().join("lookups/vaults.jsonl");
        assert_eq!(fs::read_to_string(&path).unwrap(), expect);
        assert!(run("[]").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), expect);
    }
}
