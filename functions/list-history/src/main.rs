fn main() -> std::process::ExitCode {
    chat_aws::serve::run(list_history::function)
}
