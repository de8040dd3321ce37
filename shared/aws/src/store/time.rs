use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use chat::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the time from DynamoDB's answer: its `Date` header (RFC 9110, section 6.6.1), in whole seconds.
#[derive(Debug, Clone, Default)]
pub struct ServerTime(Arc<Mutex<Option<Timestamp>>>);

impl ServerTime {
    /// The time of the answer, if it said one.
    pub fn get(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for ServerTime {
    fn name(&self) -> &'static str {
        "server time"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        let time = date.map(|date| Timestamp::from_millis(date.secs().saturating_mul(1_000)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
        Ok(())
    }
}
