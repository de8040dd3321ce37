use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Keeps to so many capacity units a second, so that the table has the rest for its users.
pub struct Pace {
    per_second: f64,
    /// When everything that was taken so far is paid for.
    free: Instant,
    pub taken: f64,
}

impl Pace {
    pub fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), free: Instant::now(), taken: 0.0 }
    }

    /// Notes what was taken. The next [`turn`](Self::turn) comes when it is paid for: what was not used before is not
    /// saved up.
    pub fn take(&mut self, units: f64) {
        self.taken += units;
        self.free = self.free.max(Instant::now()) + Duration::from_secs_f64(units / self.per_second);
    }

    pub async fn turn(&self) {
        sleep_until(self.free).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_the_rate() {
        let (mut pace, began) = (Pace::new(100), Instant::now());
        for _ in 0..10 {
            pace.take(50.0);
        }
        assert_eq!(pace.taken, 500.0);
        assert!(pace.free - began >= Duration::from_secs(5), "{:?}", pace.free - began);
        // A pause saves nothing up.
        pace.free = began;
        let resumed = Instant::now();
        pace.take(100.0);
        assert!(pace.free - resumed >= Duration::from_secs(1));
    }
}
