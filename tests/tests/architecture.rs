//! Dependencies point one way, as the manifests say.
//!
//! The map in ARCHITECTURE.md is worth something only as long as nobody can leave it unnoticed. These tests read every manifest of
//! the workspace and name each edge that is not on the map; whoever wants a new one changes [`MAP`] in the same change and says why.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use toml::{Table, Value};

/// What each member may depend on. `*` stands for every member of a folder.
const MAP: &[(&str, &[&str])] = &[
    ("crates/contracts", &[]),
    ("crates/core", &["crates/contracts"]),
    ("crates/bus", &["crates/contracts"]),
    ("crates/events-api", &["crates/contracts", "crates/core"]),
    ("crates/connect", &["crates/core"]),
    ("crates/runtime", &["crates/contracts", "crates/bus"]),
    // Usable against any collector: nothing of ours in it.
    ("crates/simulator", &[]),
    ("services/*", &["crates/contracts", "crates/core", "crates/bus", "crates/events-api", "crates/runtime"]),
    ("crates/cli", &["crates/*", "services/*"]),
    ("crates/bench", &["crates/*", "services/*"]),
    ("tests", &["crates/*", "services/*"]),
];

/// What tests may add: the stand-in for 1Password, and a private nats-server from the bus.
const FOR_TESTS: &[&str] = &["crates/simulator", "crates/bus"];

/// Members that decide and never act; not even their tests need a world.
const PURE: &[&str] = &["crates/contracts", "crates/core"];

/// What brings a clock, a socket, a scheduler, a global random number generator or a global log.
const IMPURE: &[&str] = &[
    "async-nats",
    "axum",
    "futures",
    "hyper",
    "hyper-util",
    "object_store",
    "opentelemetry",
    "rand",
    "reqwest",
    "rustls",
    "tokio",
    "tokio-util",
    "tracing",
];

/// Crates only these members may name. Elsewhere they would be a second way to do the same thing.
const OWNED: &[(&str, &[&str])] = &[
    ("async-nats", &["crates/bus"]),
    // The forwarder only switches features on for object_store and calls none of it.
    ("reqwest", &["crates/connect", "crates/events-api", "services/alerter", "services/forwarder"]),
];

/// Of [`OWNED`], what tests may use to look at a service from outside.
const OWNED_BUT_FOR_TESTS: &[&str] = &["reqwest"];

/// Members nothing is shipped from: all their dependencies are a test's.
const TESTERS: &[&str] = &["crates/bench", "tests"];

/// One member, as far as these rules go.
struct Member {
    /// Its folder from the root: `crates/bus`.
    folder: String,
    package: String,
    dependencies: Vec<Dependency>,
    inherits_lints: bool,
}

struct Dependency {
    /// The package's own name, whatever the manifest calls it.
    package: String,
    features: Vec<String>,
    only_for_tests: bool,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(flatten)]
    tables: Tables,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
    #[serde(default)]
    lints: Table,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    dependencies: Table,
    #[serde(default)]
    build_dependencies: Table,
    #[serde(default)]
    dev_dependencies: Table,
}

#[derive(Deserialize)]
struct Root {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    members: Vec<String>,
    dependencies: Table,
    lints: Table,
}

#[test]
fn every_edge_is_on_the_map() {
    let (_, members) = read_workspace().unwrap();
    assert_eq!(violations(&members), Vec::<String>::new());
}

#[test]
fn every_member_forbids_unsafe_code() {
    let (root, members) = read_workspace().unwrap();
    assert_eq!(root.workspace.lints["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let loose: Vec<_> = members.iter().filter(|member| !member.inherits_lints).map(|member| &member.folder).collect();
    assert!(loose.is_empty(), "without `[lints] workspace = true`: {loose:?}");
}

#[test]
fn what_leaves_the_map_is_named() {
    let check = |folder: &str, manifest: &str, expect: &[&str]| {
        let known = [
            ("crates/core", "latchkey-core"),
            ("crates/bus", "latchkey-bus"),
            ("services/alerter", "latchkey-alerter"),
        ];
        let mut members: Vec<Member> = known
            .iter()
            .map(|(folder, package)| parse(folder, &format!("package.name = '{package}'"), &Table::new()).unwrap())
            .collect();
        let shared = "nats = { package = 'async-nats', version = '1' }".parse().unwrap();
        members.push(parse(folder, &format!("package.name = 'one'\n{manifest}"), &shared).unwrap());
        assert_eq!(violations(&members), expect, "{folder}: {manifest}");
    };
    check("services/fetcher", "[dependencies]\nlatchkey-core.workspace = true", &[]);
    check(
        "services/fetcher",
        "[dependencies]\nlatchkey-alerter.workspace = true",
        &["services/fetcher depends on services/alerter"],
    );
    check(
        "services/fetcher",
        "[target.'cfg(unix)'.dev-dependencies]\nother = { package = 'latchkey-alerter', path = '../alerter' }",
        &["services/fetcher depends on services/alerter"],
    );
    check(
        "crates/simulator",
        "[build-dependencies]\nlatchkey-core = '1'",
        &["crates/simulator depends on crates/core"],
    );
    check("crates/simulator", "[dev-dependencies]\nlatchkey-bus = '1'", &[]);
    check(
        "crates/runtime",
        "[dependencies]\nlatchkey-bus = { workspace = true, features = ['testing'] }",
        &["crates/runtime ships the feature `testing` of crates/bus"],
    );
    check("crates/runtime", "[dependencies]\nnats.workspace = true", &["crates/runtime names async-nats"]);
    check("crates/runtime", "[dependencies]\nreqwest = '1'", &["crates/runtime names reqwest"]);
    check("crates/runtime", "[dev-dependencies]\nreqwest = '1'", &[]);
    check("crates/contracts", "[dev-dependencies]\ntokio = '1'", &["crates/contracts is pure and names tokio"]);
    check("crates/nowhere", "", &["crates/nowhere is not on the map"]);
}

/// Everything that is against the rules, in words.
fn violations(members: &[Member]) -> Vec<String> {
    members.iter().flat_map(|member| violations_of(member, members)).collect()
}

fn violations_of(member: &Member, members: &[Member]) -> Vec<String> {
    let folder = member.folder.as_str();
    let Some((_, allowed)) = MAP.iter().find(|(pattern, _)| matches(pattern, folder)) else {
        return vec![format!("{folder} is not on the map")];
    };
    let mut found = Vec::new();
    for dependency in &member.dependencies {
        let name = dependency.package.as_str();
        let for_tests = dependency.only_for_tests || TESTERS.contains(&folder);
        if let Some(other) = members.iter().find(|other| other.package == name).map(|other| other.folder.as_str()) {
            let extra = if dependency.only_for_tests && !PURE.contains(&folder) { FOR_TESTS } else { &[] };
            if other != folder && !allowed.iter().chain(extra).any(|pattern| matches(pattern, other)) {
                found.push(format!("{folder} depends on {other}"));
            }
            if !for_tests && dependency.features.iter().any(|feature| feature == "testing") {
                found.push(format!("{folder} ships the feature `testing` of {other}"));
            }
        }
        if PURE.contains(&folder) && IMPURE.contains(&name) {
            found.push(format!("{folder} is pure and names {name}"));
        }
        let foreign = OWNED.iter().any(|(owned, owners)| *owned == name && !owners.contains(&folder));
        if foreign && !(for_tests && OWNED_BUT_FOR_TESTS.contains(&name)) {
            found.push(format!("{folder} names {name}"));
        }
    }
    found
}

fn matches(pattern: &str, folder: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == folder, |prefix| folder.starts_with(prefix))
}

fn read_workspace() -> Result<(Root, Vec<Member>)> {
    let root_folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package lies in the workspace")?;
    let root: Root = toml::from_str(&fs::read_to_string(root_folder.join("Cargo.toml"))?)?;
    let mut members = Vec::new();
    for folder in
        root.workspace.members.iter().map(|pattern| expand(root_folder, pattern)).collect::<Result<Vec<_>>>()?.concat()
    {
        let text = fs::read_to_string(root_folder.join(&folder).join("Cargo.toml")).context(folder.clone())?;
        members.push(parse(&folder, &text, &root.workspace.dependencies)?);
    }
    ensure!(members.len() >= MAP.len(), "only {} members were found", members.len());
    Ok((root, members))
}

/// A member pattern of the root manifest as folders: `crates/*`, or one folder.
fn expand(root: &Path, pattern: &str) -> Result<Vec<String>> {
    let Some(parent) = pattern.strip_suffix("/*") else { return Ok(vec![pattern.to_owned()]) };
    let mut folders = Vec::new();
    for entry in fs::read_dir(root.join(parent))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            folders.push(format!("{parent}/{}", entry.file_name().display()));
        }
    }
    folders.sort();
    Ok(folders)
}

fn parse(folder: &str, text: &str, shared: &Table) -> Result<Member> {
    let manifest: Manifest = toml::from_str(text).context(folder.to_owned())?;
    let mut dependencies = Vec::new();
    for tables in std::iter::once(&manifest.tables).chain(manifest.target.values()) {
        for (table, only_for_tests) in
            [(&tables.dependencies, false), (&tables.build_dependencies, false), (&tables.dev_dependencies, true)]
        {
            dependencies.extend(table.iter().map(|(name, entry)| Dependency {
                package: package(name, entry, shared).to_owned(),
                features: features(entry),
                only_for_tests,
            }));
        }
    }
    let inherits_lints = manifest.lints.get("workspace").and_then(Value::as_bool) == Some(true);
    Ok(Member { folder: folder.to_owned(), package: manifest.package.name, dependencies, inherits_lints })
}

/// A dependency's own name: an entry may rename it, here or in the workspace's table.
fn package<'a>(name: &'a str, entry: &'a Value, shared: &'a Table) -> &'a str {
    let renamed = |entry: &'a Value| entry.get("package").and_then(Value::as_str);
    renamed(entry).or_else(|| renamed(shared.get(name)?)).unwrap_or(name)
}

fn features(entry: &Value) -> Vec<String> {
    let features = entry.get("features").and_then(Value::as_array).into_iter().flatten();
    features.filter_map(Value::as_str).map(str::to_owned).collect()
}
