//! The file sink on a real file system.

use std::path::Path;

use super::event;
use crate::deliver::sinks::file::{FileConfig, FileSink};
use crate::deliver::{DeliveryError, Sink};

fn sink(path: &Path) -> FileSink {
    FileSink::new(&FileConfig { path: path.to_owned() })
}

async fn write(sink: &FileSink, sequences: &[u64]) -> Result<(), DeliveryError> {
    for sequence in sequences {
        sink.deliver(&event(*sequence, None)).await?;
    }
    sink.settle().await
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_event_is_one_line_and_files_grow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    write(&sink(&path), &[1, 2]).await.unwrap();
    write(&sink(&path), &[3]).await.unwrap();
    assert_eq!(lines(&path), [1, 2, 3].map(|n| event(n, None).body));
}

#[tokio::test]
async fn line_torn_by_a_crash_does_not_glue_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, "{\"id\":\"evt_0\"}\n{\"id\":\"ev").unwrap();
    write(&sink(&path), &[1]).await.unwrap();
    assert_eq!(lines(&path), ["{\"id\":\"evt_0\"}", "{\"id\":\"ev", &event(1, None).body]);
}

#[tokio::test]
async fn rotated_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("events"), folder.path().join("events.1"));
    let sink = sink(&path);
    write(&sink, &[1]).await.unwrap();
    std::fs::rename(&path, &old).unwrap();
    write(&sink, &[2]).await.unwrap();
    assert_eq!(lines(&old), [event(1, None).body]);
    assert_eq!(lines(&path), [event(2, None).body]);
}

#[tokio::test]
async fn missing_folder_is_a_reason_to_try_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent").join("events");
    let sink = sink(&path);
    let error = write(&sink, &[1]).await.unwrap_err();
    let reason = format!("cannot open {}: entity not found", path.display());
    assert_eq!(error, DeliveryError::retry(reason));
    std::fs::create_dir(folder.path().join("absent")).unwrap();
    write(&sink, &[1]).await.unwrap();
    assert_eq!(lines(&path), [event(1, None).body]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_agents_user_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    write(&sink(&path), &[1]).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
