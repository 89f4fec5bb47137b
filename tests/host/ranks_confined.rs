//! Ranks in a process that has too little memory for a thread for each of them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wgpu_mlp::distributed::Ranks;

const SIZE: usize = 8;
/// The environment variable that tells the test below that it runs in such a process.
const CONFINED: &str = "WGPU_MLP_CONFINED_RANKS";
/// Starts a command with room for one GiB of addresses, and ends it if it hangs.
const CONFINE: &str = "ulimit -v 1048576 && exec timeout 300 \"$@\"";
/// The bytes of each thread's stack: the first ranks have room for theirs, and the last have not.
const STACK: usize = 1 << 28;

/// The ranks whose threads exist must not wait for those whose threads do not.
#[test]
fn without_a_thread_for_each_rank_no_rank_begins() {
    if env::var_os(CONFINED).is_none() {
        let name = "ranks_confined::without_a_thread_for_each_rank_no_rank_begins";
        let mut confined = Command::new("sh");
        confined.args(["-c", CONFINE, "sh"]).arg(env::current_exe().unwrap());
        confined.args([name, "--exact", "--test-threads=1"]).env(CONFINED, "1");
        let ended = confined.env("RUST_MIN_STACK", STACK.to_string()).output().unwrap();
        let [said, complaints] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(ended.status.success() && said.contains("1 passed"), "{said}{complaints}");
        return;
    }
    let begun = AtomicUsize::new(0);
    let outcomes = Ranks::in_threads(SIZE, |_| {
        begun.fetch_add(1, Relaxed);
        Ok::<_, wgpu_mlp::Error>(())
    });
    assert_eq!((outcomes.len(), begun.into_inner()), (SIZE, 0));
    for outcome in outcomes {
        let words = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(words.starts_with("the ranks cannot communicate: "), "{words:?}");
    }
}
