//! `POST /createUpload`: let a file be uploaded that a message will carry.

use chat::limits::UPLOADS_PER_SECOND;
use chat::{CreateUpload, FileSize, Reply};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Failure, Fault, Files, Pace, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let parts = Parts { pace: aws.pace_of(UPLOADS_PER_SECOND), files: aws.files()?, most: aws.file_size()? };
    Ok(entry::posted("createUpload", aws.users()?, parts, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    files: Files,
    most: FileSize,
}

/// Nothing is written, nor looked up: the form is signed, and says itself what may be uploaded with it. The file comes
/// past this function, from the client to S3.
pub async fn handle(Parts { pace, files, most }: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let upload = CreateUpload::read(&event.request, &event.caller, most)?;
    pace.admit(event.caller.user(), &upload.room)?;
    Ok(files.admit(upload))
}
