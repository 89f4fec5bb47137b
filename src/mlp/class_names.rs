//! Names of a model's classes. They are saved with the model, and tables print them.

use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::Metadata;

use super::model::Mlp;
use crate::error::{Error, Result};
use crate::metrics::ConfusionMatrix;

/// The key of the names in the texts of a safetensors file. Its value is a list in JSON.
const KEY: &str = "class_names";

impl Mlp {
    /// Names the classes, in the order of their ids. The names stay with the model: [`Mlp::save`] and checkpoints write them,
    /// [`Mlp::load`] reads them, and the tables of [`Mlp::confusion_matrix`] print them.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for each class. The model is then dropped; [`Mlp::set_class_names`] keeps it.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[1, 2], 0)?.with_class_names(["cat", "dog"])?;
    /// let loaded = Mlp::from_bytes(&Device::cpu(), &model.to_bytes()?)?;
    /// let id = loaded.predict(ndarray::array![[1.0]].view())?[0];
    /// println!("a {}", loaded.class_names()[id as usize]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        self.set_class_names(names)?;
        Ok(self)
    }

    /// Names the classes as [`Mlp::with_class_names`] does, in place. After an error the model has the names that it had before.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a name for each class.
    pub fn set_class_names(&mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<()> {
        let class_names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        if class_names.len() != self.classes() {
            let rule = "there must be a name for each class";
            let (left, right) = ((1, self.classes()).into(), (1, class_names.len()).into());
            return Err(Error::Shape { op: "class_names", rule, left, right });
        }
        self.class_names = class_names;
        Ok(())
    }

    /// The names of the classes, in the order of their ids; an empty list if they have no names.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The confusion matrix with the names of this model's classes, if they have names.
    pub(super) fn named(&self, matrix: ConfusionMatrix) -> Result<ConfusionMatrix> {
        if self.class_names.is_empty() { Ok(matrix) } else { matrix.with_names(self.class_names.iter()) }
    }

    /// The text in which a file holds the names, with its key; `None` if the classes have no names.
    pub(super) fn names_text(&self) -> Option<(&'static str, String)> {
        (!self.class_names.is_empty()).then(|| (KEY, serde_json::json!(&*self.class_names).to_string()))
    }

    /// The model with the class names from a file's texts.
    pub(super) fn with_names_of(mut self, path: &Path, metadata: &Metadata) -> Self {
        self.take_names_of(path, metadata);
        self
    }

    /// Takes the class names from a file's texts, unless the classes have names. A text that is not a list of names for these
    /// classes is ignored: another program may have written it.
    pub(super) fn take_names_of(&mut self, path: &Path, metadata: &Metadata) {
        let text = metadata.metadata().as_ref().and_then(|texts| texts.get(KEY));
        let Some(text) = text.filter(|_| self.class_names.is_empty()) else { return };
        let classes = self.classes();
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(names) if names.len() == classes => self.class_names = names.into(),
            _ => log::warn!("load: {}: {KEY} is no list of {classes} names, and is left out", path.display()),
        }
    }
}
