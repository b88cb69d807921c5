//! What the tests stand on: the real binary, a verifying receiver, and servers nobody here wrote.

pub mod agent;
pub mod debian;
pub mod moto;
pub mod nats;
pub mod npm;
pub mod openbao;
pub mod pem;
pub mod prism;
pub mod receiver;
pub mod rsyslog;
pub mod running;
pub mod service;
pub mod testbed;
pub mod tools;
