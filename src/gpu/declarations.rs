//! Holds every kernel's declaration to its shader, without a GPU.

use std::collections::BTreeSet;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, StorageAccess, TypeInner};

use super::bindings::SLOT_BYTES;
use super::kernel::{Access, EACH_ROW, Form, Kernel, WEIGHTS_BY_MEMORY};
use crate::ops;
use crate::verify;

/// Shared pieces that kernels put in front of their own.
const PIECES: [&str; 36] = [
    "common",
    "elements",
    "rows",
    "targets",
    "row_class",
    "record",
    "record_by_memory",
    "record_by_subgroup",
    "tiles",
    "place",
    "longs",
    "fours",
    "cells",
    "cells_by_long",
    "each_row",
    "each_row_by_subgroup",
    "lanes_by_memory",
    "lanes_by_subgroup",
    "streamed",
    "held",
    "head",
    "segments",
    "updates",
    "group_sum",
    "by_one",
    "by_four",
    "values",
    "columns",
    "store",
    "store_by_one",
    "weights_by_memory",
    "weights_by_subgroup",
    "store_by_four",
    "linear_head",
    "contract",
    "bound_weights",
];
/// Kernels that other ops launch on their way; those ops' cases cover them.
const HELPERS: [&str; 3] = ["row_weights", "squared_norm", "statistics"];

fn shaders() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let entries = std::fs::read_dir(folder).expect("the folder of shaders");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| {
            let name = path.file_stem().expect("a stem").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a readable shader"))
        })
        .collect()
}

fn module(kernel: &Kernel, form: Form) -> naga::Module {
    let size = |name| match name {
        "SEGMENTS" => ops::SEGMENTS as f64,
        "STEPS" => 64.0,
        _ => 8.0,
    };
    let sizes: Vec<_> = kernel.sizes.iter().map(|name| (*name, size(*name))).collect();
    let wgsl = kernel.wgsl(form, &sizes);
    let module = naga::front::wgsl::parse_str(&wgsl)
        .unwrap_or_else(|error| panic!("{}: {}", kernel.name, error.emit_to_string(&wgsl)));
    Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SHADER_INT64)
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {error:?}", kernel.name));
    module
}

/// Every kernel in every form that it has.
fn variants() -> impl Iterator<Item = (&'static Kernel, Form)> {
    let fours = ops::kernels().into_iter().filter(|kernel| kernel.takes_fours()).map(|kernel| (kernel, Form::FOURS));
    let held = ops::kernels().into_iter().filter(|kernel| kernel.holds_rows());
    let held = held.map(|kernel| (kernel, Form { held: true, ..Form::PLAIN }));
    let by_lanes = ops::kernels().into_iter().filter(|kernel| kernel.source.contains(&EACH_ROW));
    let subgroups = by_lanes.map(|kernel| (kernel, Form { subgroups: true, ..Form::PLAIN }));
    let shuffled = ops::kernels().into_iter().filter(|kernel| kernel.source.contains(&WEIGHTS_BY_MEMORY));
    let shuffled = shuffled.map(|kernel| (kernel, Form { shuffled: true, ..Form::PLAIN }));
    let longs = ops::kernels().into_iter().filter(|kernel| kernel.takes_fours());
    let longs = longs.map(|kernel| (kernel, Form { longs: true, ..Form::FOURS }));
    let plain = ops::kernels().into_iter().map(|kernel| (kernel, Form::PLAIN));
    plain.chain(longs).chain(fours).chain(held).chain(subgroups).chain(shuffled)
}

#[test]
fn every_shader_has_its_kernel_and_every_kernel_its_case() {
    let kernels = ops::kernels();
    for (name, text) in shaders() {
        let used = Form::PLAIN.swaps().iter().any(|(_, other, _)| *other == text)
            || kernels.iter().any(|kernel| kernel.source.contains(&text.as_str()));
        assert!(used, "no kernel uses shaders/{name}.wgsl");
        let last = kernels.iter().any(|kernel| kernel.source.last() == Some(&text.as_str()));
        assert!(last || PIECES.contains(&name.as_str()), "shaders/{name}.wgsl is a piece that PIECES does not name");
    }
    let cases: BTreeSet<_> = verify::cases().iter().map(|case| case.op).collect();
    for kernel in &kernels {
        let covered = cases.contains(kernel.name) || HELPERS.contains(&kernel.name);
        assert!(covered, "no case for {}", kernel.name);
    }
    let names: BTreeSet<_> = kernels.iter().map(|kernel| (kernel.name, kernel.source)).collect();
    assert_eq!(names.len(), kernels.len(), "two kernels share name and source");
}

#[test]
fn declarations_agree_with_the_shaders() {
    for (kernel, form) in variants() {
        let module = module(kernel, form);
        let name = kernel.name;
        assert_eq!(module.entry_points.len(), 1, "{name}");
        assert_eq!(module.entry_points[0].name, "main", "{name}");
        let mut found = vec![None; kernel.buffers.len() + 1];
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            assert_eq!(binding.group, 0, "{name}");
            found[binding.binding as usize] = Some(variable);
        }
        let params = found[0].unwrap_or_else(|| panic!("{name} has no Params"));
        assert_eq!(params.space, AddressSpace::Uniform, "{name}");
        let size = module.types[params.ty].inner.size(module.to_ctx()) as usize;
        assert_eq!(size, kernel.params, "{name}: Params differ in size");
        assert!(size <= SLOT_BYTES, "{name}: Params are larger than a slot");
        for (index, access) in kernel.buffers.iter().enumerate() {
            let variable = found[index + 1].unwrap_or_else(|| panic!("{name} has no binding {}", index + 1));
            let AddressSpace::Storage { access: shader } = variable.space else {
                panic!("{name}: binding {} is no storage buffer", index + 1)
            };
            assert_eq!(
                shader.contains(StorageAccess::STORE),
                *access == Access::Write,
                "{name}, binding {}",
                index + 1
            );
        }
    }
}

/// What a device is asked for when it is opened.
#[test]
fn a_device_has_all_that_any_kernel_binds() {
    let most = ops::kernels().iter().map(|kernel| kernel.buffers.len()).max();
    assert_eq!(most, Some(super::needs::STORAGE_BUFFERS as usize));
}

#[test]
fn overrides_are_what_the_host_hands_over() {
    for kernel in ops::kernels() {
        let module = module(kernel, Form::PLAIN);
        let open = |o: &naga::Override| o.init.is_none().then(|| o.name.clone()).flatten();
        let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, o)| open(o)).collect();
        let handed: BTreeSet<_> = kernel.overrides.iter().map(|name| name.to_string()).collect();
        assert_eq!(declared, handed, "{}", kernel.name);
        // An override with a number for its default would be a second owner of that number.
        for (_, o) in module.overrides.iter() {
            let literal =
                o.init.is_some_and(|init| matches!(module.global_expressions[init], naga::Expression::Literal(_)));
            assert!(!literal, "{}: {:?} has a number for its default", kernel.name, o.name);
        }
    }
}

#[test]
fn no_shader_owns_a_size() {
    for kernel in ops::kernels() {
        let module = module(kernel, Form::PLAIN);
        // Workgroup sizes and array lengths are names that the host defines, so `@workgroup_size(` and `array<..., `
        // are followed by a name.
        for (line, text) in kernel.source.iter().flat_map(|piece| piece.lines()).enumerate() {
            let code = text.split("//").next().unwrap_or_default();
            let sized =
                code.split("@workgroup_size(").nth(1).or_else(|| code.split("array<").nth(1)?.split(", ").nth(1));
            if let Some(size) = sized {
                let named = size.trim_start().starts_with(|c: char| c.is_ascii_uppercase());
                assert!(named, "{}:{}: a size that the host does not own: {text}", kernel.name, line + 1);
            }
        }
        for (_, ty) in module.types.iter() {
            if let TypeInner::Array { size: ArraySize::Constant(length), .. } = ty.inner {
                // BM, BN, BK, TM and TN were 8 here, so every length is a product of those.
                assert!(!kernel.sizes.is_empty(), "{}: an array of {length}", kernel.name);
            }
        }
    }
}

#[test]
fn shaders_hold_no_numbers_but_small_integers_and_bit_patterns() {
    let allowed = [
        "0",
        "0u",
        "0.0",
        "1",
        "1u",
        "1.0",
        "2u",
        "3u",
        "4u",
        "31u",
        "32u",
        "0x80000000u",
        "0x7f800000u",
        "0xffffffffu",
    ];
    for (name, text) in shaders() {
        for (line, code) in text.lines().enumerate() {
            let code = code.split("//").next().unwrap_or_default();
            let code = code.replace("@group(0) @binding(", "");
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            for token in code.split(|c| !word(c)).filter(|token| token.starts_with(|c: char| c.is_ascii_digit())) {
                let binding = text.lines().nth(line).is_some_and(|line| line.starts_with("@group(0)"));
                let far = token == "128.0" && code.contains("FAR_BELOW");
                assert!(allowed.contains(&token) || binding || far, "shaders/{name}.wgsl:{}: {token}", line + 1);
            }
        }
    }
}
