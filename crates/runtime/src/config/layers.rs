//! The layers: file, variables, `--set`, named flags; the later one wins.
//!
//! Process, files and environment are arguments, so that every rule here is tested as data.

use super::Flags;
use super::fault::{Fault, Faults};
use super::tree::{Node, Origin, Tree, Value};
use super::yaml;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest configuration file read.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

const PREFIX: &str = "LATCHKEY_";
const FILE_VARIABLE: &str = "LATCHKEY_CONFIG";

/// Merges what was written, without asking yet whether the keys exist.
///
/// Variables: `LATCHKEY_` and the path in capitals with two underscores between levels. An empty variable is as good as
/// none, and so are the ones Kubernetes makes of a service's name (`LATCHKEY_NATS_SERVICE_HOST`).
pub fn assemble(
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Tree, Faults> {
    let mut faults = Vec::new();
    let mut tree = Tree::new();
    let (file, variables) = sort_variables(environment, &mut faults);

    if let Some(path) = flags.config.clone().or(file) {
        match read_layer(&path, read) {
            Ok(node) => tree.lay(&[], node),
            Err(fault) => faults.push(fault),
        }
    }
    for (name, text) in variables {
        let path = name[PREFIX.len()..].to_lowercase();
        tree.lay(&path.split("__").collect::<Vec<_>>(), raw(Origin::Environment(name), text));
    }
    for set in &flags.set {
        match set.split_once('=') {
            Some((path, text)) if path.split('.').all(|key| !key.is_empty()) => {
                tree.lay(&path.split('.').collect::<Vec<_>>(), raw(Origin::Flag("--set"), text.to_owned()));
            }
            _ => faults.push(Fault::new(&Origin::Flag("--set"), "", "is written --set PATH=VALUE")),
        }
    }
    for (flag, path, text) in flags.named() {
        tree.lay(&path.split('.').collect::<Vec<_>>(), raw(Origin::Flag(flag), text.to_owned()));
    }
    if faults.is_empty() { Ok(tree) } else { Err(Faults(faults)) }
}

/// Reads a file of at most [`MAX_FILE_BYTES`].
pub fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// Ours among all variables, in the order of their names; the file's name apart.
fn sort_variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    faults: &mut Vec<Fault>,
) -> (Option<PathBuf>, Vec<(String, String)>) {
    let mut file = None;
    let mut variables = Vec::new();
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if value.is_empty() {
            continue;
        }
        if name == FILE_VARIABLE {
            file = Some(PathBuf::from(value));
            continue;
        }
        match value.into_string() {
            Ok(text) if is_service_link(name, &text) => {}
            Ok(text) => variables.push((name.to_owned(), text)),
            Err(_) => faults.push(Fault::new(&Origin::Environment(name.to_owned()), "", "is not UTF-8")),
        }
    }
    variables.sort();
    (file, variables)
}

/// Kubernetes gives every container variables for every service of its namespace; a service named `latchkey-nats` would
/// otherwise keep all of ours from starting. See <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.
fn is_service_link(name: &str, value: &str) -> bool {
    let address = |text: &str| text.starts_with("tcp://") || text.starts_with("udp://");
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || name.ends_with("_PORT") && address(value)
            || name.contains("_PORT_") && (name.contains("_TCP") || name.contains("_UDP")))
}

fn read_layer(path: &Path, read: impl FnOnce(&Path) -> io::Result<String>) -> Result<Node, Fault> {
    let name: Arc<str> = path.display().to_string().into();
    let whole = Origin::File(name.clone(), 0);
    let text = read(path).map_err(|error| Fault::new(&whole, "", format!("cannot be read: {error}")))?;
    let node = yaml::parse(&name, &text)?;
    match node.value {
        Value::Map(_) => Ok(node),
        Value::Null => Ok(Node { value: Value::Map(Vec::new()), ..node }),
        _ => Err(Fault::new(&node.origin, "", "is not a map of sections")),
    }
}

/// The text of a variable or flag. Brackets, braces and quotes are YAML's; anything else waits until it is known what is
/// wanted.
fn raw(origin: Origin, text: String) -> Node {
    let structured = text.trim_start().starts_with(['[', '{', '"', '\'']);
    match structured.then(|| yaml::parse_fragment(&text, &origin)).flatten() {
        Some(node) => node,
        None => Node { value: Value::Raw(text), origin },
    }
}
