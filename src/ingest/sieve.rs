//! Decoder and splitter of one body, with its limits: bytes as sent in, decoded bytes and entries out.

use crate::ingest::{
    coding::{Coding, Inflater},
    refusal::Refusal,
};
use crate::json::split::Splitter;
use crate::model::entry::Entry;

/// The most decoded bytes of one step.
const STEP_BYTES: usize = 16 * 1024;

/// Where decoded bytes and entries go.
pub(crate) trait Sink {
    /// Decoded bytes, already proved well-formed so far.
    fn bytes(&mut self, decoded: &[u8]) -> Result<(), Refusal>;
    /// An item that ended in them.
    fn entry(&mut self, entry: Entry) -> Result<(), Refusal>;
    /// Whether no further step should be made here.
    fn is_full(&self) -> bool;
}

/// Decoder and splitter of one body.
pub(crate) struct Sieve {
    /// What the body is coded with, and room for one step of it.
    inflater: Option<(Inflater, Box<[u8]>)>,
    splitter: Splitter,
    sent: u64,
    decoded: u64,
    bytes_max: u64,
}

impl Sieve {
    /// At the start of a body.
    pub(crate) fn new(coding: Coding, bytes_max: u64) -> Self {
        let inflater = Inflater::new(coding).map(|inflater| (inflater, vec![0; STEP_BYTES].into_boxed_slice()));
        Self { inflater, splitter: Splitter::new(), sent: 0, decoded: 0, bytes_max }
    }

    /// Counts bytes as they arrive, before they are pushed.
    pub(crate) fn arrive(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.sent = self.sent.saturating_add(bytes as u64);
        if self.sent > self.bytes_max { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// Bytes that arrived so far, as sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether decoding may give more bytes than were sent.
    pub(crate) fn expands(&self) -> bool {
        self.inflater.is_some()
    }

    /// Decodes and splits `input` until it is used up, or the sink is full; says which bytes are left. `true` where
    /// the decoder holds more although its input is used up.
    pub(crate) fn push(&mut self, input: &mut &[u8], sink: &mut dyn Sink) -> Result<bool, Refusal> {
        let Self { inflater, splitter, decoded, bytes_max, .. } = self;
        loop {
            let (step, more) = match inflater {
                None => {
                    let (step, rest) = input.split_at(input.len().min(STEP_BYTES));
                    *input = rest;
                    (step, false)
                }
                Some((inflater, room)) => {
                    let step = inflater.step(input, room).map_err(Refusal::Malformed)?;
                    (&room[..step.written], step.more)
                }
            };
            if !step.is_empty() {
                split(splitter, decoded, *bytes_max, step, sink)?;
            }
            if (input.is_empty() && !more) || sink.is_full() {
                return Ok(more);
            }
        }
    }

    /// The body is over: an error where coding or JSON ended early.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        if let Some((inflater, _)) = &self.inflater {
            inflater.finish().map_err(Refusal::Malformed)?;
        }
        Ok(self.splitter.finish()?)
    }
}

fn split(
    splitter: &mut Splitter,
    decoded: &mut u64,
    bytes_max: u64,
    step: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    *decoded = decoded.saturating_add(step.len() as u64);
    if *decoded > bytes_max {
        return Err(Refusal::TooLarge);
    }
    let mut refused = None;
    splitter.feed(step, &mut |entry| {
        if refused.is_none() {
            refused = sink.entry(entry).err();
        }
    })?;
    match refused {
        Some(refusal) => Err(refusal),
        None => sink.bytes(step),
    }
}
