//! Mail without a mail server: a line in the log, and the mail itself as a file that only its owner can read.
//! The log never holds the text or the address, since the text may carry a token.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    ports::mail::{Email, Mailer},
};

#[derive(Debug, Clone, Default)]
pub struct LogMailer {
    /// Where mails are put, one `KEY.eml` each; `None` keeps none.
    pub folder: Option<PathBuf>,
}

#[async_trait]
impl Mailer for LogMailer {
    /// A mail of a key that was sent already overwrites that one.
    async fn send(&self, email: Email) -> Result<()> {
        let file = format!("{}.eml", file_stem(&email.key));
        if let Some(folder) = self.folder.clone() {
            let (text, file) = (render(&email), file.clone());
            // Small and local: not worth a thread.
            write(&folder, &file, &text).map_err(|error| Error::unavailable("keep a mail", error))?;
        }
        let domain = email.to.rsplit_once('@').map_or("", |(_, domain)| domain);
        let file = self.folder.is_some().then_some(file);
        tracing::info!(key = email.key, to_domain = domain, subject = email.subject, file, "mail");
        Ok(())
    }
}

fn render(email: &Email) -> String {
    let Email { to, subject, text, key } = email;
    let header = |value: &str| value.replace(['\r', '\n'], " ");
    format!(
        "To: {}\nSubject: {}\nMessage-ID: <{}@colloquy>\nContent-Type: text/plain; charset=utf-8\n\n{text}",
        header(to),
        header(subject),
        header(key),
    )
}

/// The whole mail or none of it.
fn write(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
    let unfinished = folder.join(format!(".{file}.unfinished"));
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    open.open(&unfinished)?.write_all(text.as_bytes())?;
    fs::rename(&unfinished, folder.join(file))
}

/// The key, with all that could leave the folder replaced.
fn file_stem(key: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }
    };
    let stem: String = key.chars().take(120).map(plain).collect();
    if stem.is_empty() { "_".to_owned() } else { stem }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn email(key: &str, text: &str) -> Email {
        Email {
            to: "ada@example.com".into(),
            subject: "Come\r\nBcc: all@example.com".into(),
            text: text.into(),
            key: key.into(),
        }
    }

    #[tokio::test]
    async fn a_mail_stands_in_the_folder_once_for_its_owner_to_read() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mail");
        let mailer = LogMailer { folder: Some(folder.clone()) };
        mailer.send(email("invitation-1", "first")).await.unwrap();
        mailer.send(email("invitation-1", "the token")).await.unwrap();
        mailer.send(email("../../etc/x", "elsewhere")).await.unwrap();
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["______etc_x.eml", "invitation-1.eml"]);
        let file = folder.join("invitation-1.eml");
        let text = fs::read_to_string(&file).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        assert_eq!(body, "the token");
        assert!(head.contains("To: ada@example.com"));
        assert!(head.lines().all(|line| !line.starts_with("Bcc")), "{head}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn without_a_folder_nothing_is_written() {
        LogMailer::default().send(email("k", "t")).await.unwrap();
    }
}
