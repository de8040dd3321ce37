fn main() -> std::process::ExitCode {
    chat_aws::entry::run(functions::join_room::function)
}
