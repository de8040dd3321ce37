//! `POST /createUpload`: let a file be uploaded that a message will carry.

use chat::limits::UPLOADS_PER_SECOND;
use chat::{CreateUpload, FileSize, Reply};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Failure, Fault, Files, Pace, Rights, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let (pace, rights) = (aws.pace_of(UPLOADS_PER_SECOND), aws.rights()?);
    let parts = Parts { pace, rights, files: aws.files()?, most: aws.file_size()? };
    Ok(entry::posted("createUpload", aws.users()?, parts, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    files: Files,
    most: FileSize,
}

/// Nothing is written, and nothing looked up but a right to a kept room: the form is signed, and says itself what may be
/// uploaded with it. The file comes past this function, from the client to S3.
pub async fn handle(Parts { pace, rights, files, most }: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let upload = CreateUpload::read(&event.request, &event.caller, most)?;
    event.must_not_be_banned()?;
    pace.admit(event.caller.user(), &upload.room)?;
    rights.admit(&event.caller, &upload.room).await?;
    Ok(files.admit(upload))
}
