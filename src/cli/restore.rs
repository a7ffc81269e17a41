//! `restore`: a data directory out of a backup, with no gateway.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::app::restoring::{Asked, Force, Restored, restore};
use crate::cli::audit::stopped_failure;
use crate::cli::exit::Failure;
use crate::cli::output::{self, Form};
use crate::clock::SystemClock;
use crate::config::{self, Config};

/// What to restore.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup; it goes into the configuration's data_dir, which must be empty
    file: PathBuf,
    /// What was purged since [default: the purge log beside the backup]
    #[arg(long, value_name = "FILE")]
    purge_log: Option<PathBuf>,
    /// Restore also without a current purge log; that is entered into the audit log
    #[arg(long)]
    force: bool,
}

/// Restores.
pub(super) fn run(asked: Restore, config: &Config, form: Form) -> Result<(), Failure> {
    let key = config::read_root_key(config.root_key_file())?.key;
    let force = if asked.force { Force::Yes } else { Force::No };
    let asked = Asked { file: asked.file, purge_log: asked.purge_log, force };
    let restored = restore(config, &key, &asked, &(Arc::new(SystemClock) as _)).map_err(stopped_failure)?;
    tell(&restored, form)
}

fn tell(restored: &Restored, form: Form) -> Result<(), Failure> {
    let Restored { made, purge_log, forced, purged, rows, files } = restored;
    if form == Form::Json {
        let purged: Vec<_> = purged.iter().map(|(study, code)| json!({ "study": study, "code": code })).collect();
        let told = json!({
            "made_at": made.to_string(),
            "purge_log_to": purge_log.map(|time| time.to_string()),
            "forced": forced,
            "rows": rows.0,
            "rows_left_out": rows.1,
            "files": files.0,
            "files_left_out": files.1,
            "purged": purged,
        });
        return output::thing(form, &told);
    }
    output::line(&format!("restored what there was on {made}: {} rows, {} files", rows.0, files.0))?;
    match (purge_log, forced) {
        (Some(time), false) => output::line(&format!("purges up to {time} are carried out again"))?,
        (Some(time), true) => output::line(&format!("FORCED: purges after {time} are not known"))?,
        (None, _) => output::line("FORCED: purges since the backup are not known")?,
    }
    if rows.1 + files.1 > 0 {
        output::line(&format!("left out, since their keys are destroyed: {} rows, {} files", rows.1, files.1))?;
    }
    for (study, code) in purged {
        output::line(&format!("purged since: {study} {code}"))?;
    }
    output::message("Start the gateway to end the purges; everybody who was purged is gone before it listens.");
    Ok(())
}
