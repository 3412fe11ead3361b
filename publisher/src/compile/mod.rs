//! Compiles a tree into bundles: one for each app and region.
//!
//! In: a tree of the config repository, by way of [`Objects`]. Out: a [`Compilation`], or up to ten [`Problem`]s that say
//! where something is wrong and what to do. A pure function of (tree, app, region, [`COMPILER`]): no clock, host, locale,
//! commit or author gets into the bytes, so a revert compiles to the digest of the version it restores.
//!
//! Content is read as raw blobs. Nothing is checked out, so no filter, attribute, line ending setting, submodule or symbolic
//! link of the repository has any say. Knows nothing of signatures: what may be published is decided by
//! [`proof`](crate::proof), and what is compiled for a look need not be.

mod app;
mod archive;
mod bundle;
mod contents;
mod document;
mod earlier;
mod files;
mod known;
mod layout;
mod marks;
mod objects;
mod problem;
mod tree;

pub use bundle::{COMPILER, Compilation, CompiledBundle, compile, compile_after, policies};
pub(crate) use contents::Asked;
pub use contents::{Contents, Listed, Listing, contents};
pub use document::DOCUMENT;
pub(crate) use earlier::{Earlier, Unlisted};
pub(crate) use layout::paired;
pub use layout::{Layout, Span};
pub(crate) use marks::Marks;
pub use objects::{BlobId, GitObjects, Objects, ObjectsError};
pub use problem::{CompileError, PathProblem, Problem, Problems};
