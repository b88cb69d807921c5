//! What can be said of a program before it has said anything.

use headcount_sdk::manifest::{Caller, Manifest, Need, Operation};

use super::RUN;

/// Kinds and scopes are what the program says, so none stand here.
pub static MANIFEST: Manifest = Manifest {
    connector: "exec",
    title: "A program",
    about: "Whatever a program that the agent starts writes about a system: its scopes, and what \
            it saw there. For systems that no description can reach.",
    kinds: &[],
    scopes: &[],
    operations: &[Operation {
        name: RUN,
        permission: "execute",
        need: Need::Access,
        caller: Caller::Agent,
        why: "starts the program and reads what it writes; what it needs at its source, it says",
    }],
    call_budget: "One run of the program per scan, and one more when the brake asks for a second \
                  reading.",
    cannot_see: &[
        "Whether what the program says is true: its `complete` is believed as a vendor's last page \
         is. Let nobody write to it who may not write to the agent's configuration.",
        "What happens between two scans: a program has no events.",
        "Processes that leave the program's process group on purpose (`setsid`): they are not ended \
         with it. Nor is a program that hangs ended with an agent that is killed with SIGKILL; one \
         that writes ends at its next line.",
        "What the program calls, how often, and with which permissions.",
    ],
};
