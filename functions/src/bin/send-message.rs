fn main() -> std::process::ExitCode {
    chat_aws::entry::run(functions::send_message::function)
}
