use crate::clients::{Bucket, Upload};
use crate::{Fault, now};
use chat::{CreateUpload, Message, Reply};

/// The files that messages carry.
#[derive(Clone)]
pub struct Files(Bucket);

impl Files {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }

    /// The message as it is shown. Of one that carries a file, the content is an address under which whoever is told may
    /// read it, for one hour at least. It is made for each page and each push: signed, and nothing asked.
    pub fn located(&self, message: Message) -> Result<Message, Fault> {
        let Some(attachment) = message.content.attachment() else { return Ok(message) };
        let address = self.0.address(attachment.key(), now())?;
        let content = message.content.clone().at(address);
        Ok(Message { content, ..message })
    }

    /// Lets a file be uploaded, this one, for a few minutes.
    pub fn admit(&self, upload: CreateUpload) -> Reply {
        let what = Upload {
            key: upload.attachment.key(),
            content_type: upload.kind.as_str(),
            content_disposition: &upload.disposition,
            size: upload.size,
        };
        let (url, fields) = self.0.form(&what, now());
        Reply::upload(upload, url, fields)
    }

    /// Deletes the file of a message that was recalled, if it had one: again, if that is repeated.
    pub async fn delete(&self, recalled: &Message) -> Result<(), Fault> {
        match recalled.content.file() {
            Some(file) => self.0.delete(file.key()).await,
            None => Ok(()),
        }
    }
}
