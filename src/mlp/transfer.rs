//! Transfers of a model's parameters: to the host, and to another device.

use super::model::Mlp;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::layers::parameters::Parameters;
#[cfg(doc)]
use crate::matrix::Matrix;
use crate::waiting::{Waiting, blocking_and_async};

impl Mlp {
    blocking_and_async! {
        /// The parameters, layer by layer, copied to the host. On a GPU this waits.
        ///
        /// # Errors
        /// As [`Matrix::to_array`]; after [`Error::DeviceLost`] there is still [`Mlp::last_copy`].
        pub fn parameters, parameters_async(&self) -> Result<Vec<Parameters>> = |waiting| {
            self.parameters_by(waiting).await
        }
    }

    pub(super) async fn parameters_by(&self, waiting: Waiting) -> Result<Vec<Parameters>> {
        let mut parameters = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let weights = layer.weights().to_array_by(waiting).await?;
            parameters.push(Parameters { weights, biases: layer.biases().to_array_by(waiting).await? });
        }
        Ok(parameters)
    }

    /// The last copy of the parameters on the host: as they were made or loaded, or after the last [`Mlp::fit`]. During
    /// a long fit they are also copied after some epochs, at least a second apart. This call does not use the device.
    pub fn last_copy(&self) -> &[Parameters] {
        &self.copy
    }

    /// Copies the parameters to the host. A device that is lost leaves the copy that was made before.
    pub(super) async fn renew_copy(&mut self, waiting: Waiting) {
        if let Ok(parameters) = self.parameters_by(waiting).await {
            self.copy = parameters.into();
        }
    }

    blocking_and_async! {
        /// A copy of the model on another device; from [`Mlp::last_copy`] if this model's own device is lost. The state of
        /// [`Mlp::partial_fit`] stays behind: the copy begins anew.
        ///
        /// # Errors
        /// As [`Mlp::parameters`] for any error but a lost device, and as [`Matrix::from_array`] on the other device.
        ///
        /// ```
        /// # use wgpu_mlp::{Device, Mlp};
        /// let model = Mlp::new(&Device::auto()?, &[64, 128, 10], 0)?;
        /// let moved = model.to_device(&Device::cpu())?;
        /// assert_eq!(moved.parameters()?, model.parameters()?);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn to_device, to_device_async(&self, device: &Device) -> Result<Self> = |waiting| {
            let parameters = self.parameters_by(waiting).await;
            device.make_room(waiting).await?;
            match parameters {
                Ok(parameters) => self.moved(device, parameters),
                Err(Error::DeviceLost { .. }) => self.moved(device, self.copy.to_vec()),
                Err(error) => Err(error),
            }
        }
    }

    /// This model with these parameters on another device.
    fn moved(&self, device: &Device, parameters: Vec<Parameters>) -> Result<Self> {
        Ok(Mlp { class_names: self.class_names.clone(), ..Self::from_host(device, parameters)? })
    }
}
