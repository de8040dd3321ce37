//! All functions in one program, as they are deployed. The handler of a function on Lambda says which one it is.

fn main() -> std::process::ExitCode {
    chat_aws::entry::run(functions::function)
}
