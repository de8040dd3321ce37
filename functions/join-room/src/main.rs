fn main() -> Result<(), chat_aws::serve::Error> {
    chat_aws::serve::run(join_room::function)
}
