//! References to secrets. A configuration never holds a secret, only where to find it. The type
//! stands in the sdk, because the settings of connectors hold references too.

pub use headcount_sdk::secret::{SecretError, SecretRef};
