//! The apps and devices people use 1Password with: the `client` object of sign-ins and item usages.

use crate::{
    json::{Escapes, Object, Rendered},
    random::Random,
    uuid,
};

/// A device with the app installed on it.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) uuid: String,
    app: &'static App,
    app_version: &'static str,
}

#[derive(Debug)]
struct App {
    name: &'static str,
    platform: &'static str,
    platform_version: &'static str,
    os: &'static str,
    os_version: &'static str,
}

const APPS: [(u64, App); 8] = [
    (30, app("1Password Browser Extension", "Chrome", "131.0.0.0", "MacOSX", "15.1")),
    (15, app("1Password Browser Extension", "Firefox", "132.0", "Windows", "11")),
    (20, app("1Password for Mac", "Mac14,2", "", "MacOSX", "15.1")),
    (15, app("1Password for Windows", "Desktop", "11 (26100)", "Windows", "11")),
    (8, app("1Password for iOS", "iPhone16,2", "", "iOS", "18.1")),
    (6, app("1Password for Android", "Pixel 9", "", "Android", "15")),
    (4, app("1Password CLI", "Linux <x86_64 & arm64>", "6.8", "Linux", "6.8")),
    (2, app("1Password Web", "Sécurité \"Kiosk\"", "1.0", "Linux", "")),
];

const VERSIONS: [&str; 5] = ["8.10.56", "8.10.54", "8.10.50", "2.30.3", "20391"];

const fn app(
    name: &'static str,
    platform: &'static str,
    platform_version: &'static str,
    os: &'static str,
    os_version: &'static str,
) -> App {
    App { name, platform, platform_version, os, os_version }
}

impl Device {
    pub(crate) fn drawn(random: &mut Random) -> Self {
        Self { uuid: uuid::lower(random), app: random.weighted(&APPS), app_version: *random.pick(&VERSIONS) }
    }

    /// The `client` of an event sent from this device.
    pub(crate) fn client(&self, address: &str, escapes: Escapes) -> Rendered {
        Object::new(escapes)
            .text("app_name", self.app.name)
            .text("app_version", self.app_version)
            .text("platform_name", self.app.platform)
            .text("platform_version", self.app.platform_version)
            .text("os_name", self.app.os)
            .text("os_version", self.app.os_version)
            .text("ip_address", address)
            .finish()
    }
}
