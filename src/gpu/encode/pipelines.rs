//! Pipelines, compiled when first needed and kept.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use web_time::Instant;

use super::compile::compile;
use super::form::{Constant, Form};
use super::kernel::Kernel;
use super::ledger::Variant;
use crate::cores::{cores, share_out};
use crate::error::Result;
use crate::gpu::driver::connection::Connection;

/// The most threads that compile. More of them would rarely have a kernel to compile.
const MOST_THREADS: usize = 8;

/// A compiled variant of a kernel.
pub(in crate::gpu) struct Pipeline {
    pub id: u64,
    kernel: &'static Kernel,
    form: Form,
    constants: Vec<Constant>,
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The key of a variant: the kernel's program, its form, and the values of its constants in the order in which the op passes them.
type Key = (usize, Form, Vec<u64>);

/// The programs of kernels. Kernels with one text are one program, so ops share it.
#[derive(Default)]
struct Programs {
    /// Programs, by the kernel's address.
    known: HashMap<usize, usize>,
    by_text: HashMap<(&'static str, Option<&'static str>), usize>,
}

impl Programs {
    fn number(&mut self, kernel: &'static Kernel) -> usize {
        let next = self.by_text.len();
        let number = || *self.by_text.entry(kernel.program()).or_insert(next);
        *self.known.entry(std::ptr::from_ref(kernel).addr()).or_insert_with(number)
    }
}

/// The place of a variant, which is empty while a thread compiles it.
type Room = Arc<Mutex<Option<Arc<Pipeline>>>>;

/// Every variant compiled so far.
#[derive(Default)]
pub(in crate::gpu) struct Pipelines {
    known: Mutex<(Programs, HashMap<Key, Room>)>,
    /// The number of the next.
    next: AtomicU64,
}

impl Pipelines {
    fn place(&self, kernel: &'static Kernel, form: Form, constants: &[Constant]) -> Room {
        let mut guard = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (programs, known) = &mut *guard;
        let constant_bits = constants.iter().map(|(_, value)| value.to_bits()).collect();
        known.entry((programs.number(kernel), form, constant_bits)).or_default().clone()
    }

    /// Whether no thread has compiled this variant or is compiling it.
    fn lacks(&self, Variant { kernel, form, constants }: &Variant) -> bool {
        self.place(kernel, *form, constants).try_lock().is_ok_and(|place| place.is_none())
    }

    /// The pipeline of this variant, compiled with run-time checks if they are wanted, and whether this call compiled it.
    pub fn get(
        &self,
        connection: &Connection,
        (kernel, form, constants): (&'static Kernel, Form, &[Constant]),
        checked: bool,
    ) -> Result<(Arc<Pipeline>, bool)> {
        let place = self.place(kernel, form, constants);
        // The variant's place is locked while it is compiled. So two threads that need it compile it once, and other variants stay
        // free.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = &*place {
            return Ok((pipeline.clone(), false));
        }
        let start = Instant::now();
        let id = self.next.fetch_add(1, Relaxed);
        let pipeline = compile(connection, kernel, form, constants, checked);
        match &pipeline {
            Ok(_) => log::debug!(
                "kernel {} {:?} {constants:?}: compiled in {:.0?}",
                kernel.name,
                form.names(),
                start.elapsed()
            ),
            Err(error) => log::error!("{error}"),
        }
        let (pipeline, layout) = pipeline?;
        let made = Pipeline { id, kernel, form, constants: constants.to_vec(), pipeline, layout };
        Ok((place.insert(Arc::new(made)).clone(), true))
    }

    /// Compiles those of these variants that are not compiled yet, on several threads, and returns their number. If one fails, its
    /// launch tries again and returns the error.
    pub fn compile_ahead(
        &self,
        connection: &Connection,
        variants: impl IntoIterator<Item = Variant>,
        checked: bool,
    ) -> u64 {
        let missing: Vec<_> = variants.into_iter().filter(|variant| self.lacks(variant)).collect();
        if missing.len() < 2 {
            return 0;
        }
        let compiled = AtomicU64::new(0);
        share_out(cores().min(MOST_THREADS), "wgpu-mlp compile", missing, |Variant { kernel, form, constants }| {
            if self.get(connection, (kernel, form, &constants), checked).is_ok_and(|(_, fresh)| fresh) {
                compiled.fetch_add(1, Relaxed);
            }
        });
        compiled.into_inner()
    }

    /// Every variant compiled so far, in the order of their names: the kernel's name, its form, its constants, and its WGSL with
    /// these in place.
    pub fn compiled(&self) -> Vec<(&'static str, Vec<&'static str>, Vec<Constant>, String)> {
        let guard = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let places: Vec<Room> = guard.1.values().cloned().collect();
        drop(guard);
        let made = |place: &Room| place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut compiled: Vec<_> = places.iter().filter_map(made).collect();
        compiled.sort_by_key(|pipeline| (pipeline.kernel.name, pipeline.id));
        let source = |pipeline: &Arc<Pipeline>| {
            let wgsl = pipeline.kernel.resolved_wgsl(pipeline.form, &pipeline.constants);
            (pipeline.kernel.name, pipeline.form.names(), pipeline.constants.clone(), wgsl)
        };
        compiled.iter().map(source).collect()
    }
}
