//! A window as it is kept for all alerters, over restarts.

use latchkey_contracts::window::{Look as KeptLook, Lost as KeptLost};

use super::{Look, Lost, Window};
use crate::instant;

impl Window {
    /// What is to be kept: the looks, and what was lost.
    #[must_use]
    pub fn keep(&self) -> (Vec<KeptLook>, Option<KeptLost>) {
        let lost = self.lost.map(|Lost { at, up_to, messages }| KeptLost {
            at_unix_nano: instant::to_unix_nano(at),
            up_to,
            messages,
        });
        (self.looks.iter().map(Look::keep).collect(), lost)
    }

    /// What was kept. It was written by an alerter, maybe of another version or with another clock: looks out of order are left out.
    #[must_use]
    pub fn recall(looks: &[KeptLook], lost: Option<&KeptLost>) -> Self {
        let lost = lost.map(|lost| Lost {
            at: instant::from_unix_nano(lost.at_unix_nano),
            up_to: lost.up_to,
            messages: lost.messages,
        });
        Self { looks: looks.iter().map(Look::recall).collect(), lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{
        lag::{Eviction, Patience},
        samples::{KEPT, at, look},
    };

    #[test]
    fn a_window_goes_on_where_it_was_left() {
        let mut window: Window = [look(0), look(30)].into_iter().collect();
        window.add(
            Look { first: 96, oldest_at: None, waiting: None, max_ack_pending: None, given: None, ..look(60) },
            KEPT,
        );
        let (looks, lost) = window.keep();
        let mut recalled = Window::recall(&looks, lost.as_ref());
        assert_eq!(recalled, window);
        assert_eq!(recalled.eviction(at(60), Patience::default()), Eviction::Evicted { at: at(60), messages: 5 });
        // Who looks next sees what has gone since, however long that is ago.
        recalled.add(Look { first: 103, floor: 102, ..look(40_000) }, KEPT);
        assert_eq!(
            recalled.eviction(at(40_000), Patience::default()),
            Eviction::Evicted { at: at(40_000), messages: 12 }
        );
    }

    #[test]
    fn a_loss_that_was_seen_by_a_wrong_clock_is_told_for_a_day_from_now() {
        let mut window: Window = [look(0), Look { first: 96, ..look(864_000) }].into_iter().collect();
        window.add(look(30), KEPT);
        assert_eq!(window.eviction(at(30), Patience::default()), Eviction::Evicted { at: at(30), messages: 5 });
    }

    #[test]
    fn numbers_that_no_reader_has_do_no_harm() {
        let huge = |at_unix_nano| KeptLook {
            at_unix_nano,
            first: u64::MAX,
            last: u64::MAX,
            floor: u64::MAX,
            delivered: u64::MAX,
            pending: u64::MAX,
            ack_pending: u64::MAX,
            asleep: u64::MAX,
            deliveries: Some(u64::MAX),
            max_age_nano: i64::MAX,
            oldest_at_unix_nano: i64::MAX,
            ..KeptLook::default()
        };
        let zero = KeptLook { deliveries: Some(0), ..KeptLook::default() };
        let lost = KeptLost { messages: u64::MAX, up_to: 1, at_unix_nano: i64::MAX };
        let mut window = Window::recall(&[zero, huge(1)], Some(&lost));
        window.add(Look { first: 900, ..look(0) }, KEPT);
        let now = at(0);
        let _ = (
            window.pace(now, Patience::default()),
            window.stuck(now, Patience::default()),
            window.eviction(now, Patience::default()),
        );
        let _ = (window.repeats(), window.evicts_at(), window.unattended_since(now, Patience::default()));
    }
}
