fn main() -> std::process::ExitCode {
    chat_aws::entry::run(functions::create_upload::function)
}
