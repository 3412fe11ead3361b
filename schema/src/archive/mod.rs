//! The archive a bundle is made of: a tar file that can be spelt in one way only.
//!
//! In: a tree of directories and regular files, or the bytes of an archive. Out: the bytes, or the tree, and in both
//! cases the [`Summary`] that names the bundle. Knows nothing of disks, compression or signatures.
//!
//! # The format
//!
//! POSIX ustar, readable with any `tar`, and of that only this:
//!
//! * Entries are directories (type `5`, mode 0755) and regular files (type `0`, mode 0644 or 0755). Owner, group, time
//!   and device numbers are 0; user, group and link names are empty. Numbers fill their field with octal digits and end
//!   it with a NUL, the checksum with a NUL and a blank.
//! * Entries strictly increase by the bytes of their [`EntryPath`](crate::path::EntryPath), without the `/` that ends a
//!   directory's name in its header. So nothing comes twice and a directory comes before what is in it.
//! * Every directory above an entry is an entry. Within a directory no two names differ by case alone.
//! * A name of over 100 bytes, the `/` of a directory counted, is carried by one pax header (type `x`, mode 0644, named
//!   `PaxHeader`) right before the entry, holding one `path` record; the entry's own header then holds the first 100
//!   bytes. The ustar `prefix` is never used.
//! * Content is padded to 512 bytes with zeros. Two blocks of zeros end the archive, and nothing follows them.
//!
//! # Why one spelling
//!
//! A bundle is named by the digest of its archive, and a host proves what it runs by archiving it again. Tar parsers
//! also tend to disagree, and attacks live in what one of them sees and another does not. So [`Reader`] takes from a
//! header just the path, the kind and the size, encodes these as [`Writer`] would, and insists on those very bytes:
//! what it accepts is what [`Writer`] writes, byte for byte.

mod entry;
mod header;
mod reader;
mod summary;
mod tree;
mod writer;

#[cfg(any(test, feature = "hostile"))]
pub mod hostile;

pub use entry::{END_LEN, Entry, Kind, directories_of};
pub use reader::{ReadError, ReadFault, Reader};
pub use summary::Summary;
pub use tree::TreeFault;
pub use writer::{WriteError, WriteFault, Writer};
