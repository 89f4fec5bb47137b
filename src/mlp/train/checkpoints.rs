//! Checkpoints of a training: where they are kept, and the checkpoint that the training resumes from.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf, is_separator};

use super::options::FitOptions;
use super::state::{RowCounts, TrainingState};
use crate::distributed::{Call, Ranks};
use crate::error::{Error, Result};
use crate::files::{GIVEN_BYTES, failed, folder_of, replace};
use crate::mlp::Mlp;
use crate::mlp::file::checkpoint;
use crate::waiting::Waiting;

/// The program's closure that keeps the bytes of a checkpoint.
pub(super) type Keep<'a> = dyn FnMut(&[u8]) -> Result<()> + Send + 'a;

/// The places where the checkpoints of a training are kept, and the checkpoint that it resumes from.
#[derive(Default)]
pub(super) struct Checkpoints<'a> {
    /// The file that holds the last checkpoint.
    pub path: Option<PathBuf>,
    /// The program's closure that keeps checkpoints.
    pub keep: Option<&'a mut Keep<'a>>,
    /// Whether the training resumes from the file.
    pub resume: bool,
    /// The bytes of the checkpoint that the training resumes from. If they are given, the file is not used.
    pub bytes: Option<Cow<'a, [u8]>>,
    /// The name of the file that the bytes were read from by rank 0, if ranks resume from a file.
    read_from: Option<PathBuf>,
}

impl Checkpoints<'_> {
    /// Refuses to resume if neither a file nor bytes are given: such a training would begin anew each time. Also refuses a path
    /// at which no file can be made: this would otherwise show only after an epoch, which may take hours. Of several ranks only
    /// rank 0 has a file.
    pub fn check(&self, ranks: Option<&Ranks>) -> Result<()> {
        if ranks.is_some_and(|ranks| ranks.rank() > 0) {
            return Ok(());
        }
        match &self.path {
            Some(path) => {
                has_place(path).map_err(|source| failed(path, source))?;
                can_be_made(path)
            }
            None if self.resume && self.bytes.is_none() => {
                let rule = "resume needs the file of checkpoint, or the bytes of resume_from";
                Err(Error::Combination { op: "fit", rule })
            }
            None => Ok(()),
        }
    }

    /// The state that the training starts from: the state of a checkpoint if the training resumes, otherwise a fresh one.
    pub fn first_state(&mut self, model: &mut Mlp, options: &FitOptions, rows: RowCounts) -> Result<TrainingState> {
        let file = match self.path.as_deref().filter(|_| self.resume) {
            Some(path) if is_there(path)? => Some(path),
            _ => None,
        };
        // The bytes are not needed after this call.
        let bytes = self.bytes.take();
        let given = self.read_from.as_deref().unwrap_or(Path::new(GIVEN_BYTES));
        let path = match (&bytes, file) {
            (Some(_), _) => given,
            (None, Some(path)) => path,
            (None, None) => return TrainingState::new(options, model.layers.len()),
        };
        let state = checkpoint::load(bytes.as_deref(), path, model, options, rows)?;
        log::info!("fit: goes on from {}, after epoch {}", path.display(), state.history.epochs.len());
        Ok(state)
    }

    /// Gives all ranks the checkpoint that rank 0 resumes from. From then on only rank 0 keeps checkpoints.
    pub fn share(&mut self, ranks: &Ranks) -> Result<()> {
        let first = ranks.rank() == 0;
        if let (true, None, Some(path)) = (first && self.resume, &self.bytes, &self.path)
            && is_there(path)?
        {
            self.bytes = Some(std::fs::read(path).map_err(|source| failed(path, source))?.into());
            self.read_from = Some(path.clone());
        }
        // A checkpoint is sent with a byte in front of it, so that an empty file, which is a damaged checkpoint, differs from no
        // checkpoint.
        let own = self.bytes.as_deref().filter(|_| first).map(|bytes| [&[1], bytes].concat()).unwrap_or_default();
        let of_first = ranks.gather(Call::Fit, &own)?.swap_remove(0);
        self.bytes = of_first.split_first().map(|(_, bytes)| bytes.to_vec().into());
        let name = self.read_from.iter().filter(|_| first).map(|path| path.to_string_lossy().into_owned());
        let name = ranks.gather(Call::Fit, name.collect::<String>().as_bytes())?.swap_remove(0);
        self.read_from = (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned().into());
        self.resume = false;
        if !first {
            (self.path, self.keep) = (None, None);
        }
        Ok(())
    }

    /// Writes a checkpoint of the training to the file, and hands it to the program's closure, if these are set.
    pub async fn write(
        &mut self,
        waiting: Waiting,
        model: &Mlp,
        state: &TrainingState,
        options: &FitOptions,
        rows: RowCounts,
    ) -> Result<()> {
        if self.path.is_none() && self.keep.is_none() {
            return Ok(());
        }
        let path = self.path.as_deref();
        let name = path.unwrap_or(Path::new(GIVEN_BYTES));
        let bytes = checkpoint::bytes(waiting, name, model, state, options, rows).await?;
        if let Some(path) = path {
            replace(path, |file| file.write_all(&bytes))?;
            log::debug!("fit: wrote {}", path.display());
        }
        match &mut self.keep {
            Some(keep) => keep(&bytes),
            None => Ok(()),
        }
    }
}

/// Refuses a path to which no file can be written: one without a file's name, one that names or leads to a folder, and one whose own
/// folder does not exist.
fn has_place(path: &Path) -> io::Result<()> {
    // Browsers have no files.
    if cfg!(target_family = "wasm") {
        return Ok(());
    }
    if !std::fs::metadata(folder_of(path))?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    // Only a folder can be named with a separator at the end.
    if path.as_os_str().as_encoded_bytes().last().is_some_and(|last| is_separator(char::from(*last))) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Refuses a path to which the system lets nobody write, such as one in a folder that is read-only. To find out, a file is begun as
/// for a checkpoint, and given up before anything is replaced.
fn can_be_made(path: &Path) -> Result<()> {
    // Browsers have no files. A pipe has to be opened to try it, which would wait for its reader.
    if cfg!(target_family = "wasm") || std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(());
    }
    let mut begun = false;
    let tried = replace(path, |_| {
        begun = true;
        Err(io::ErrorKind::Interrupted.into())
    });
    if begun { Ok(()) } else { tried }
}

/// Whether there is a file at this path. An error is returned if the system cannot tell: if the file were taken as missing, the
/// training would begin anew and overwrite it.
fn is_there(path: &Path) -> Result<bool> {
    // Browsers have no files.
    if cfg!(target_family = "wasm") { Ok(false) } else { path.try_exists().map_err(|source| failed(path, source)) }
}
