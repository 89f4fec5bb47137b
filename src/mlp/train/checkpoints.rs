//! Checkpoints of a training: where they are kept, and where the training goes on from.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::options::FitOptions;
use super::state::TrainingState;
use super::trainer::Trainer;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::{GIVEN_BYTES, replace};
use crate::mlp::Mlp;
use crate::mlp::file::checkpoint::{self, Kept};
use crate::waiting::Waiting;

/// A program's own way of keeping the bytes of a checkpoint.
type Keep<'a> = dyn FnMut(&[u8]) -> Result<()> + Send + 'a;

/// Where the checkpoints of a training are kept, and what it resumes from.
#[derive(Default)]
pub(super) struct Checkpoints<'a> {
    /// The file that holds the last one.
    path: Option<PathBuf>,
    /// The program's own way of keeping them.
    keep: Option<&'a mut Keep<'a>>,
    /// Whether the training resumes from the file.
    resume: bool,
    /// The bytes of the checkpoint that the training resumes from, before any file.
    bytes: Option<&'a [u8]>,
}

impl Checkpoints<'_> {
    /// The state that the training starts from: that of a checkpoint, if it is to be resumed, or a fresh one.
    pub fn first_state(&self, model: &mut Mlp, options: &FitOptions, rows: usize) -> Result<TrainingState> {
        let file = self.path.as_deref().filter(|path| self.resume && path.exists());
        let (kept, name) = match (self.bytes, file) {
            (Some(bytes), _) => (Kept::Bytes(bytes), Path::new(GIVEN_BYTES)),
            (None, Some(path)) => (Kept::File(path), path),
            (None, None) => return TrainingState::new(options, model.layers.len()),
        };
        let state = checkpoint::load(kept, model, options, rows)?;
        log::info!("fit: goes on from {}, behind epoch {}", name.display(), state.history.epochs.len());
        Ok(state)
    }

    /// Keeps a checkpoint of the training, if any are to be kept: in the file, and in the program's own way.
    pub async fn write(
        &mut self,
        waiting: Waiting,
        model: &Mlp,
        state: &TrainingState,
        options: &FitOptions,
        rows: usize,
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

impl<'a> Trainer<'a> {
    /// Writes a checkpoint to this file after every epoch: parameters, optimizer state, the best epoch's parameters, the
    /// history. The file always holds a complete epoch.
    pub fn checkpoint(mut self, path: impl AsRef<Path>) -> Self {
        self.checkpoints.path = Some(path.as_ref().into());
        self
    }

    /// Resumes the training from its checkpoint, if there is one. With the same data, options and device it ends with
    /// the same bits as a training that was never interrupted.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let (x, y) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let path = std::env::temp_dir().join(format!("wgpu-mlp-doc-{}.checkpoint", std::process::id()));
    /// let train = |epochs| {
    ///     let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    ///     let options = FitOptions { epochs, ..Default::default() };
    ///     Trainer::new(&options).checkpoint(&path).resume().fit(&mut model, x.view(), &y)
    /// };
    /// train(2)?;
    /// assert_eq!(train(5)?.epochs.len(), 5); // two epochs from the checkpoint, and three more
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn resume(mut self) -> Self {
        self.checkpoints.resume = true;
        self
    }

    /// Hands the bytes of a checkpoint to the program after every epoch: those of the file that [`Trainer::checkpoint`]
    /// writes. This is for programs that keep checkpoints elsewhere, such as a page in a browser. An error that the
    /// closure returns ends the training, which returns it.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let (x, y) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let mut kept = Vec::new();
    /// let mut keep = |bytes: &[u8]| {
    ///     kept = bytes.to_vec();
    ///     Ok(())
    /// };
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let options = FitOptions { epochs: 2, ..Default::default() };
    /// Trainer::new(&options).checkpoint_to(&mut keep).fit(&mut model, x.view(), &y)?;
    ///
    /// let options = FitOptions { epochs: 5, ..Default::default() };
    /// let history = Trainer::new(&options).resume_from(&kept).fit(&mut model, x.view(), &y)?;
    /// assert_eq!(history.epochs.len(), 5); // two epochs from the checkpoint, and three more
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn checkpoint_to(mut self, keep: &'a mut (dyn FnMut(&[u8]) -> Result<()> + Send + 'a)) -> Self {
        self.checkpoints.keep = Some(keep);
        self
    }

    /// Resumes the training from the bytes of a checkpoint, as [`Trainer::resume`] does from its file: with the same data,
    /// options and device it ends with the same bits as a training that was never interrupted. They count before a
    /// file. [`Trainer::checkpoint_to`] has an example.
    ///
    /// The training returns [`Error::Format`] for bytes that are no checkpoint, and [`Error::Model`] for those of another
    /// training; both have `the given bytes` in the place of a path, and leave the model as it was.
    pub fn resume_from(mut self, bytes: &'a [u8]) -> Self {
        self.checkpoints.bytes = Some(bytes);
        self
    }
}
