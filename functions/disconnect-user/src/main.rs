fn main() -> std::process::ExitCode {
    chat_aws::serve::run(disconnect_user::function)
}
