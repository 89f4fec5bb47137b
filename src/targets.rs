//! Targets: the class id of each row of a batch, or its distribution over the classes.

use std::fmt;
use std::sync::Arc;

use ndarray::ArrayView2;

use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::gpu::Buffer;
use crate::host_memory::{host_room, not_empty};
use crate::matrix::Matrix;

/// Class ids or class distributions for the rows of a batch, on one [`Device`]. They are checked when they are made.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Error, Targets};
/// let device = Device::cpu();
/// let ids = Targets::classes(&device, &[0u8, 2, 1], 3)?;
/// let one_hot = Targets::distributions(&device, array![[1., 0., 0.], [0., 0., 1.], [0., 1., 0.]].view())?;
/// assert_eq!(ids.to_classes()?, one_hot.to_classes()?);
/// assert_eq!(Targets::classes(&device, &[1, -100, 0], 2)?.ignored_rows(), 1);
///
/// let error = Targets::classes(&device, &[0i64, -1], 3).unwrap_err();
/// assert_eq!(error.to_string(), "targets: row 1 has class -1; classes run from 0 to 2");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Targets {
    device: Device,
    rows: usize,
    classes: usize,
    /// The number of rows whose id is [`Targets::MARK`].
    ignored: usize,
    kind: Kind,
}

/// The two kinds of targets, and where their values are.
#[derive(Clone)]
pub(crate) enum Kind {
    CpuClasses(Arc<Vec<u32>>),
    GpuClasses(Arc<Buffer>),
    Distributions(Matrix),
}

/// An integer type whose values can be class labels.
pub trait Label: Copy {
    /// The label's value.
    fn value(self) -> i128;
}

macro_rules! labels {
    ($($integer:ty),*) => {$(
        impl Label for $integer {
            fn value(self) -> i128 {
                self as i128
            }
        }
    )*};
}
labels!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Targets {
    /// The label of a row that is ignored: PyTorch's default `ignore_index`.
    pub const IGNORED: i64 = -100;

    /// The class id of ignored rows.
    pub(crate) const MARK: u32 = Self::IGNORED as u32;

    /// Targets with one class id for each row, from 0 to `classes - 1`.
    ///
    /// A signed label of -100 ([`Targets::IGNORED`]) marks an ignored row: it has no loss and no gradient, and does not count in
    /// means and accuracies. If your labels mark such rows by another number, such as 255, replace it by -100 first.
    ///
    /// # Errors
    /// [`Error::Target`] with the first row whose class is out of range; [`Error::Empty`] without rows or classes.
    pub fn classes<L: Label>(device: &Device, labels: &[L], classes: usize) -> Result<Self> {
        Self::of_ids(device, Self::check(labels, classes)?, classes)
    }

    /// Targets with these ids, which are known to be classes or [`Targets::MARK`].
    pub(crate) fn of_ids(device: &Device, ids: Vec<u32>, classes: usize) -> Result<Self> {
        let rows = ids.len();
        not_empty("targets", rows, classes)?;
        let ignored = ids.iter().filter(|id| **id == Self::MARK).count();
        let kind = match device.context() {
            None => Kind::CpuClasses(Arc::new(ids)),
            Some(gpu) => Kind::GpuClasses(Arc::new(gpu.upload("targets", &ids)?)),
        };
        Ok(Targets { device: device.clone(), rows, classes, ignored, kind })
    }

    /// Converts labels to class ids, or returns an error with the first label that is not a class.
    pub(crate) fn check<L: Label>(labels: &[L], classes: usize) -> Result<Vec<u32>> {
        Self::check_of("targets", labels, classes, Self::IGNORED)
    }

    /// Converts labels to class ids. Labels equal to `ignored` mark ignored rows, as -100 does. `op` is the name of the rows in
    /// errors.
    pub(crate) fn check_of<L: Label>(op: &'static str, labels: &[L], classes: usize, ignored: i64) -> Result<Vec<u32>> {
        not_empty(op, labels.len(), classes)?;
        // Larger ids have special meanings.
        let allowed = u64::from(Self::MARK);
        if classes as u64 > allowed {
            return Err(Error::Limit { op, what: "classes", needed: classes as u64, allowed });
        }
        let marks = |label: L| is_ignored(label) || label.value() == ignored.into();
        let mut ids = host_room(op, labels.len(), 1)?;
        for (row, label) in labels.iter().enumerate() {
            ids.push(match usize::try_from(label.value()) {
                _ if marks(*label) => Self::MARK,
                Ok(class) if class < classes => class as u32,
                _ => return Err(Error::Target { op, row, class: label.value(), classes }),
            });
        }
        Ok(ids)
    }

    /// Targets with one distribution for each row: one-hot, or any shares of the classes. A row need not sum to one.
    ///
    /// # Errors
    /// [`Error::Distribution`] with the first entry that is negative, infinite or NaN; else as [`Matrix::from_array`].
    ///
    /// ```
    /// use ndarray::array;
    /// use wgpu_mlp::{Device, Targets};
    /// assert!(Targets::distributions(&Device::cpu(), array![[0.9, 0.1]].view()).is_ok());
    /// assert!(Targets::distributions(&Device::cpu(), array![[1.1, -0.1]].view()).is_err());
    /// ```
    pub fn distributions(device: &Device, shares: ArrayView2<'_, f32>) -> Result<Self> {
        let (rows, classes) = shares.dim();
        not_empty("targets", rows, classes)?;
        let bad = |share: f32| !share.is_finite() || share < 0.0;
        if let Some(((row, col), value)) = shares.indexed_iter().find(|(_, share)| bad(**share)) {
            return Err(Error::Distribution { row, col, value: *value });
        }
        let kind = Kind::Distributions(Matrix::from_array(device, shares)?);
        Ok(Targets { device: device.clone(), rows, classes, ignored: 0, kind })
    }

    /// Targets with class ids that an op computes.
    pub(crate) fn made(device: &Device, rows: usize, classes: usize, kind: Kind) -> Self {
        Targets { device: device.clone(), rows, classes, ignored: 0, kind }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of classes.
    pub fn class_count(&self) -> usize {
        self.classes
    }

    /// The number of rows that are ignored because of their label.
    pub fn ignored_rows(&self) -> usize {
        self.ignored
    }

    /// The device that holds the targets.
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn are_distributions(&self) -> bool {
        matches!(self.kind, Kind::Distributions(_))
    }

    /// The shape `rows x classes`, which error messages show.
    pub(crate) fn dims(&self) -> Shape {
        Shape { rows: self.rows, cols: self.classes }
    }
}

/// Whether a row with this label is ignored.
pub(crate) fn is_ignored(label: impl Label) -> bool {
    label.value() == i128::from(Targets::IGNORED)
}

/// The number of labels that mark ignored rows.
pub(crate) fn ignored_rows<L: Label>(labels: &[L]) -> usize {
    labels.iter().filter(|label| is_ignored(**label)).count()
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.are_distributions() { "distributions" } else { "class ids" };
        write!(f, "Targets({} rows of {kind}, {} classes)", self.rows, self.classes)
    }
}
