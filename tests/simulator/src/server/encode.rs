//! From a result to HTTP, in the protocol of the request.

use serde_json::json;

use super::Protocol;
use crate::call::ApiError;
use crate::out::Out;
use crate::xml::Xml;
use crate::{iam, sts};

/// What a load balancer says when the service behind it is gone.
pub(crate) fn html() -> Out {
    let page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n\
                <h1>Internal Server Error</h1>\n<p>The server could not answer.</p>\n</html>\n";
    Out::new(500, "text/html; charset=utf-8", page)
}

pub(crate) fn encode(
    protocol: Protocol,
    action: &str,
    number: u64,
    result: Result<String, ApiError>,
) -> Out {
    let request_id = format!("00000000-0000-4000-8000-{number:012x}");
    let status = result.as_ref().map_or_else(|error| error.status, |_| 200);
    let (content_type, body) = match (protocol, result) {
        (Protocol::Json, result) => {
            ("application/x-amz-json-1.1", result.unwrap_or_else(|error| json_error(&error)))
        }
        (_, Ok(inside)) => ("text/xml", xml_answer(protocol, action, &request_id, &inside)),
        (_, Err(error)) => ("text/xml", xml_error(protocol, &request_id, &error)),
    };
    let mut out = Out::new(status, content_type, body);
    out.headers.push(("x-amzn-requestid", request_id));
    out
}

fn namespace(protocol: Protocol) -> &'static str {
    if protocol == Protocol::StsQuery { sts::NAMESPACE } else { iam::NAMESPACE }
}

fn xml_answer(protocol: Protocol, action: &str, request_id: &str, inside: &str) -> String {
    let operation = action.rsplit(':').next().unwrap_or(action);
    let (response, result) = (format!("{operation}Response"), format!("{operation}Result"));
    let mut xml = Xml::new();
    xml.open(&format!("{response} xmlns=\"{}\"", namespace(protocol)));
    xml.nest(&result, |xml| xml.raw(inside));
    xml.nest("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    xml.close(&response);
    xml.into_string()
}

fn xml_error(protocol: Protocol, request_id: &str, error: &ApiError) -> String {
    let mut xml = Xml::new();
    xml.open(&format!("ErrorResponse xmlns=\"{}\"", namespace(protocol)));
    xml.nest("Error", |xml| {
        xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
        xml.text("Code", error.code);
        xml.text("Message", &error.message);
    });
    xml.text("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.into_string()
}

/// The same errors have other names in this protocol.
fn json_error(error: &ApiError) -> String {
    let code = match error.code {
        "AccessDenied" => "AccessDeniedException",
        "Throttling" => "TooManyRequestsException",
        "InternalFailure" => "ServiceException",
        "ValidationError" => "InvalidInputException",
        code => code,
    };
    json!({ "__type": code, "Message": error.message }).to_string()
}
