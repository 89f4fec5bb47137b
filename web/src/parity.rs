//! The parity report: every op on the device against its reference in f64.

use std::cell::{Cell, RefCell};

use js_sys::{Array, Function};
use wasm_bindgen::prelude::*;
use wgpu_mlp::{Device, verify};

use crate::js::{Answer, failed, object, refused};
use crate::until::until;

thread_local! {
    /// The page's function for progress. The watch of a verification must be `Send`, and JavaScript's functions are not.
    static TELL: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Runs every case, reports each to the page, and returns the report, unless it is stopped.
pub async fn run(device: &Device, full: bool, tell: Function, stop: &Cell<bool>) -> Answer {
    let busy = TELL.with(|kept| kept.borrow().is_some());
    if busy {
        return Err(refused("a verification is running already"));
    }
    TELL.with(|kept| *kept.borrow_mut() = Some(tell));
    stop.set(false);
    let options = verify::Options { full, ..Default::default() };
    let report = until(|| stop.get(), verify::run_watched_async(device, &options, &mut watch)).await;
    TELL.with(|kept| kept.borrow_mut().take());
    let report = report.ok_or_else(|| refused("the verification was stopped"))?;
    Ok(summary(&report.map_err(failed)?))
}

fn watch(progress: verify::Progress) {
    let told = object([
        ("done", (progress.done as f64).into()),
        ("total", (progress.total as f64).into()),
        ("case", progress.case.as_str().into()),
        ("passed", progress.passed.into()),
    ]);
    TELL.with(|kept| {
        if let Some(tell) = kept.borrow().as_ref() {
            // The verification continues even if the page's function fails.
            tell.call1(&JsValue::UNDEFINED, &told).ok();
        }
    });
}

/// The report for the page, and as text to be saved.
fn summary(report: &verify::Report) -> JsValue {
    let row = |row: &verify::Row| {
        object([
            ("op", row.op.into()),
            ("cases", (row.cases as f64).into()),
            ("failed", (row.failed as f64).into()),
            ("share", row.worst.share.into()),
            ("likely", row.worst.likely.into()),
            ("case", row.case.as_str().into()),
        ])
    };
    let (ran, possible) = report.variants();
    object([
        ("passed", report.passed().into()),
        ("rows", report.rows().iter().map(row).collect::<Array>().into()),
        ("variants", (ran.len() as f64).into()),
        ("possible", (possible as f64).into()),
        ("json", report.to_json().into()),
    ])
}
