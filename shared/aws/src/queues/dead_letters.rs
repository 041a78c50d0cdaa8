//! Dead letters: messages that wait for people, and the way back.

use portico_domain::Clock;

use super::{Envelope, Message, Place, Queue, QueueError, RECEIVED_AT_ONCE_MAX};

/// Under which name a dead letter says why it is one.
pub(super) const REASON: &str = "reason";

/// A queue of dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    queue: Queue,
    clock: Clock,
}

/// What a redrive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// So many messages are in their queue again.
    pub moved: usize,
    /// Whether it stopped because it had moved as many as it was allowed to; there may be more.
    pub more: bool,
}

impl DeadLetters {
    pub(crate) fn new(queue: Queue, clock: Clock) -> Self {
        Self { queue, clock }
    }

    /// Puts a message here for people to look at, in the order of its group. `reason` is a class of errors, never content.
    /// The letter is durable when this returns; whoever parks a message lets the original count as done only then.
    ///
    /// Parking the same message twice within five minutes makes one letter. A message that was redriven is another one.
    ///
    /// # Errors
    /// [`QueueError`]; the letter may be there all the same.
    pub async fn park(&self, message: &Message, reason: &str) -> Result<(), QueueError> {
        let place = message.group().map(|group| Place { group, once: &message.id });
        let envelope = Envelope { place, note: Some((REASON, reason)), ..Envelope::default() };
        self.queue.send_text(message.body.clone(), envelope).await
    }

    /// Sends up to `most` letters back to `to`, in order within each group, and removes each once it is there. What dies in
    /// between sends a letter twice rather than never: consumers are used to that.
    ///
    /// A letter that came here after the redrive began stays: what is refused again does not run in a circle. Letters that
    /// somebody else has in hand are not seen. Needs `sqs:ReceiveMessage` and `sqs:DeleteMessage` here and
    /// `sqs:SendMessage` there.
    ///
    /// # Errors
    /// [`QueueError`]; what was moved before stays moved, the rest comes back after this queue's visibility time-out.
    pub async fn redrive(&self, to: &Queue, most: usize) -> Result<Redriven, QueueError> {
        let began = self.clock.now();
        let mut moved = 0;
        while moved < most {
            let letters = self.queue.receive((most - moved).min(RECEIVED_AT_ONCE_MAX)).await?;
            if letters.is_empty() {
                return Ok(Redriven { moved, more: false });
            }
            for letter in letters {
                if letter.sent_at().is_some_and(|at| at > began) {
                    return Ok(Redriven { moved, more: false });
                }
                // Not the id under which it was first sent: the queue may still remember that one and drop the letter.
                let place = letter.group().map(|group| Place { group, once: &letter.id });
                to.send_text(letter.body.clone(), Envelope { place, ..Envelope::default() }).await?;
                self.queue.delete(&letter).await?;
                moved += 1;
            }
        }
        Ok(Redriven { moved, more: most > 0 })
    }
}
