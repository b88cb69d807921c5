//! Official clients pointed at a simulator.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use headcount_simulator::{AMBIENT_KEY, NOT_A_SECRET, Simulator};

pub fn config(simulator: &Simulator, key: &str) -> SdkConfig {
    let credentials = Credentials::new(key, NOT_A_SECRET, None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(simulator.url())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build()
}

pub fn iam(simulator: &Simulator) -> aws_sdk_iam::Client {
    iam_with(simulator, AMBIENT_KEY)
}

pub fn iam_with(simulator: &Simulator, key: &str) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&config(simulator, key))
}

pub fn sts(simulator: &Simulator) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::new(&config(simulator, AMBIENT_KEY))
}

pub fn organizations(simulator: &Simulator) -> aws_sdk_organizations::Client {
    aws_sdk_organizations::Client::new(&config(simulator, AMBIENT_KEY))
}
