//! What can be said of a push before anything was pushed.

use headcount_sdk::manifest::{Caller, Manifest, Need, Operation};

use super::PUSH;

/// Kinds and scopes are what the sender says, so none stand here.
pub static MANIFEST: Manifest = Manifest {
    connector: "push",
    title: "A push",
    about: "Whatever a job outside posts to the agent about a system: its scopes, and what it saw \
            there. For systems that the agent cannot or may not reach.",
    kinds: &[],
    scopes: &[],
    operations: &[
        Operation {
            name: "tokens",
            permission: "a token of the source",
            need: Need::Access,
            caller: Caller::Free,
            why: "the sender shows it as `Authorization: Bearer …`",
        },
        Operation {
            name: PUSH,
            permission: "a token of the source",
            need: Need::Access,
            caller: Caller::Free,
            why: "`POST /v1/observations/{source}`; the agent calls nothing itself",
        },
    ],
    call_budget: "None: the agent waits. A scan reads what was pushed last.",
    cannot_see: &[
        "Whether what is pushed is true: who has a token says what there is in the scopes it names.",
        "Anything after the last push. Evidence says as of when it was pushed, and after \
         `expect_every_secs` its scopes count as unread.",
        "Whether a removal beyond the brake is real, before a second push agrees.",
        "That a place is gone for good: its scopes stay, unread, until the source is taken out.",
    ],
};
