//! The whole contract of cross-entropy on the CPU path.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::Device;

use crate::contract;

#[test]
fn every_combination_is_as_pytorch_defines_it() {
    contract::every_combination(&Device::cpu()).unwrap();
}

#[test]
fn a_mean_over_nothing_is_nan_and_moves_nothing() {
    contract::mean_over_nothing(&Device::cpu()).unwrap();
}

#[test]
fn a_class_that_is_ruled_out_costs_nothing_without_a_share() {
    contract::ruled_out(&Device::cpu()).unwrap();
}
