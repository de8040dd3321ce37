use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::{Mutex, PoisonError};

/// Draws the ids of connections and requests. They look like API Gateway's: 11 bytes in base64.
pub struct Ids(Mutex<StdRng>);

impl Ids {
    /// Ids that nobody can guess.
    pub fn random() -> Self {
        Self(Mutex::new(StdRng::from_os_rng()))
    }

    /// The same ids for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// It ends in `=`, which callers must encode.
    pub fn connection(&self) -> String {
        BASE64_URL_SAFE.encode(self.draw())
    }

    pub fn request(&self) -> String {
        BASE64_STANDARD.encode(self.draw())
    }

    fn draw(&self) -> [u8; 11] {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}
