//! What is done to the members of an ensemble, whichever store it is.

use std::fs;
use std::time::Duration;

use redlock::testing::servers::{EtcdMember, ServerError, ZooKeeperMember};

use super::{Action, ActionKind, Fleet, FleetError, text};

/// How long a member may take to serve clients.
const LIMIT: Duration = Duration::from_secs(60);

/// One process of an ensemble, which keeps its data when it is killed.
pub(super) trait Member {
    fn address(&self) -> String;
    fn pid(&self) -> Option<u32>;
    fn is_running(&self) -> bool;
    fn kill(&self);
    fn launch(&self) -> Result<(), ServerError>;
    fn wait_until_ready(&self) -> Result<(), ServerError>;
    fn pause(&self) -> Result<(), ServerError>;
    fn resume(&self) -> Result<(), ServerError>;
}

/// What can be done to them.
pub(super) fn actions() -> Vec<ActionKind> {
    use ActionKind::{Kill, Pause, Resume, Start};
    vec![Kill, Start, Pause, Resume]
}

/// As [`Fleet::act`]. A member that is started takes requests then, unless too few of the others are up: it does once they are.
pub(super) fn act<M: Member>(
    fleet: &dyn Fleet,
    members: &[&M],
    node: usize,
    action: Action,
) -> Result<(), FleetError> {
    let member = *text::pick(fleet, members, node)?;
    let done = match action {
        Action::Kill => {
            member.kill();
            Ok(())
        }
        Action::Start if member.is_running() => Ok(()),
        Action::Start => member.launch().and_then(|()| {
            let up = members.iter().filter(|member| is_up(**member)).count();
            if 2 * up > members.len() { member.wait_until_ready() } else { Ok(()) }
        }),
        Action::Pause => member.pause(),
        Action::Resume => member.resume(),
        _ => return Err(FleetError::Unsupported { fleet: fleet.kind(), action }),
    };
    done.map_err(|error| text::failed(&member.address(), error))
}

/// Whether it runs, and does not stand still.
fn is_up(member: &impl Member) -> bool {
    let stat = member.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    // The state comes behind the name, which is in parentheses.
    let stands_still =
        stat.is_some_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.contains('T')));
    member.is_running() && !stands_still
}

impl Member for EtcdMember {
    fn address(&self) -> String {
        self.address()
    }

    fn pid(&self) -> Option<u32> {
        self.pid()
    }

    fn is_running(&self) -> bool {
        self.is_running()
    }

    fn kill(&self) {
        self.kill();
    }

    fn launch(&self) -> Result<(), ServerError> {
        self.launch()
    }

    fn wait_until_ready(&self) -> Result<(), ServerError> {
        self.wait_until_ready()
    }

    fn pause(&self) -> Result<(), ServerError> {
        self.pause()
    }

    fn resume(&self) -> Result<(), ServerError> {
        self.resume()
    }
}

impl Member for ZooKeeperMember {
    fn address(&self) -> String {
        self.address()
    }

    fn pid(&self) -> Option<u32> {
        self.pid()
    }

    fn is_running(&self) -> bool {
        self.is_running()
    }

    fn kill(&self) {
        self.kill();
    }

    fn launch(&self) -> Result<(), ServerError> {
        self.launch()
    }

    fn wait_until_ready(&self) -> Result<(), ServerError> {
        self.wait_until_ready(LIMIT)
    }

    fn pause(&self) -> Result<(), ServerError> {
        self.pause()
    }

    fn resume(&self) -> Result<(), ServerError> {
        self.resume()
    }
}
