//! One request of the local API and its answer, whatever they travel over.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use tokio::time::timeout;

use crate::http::{
    connection::Answered,
    local_api::{Caller, LocalApi, LocalBody, LocalRequest, LocalResponse, REQUEST_BYTES_MAX, StreamPiece},
    problem::Problem,
    request_id,
};
use crate::telemetry::http::Route;

/// The longest time for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request of this name, asked by this caller.
pub(crate) async fn answer(
    api: &dyn LocalApi,
    caller: Caller,
    id: String,
    request: Request<Incoming>,
) -> Answered<AnswerBody> {
    let (head, body) = request.into_parts();
    let answer = match timeout(BODY_TIMEOUT, whole(body)).await {
        Ok(Ok(body)) => {
            let request = LocalRequest {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                peer: caller,
                id: id.clone(),
                body,
            };
            api.handle(request).await
        }
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => Problem::too_slow().into_response(),
    };
    told(answer, &id)
}

/// An answer on its way, with the request's name.
pub(crate) fn told(answer: LocalResponse, id: &str) -> Answered<AnswerBody> {
    let route = if answer.status == StatusCode::NOT_FOUND { Route::Unknown } else { Route::Api };
    let mut response = Response::new(AnswerBody(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(request_id::HEADER, id);
    }
    headers.extend(answer.headers);
    Answered { route, response }
}

async fn whole(mut body: Incoming) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) =
            frame.map_err(|_| Problem::invalid("The request's body broke off; send it again."))?.into_data()
        else {
            continue;
        };
        if whole.len() + chunk.len() > REQUEST_BYTES_MAX {
            return Err(Problem::too_large());
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// The body of an answer on its way out.
pub(crate) struct AnswerBody(LocalBody);

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.0 {
            LocalBody::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            LocalBody::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            LocalBody::Stream(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Ok(StreamPiece::Bytes(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Ok(StreamPiece::End)) => {
                    self.0 = LocalBody::Full(Bytes::new());
                    Poll::Ready(None)
                }
                Some(Err(error)) => Poll::Ready(Some(Err(error))),
                None => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, LocalBody::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            LocalBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            LocalBody::Stream(_) => SizeHint::default(),
        }
    }
}
