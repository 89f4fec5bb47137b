//! Code that the examples share: the choice of a device, errors as sentences, and the charts.
#![allow(dead_code, reason = "no example uses all of it")]

pub(crate) mod charts;

use std::fmt;

use clap::ValueEnum;
use wgpu_mlp::{Device, GpuOptions, MatrixUnits, Result};

/// The device asked for on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Wanted {
    Auto,
    Cpu,
    Gpu,
    /// A GPU, its products on matrix units.
    MatrixUnits,
}

impl Wanted {
    pub(crate) fn open(self) -> Result<Device> {
        match self {
            Wanted::Auto => Device::auto(),
            Wanted::Cpu => Ok(Device::cpu()),
            Wanted::Gpu => Device::gpu(),
            Wanted::MatrixUnits => {
                Device::gpu_with(&GpuOptions { matrix_units: MatrixUnits::On, ..Default::default() })
            }
        }
    }
}

/// A sentence for the user. `main` prints an error through `Debug`, so `Debug` has to give the sentence.
pub(crate) struct Failure(pub(crate) String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
