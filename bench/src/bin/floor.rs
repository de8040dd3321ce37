//! The smallest function on Lambda, for comparison with ours. It gives every event the same answer and makes no call.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), lambda_runtime::Error> {
    let hello = |_: LambdaEvent<Value>| async { Ok::<_, lambda_runtime::Error>(json!({"statusCode": 200})) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(hello)))
}
