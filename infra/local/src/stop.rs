//! One signal that ends everything that runs in the background.

use tokio::sync::watch;

/// Gives the signal; dropping it gives it, too.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Default for Stopper {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopper {
    /// What the background listens to.
    #[must_use]
    pub fn stop(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Ends everything.
    pub fn now(&self) {
        self.0.send_replace(true);
    }
}

/// Listens for the signal.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether the signal was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the signal.
    pub async fn given(&mut self) {
        // An error means that the stopper is gone, which is the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
