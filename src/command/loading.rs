//! Loading a scenario for a command: mistakes and warnings go to stderr, and with `--strict` warnings are mistakes.

use crate::terminal::Terminal;
use brownout::exit::Exit;
use brownout::scenarios::{Diagnostics, Request, Scenario, load};

/// Whether warnings are mistakes.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Strictness {
    /// Take warnings (a key without effect) for mistakes: exit code 2, and nothing is run
    #[arg(long)]
    pub strict: bool,
}

impl Strictness {
    /// The scenario, with its warnings shown; or how to end, with what is wrong shown.
    ///
    /// # Errors
    /// [`Exit::Usage`] for mistakes, among them warnings if these are mistakes; [`Exit::Limit`] if it could not be read for
    /// want of memory.
    pub fn load(self, request: &Request<'_>, terminal: &Terminal) -> Result<Scenario, Exit> {
        let scenario = self.read(request).map_err(|mistakes| {
            terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
            Exit::from(&mistakes)
        })?;
        if scenario.warnings.warning_count() > 0 {
            terminal.complain_at_length(&scenario.warnings.render_warnings(terminal.color_stderr()));
        }
        Ok(scenario)
    }

    /// The scenario; nothing is shown.
    ///
    /// # Errors
    /// Its mistakes, among them warnings if these are mistakes.
    pub fn read(self, request: &Request<'_>) -> Result<Scenario, Diagnostics> {
        let scenario = load(request)?;
        if self.strict { scenario.strictly() } else { Ok(scenario) }
    }

    /// Whether a scenario that is loaded later may be run. Its mistakes are reported then.
    ///
    /// # Errors
    /// [`Exit::Usage`] if it has warnings and they are mistakes; they are shown.
    pub fn allows(self, request: &Request<'_>, terminal: &Terminal) -> Result<(), Exit> {
        let strictly = |scenario: Scenario| scenario.strictly().err();
        let mistakes = if self.strict { load(request).ok().and_then(strictly) } else { None };
        match mistakes {
            None => Ok(()),
            Some(mistakes) => {
                terminal.complain_at_length(&mistakes.render(terminal.color_stderr()));
                Err(Exit::Usage)
            }
        }
    }
}
