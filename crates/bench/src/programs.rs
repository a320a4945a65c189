//! The programs that are measured: release builds beside this one.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// The directory with the release programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Brings the programs up to date with the sources and finds them.
    pub(crate) fn build() -> Result<Self> {
        // Under `cargo run` this names the very cargo; it also makes sure that the sources are at hand.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--workspace", "--bins", "--quiet"])
            .stdin(Stdio::null())
            .status()
            .context("cargo cannot be run; build the programs by hand and pass --no-build")?;
        ensure!(status.success(), "the programs could not be built");
        Self::find()
    }

    /// Takes the programs as they are.
    pub(crate) fn find() -> Result<Self> {
        let this = env::current_exe().context("the place of this program is not known")?;
        let directory = this.parent().context("a program lies in a directory")?;
        ensure!(
            !cfg!(debug_assertions),
            "a debug build tells nothing about speed: cargo run --release -p latchkey-bench"
        );
        Ok(Self(directory.to_owned()))
    }

    /// A command that runs one of them.
    pub(crate) fn command(&self, name: &str) -> Result<Command> {
        let path = self.path(name);
        ensure!(path.is_file(), "{} is missing; leave out --no-build", path.display());
        Ok(Command::new(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.0).join(name)
    }
}
