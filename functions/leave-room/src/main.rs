fn main() -> std::process::ExitCode {
    chat_aws::serve::run(leave_room::function)
}
