//! What every live source keeps: events that wait to be asked for, whether it is lost, and where its samples stand in time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::source::Event;

/// A source from which nothing comes for so long is lost.
pub(super) const SILENCE: Duration = Duration::from_millis(1500);

/// Events in the order in which they are handed out. A source reads only when there are none, so one read bounds their number.
#[derive(Debug)]
pub(super) struct Pending {
    events: VecDeque<Event>,
    heard: Instant,
    is_lost: bool,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self { events: VecDeque::new(), heard: Instant::now(), is_lost: false }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Samples come: the source is there.
    pub(super) fn samples(&mut self, event: Event) {
        self.heard = Instant::now();
        if std::mem::take(&mut self.is_lost) {
            self.events.push_back(Event::Back);
        }
        self.events.push_back(event);
    }

    /// The source is lost, and why; said once.
    pub(super) fn lost(&mut self, why: impl Into<String>) {
        if !std::mem::replace(&mut self.is_lost, true) {
            self.events.push_back(Event::Lost(why.into()));
        }
    }

    /// Says that the source is lost if nothing came for some time.
    pub(super) fn check_silence(&mut self) {
        if self.heard.elapsed() > SILENCE {
            self.lost(format!("no samples for {:.1} s", SILENCE.as_secs_f64()));
        }
    }

    /// Something was refused. Of several in a row only the first is kept: a flood of garbage stays small.
    pub(super) fn refuse(&mut self, what: impl Into<String>) {
        if !matches!(self.events.back(), Some(Event::Refused(_))) {
            self.events.push_back(Event::Refused(what.into()));
        }
    }
}

/// Puts the sample numbers of a source, which begin anywhere and may jump, on a line from 0 that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// The source's number that is expected next, and ours for it.
    next: Option<(u64, u64)>,
}

impl Counter {
    /// Our number of the first of `n` samples that the source numbers from `number` on, and the gap before it.
    pub(super) fn place(&mut self, number: u64, n: u64) -> (u64, Option<Event>) {
        let (expected, ours) = self.next.unwrap_or((number, 0));
        let (first, gap) = match number.checked_sub(expected) {
            Some(0) => (ours, None),
            Some(missing) => (ours.saturating_add(missing), Some(Event::Gap(Some(missing)))),
            // It began anew: how much is missing is not known.
            None => (ours, Some(Event::Gap(None))),
        };
        self.next = Some((number.saturating_add(n), first.saturating_add(n)));
        (first, gap)
    }

    /// Samples are missing, and what comes next has any number.
    pub(super) fn interrupt(&mut self) {
        if let Some((_, ours)) = self.next.take() {
            self.next = Some((u64::MAX, ours));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_whatever_the_source_does() {
        let mut counter = Counter::default();
        assert_eq!(counter.place(1000, 10), (0, None));
        assert_eq!(counter.place(1010, 10), (10, None));
        assert_eq!(counter.place(1025, 10), (25, Some(Event::Gap(Some(5)))));
        assert_eq!(counter.place(3, 10), (35, Some(Event::Gap(None))));
        assert_eq!(counter.place(13, 1), (45, None));
        counter.interrupt();
        assert_eq!(counter.place(900, 10), (46, Some(Event::Gap(None))));
        assert_eq!(counter.place(910, 10), (56, None));
    }

    #[test]
    fn a_loss_is_said_once_until_samples_come() {
        let mut pending = Pending::new();
        pending.lost("unplugged");
        pending.lost("again");
        pending.samples(Event::Gap(None));
        let said: Vec<Event> = std::iter::from_fn(|| pending.pop()).collect();
        assert_eq!(said, [Event::Lost("unplugged".into()), Event::Back, Event::Gap(None)]);
        pending.refuse("a");
        pending.refuse("b");
        assert_eq!((pending.pop(), pending.pop()), (Some(Event::Refused("a".into())), None));
    }
}
