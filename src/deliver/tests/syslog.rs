//! Syslog: what a message looks like, and when it counts as delivered. Framing, escaping and TLS are
//! tried on rsyslog (`tests/it/sinks/syslog.rs`).

use headcount_core::findings::{FindingStatus, Severity};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::told::{resolved, severe, summary, told};
use crate::deliver::{DeliveryError, NamedSink, SinkConfig, build};
use crate::store::Event;

fn sink(port: u16, keys: Value) -> NamedSink {
    let mut config = json!({
        "name": "logs",
        "type": "syslog",
        "address": format!("127.0.0.1:{port}"),
        "transport": "udp",
        "allow_cidrs": ["127.0.0.0/8"],
    });
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    let config: SinkConfig = serde_json::from_value(config).unwrap();
    build(&config).unwrap()
}

/// The datagram that an event becomes.
async fn datagram(event: &Event, keys: Value) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sink(socket.local_addr().unwrap().port(), keys).deliver(event).await.unwrap();
    let mut bytes = vec![0; 65_536];
    let length = socket.recv(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn a_message_is_that_of_the_rfc() {
    let event = severe(1, Severity::High);
    let (id, finding) = (&event.id, event.finding.as_deref().unwrap());
    let expected = format!(
        "<131>1 2026-11-21T00:00:00.125Z prod headcount - finding.opened [headcount@32473 \
         event=\"{id}\" type=\"finding.opened\" finding=\"{finding}\" rule=\"stale-credential\" \
         severity=\"high\" change=\"opened\" source=\"aws\" \
         subject=\"aws:123456789012:access-key/key-1\" owner=\"team-billing\"] high opened: Key 1 \
         was not used for 120 days."
    );
    assert_eq!(datagram(&event, json!({})).await, expected);
    let json = datagram(&event, json!({"message": "json", "facility": "auth"})).await;
    assert!(json.starts_with("<35>1 "), "{json}");
    assert!(json.ends_with(&format!("] {}", event.body)), "{json}");
}

#[tokio::test]
async fn severities_are_those_of_syslog_and_an_end_is_information() {
    let rows = [
        (severe(1, Severity::Critical), 2),
        (severe(1, Severity::High), 3),
        (severe(1, Severity::Medium), 4),
        (severe(1, Severity::Low), 5),
        (severe(1, Severity::Info), 6),
        (resolved(1), 6),
        (told(1, |finding, _| finding.status = FindingStatus::Suppressed), 4),
        (summary(1), 6),
    ];
    for (event, level) in rows {
        let message = datagram(&event, json!({})).await;
        let priority = format!("<{}>1 ", 16 * 8 + level);
        assert!(message.starts_with(&priority), "{priority}: {message}");
    }
}

#[tokio::test]
async fn texts_of_others_stay_within_their_value_and_their_line() {
    let event = told(1, |finding, record| {
        finding.title = "one\ntwo".to_owned();
        record.owner.as_mut().unwrap().reference = "a\"b\\c]d\ne".to_owned();
    });
    let message = datagram(&event, json!({})).await;
    assert!(message.contains(r#" owner="a\"b\\c\]d�e"] medium opened: one�two"#), "{message}");
}

/// What became of an event that was sent to a receiver who does this with the connection.
async fn fate<F, Fut>(receiver: F) -> Result<(), DeliveryError>
where
    F: FnOnce(tokio::net::TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        receiver(stream).await;
    });
    let result = sink(port, json!({"transport": "tcp"})).deliver(&severe(1, Severity::Low)).await;
    serving.await.unwrap();
    result
}

#[tokio::test]
async fn what_was_read_to_its_end_is_delivered_and_what_was_cut_off_is_not() {
    let read = fate(|mut stream| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let all = String::from_utf8(all).unwrap();
        let (length, message) = all.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        stream.shutdown().await.unwrap();
    });
    assert_eq!(read.await, Ok(()));
    // Closed with something unread in its buffer: a reset.
    let cut = fate(|mut stream| async move {
        stream.read_u8().await.unwrap();
    });
    let cut = cut.await.unwrap_err();
    assert!(matches!(cut, DeliveryError::Retry { .. }), "{cut:?}");
    assert!(cut.to_string().starts_with("127.0.0.1: "), "{cut}");
}

#[tokio::test]
async fn a_receiver_that_does_not_close_has_not_said_that_it_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = sink(listener.local_addr().unwrap().port(), json!({"transport": "tcp"}));
    let delivering = tokio::spawn(async move { sink.deliver(&severe(1, Severity::Low)).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    // From now on time moves on by itself, when nothing is left to do but to wait.
    tokio::time::pause();
    let error = delivering.await.unwrap();
    let reason = "127.0.0.1: the receiver did not close, so nobody knows that it has read";
    assert_eq!(error, Err(DeliveryError::retry(reason)));
    drop(stream);
}

#[tokio::test]
async fn plain_text_reaches_nothing_that_is_not_allowed() {
    let refuse = |keys: Value| {
        let mut config = json!({"name": "logs", "type": "syslog", "address": "10.1.2.3:514"});
        for (key, value) in keys.as_object().unwrap() {
            config[key] = value.clone();
        }
        let config: SinkConfig = serde_json::from_value(config).unwrap();
        build(&config).err().map(|error| error.to_string())
    };
    let plain = "sink logs 10.1.2.3 is refused: without TLS the address has to be named in \
                 allow_cidrs";
    assert_eq!(refuse(json!({"transport": "tcp"})).as_deref(), Some(plain));
    assert_eq!(refuse(json!({"transport": "udp"})).as_deref(), Some(plain));
    assert_eq!(refuse(json!({"transport": "tcp", "allow_cidrs": ["10.0.0.0/8"]})), None);
    assert_eq!(refuse(json!({})), None);
}
