//! Whole or not at all, beside and renamed, and nothing but ordinary files replaced.

use super::*;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).expect("a folder");
    let mut all: Vec<String> = all.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    all.sort();
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("text")
}

#[test]
fn a_draft_is_seen_when_it_is_finished_and_gone_when_it_is_dropped() {
    let dir = scratch();
    let path = dir.path().join("new/page.html");
    write(&path, b"old").expect("written, with its folder");
    let mut draft = Draft::of(&path).expect("begun");
    draft.write_all(b"half").expect("room");
    assert_eq!(read(&path), "old");
    drop(draft);
    assert_eq!((read(&path), names(path.parent().expect("a folder"))), ("old".into(), vec!["page.html".into()]));
    write(&path, b"new").expect("written");
    assert_eq!(read(&path), "new");
}

#[test]
fn a_file_keeps_its_mode_and_a_new_one_has_that_of_any_file() {
    let dir = scratch();
    let (kept, plain, new) = (dir.path().join("kept"), dir.path().join("plain"), dir.path().join("new"));
    fs::write(&kept, "x").expect("a file");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::write(&plain, "x").expect("a file");
    write(&kept, b"y").expect("written");
    write(&new, b"y").expect("written");
    write_within(dir.path(), "kept", b"z").expect("written");
    assert_eq!((mode(&kept), mode(&new)), (0o600, mode(&plain)));
}

#[test]
fn a_link_that_a_user_names_is_followed_and_stays_a_link() {
    let dir = scratch();
    let (link, target) = (dir.path().join("link"), dir.path().join("deep/target"));
    write(&target, b"old").expect("written");
    symlink("deep/target", &link).expect("a link");
    write(&link, b"new").expect("written");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(read(&target), "new");
    let nowhere = dir.path().join("nowhere");
    symlink("not/there", &nowhere).expect("a link");
    for result in [write(&nowhere, b"x"), probe(&nowhere), create(&nowhere, b"x")] {
        assert!(result.is_err());
    }
    assert!(fs::symlink_metadata(&nowhere).expect("there").is_symlink());
}

#[test]
fn in_a_folder_of_brownout_only_ordinary_files_are_replaced() {
    let dir = scratch();
    let (inside, victim) = (dir.path().join("corpus"), dir.path().join("victim"));
    fs::create_dir_all(inside.join("folder")).expect("folders");
    fs::write(&victim, "mine").expect("a file");
    symlink("../victim", inside.join("link")).expect("a link");
    for name in ["link", "folder"] {
        assert!(matches!(write_within(&inside, name, b"x"), Err(WriteError::Refused { .. })), "{name}");
        assert!(create_within(&inside, name, b"x").expect_err("it is there").is_there_already(), "{name}");
    }
    create_within(&inside, "new", b"x").expect("nothing has that name");
    write_within_soon(&inside, "new", b"y").expect("written");
    assert_eq!((read(&victim), read(&inside.join("new"))), ("mine".into(), "y".into()));
    assert_eq!(names(&inside), ["folder", "link", "new"]);
}

#[test]
fn a_pipe_or_device_is_written_to_and_stays_what_it_is() {
    let dir = scratch();
    let pipe = dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    probe(&pipe).expect("it can be written");
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || read(&pipe)
    });
    write(&pipe, b"through").expect("written");
    assert_eq!(reader.join().expect("it was read"), "through");
    assert!(fs::metadata(&pipe).expect("there").file_type().is_fifo());
    assert!(write_within(dir.path(), "pipe", b"x").is_err(), "not within a folder of Brownout");
    // A device made for this test; only root can make one.
    let device = dir.path().join("null");
    let made = std::process::Command::new("mknod").arg(&device).args(["c", "1", "3"]).output().expect("mknod runs");
    if made.status.success() {
        write(&device, b"gone").expect("written");
        assert!(fs::metadata(&device).expect("there").file_type().is_char_device());
    }
    assert!(write(Path::new("/dev/full"), b"x").is_err());
}

#[test]
fn what_cannot_be_written_is_found_out_beforehand_and_changes_nothing() {
    let dir = scratch();
    let file = dir.path().join("file");
    fs::write(&file, "x").expect("a file");
    let long = dir.path().join("x".repeat(300));
    for path in [file.join("below"), long.clone(), dir.path().to_path_buf(), "/proc/none/x".into()] {
        assert!(probe(&path).is_err(), "{}", path.display());
        assert!(write(&path, b"x").is_err(), "{}", path.display());
    }
    for folder in [file.clone(), long, "/proc/none".into()] {
        assert!(probe_folder(&folder).is_err(), "{}", folder.display());
    }
    probe_folder(&dir.path().join("a/b")).expect("it could be made");
    probe(&dir.path().join("c/d")).expect("it could be made");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn what_a_killed_run_left_is_taken_away_and_what_a_living_one_writes_is_not() {
    let dir = scratch();
    fs::write(dir.path().join(".brownout-abcdef.tmp"), "half").expect("a file");
    fs::write(dir.path().join(".brownout-mine.toml"), "mine").expect("a file");
    let mut draft = Draft::of(&dir.path().join("page")).expect("begun");
    draft.write_all(b"whole").expect("room");
    folder(dir.path()).expect("there");
    draft.finish().expect("nothing else has written to it");
    assert_eq!(names(dir.path()), [".brownout-mine.toml", "page"]);
}
