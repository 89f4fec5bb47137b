//! The file with the results of tuning. There is one file for each adapter and driver.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Result;
use crate::files::{failed, replace};
use crate::gpu::{ShapeClass, Tuned};
use crate::options::MatmulKernel;

/// The version of the format. Files of another version are ignored.
const VERSION: &str = concat!("wgpu-mlp ", env!("CARGO_PKG_VERSION"), " tuning 2");
/// The maximal size of a file. No file of this crate is that large, since there are not so many classes of shapes.
const MAX_BYTES: u64 = 1 << 20;

/// The properties of an adapter that its file is for.
pub(crate) struct AdapterInfo<'a> {
    pub name: &'a str,
    pub backend: &'a str,
    pub driver: &'a str,
    /// Whether products use matrix units. Winners with and without matrix units are kept in separate files.
    pub matrix_units: bool,
}

/// The path of the adapter's file.
fn path(folder: &Path, adapter: &AdapterInfo<'_>) -> PathBuf {
    let plain = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
    let units = if adapter.matrix_units { " matrix units" } else { "" };
    folder.join(format!("{}.json", plain(&format!("{} {} {}{units}", adapter.name, adapter.backend, adapter.driver))))
}

/// Writes the winners to the adapter's file, completely or not at all. Winners that another process has written to it since are
/// kept.
pub(super) fn save(
    folder: &Path,
    adapter: &AdapterInfo<'_>,
    chosen: &BTreeMap<ShapeClass, MatmulKernel>,
) -> Result<()> {
    let mut all = read(folder, adapter).unwrap_or_default();
    all.extend(chosen);
    let entry = |([m, n, k], kernel): (&ShapeClass, &MatmulKernel)| json!([m, n, k, format!("{kernel:?}")]);
    let file = json!({
        "version": VERSION,
        "adapter": adapter.name,
        "backend": adapter.backend,
        "driver": adapter.driver,
        "matrix_units": adapter.matrix_units,
        "kernels": all.iter().map(entry).collect::<Vec<_>>(),
    });
    std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    replace(&path(folder, adapter), |out| writeln!(out, "{file:#}"))
}

/// Reads the winners of an earlier tuning of the same adapter and driver into `tuned`, if their file is complete.
pub(crate) fn load(folder: &Path, adapter: &AdapterInfo<'_>, tuned: &Tuned) {
    let chosen = read(folder, adapter).into_iter().flatten();
    chosen.for_each(|(class, kernel)| tuned.choose(class, kernel));
}

/// Reads the winners from the adapter's file, if it is complete.
fn read(folder: &Path, adapter: &AdapterInfo<'_>) -> Option<BTreeMap<ShapeClass, MatmulKernel>> {
    let path = path(folder, adapter);
    let fits = std::fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_BYTES);
    let text = fits.then(|| std::fs::read_to_string(&path).ok()).flatten()?;
    let chosen = parse(&text, adapter);
    if chosen.is_none() {
        log::warn!("{}: damaged, or of another driver or version; not used", path.display());
    }
    chosen
}

/// The winners in the text of a file. The result is `None` unless the whole text is as [`save`] writes it for this adapter.
fn parse(text: &str, adapter: &AdapterInfo<'_>) -> Option<BTreeMap<ShapeClass, MatmulKernel>> {
    let file: Value = serde_json::from_str(text).ok()?;
    let says = |name: &str, value: &str| file.get(name).and_then(Value::as_str) == Some(value);
    if !(says("version", VERSION)
        && says("adapter", adapter.name)
        && says("backend", adapter.backend)
        && says("driver", adapter.driver)
        && file.get("matrix_units").and_then(Value::as_bool) == Some(adapter.matrix_units))
    {
        return None;
    }
    file.get("kernels")?.as_array()?.iter().map(entry).collect()
}

/// A winner in a file: the class of shapes and its kernel.
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

    #[test]
    fn only_a_whole_file_of_this_adapter_counts() {
        let folder = tempfile::tempdir().unwrap();
        let adapter = &AdapterInfo { name: "adapter A", backend: "vulkan", driver: "1.0", matrix_units: false };
        let chosen = BTreeMap::from([([64, 16, 1024], MatmulKernel::Narrow), ([1, 2, 4], MatmulKernel::Plain)]);
        save(folder.path(), adapter, &chosen).unwrap();
        let path = path(folder.path(), adapter);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&text, adapter), Some(chosen.clone()));
        let loaded = || {
            let tuned = Tuned::default();
            load(folder.path(), adapter, &tuned);
            tuned.all()
        };
        assert_eq!(loaded(), chosen);
        // Another process has winners for other classes: both are kept.
        let other = BTreeMap::from([([2, 2, 2], MatmulKernel::Small)]);
        save(folder.path(), adapter, &other).unwrap();
        assert_eq!(loaded(), chosen.iter().chain(&other).map(|(class, kernel)| (*class, *kernel)).collect());
        std::fs::remove_file(&path).unwrap();
        save(folder.path(), adapter, &chosen).unwrap();
        for length in 0..text.trim_end().len() {
            assert_eq!(parse(&text[..length], adapter), None, "cut at {length}");
        }
        let damaged = [
            text.replace("tuning 2", "tuning 1"),
            text.replace("false", "true"),
            text.replace("adapter A", "another adapter"),
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
        // The next tuning replaces a damaged file.
        save(folder.path(), adapter, &chosen).unwrap();
        assert_eq!(loaded(), chosen);
        std::fs::write(&path, vec![b' '; 2 << 20]).unwrap();
        assert_eq!(loaded(), BTreeMap::new());
    }
}
