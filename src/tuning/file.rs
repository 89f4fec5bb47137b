//! The file that keeps what tuning found: a folder has one for each adapter and driver.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::device::DeviceInfo;
use crate::error::Result;
use crate::files::{failed, replace};
use crate::gpu::{ShapeClass, Tuned};
use crate::options::MatmulKernel;

/// Files of another make count for nothing.
const VERSION: &str = concat!("wgpu-mlp ", env!("CARGO_PKG_VERSION"), " tuning 2");
/// No file is larger than this: there are not so many classes.
const MOST_BYTES: u64 = 1 << 20;

/// Where the winners for this device are kept.
pub(super) fn path(folder: &Path, info: &DeviceInfo) -> PathBuf {
    let plain = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
    // What suits a device without matrix units would keep products from them, and the other way round.
    let units = if info.matrix_units { " matrix units" } else { "" };
    folder.join(format!("{}.json", plain(&format!("{} {} {}{units}", info.name, info.backend, info.driver))))
}

/// Writes the winners, whole or not at all.
pub(super) fn save(folder: &Path, info: &DeviceInfo, chosen: &BTreeMap<ShapeClass, MatmulKernel>) -> Result<()> {
    let entry = |([m, n, k], kernel): (&ShapeClass, &MatmulKernel)| json!([m, n, k, format!("{kernel:?}")]);
    let file = json!({
        "version": VERSION,
        "adapter": info.name,
        "backend": info.backend,
        "driver": info.driver,
        "matrix_units": info.matrix_units,
        "kernels": chosen.iter().map(entry).collect::<Vec<_>>(),
    });
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    replace(&path(folder, info), |out| writeln!(out, "{file:#}"))
}

/// Takes what an earlier tuning of the same adapter and driver has found, if its file is whole.
pub(crate) fn load(folder: &Path, info: &DeviceInfo, tuned: &Tuned) {
    let path = path(folder, info);
    let fits = std::fs::metadata(&path).is_ok_and(|file| file.len() <= MOST_BYTES);
    let Some(text) = fits.then(|| std::fs::read_to_string(&path).ok()).flatten() else { return };
    match parse(&text, info) {
        Some(chosen) => chosen.into_iter().for_each(|(class, kernel)| tuned.choose(class, kernel)),
        None => log::warn!("{}: damaged, or of another driver or version; not used", path.display()),
    }
}

/// The winners of a file, if all of it is as [`save`] writes it for this device.
fn parse(text: &str, info: &DeviceInfo) -> Option<BTreeMap<ShapeClass, MatmulKernel>> {
    let file: Value = serde_json::from_str(text).ok()?;
    let says = |name: &str, value: &str| file.get(name).and_then(Value::as_str) == Some(value);
    if !(says("version", VERSION)
        && says("adapter", &info.name)
        && says("backend", &info.backend)
        && says("driver", &info.driver)
        && file.get("matrix_units").and_then(Value::as_bool) == Some(info.matrix_units))
    {
        return None;
    }
    file.get("kernels")?.as_array()?.iter().map(entry).collect()
}

fn entry(value: &Value) -> Option<(ShapeClass, MatmulKernel)> {
    let [m, n, k, kernel] = value.as_array()?.as_slice() else { return None };
    let name = kernel.as_str()?;
    let kernel = MatmulKernel::ALL.into_iter().find(|kernel| format!("{kernel:?}") == name)?;
    let class = [m.as_u64()?, n.as_u64()?, k.as_u64()?];
    class.iter().all(|dim| dim.is_power_of_two()).then_some((class, kernel))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn only_a_whole_file_of_this_device_counts() {
        let (folder, device) = (tempfile::tempdir().unwrap(), Device::cpu());
        let info = device.info();
        let chosen = BTreeMap::from([([64, 16, 1024], MatmulKernel::Narrow), ([1, 2, 4], MatmulKernel::Plain)]);
        save(folder.path(), info, &chosen).unwrap();
        let path = path(folder.path(), info);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&text, info), Some(chosen.clone()));
        let loaded = || {
            let tuned = Tuned::default();
            load(folder.path(), info, &tuned);
            tuned.all()
        };
        assert_eq!(loaded(), chosen);
        for length in 0..text.trim_end().len() {
            assert_eq!(parse(&text[..length], info), None, "cut at {length}");
        }
        let damaged = [
            text.replace("tuning 2", "tuning 1"),
            text.replace("false", "true"),
            text.replace("CPU path", "another adapter"),
            text.replace("Narrow", "Nimble"),
            text.replace("1024", "1000"),
            text.replace("1024", "-1"),
            text.replace("\"Plain\"", "7"),
            "[]".into(),
            "null".into(),
        ];
        for text in damaged {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(loaded(), BTreeMap::new(), "{text}");
        }
        // Replaced by the next tuning.
        save(folder.path(), info, &chosen).unwrap();
        assert_eq!(loaded(), chosen);
        std::fs::write(&path, vec![b' '; 2 << 20]).unwrap();
        assert_eq!(loaded(), BTreeMap::new());
    }
}
