//! `driftless.yaml` in a small repository: what compiles is sound and compiles again to the same, what does not is told.

use std::collections::HashMap;
use std::sync::LazyLock;

use publisher::compile::{BlobId, CompileError, DOCUMENT, Objects, ObjectsError, compile};
use schema::archive::Reader;
use schema::{Limits, TreeId};

const LIMITS: Limits = Limits { yaml_max_bytes: 64 * 1024, ..Limits::DEFAULT };

/// What stands in the repository beside the document: a file, and an overlay over it.
const FILES: [(&str, &str); 2] = [("apps/proxy", "rps: 10\n"), ("overlays/eu", "rps: 20\n")];

static AROUND: LazyLock<Memory> = LazyLock::new(Memory::around);

/// The target `document`.
pub fn check(yaml: &[u8]) {
    let (objects, root) = AROUND.with_document(yaml);
    match compile(&objects, &root, &LIMITS) {
        Ok(compilation) => {
            for bundle in compilation.bundles.values() {
                let read = Reader::new(&bundle.archive[..], LIMITS).finish().expect("our own archive");
                assert_eq!(read, bundle.summary);
            }
            let again = compile(&objects, &root, &LIMITS).expect("it compiled before");
            assert_eq!(compilation.bundles, again.bundles);
        }
        Err(CompileError::Refused(problems)) => {
            let told: Vec<String> = problems.listed().iter().map(ToString::to_string).collect();
            assert!((1..=10).contains(&told.len()));
            assert!(!told.iter().any(|text| text.chars().any(char::is_control)), "{told:?} can move the cursor");
        }
        Err(unreadable) => panic!("every object is at hand: {unreadable:?}"),
    }
}

/// Trees and blobs by id; ids are made up, since nobody checks them here.
#[derive(Clone, Default)]
struct Memory {
    trees: HashMap<String, Vec<u8>>,
    blobs: HashMap<BlobId, Vec<u8>>,
    root: Vec<(&'static str, [u8; 20])>,
}

impl Memory {
    fn around() -> Memory {
        let mut memory = Memory::default();
        for (number, (folder, content)) in (1..).zip(FILES) {
            let (above, below) = folder.split_once('/').expect("two levels");
            let [blob, inner, outer] = [0, 1, 2].map(|part| [number * 3 + part; 20]);
            memory.blobs.insert(BlobId(blob), content.as_bytes().to_vec());
            memory.tree(inner, &[("100644", "limits.yaml", blob)]);
            memory.tree(outer, &[("40000", below, inner)]);
            memory.root.push((above, outer));
        }
        memory
    }

    fn tree(&mut self, id: [u8; 20], entries: &[(&str, &str, [u8; 20])]) {
        let entry = |(mode, name, id): &(&str, &str, [u8; 20])| [format!("{mode} {name}\0").as_bytes(), id].concat();
        self.trees.insert(hex::encode(id), entries.iter().flat_map(entry).collect());
    }

    fn with_document(&self, yaml: &[u8]) -> (Memory, TreeId) {
        let (mut memory, blob, root) = (self.clone(), [1; 20], [2; 20]);
        memory.blobs.insert(BlobId(blob), yaml.to_vec());
        let [(apps, apps_id), (overlays, overlays_id)] = self.root[..] else { unreachable!("two folders") };
        memory.tree(root, &[("40000", apps, apps_id), ("100644", DOCUMENT, blob), ("40000", overlays, overlays_id)]);
        (memory, hex::encode(root).parse().expect("a tree id"))
    }
}

impl Objects for Memory {
    fn read_tree(&self, id: &TreeId, _max: u64) -> Result<Vec<u8>, ObjectsError> {
        Ok(self.trees[id.as_str()].clone())
    }

    fn blob_size(&self, id: BlobId) -> Result<u64, ObjectsError> {
        Ok(self.blobs[&id].len() as u64)
    }

    fn read_blob(&self, id: BlobId) -> Result<Vec<u8>, ObjectsError> {
        Ok(self.blobs[&id].clone())
    }
}
