fn main() -> std::process::ExitCode {
    chat_aws::serve::run(connect::function)
}
