//! How much memory reading a file takes; if there is not enough, that is an error.

#![cfg(feature = "data")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod arrays;
#[cfg(feature = "parquet")]
mod parquet_files;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Read;
use std::ptr::null_mut;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use wgpu_mlp::Error;
use wgpu_mlp::data::{Column, CsvOptions, read_csv_from};

const MIB: usize = 1 << 20;

/// How many changed files of each format are tried.
const CASES: usize = 10_000;

/// The memory of a thread in bytes: now, at most so far, and the limit.
#[derive(Clone, Copy)]
struct Account {
    now: isize,
    most: isize,
    limit: isize,
}

thread_local! {
    static ACCOUNT: Cell<Account> = const { Cell::new(Account { now: 0, most: 0, limit: isize::MAX }) };
}

/// The system's allocator, which counts what each thread allocates and frees, and refuses allocations beyond the limit.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Adds so many bytes to the count, if the limit allows it.
fn take(bytes: usize) -> bool {
    let Account { now, most, limit } = ACCOUNT.get();
    let now = now.saturating_add_unsigned(bytes);
    if now > limit {
        return false;
    }
    ACCOUNT.set(Account { now, most: most.max(now), limit });
    true
}

fn give(bytes: usize) {
    let account = ACCOUNT.get();
    ACCOUNT.set(Account { now: account.now.saturating_sub_unsigned(bytes), ..account });
}

#[allow(unsafe_code, reason = "the trait is unsafe; all calls go on to the system's allocator as they came")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if take(layout.size()) { unsafe { System.alloc(layout) } } else { null_mut() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if take(layout.size()) { unsafe { System.alloc_zeroed(layout) } } else { null_mut() }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        give(layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // If an allocation cannot grow in place, two copies of it exist for a while.
        if !take(size) {
            return null_mut();
        }
        give(layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}

/// The result of the work if this thread may allocate no more than so many bytes.
fn limited<T>(bytes: isize, work: impl FnOnce() -> T) -> T {
    let account = ACCOUNT.get();
    ACCOUNT.set(Account { limit: account.now + bytes, ..account });
    let outcome = work();
    ACCOUNT.set(Account { limit: isize::MAX, ..ACCOUNT.get() });
    outcome
}

/// The result of the work, and the peak of this thread's memory meanwhile, less what it had before.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let account = ACCOUNT.get();
    ACCOUNT.set(Account { most: account.now, ..account });
    let outcome = work();
    (outcome, (ACCOUNT.get().most - account.now).unsigned_abs())
}

/// Changes up to three bytes of a file; one file of four is also cut short.
fn changed(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let place = rng.random_range(0..bytes.len());
        bytes[place] = rng.random_range(0..=255);
    }
    if rng.random_range(0..4) == 0 {
        bytes.truncate(rng.random_range(0..bytes.len()));
    }
    bytes
}

/// A row of CSV again and again.
struct Endless<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Read for Endless<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        into.iter_mut().zip(&mut self.0).for_each(|(into, byte)| *into = *byte);
        Ok(into.len())
    }
}

#[test]
fn a_table_without_end() {
    for row in ["1.5,0\n", "1.5,2.5,rose\n"] {
        let error = limited(4 << 20, || read_csv_from(Endless(row.as_bytes().iter().cycle()), &Default::default()));
        assert!(matches!(error, Err(Error::HostMemory { op: "read_csv", .. })));
    }
    // If no column is a feature, only the labels grow.
    let options = CsvOptions { skip: vec![Column::Index(0)], ..Default::default() };
    let error = limited(4 << 20, || read_csv_from(Endless(b"1.5,rose\n".iter().cycle()), &options));
    assert!(
        matches!(error, Err(Error::HostMemory { op: "read_csv", shape, .. }) if shape.rows > 1000),
        "{:?}",
        error.err()
    );
}
