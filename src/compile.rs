//! `driftless compile`: what a commit would publish, without publishing it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use git2::Repository;
use publisher::compile::{CompileError, CompiledBundle, GitObjects, compile};
use schema::{Limits, TreeId};
use serde::Serialize;

use crate::exit::{Code, Failure, Outcome};
use crate::{out, table};

/// Print the bundles that a commit compiles to, without publishing
///
/// Signatures are not looked at. The same commit gives the same digests on every machine, whoever compiles it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The config repository
    #[arg(default_value = ".", value_name = "REPOSITORY")]
    repository: PathBuf,

    /// The commit, branch or tag to compile
    #[arg(long, default_value = "HEAD", value_name = "REVISION")]
    commit: String,

    /// Write each bundle's archive into this folder, as DIGEST.tar
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One line of the answer.
#[derive(Serialize)]
struct Row {
    app: String,
    region: String,
    digest: String,
    size: u64,
    entries: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let repository = Repository::open(&args.repository)
        .map_err(|error| Failure::usage(format!("{}: {}", args.repository.display(), error.message())))?;
    let tree = tree_of(&repository, &args.commit)?;
    let objects = GitObjects::of(&repository).map_err(Failure::unexpected)?;
    let compilation = compile(&objects, &tree, &Limits::DEFAULT).map_err(refused)?;
    let mut archives: BTreeMap<String, &CompiledBundle> = BTreeMap::new();
    let mut rows = Vec::new();
    for ((app, region), bundle) in &compilation.bundles {
        let summary = bundle.summary;
        archives.insert(summary.digest.to_string(), bundle);
        let digest = summary.digest.to_string();
        rows.push(Row {
            app: app.to_string(),
            region: region.to_string(),
            digest,
            size: summary.size,
            entries: summary.entries,
        });
    }
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder).map_err(Failure::unexpected)?;
        for (digest, bundle) in archives {
            fs::write(folder.join(format!("{digest}.tar")), &bundle.archive).map_err(Failure::unexpected)?;
        }
    }
    tell(args, &rows);
    Ok(())
}

/// Tells every problem, where the error itself tells the first.
fn refused(error: CompileError) -> Failure {
    match error {
        CompileError::Refused(problems) => {
            let listed = problems.listed().iter().map(|problem| format!("\n  {problem}")).collect::<String>();
            let more = match problems.unlisted() {
                0 => String::new(),
                more => format!("\n  and {more} more"),
            };
            Failure::new(Code::Refused, format!("the configuration does not compile{listed}{more}"))
        }
        unreadable @ CompileError::Unreadable(_) => Failure::unexpected(unreadable),
    }
}

fn tree_of(repository: &Repository, revision: &str) -> Result<TreeId, Failure> {
    let commit = repository.revparse_single(revision).and_then(|object| object.peel_to_commit());
    let commit =
        commit.map_err(|error| Failure::usage(format!("`{}`: {}", revision.escape_debug(), error.message())))?;
    Ok(commit.tree_id().to_string().parse().expect("git writes tree ids in lower-case hex"))
}

fn tell(args: &Args, rows: &[Row]) {
    if args.json {
        return out::json(&rows);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![row.app.clone(), row.region.clone(), row.digest.clone(), row.size.to_string(), row.entries.to_string()]
        })
        .collect();
    out::data(&table::lay_out(&["APP", "REGION", "DIGEST", "BYTES", "ENTRIES"], &cells));
}
