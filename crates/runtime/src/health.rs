//! What readiness is made of.
//!
//! A service names the components it cannot work without (`nats`) and says of each whether it answers. The process is
//! ready when all are. A component begins as not ready, so a service is never ready before it has said so.

use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state of every component of a process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health {
    components: Arc<Mutex<BTreeMap<Cow<'static, str>, State>>>,
}

/// One component's voice.
#[derive(Debug, Clone)]
pub struct ComponentHandle {
    name: Cow<'static, str>,
    health: Health,
}

/// What is known of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// Whether it can be worked with.
    pub ready: bool,
    /// Why not. Without secrets: it is served over HTTP and logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// Since when it is so.
    pub since: Timestamp,
}

impl Health {
    /// Without components, which is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a component, not ready until its handle says otherwise; a name already known keeps its state.
    ///
    /// Names are few and fixed (`nats`, `schemas`): they are a part of the program, never data.
    pub fn component(&self, name: impl Into<Cow<'static, str>>) -> ComponentHandle {
        let name = name.into();
        self.lock().entry(name.clone()).or_insert_with(|| State {
            ready: false,
            reason: Some(Cow::Borrowed("starting")),
            since: crate::clock::now(),
        });
        ComponentHandle { name, health: self.clone() }
    }

    /// Whether every component is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(|state| state.ready)
    }

    /// All components by name.
    #[must_use]
    pub fn components(&self) -> BTreeMap<Cow<'static, str>, State> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cow<'static, str>, State>> {
        // Nothing panics between two halves of a change: a poisoned map is a whole one.
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ComponentHandle {
    /// It can be worked with.
    pub fn ready(&self) {
        if self.change(true, None) {
            tracing::info!(component = %self.name, "component is ready");
        }
    }

    /// It cannot, because of `reason`: words without secrets.
    pub fn not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        if self.change(false, Some(reason.clone())) {
            tracing::warn!(component = %self.name, %reason, "component is not ready");
        }
    }

    /// Whether this changed anything: only a change is worth a line in the log.
    fn change(&self, ready: bool, reason: Option<Cow<'static, str>>) -> bool {
        let mut components = self.health.lock();
        let state = components.get_mut(&self.name).expect("a handle's component was added and none is removed");
        if state.ready == ready && state.reason == reason {
            return false;
        }
        *state = State { ready, reason, since: crate::clock::now() };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_when_every_component_says_so() {
        let health = Health::new();
        assert!(health.is_ready());

        let nats = health.component("nats");
        let schemas = health.component("schemas");
        assert!(!health.is_ready());
        nats.ready();
        assert!(!health.is_ready());
        schemas.ready();
        assert!(health.is_ready());
        nats.not_ready("disconnected");
        assert!(!health.is_ready());
        assert_eq!(health.components()["nats"].reason.as_deref(), Some("disconnected"));
    }

    #[test]
    fn naming_a_component_again_keeps_its_state() {
        let health = Health::new();
        health.component("nats").ready();
        health.component("nats");
        assert!(health.is_ready());
    }
}
