fn main() -> Result<(), chat_aws::serve::Error> {
    chat_aws::serve::run(connect::function)
}
