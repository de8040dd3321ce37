fn main() -> std::process::ExitCode {
    chat_aws::serve::run(join_room::function)
}
