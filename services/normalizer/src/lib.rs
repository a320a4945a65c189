//! Turns raw pages into validated, enriched events.
