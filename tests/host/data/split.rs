use ndarray::{Array2, array};
use wgpu_mlp::Error;
use wgpu_mlp::data::{CsvOptions, SplitOptions, read_csv, train_test_rows, train_test_split};

use super::Scratch;

fn options(test_fraction: f64, seed: u64, stratify: bool) -> SplitOptions {
    SplitOptions { test_fraction, seed, stratify }
}

/// 200 rows of class 0, 80 of class 1, 20 of class 2, mixed.
fn labels() -> Vec<u8> {
    (0..300u32).map(|row| [0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 2, 0, 1, 0][row as usize % 15]).collect()
}

fn count(labels: &[u8], rows: &[usize]) -> [usize; 3] {
    [0, 1, 2].map(|class| rows.iter().filter(|row| labels[**row] == class).count())
}

#[test]
fn every_row_is_in_one_part() {
    let labels = labels();
    for stratify in [false, true] {
        for fraction in [0.01, 0.2, 0.25, 0.5, 0.9] {
            let (train, test) = train_test_rows(&labels, &options(fraction, 3, stratify)).unwrap();
            assert_eq!(test.len(), (fraction * 300.0).ceil() as usize);
            let mut all = [train, test].concat();
            all.sort_unstable();
            assert_eq!(all, (0..300).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_stratified_split_keeps_the_proportions() {
    let labels = labels();
    let (train, test) = train_test_rows(&labels, &options(0.25, 1, true)).unwrap();
    assert_eq!((count(&labels, &train), count(&labels, &test)), ([150, 60, 15], [50, 20, 5]));
    // Rows without a label are a separate group, and a class of one row is used for training.
    let odd = [0i64, 0, 0, 0, 1, -100, -100, -100, -100, -100];
    let (train, test) = train_test_rows(&odd, &options(0.5, 0, true)).unwrap();
    assert_eq!(test.iter().filter(|row| odd[**row] == -100).count(), 3);
    assert!(train.contains(&4));
    let error = train_test_rows(&[0, 1, 2, 3], &options(0.25, 0, true)).unwrap_err().to_string();
    assert!(error.contains("there are rows to test on, of a class with two rows or more"), "{error}");
}

#[test]
fn the_seed_decides_and_nothing_else() {
    let labels = labels();
    for stratify in [false, true] {
        let draw = |seed| train_test_rows(&labels, &options(0.3, seed, stratify)).unwrap();
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
        let (train, _) = draw(5);
        assert!(!train.is_sorted(), "the rows are shuffled");
    }
    // The type of the labels does not matter.
    let wide: Vec<i64> = labels.iter().map(|label| i64::from(*label)).collect();
    assert_eq!(
        train_test_rows(&wide, &options(0.3, 5, true)).unwrap(),
        train_test_rows(&labels, &options(0.3, 5, true)).unwrap()
    );
}

#[test]
fn features_stay_with_their_labels() {
    let labels = labels();
    let x = Array2::from_shape_fn((300, 2), |(row, col)| (1000 * col + row) as f32);
    let (x_train, x_test, y_train, y_test) = train_test_split(x.view(), &labels, &options(0.1, 2, false)).unwrap();
    assert_eq!((x_train.dim(), x_test.dim(), y_train.len(), y_test.len()), ((270, 2), (30, 2), 270, 30));
    for (x, y) in [(&x_train, &y_train), (&x_test, &y_test)] {
        for (row, label) in x.rows().into_iter().zip(y) {
            assert_eq!((labels[row[0] as usize], row[1]), (*label, 1000.0 + row[0]));
        }
    }
}

#[test]
fn a_table_is_split_whole() {
    let text = "x,y,kind\n1,10,a\n2,20,b\n3,30,a\n4,40,b\n";
    let table = Scratch::new().read(text.as_bytes(), |path| read_csv(path, &CsvOptions::default())).unwrap();
    let (train, test) = table.split(&options(0.5, 0, true)).unwrap();
    for part in [&train, &test] {
        assert_eq!((&part.classes, &part.columns), (&table.classes, &table.columns));
        assert_eq!(part.features.column(1), (&part.features.column(0) * 10.0));
        let mut labels = part.labels.clone();
        labels.sort_unstable();
        assert_eq!(labels, [0, 1]);
    }
    assert_eq!(train.features.column(0).sum() + test.features.column(0).sum(), 10.0);
}

#[test]
fn what_cannot_be_split() {
    let words = |fraction: f64| train_test_rows(&[0u8; 4], &options(fraction, 0, false)).unwrap_err().to_string();
    for fraction in [0.0, 1.0, -0.5, 2.0, f64::NAN, f64::INFINITY] {
        let want = format!("train_test_split: test_fraction must be above 0 and below 1; got {fraction}");
        assert_eq!(words(fraction), want);
    }
    assert_eq!(words(0.9), "train_test_split: test_fraction must be such that rows are left to train on; got 0.9");
    assert!(matches!(train_test_rows::<u8>(&[], &SplitOptions::default()), Err(Error::Empty { .. })));
    assert!(train_test_rows(&[0u8], &SplitOptions::default()).is_err());
    let error = train_test_split(array![[1.0], [2.0]].view(), &[0u8; 3], &SplitOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "train_test_split: there must be a label for each row; got 2x1 and 3x1");
}
