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
        /// Copies the parameters to the host, layer by layer. On a GPU this waits.
        ///
        /// # Errors
        /// As [`Matrix::to_array`]. After [`Error::DeviceLost`], [`Mlp::last_copy`] still has a copy.
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

    /// The last copy of the parameters on the host: from when the model was made or loaded, or from the end of the last
    /// [`Mlp::fit`] or [`Mlp::partial_fit`]. During a long fit, parameters are also copied after some epochs, at least a second
    /// apart. This call does not use the device.
    pub fn last_copy(&self) -> &[Parameters] {
        &self.copy
    }

    /// Copies the parameters to the host. If the device is lost, the copy before stays.
    pub(super) async fn renew_copy(&mut self, waiting: Waiting) {
        if let Ok(parameters) = self.parameters_by(waiting).await {
            self.copy = parameters.into();
        }
    }

    blocking_and_async! {
        /// Copies the model to another device. If this model's own device is lost, [`Mlp::last_copy`] is used. The state of
        /// [`Mlp::partial_fit`] is not copied, so the copy begins anew.
        ///
        /// # Errors
        /// As [`Mlp::parameters`], unless the device is lost, and as [`Matrix::from_array`] on the other device.
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

    /// A model with these parameters and this model's class names, on another device.
    fn moved(&self, device: &Device, parameters: Vec<Parameters>) -> Result<Self> {
        Ok(Mlp { class_names: self.class_names.clone(), ..Self::from_host(device, parameters)? })
    }
}
