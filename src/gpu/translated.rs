//! Tests that naga can translate every kernel to Microsoft's HLSL (DX12) and to Apple's MSL (Metal). No device is needed.
//!
//! If `WGPU_MLP_TRANSLATED` names a folder, the translations are written there, for the compilers of these companies.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use naga::back::{hlsl, msl};
use naga::valid::ModuleInfo;

use super::declarations::parsed;
use super::encode::ledger::Variant;
use crate::verify::swept::SWEPT;

/// A variant as wgpu passes it to naga's writers, with its constants filled in.
struct Checked {
    name: &'static str,
    module: naga::Module,
    info: ModuleInfo,
}

impl Checked {
    /// The text for DX12, in front of it the name of the entry point, with the options of wgpu's backend.
    fn hlsl(&self, shader_model: hlsl::ShaderModel) -> String {
        let options = hlsl::Options {
            shader_model,
            fake_missing_bindings: true,
            special_constants_binding: Some(hlsl::BindTarget { space: 1, ..Default::default() }),
            zero_initialize_workgroup_memory: false,
            restrict_indexing: false,
            force_loop_bounding: false,
            ..Default::default()
        };
        let pipeline = hlsl::PipelineOptions { entry_point: Some((naga::ShaderStage::Compute, "main".into())) };
        let mut text = String::new();
        let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(&self.module, &self.info, None);
        let written = written.unwrap_or_else(|error| panic!("{}: {error:?}", self.name));
        let entry = written.entry_point_names.into_iter().next().expect("an entry point").expect("its name");
        format!("// {entry}\n{text}")
    }

    /// The text for Metal.
    fn msl(&self, lang_version: (u8, u8)) -> String {
        let options = msl::Options {
            lang_version,
            fake_missing_bindings: true,
            zero_initialize_workgroup_memory: false,
            force_loop_bounding: false,
            ..Default::default()
        };
        let pipeline = msl::PipelineOptions {
            entry_point: Some((naga::ShaderStage::Compute, "main".into())),
            ..Default::default()
        };
        let written = msl::write_string(&self.module, &self.info, &options, &pipeline);
        written.unwrap_or_else(|error| panic!("{}: {error:?}", self.name)).0
    }
}

/// Puts a text into the folder, if there is one.
fn put(folder: Option<&Path>, file: &str, text: &str) {
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).expect("the folder");
        std::fs::write(folder.join(file), text).expect("a file in the folder");
    }
}

#[test]
fn every_variant_can_be_written_for_dx12_and_metal() {
    let folder = std::env::var_os("WGPU_MLP_TRANSLATED").map(PathBuf::from);
    let (mut known, mut by_fxc) = (HashSet::new(), 0);
    for Variant { kernel, form, constants } in SWEPT.iter().flat_map(|swept| &swept.compiled) {
        let wgsl = kernel.resolved_wgsl(*form, constants);
        if !known.insert(wgsl.clone()) {
            continue;
        }
        let (module, info) = parsed(kernel.name, &wgsl);
        let checked = Checked { name: kernel.name, module, info };
        let name = format!("{:03}-{}", known.len(), kernel.name);
        put(folder.as_deref(), &format!("{name}.wgsl"), &wgsl);
        put(folder.as_deref(), &format!("{name}.metal"), &checked.msl((3, 0)));
        // wgpu has no matrix units on DX12, and only their kernels use f16.
        if wgsl.contains("enable ") {
            continue;
        }
        put(folder.as_deref(), &format!("{name}.60.hlsl"), &checked.hlsl(hlsl::ShaderModel::V6_0));
        // FXC ends at the model before, which has neither subgroup operations nor 64-bit words.
        if !(form.subgroups || form.shuffled || wgsl.contains("u64")) {
            put(folder.as_deref(), &format!("{name}.51.hlsl"), &checked.hlsl(hlsl::ShaderModel::V5_1));
            by_fxc += 1;
        }
    }
    assert!(known.len() > 300 && by_fxc > 150, "{} variants, of which {by_fxc} for FXC", known.len());
}
