//! Big objects.

use std::fs::{self, File};
use std::io::{self, Write};

use bytes::Bytes;
use follower::{DownloadError, Expected, Fault, Mirrors, Reason, Sink};
use http::StatusCode;
use schema::{Digest, StorePath};

use crate::raw::Raw;
use crate::server::{Server, dead, ok};
use crate::{impatient_mirrors, mirrors};

/// More than any buffer on the way.
const SIZE: usize = 3 << 20;

fn good() -> Bytes {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

fn path() -> StorePath {
    StorePath::Bundle { app: "edge-proxy".parse().unwrap(), digest: Digest::of(b"the archive") }
}

fn expected() -> Expected {
    Expected { size: SIZE as u64, sha256: Digest::of(&good()) }
}

async fn serving(body: Bytes) -> Server {
    Server::start(move |_| {
        let answer = ok(body.clone());
        async { answer }
    })
    .await
}

/// The one fault of a download from one base URL, and how many bytes moved.
async fn fault_of(mirrors: Mirrors) -> (Fault, u64) {
    match mirrors.download(&path(), expected(), Vec::new()).await {
        Err(DownloadError::Unavailable { failures, moved_bytes, .. }) => {
            match failures.into_iter().next().map(|failure| failure.reason) {
                Some(Reason::Fault(fault)) => (fault, moved_bytes),
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_ends_up_with_the_signed_bytes_and_nothing_else() {
    let server = serving(good()).await;
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("bundle");
    let mut file = File::create(&name).unwrap();
    file.write_all(&vec![7; 2 * SIZE]).unwrap();
    let downloaded = mirrors(&[&server.base]).download(&path(), expected(), file).await.unwrap();
    assert_eq!(downloaded.moved_bytes, SIZE as u64);
    drop(downloaded);
    assert!(fs::read(&name).unwrap() == good());
}

#[tokio::test]
async fn a07_the_sink_is_begun_anew_for_each_mirror_that_sends() {
    let mut flipped = good().to_vec();
    flipped[SIZE / 2] ^= 1;
    let nobody = dead().await;
    let forged = serving(flipped.into()).await;
    let short = serving(good().slice(..SIZE - 1)).await;
    let long = serving([&good()[..], b"x"].concat().into()).await;
    let honest = serving(good()).await;
    let mirrors = mirrors(&[&nobody, &forged.base, &short.base, &long.base, &honest.base]);
    let downloaded = mirrors.download(&path(), expected(), Vec::new()).await.unwrap();
    assert!(downloaded.sink == good());
    // All of the forged one, all of the short one, nothing of the one that announced too much, all of the honest one.
    assert_eq!(downloaded.moved_bytes, 3 * SIZE as u64 - 1);
}

#[tokio::test]
async fn each_wrong_object_has_its_own_fault() {
    let forged = serving(vec![0; SIZE].into()).await;
    let (fault, moved) = fault_of(mirrors(&[&forged.base])).await;
    assert!(matches!(fault, Fault::WrongDigest { expected: digest, .. } if digest == expected().sha256), "{fault:?}");
    assert_eq!(moved, SIZE as u64);

    let short = serving(good().slice(..100)).await;
    let (fault, _) = fault_of(mirrors(&[&short.base])).await;
    assert!(matches!(fault, Fault::TooShort { received: 100, .. }), "{fault:?}");

    let absent = Server::refusing(StatusCode::NOT_FOUND).await;
    let failed = mirrors(&[&absent.base]).download(&path(), expected(), Vec::new()).await.unwrap_err();
    assert!(failed.is_absent() && failed.is_retryable() && failed.moved_bytes() == 0);
}

#[tokio::test]
async fn a05_an_endless_object_is_given_up_just_beyond_its_size() {
    for opening in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4611686018427387904\r\n\r\n"] {
        let endless = Raw::start(opening, &[b'x'; 4096]).await;
        let (fault, moved) = fault_of(mirrors(&[&endless.base])).await;
        assert!(matches!(fault, Fault::TooLarge { .. }), "{fault:?}");
        // Beyond the size, there is one read of the socket at most.
        assert!(moved <= SIZE as u64 + 64 * 1024, "{moved}");
        endless.was_hung_up_on().await;
    }
}

#[tokio::test]
async fn a06_an_object_that_stops_arriving_is_given_up() {
    let stuck = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 3145728\r\n\r\nand then", b"").await;
    let (fault, moved) = fault_of(impatient_mirrors(&[&stuck.base])).await;
    assert!(matches!(fault, Fault::TooSlow(_)), "{fault:?}");
    assert_eq!(moved, 8);
    stuck.was_hung_up_on().await;
}

/// A disk with room for one byte less than the object.
#[derive(Debug, Default)]
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        if self.0 < SIZE { Ok(bytes.len()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for FullDisk {
    fn restart(&mut self) -> io::Result<()> {
        self.0 = 0;
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_is_no_mirrors_fault() {
    let (first, second) = (serving(good()).await, serving(good()).await);
    let failed = mirrors(&[&first.base, &second.base]).download(&path(), expected(), FullDisk::default()).await;
    let failed = failed.unwrap_err();
    assert!(
        matches!(&failed, DownloadError::Sink { source, .. } if source.kind() == io::ErrorKind::StorageFull),
        "{failed:?}"
    );
    assert!(!failed.is_retryable());
    assert!(second.asked().is_empty());
}

#[tokio::test]
async fn a_download_can_be_a_task_of_its_own() {
    let server = serving(good()).await;
    let mirrors = mirrors(&[&server.base]);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { mirrors.download(&path(), expected(), Vec::new()).await });
    assert!(tasks.join_next().await.unwrap().unwrap().is_ok());
}
