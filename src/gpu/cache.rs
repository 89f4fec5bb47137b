//! wgpu's pipeline cache, kept on disk: what a driver made of the kernels, for the next time.
//!
//! A file is a line of its own, the data's length and checksum, and wgpu's data, which begin with the adapter and the driver
//! that they are for.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::Result;
use crate::files::{failed, replace};

const MAGIC: &[u8; 16] = b"wgpu-mlp cache 1";
/// Magic, length, checksum.
const HEADER: usize = 32;
/// No cache is larger than this.
const MOST_BYTES: u64 = 1 << 28;

/// A pipeline cache and its file.
pub(super) struct Cache {
    pub pipelines: wgpu::PipelineCache,
    path: PathBuf,
    /// Whether there is something that the file does not have.
    fresh: AtomicBool,
}

impl Cache {
    /// The cache of this adapter in the folder, empty where there is no whole file; none where the backend has no such thing.
    pub fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo, folder: &Path) -> Option<Self> {
        let name = wgpu::util::pipeline_cache_key(info)?;
        device.features().contains(wgpu::Features::PIPELINE_CACHE).then(|| {
            let path = folder.join(name);
            let data = read(&path);
            Cache { pipelines: create(device, data.as_deref()), path, fresh: AtomicBool::new(false) }
        })
    }

    /// A pipeline was made that may not be in the file.
    pub fn note(&self) {
        self.fresh.store(true, Relaxed);
    }

    /// Writes what is new, whole or not at all.
    pub fn save(&self) -> Result<()> {
        let Some(data) = self.fresh.swap(false, Relaxed).then(|| self.pipelines.get_data()).flatten() else {
            return Ok(());
        };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        }
        replace(&self.path, |file| {
            file.write_all(MAGIC)?;
            file.write_all(&(data.len() as u64).to_le_bytes())?;
            file.write_all(&checksum(&data).to_le_bytes())?;
            file.write_all(&data)
        })
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Err(error) = self.save() {
            log::warn!("the pipeline cache was not kept: {error}");
        }
    }
}

#[allow(unsafe_code, reason = "wgpu asks that a cache's data come from a cache")]
fn create(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("wgpu-mlp"), data, fallback: true };
    // SAFETY: the data must be what `get_data` gave. `save` alone writes such files, whole or not at all, and `read` takes
    // none whose length or checksum is another; wgpu and the driver refuse those of another adapter, driver or version.
    unsafe { device.create_pipeline_cache(&descriptor) }
}

/// The data of a whole file.
fn read(path: &Path) -> Option<Vec<u8>> {
    let length = fs::metadata(path).ok()?.len();
    let bytes = (length <= MOST_BYTES).then(|| fs::read(path).ok()).flatten()?;
    let data = unpacked(&bytes);
    if data.is_none() {
        log::warn!("{}: damaged, or no pipeline cache; not used", path.display());
    }
    data.map(<[u8]>::to_vec)
}

fn unpacked(bytes: &[u8]) -> Option<&[u8]> {
    let (header, data) = bytes.split_at_checked(HEADER)?;
    let number = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let whole = header.starts_with(MAGIC) && number(16)? == data.len() as u64 && number(24)? == checksum(data);
    whole.then_some(data)
}

/// FNV-1a, 64 bits: against damage, not against malice.
fn checksum(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_told_from_whole_ones() {
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8); // as published
        let data = b"what a driver made of it".to_vec();
        let mut file = MAGIC.to_vec();
        file.extend((data.len() as u64).to_le_bytes());
        file.extend(checksum(&data).to_le_bytes());
        file.extend(&data);
        assert_eq!(unpacked(&file), Some(data.as_slice()));
        for length in 0..file.len() {
            assert_eq!(unpacked(&file[..length]), None);
        }
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            assert_eq!(unpacked(&damaged), None, "{at}");
        }
        file.push(0);
        assert_eq!(unpacked(&file), None);
    }
}
