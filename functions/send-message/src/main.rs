fn main() -> std::process::ExitCode {
    chat_aws::serve::run(send_message::function)
}
