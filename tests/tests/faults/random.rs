//! Random faults under load. A long run is `cargo run --release -p chat-bench -- soak`.

use chat_tests::Workload;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_goes_wrong() {
    let workload = Workload { seed: 1, rooms: 3, users: 5, devices: 2, newcomers: 6, messages: 300, hostile: true };
    let outcome = workload.run().await;
    assert!(outcome.history.acks.len() >= 300, "{} acks", outcome.history.acks.len());
    assert!(outcome.faults.len() > 10, "hardly anything went wrong: {:?}", outcome.faults);
    assert!(outcome.violations.is_empty(), "{}", outcome.report(&workload));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_faults_every_message_is_pushed_to_every_member() {
    let workload = Workload { seed: 3, rooms: 3, users: 6, devices: 2, newcomers: 10, messages: 300, hostile: false };
    let outcome = workload.run().await;
    assert!(outcome.violations.is_empty(), "{}", outcome.report(&workload));
    assert!(outcome.faults.is_empty());
}
