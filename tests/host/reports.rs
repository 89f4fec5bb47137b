//! Saved reports of `verify`: written and read again, printed side by side, and read from files that are older, damaged or
//! missing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};
use wgpu_mlp::verify::{Differences, Options, Report, SavedReport, run_watched, run_with, side_by_side};
use wgpu_mlp::{Device, Error};

static REPORT: LazyLock<Report> =
    LazyLock::new(|| run_with(&Device::cpu(), &Options { seed: 7, full: false }).unwrap());

/// The path of a test's own file.
fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("report.json")
}

/// The saved report after a change of its JSON.
fn changed(change: impl FnOnce(&mut Value)) -> SavedReport {
    let folder = tempfile::tempdir().unwrap();
    REPORT.save_json(path(&folder)).unwrap();
    let mut json = serde_json::from_str(&fs::read_to_string(path(&folder)).unwrap()).unwrap();
    change(&mut json);
    fs::write(path(&folder), json.to_string()).unwrap();
    SavedReport::load_json(path(&folder)).unwrap()
}

fn failure(path: &Path) -> Error {
    SavedReport::load_json(path).unwrap_err()
}

#[test]
fn a_report_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    REPORT.save_json(path(&folder)).unwrap();
    let saved = SavedReport::load_json(path(&folder)).unwrap();
    assert_eq!(saved, SavedReport::from(&*REPORT));
    assert_eq!((saved.seed, saved.full), (Some(7), Some(false)));
    for (saved, row) in saved.rows.iter().zip(REPORT.rows()) {
        assert_eq!((saved.share, saved.likely), (row.worst.share, Some(row.worst.likely)));
        assert_eq!((saved.got.to_bits(), saved.want.to_bits()), (row.worst.got.to_bits(), row.worst.want.to_bits()));
        assert_eq!((saved.ran.len(), saved.ran.contains(&row.case)), (row.cases, true));
        // A case is found by its name in another report.
        let names: BTreeSet<_> = saved.ran.iter().collect();
        assert_eq!(names.len(), row.cases, "{} has cases of one name", row.op);
    }
}

#[test]
fn the_text_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    REPORT.save_json(path(&folder)).unwrap();
    let text = fs::read_to_string(path(&folder)).unwrap();
    assert_eq!(REPORT.to_json(), text);
    assert_eq!(SavedReport::from_json(&text).unwrap(), SavedReport::from(&*REPORT));
    for wrong in ["", "{}", "[]", &text[..text.len() / 2]] {
        fs::write(path(&folder), wrong).unwrap();
        let (error, of_file) = (SavedReport::from_json(wrong).unwrap_err(), failure(&path(&folder)));
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        let words = of_file.to_string().replacen(&path(&folder).display().to_string(), "the given bytes", 1);
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn the_likely_error_has_a_column_and_is_no_larger_than_the_bound() {
    let text = REPORT.to_string();
    assert!(text.lines().any(|line| line.starts_with("op ") && line.contains(" likely ")), "{text}");
    for row in REPORT.rows() {
        assert!(row.worst.likely >= row.worst.share * 0.999, "{}: {}", row.op, row.worst);
    }
}

#[test]
fn nan_and_infinity_come_back() {
    for (word, number) in [("NaN", f64::NAN), ("inf", f64::INFINITY), ("-inf", f64::NEG_INFINITY)] {
        let saved = changed(|json| {
            for field in ["share", "likely", "got", "want"] {
                json["rows"][0][field] = json!(word);
            }
        });
        let row = &saved.rows[0];
        let found = [row.share, row.likely.unwrap(), f64::from(row.got), row.want];
        assert_eq!(found.map(|found| found.to_string()), [(); 4].map(|()| number.to_string()));
        // And again, through the text that is written.
        let text = serde_json::to_string(&saved).unwrap();
        assert!(!text.contains("null"), "{text}");
        assert_eq!(serde_json::from_str::<SavedReport>(&text).unwrap(), saved);
        assert_ne!(saved, SavedReport::from(&*REPORT));
    }
}

#[test]
fn older_files_are_read() {
    let saved = changed(|json| {
        let report = json.as_object_mut().unwrap();
        report.remove("seed");
        report.remove("full");
        for row in report["rows"].as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            ["likely", "ran", "over"].iter().for_each(|field| drop(row.remove(*field)));
        }
        let row = &mut report["rows"][0];
        (row["share"], row["got"], row["want"]) = (Value::Null, Value::Null, Value::Null);
    });
    assert_eq!((saved.seed, saved.full), (None, None));
    let row = &saved.rows[0];
    assert_eq!((row.share, row.likely, row.ran.len()), (f64::INFINITY, None, 0));
    assert!(row.got.is_nan() && row.want.is_nan());
    assert_eq!(saved.rows[1].share, REPORT.rows()[1].worst.share);
    // Without the names of cases, no case is reported as missing.
    let now = SavedReport::from(&*REPORT);
    let differences = Differences::between(&saved, &now);
    assert_eq!(differences.cases, [Vec::<String>::new(), Vec::new()]);
    assert_eq!(differences.seeds, Some([None, Some(7)]));
    assert!(differences.to_string().contains("seed: not told in 1, 7 in 2\nlarge cases: not told in 1, left out in 2"));
}

#[test]
fn files_that_cannot_be_read_are_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    for unreadable in [folder.path().join("none.json"), folder.path().to_path_buf()] {
        let error = failure(&unreadable);
        assert!(matches!(&error, Error::File { path, .. } if *path == unreadable), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    REPORT.save_json(path(&folder)).unwrap();
    let whole = fs::read(path(&folder)).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let damaged = [
        (Vec::new(), "EOF"),
        (whole[..whole.len() / 2].to_vec(), "EOF"),
        ([&whole[..], b"more"].concat(), "trailing characters"),
        (b"\xff\xfe{}".to_vec(), "expected value"),
        (b"{}".to_vec(), "missing field `device`"),
        (text.replacen(r#""share": "#, r#""share": "much", "was": "#, 1).into_bytes(), "much"),
        (text.replacen(r#""cases": "#, r#""cases": -"#, 1).into_bytes(), "usize"),
        (text.replacen(r#""want": "#, r#""was": "#, 1).into_bytes(), "missing field `want`"),
    ];
    for (bytes, word) in damaged {
        fs::write(path(&folder), bytes).unwrap();
        let error = failure(&path(&folder));
        assert!(matches!(&error, Error::Format { path: named, .. } if *named == path(&folder)), "{error}");
        let told = error.to_string();
        assert!(told.contains("report.json: not a report of verify: ") && told.contains(word), "{told}");
        assert!(told.contains("line "), "{told}");
    }
}

#[test]
fn two_reports_are_told_apart() {
    let first = SavedReport::from(&*REPORT);
    assert!(Differences::between(&first, &first).to_string().starts_with("no differences"));
    let second = changed(|json| {
        (json["seed"], json["full"]) = (json!(8), json!(true));
        json["variants"] = json!(["matmul, a form of it"]);
        let row = &mut json["rows"][0];
        row["failed"] = json!(1);
        row["over"] = json!([row["ran"][1]]);
        row["ran"][0] = json!("1x2x3, in a setting");
    });
    let differences = Differences::between(&first, &second);
    let [gone, failed] = [0, 1].map(|case| format!("{} {}", first.rows[0].op, first.rows[0].ran[case]));
    assert_eq!(differences.seeds, Some([Some(7), Some(8)]));
    assert_eq!(differences.full, Some([Some(false), Some(true)]));
    assert_eq!(differences.passed, [vec![failed.clone()], vec![]]);
    assert_eq!(differences.cases, [vec![gone.clone()], vec!["matmul 1x2x3, in a setting".to_string()]]);
    assert_eq!(differences.variants, [vec![], vec!["matmul, a form of it".to_string()]]);
    let told = [
        "differences between 1 and 2",
        "seed: 7 in 1, 8 in 2",
        "large cases: left out in 1, run in 2",
        &format!("cases that passed in 1 only: 1\n    {failed}"),
        &format!("cases that ran in 1 only: 1\n    {gone}"),
        "cases that ran in 2 only: 1\n    matmul 1x2x3, in a setting",
        "variants of kernels that ran in 2 only: 1\n    matmul, a form of it",
    ];
    assert_eq!(differences.to_string(), told.join("\n"));
    let [pair, three] = [2, 3].map(|count| vec![second.clone(); count]).map(|mut reports| {
        reports[0] = first.clone();
        side_by_side(&reports).to_string()
    });
    assert!(pair.ends_with(&differences.to_string()), "{pair}");
    let cases = first.rows[0].cases;
    assert!(pair.contains(&format!(", 1 of {cases} cases over it**")), "{pair}");
    assert!(!three.contains("differences"), "{three}");
}

/// Only the first entries of long lists are printed; the lists themselves are complete.
#[test]
fn long_lists_are_cut_where_they_are_printed() {
    let names: Vec<_> = (0..50).map(|number| format!("variant {number:02}")).collect();
    let second = changed(|json| json["variants"] = json!(names));
    let differences = Differences::between(&SavedReport::from(&*REPORT), &second);
    assert_eq!(differences.variants, [vec![], names]);
    let told = differences.to_string();
    assert!(told.contains("variants of kernels that ran in 2 only: 50\n    variant 00\n"), "{told}");
    assert!(told.ends_with("    variant 19\n    and 30 more"), "{told}");
}

#[test]
fn a_saved_report_has_passed_where_it_has_cases_and_none_failed() {
    assert!(SavedReport::from(&*REPORT).passed());
    assert!(!changed(|json| json["rows"][0]["failed"] = json!(1)).passed());
    assert!(!changed(|json| json["rows"] = json!([])).passed());
}

#[test]
fn a_report_says_that_the_large_cases_were_left_out() {
    let text = REPORT.to_string();
    assert!(text.ends_with(" cases, 0 over their bound; the large cases were left out"), "{text}");
}

/// If a watch panics, no other thread continues the verification, and the watch is not called again and again.
#[test]
fn a_watch_that_panics_ends_the_verification() {
    let mut told = 0;
    let options = Options { full: false, ..Default::default() };
    let mut watch = |_| {
        told += 1;
        panic!("out of paper");
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| run_watched(&Device::cpu(), &options, &mut watch)));
    assert!(outcome.is_err());
    assert!(told <= 16, "told {told} times");
}
