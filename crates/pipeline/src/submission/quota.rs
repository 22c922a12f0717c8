//! `submissions.toml` of the home directory: how many submissions a competition takes a day.

use std::{fs, io, path::Path};

use gyeol_data::write_atomic;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The name of the file.
const FILE: &str = "submissions.toml";

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Submissions a day.
    quota: Option<u32>,
}

/// How many submissions a day there may be; `None` if nobody has said.
///
/// # Errors
/// [`Error::Submission`] for a file that is not what it should be, [`Error::Io`] for one that cannot be read.
pub fn quota(home: &Path) -> Result<Option<u32>, Error> {
    let path = home.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path, action: "read", source }),
    };
    let settings: Result<Settings, _> = toml::from_str(&text);
    let settings = settings.map_err(|error| {
        let error = error.to_string();
        Error::Submission(format!("{}: {}; mend or remove it", path.display(), error.trim_end()))
    })?;
    Ok(settings.quota)
}

/// Says how many submissions a day there may be.
///
/// # Errors
/// [`Error::Io`] if that cannot be written.
pub fn set_quota(home: &Path, quota: u32) -> Result<(), Error> {
    let path = home.join(FILE);
    let io = |source| Error::Io { path: path.clone(), action: "write", source };
    fs::create_dir_all(home).map_err(io)?;
    // A number always has a TOML form.
    let text = toml::to_string(&Settings { quota: Some(quota) }).unwrap_or_default();
    write_atomic(&path, |out| out.write_all(text.as_bytes())).map_err(io)
}
