//! How much of anything from outside may be read, unpacked or believed.
//!
//! The defaults are the limits table of the threat model, and the hard caps as well: whoever builds other [`Limits`] than
//! [`Limits::DEFAULT`] lowers a number, and never raises one.

/// Bounds on every input from outside the process, in bytes unless the name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A sealed pointer, signatures included.
    pub pointer_max_bytes: u64,
    /// Manifests and patches that come in the same answer as a pointer, together with it.
    pub enclosed_max_bytes: u64,
    /// A sealed manifest, signatures included.
    pub manifest_max_bytes: u64,
    /// A sealed trust root, signatures included.
    pub root_max_bytes: u64,
    /// One state of a rollout, signatures included.
    pub rollout_max_bytes: u64,
    /// One four-line signature block.
    pub signature_max_bytes: u64,
    /// Signature blocks in one sealed file.
    pub signers_max: usize,
    /// Hops from one trust root to the next walked in one cycle.
    pub root_hops_max: u64,
    /// A bundle as it travels, compressed.
    pub bundle_compressed_max_bytes: u64,
    /// A bundle's uncompressed archive.
    pub bundle_max_bytes: u64,
    /// Files and directories in one bundle.
    pub entries_max: u64,
    /// A whole path inside a bundle.
    pub path_max_bytes: usize,
    /// One component of such a path.
    pub component_max_bytes: usize,
    /// Components in such a path.
    pub depth_max: usize,
    /// Base-two logarithm of the window a whole bundle's zstd frame may ask for (RFC 9659).
    pub window_log_max: u8,
    /// The same for a patch against a base that was verified.
    pub patch_window_log_max: u8,
    /// How far a generation may jump ahead of the one in force.
    pub generation_jump_max: u64,
    /// One ack, encoded.
    pub ack_max_bytes: u64,
    /// Acks in one batch.
    pub acks_per_batch_max: usize,
    /// `driftless.yaml` and every other YAML file that Driftless reads.
    pub yaml_max_bytes: u64,
}

impl Limits {
    /// The limits table of the threat model.
    pub const DEFAULT: Limits = Limits {
        pointer_max_bytes: 16 * KIB,
        enclosed_max_bytes: 64 * KIB,
        manifest_max_bytes: 64 * KIB,
        root_max_bytes: 64 * KIB,
        rollout_max_bytes: 256 * KIB,
        signature_max_bytes: KIB,
        signers_max: 16,
        root_hops_max: 1024,
        bundle_compressed_max_bytes: 256 * MIB,
        bundle_max_bytes: 1024 * MIB,
        entries_max: 100_000,
        path_max_bytes: 1024,
        component_max_bytes: 255,
        depth_max: 32,
        window_log_max: 23,
        patch_window_log_max: 30,
        generation_jump_max: 1 << 20,
        ack_max_bytes: 4 * KIB,
        acks_per_batch_max: 256,
        yaml_max_bytes: MIB,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::DEFAULT
    }
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
