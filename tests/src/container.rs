//! The container engine of this machine, if there is one, and an image with NATS for it.
//!
//! The engine is asked through its own command, which people who have one have too. An image comes from the machine, else from its
//! registry, else it is made of the nats-server that all other tests use: a machine without a way out tests the same.

use std::{
    env,
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use latchkey_bus::server::{self, ObtainOptions};

/// The image unless the environment says otherwise.
const DEFAULT_IMAGE: &str = "nats:2.12";

/// Names another image: `LATCHKEY_NATS_IMAGE=registry.example.com/nats:2.11`. It is used or the test fails.
const IMAGE_VARIABLE: &str = "LATCHKEY_NATS_IMAGE";

/// What the image is called that is made here.
const OWN_NAME: &str = "latchkey-tests-nats";

/// How long a registry has to deliver an image of 20 MB, in seconds.
const PULL_LIMIT: &str = "90";

const RECIPE: &str = "FROM scratch\nCOPY nats-server /nats-server\nEXPOSE 4222\nENTRYPOINT [\"/nats-server\"]\n";

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsImage {
    /// The name before the tag.
    pub name: String,
    /// The tag.
    pub tag: String,
}

/// Whether a container engine answers.
#[must_use]
pub fn engine_answers() -> bool {
    docker(&["version", "--format", "{{.Server.Version}}"]).is_ok_and(|output| output.status.success())
}

/// Makes sure that the engine has an image with NATS.
pub fn nats_image() -> Result<NatsImage> {
    let named = env::var(IMAGE_VARIABLE).ok().filter(|name| !name.is_empty());
    let wanted = named.as_deref().unwrap_or(DEFAULT_IMAGE);
    if has(wanted)? || pull(wanted)? {
        return Ok(split(wanted));
    }
    match named {
        Some(name) => bail!("{IMAGE_VARIABLE}: there is no image {name}, neither here nor at its registry"),
        None => own_image(),
    }
}

fn own_image() -> Result<NatsImage> {
    let mut binary = server::obtain_blocking(&ObtainOptions::default(), |_| {})?;
    if is_script(&binary.path)? {
        let fetched = ObtainOptions { explicit: None, search_path: None, ..ObtainOptions::default() };
        binary = server::obtain_blocking(&fetched, |_| {})?;
    }
    let image = format!("{OWN_NAME}:{}", binary.version);
    if !has(&image)? {
        let context = tempfile::tempdir()?;
        fs::copy(&binary.path, context.path().join("nats-server"))?;
        fs::write(context.path().join("Dockerfile"), RECIPE)?;
        build(&image, context.path())?;
    }
    Ok(split(&image))
}

/// What a package manager puts on the path may be a script that starts the server from elsewhere; in an image there is no elsewhere.
fn is_script(program: &Path) -> Result<bool> {
    let mut start = [0; 2];
    File::open(program)?.read_exact(&mut start)?;
    Ok(start == *b"#!")
}

fn has(image: &str) -> Result<bool> {
    Ok(docker(&["image", "inspect", image])?.status.success())
}

/// `false`: no registry has it, or none is reached.
fn pull(image: &str) -> Result<bool> {
    let status = Command::new("timeout")
        .args([PULL_LIMIT, "docker", "pull", "--quiet", image])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

fn build(image: &str, context: &Path) -> Result<()> {
    let output = docker(&["build", "--quiet", "--tag", image, &context.to_string_lossy()])?;
    ensure!(output.status.success(), "{image} cannot be built: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn docker(arguments: &[&str]) -> Result<Output> {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().context("docker cannot be started")
}

fn split(image: &str) -> NatsImage {
    // A registry's name may hold a port.
    let (name, tag) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((image, "latest"));
    NatsImage { name: name.to_owned(), tag: tag.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_name_and_a_tag() {
        let check = |image: &str, name: &str, tag: &str| {
            assert_eq!(split(image), NatsImage { name: name.into(), tag: tag.into() });
        };
        check("nats:2.12", "nats", "2.12");
        check("nats", "nats", "latest");
        check("registry.example.com:5000/nats", "registry.example.com:5000/nats", "latest");
        check("registry.example.com:5000/nats:2.11-alpine", "registry.example.com:5000/nats", "2.11-alpine");
    }
}
